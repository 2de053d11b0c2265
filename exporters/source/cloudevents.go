package source

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// CloudEvent is what is read of a CloudEvent of version 1, from an envelope or from headers.
type CloudEvent struct {
	ID     string          `json:"id"`
	Source string          `json:"source"`
	Type   string          `json:"type"`
	Time   Stamp           `json:"time"`
	Data   json.RawMessage `json:"data"`
	Base64 string          `json:"data_base64"`
}

// maxBatch bounds the events of one request. An element of a batch can be two bytes, the event it becomes is hundreds.
const maxBatch = 1000

// cloudEvents returns the events of one HTTP request: a batch, an envelope (structured mode), or a body that is the
// data itself with the rest in ce- headers (binary mode) or nowhere. It goes by the body more than by Content-Type,
// which senders get wrong. Source: CloudEvents 1.0.2, HTTP protocol binding and JSON event format.
func cloudEvents(header http.Header, body []byte) ([]CloudEvent, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) > 0 && body[0] == '[' {
		var batch []json.RawMessage
		if _, err := Unmarshal(body, &batch); err != nil {
			return nil, err
		}
		if len(batch) == 0 || len(batch) > maxBatch {
			return nil, fmt.Errorf("a batch of %d events, want 1 to %d", len(batch), maxBatch)
		}
		events := make([]CloudEvent, len(batch))
		for i, one := range batch {
			events[i] = envelope(one)
		}
		return events, nil
	}
	var object map[string]json.RawMessage
	if exact, err := Unmarshal(body, &object); err != nil || !exact || object == nil {
		return nil, errors.New("not a JSON object")
	}
	if object["data"] != nil || object["data_base64"] != nil {
		return []CloudEvent{envelope(body)}, nil
	}
	e := CloudEvent{ID: header.Get("Ce-Id"), Source: header.Get("Ce-Source"), Type: header.Get("Ce-Type"), Data: body}
	e.Time.Parse(header.Get("Ce-Time"))
	return []CloudEvent{e}, nil
}

// envelope reads an event in structured mode; what can not be read has no data.
func envelope(body []byte) (e CloudEvent) {
	if _, err := Unmarshal(body, &e); err != nil {
		return CloudEvent{}
	}
	if data, err := base64.StdEncoding.DecodeString(e.Base64); len(e.Data) == 0 && err == nil {
		e.Data = data
	}
	return e
}

// EachCloudEvent returns the events that decode makes of every CloudEvent of a request. source is that of the events. In a batch, one that can not be
// read is event.Unused and the others are read all the same.
func EachCloudEvent(source string, header http.Header, body []byte, observed time.Time, decode func(CloudEvent) ([]event.Event, error)) ([]event.Event, error) {
	batch, err := cloudEvents(header, body)
	if err != nil {
		return nil, fmt.Errorf("decode %s delivery: %w", source, err)
	}
	var events []event.Event
	for _, e := range batch {
		decoded, err := decode(e)
		if err != nil && len(batch) == 1 {
			return nil, fmt.Errorf("decode %s delivery: %w", source, err)
		}
		if err != nil || len(decoded) == 0 {
			decoded = []event.Event{event.NewUnused(source, observed)}
		}
		events = append(events, decoded...)
	}
	return events, nil
}
