package exportertest

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// Delivery is a payload of testdata, named by the folder of its kind and its file.
type Delivery struct {
	Name   string
	Body   []byte
	Decode source.Decoder
}

// Deliveries returns the payloads in testdata/KIND/*.json of some kinds, of which each must have one.
func Deliveries(t testing.TB, kinds []source.Kind) []Delivery {
	t.Helper()
	var all []Delivery
	for _, kind := range kinds {
		files, err := filepath.Glob("testdata/" + kind.Name + "/*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("no payloads of %s: %v", kind.Name, err)
		}
		for _, file := range files {
			all = append(all, Delivery{strings.TrimPrefix(file, "testdata/"), Read(t, file), kind.Decode})
		}
	}
	return all
}

// Lawful decodes a body in place of the delivery's own and returns its events, after making sure that there are some or
// an error, that the error does not quote the body, and that each event is bounded, named, timed and clean. what is said
// of the body in errors.
func (d Delivery) Lawful(t testing.TB, what string, body []byte, observed time.Time) []event.Event {
	t.Helper()
	events, err := d.Decode(http.Header{}, body, observed)
	if (err == nil) == (len(events) == 0) {
		t.Errorf("%s %s: %d events and error %v", d.Name, what, len(events), err)
	}
	if err != nil && len(err.Error()) > 120 {
		t.Errorf("%s %s: the error quotes the body: %v", d.Name, what, err)
	}
	for _, e := range events {
		line, err := json.Marshal(e)
		named := e.Name == event.Unused || strings.HasPrefix(e.Key, e.Subject+"/") && e.Subject != ""
		if err != nil || len(line) > 2048 || !named || len(e.Key) > 1024 || e.Time.After(observed.Add(event.MaxSkew)) || e.Time.Year() < 1970 {
			t.Errorf("%s %s: %v is no lawful event: %v", d.Name, what, e, err)
		}
		for _, a := range e.Attrs {
			if text := a.Text(); text == "" || text != event.Clean(text) {
				t.Errorf("%s %s: unsafe %s", d.Name, what, a.Name)
			}
		}
	}
	return events
}
