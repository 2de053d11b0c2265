package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Kinds of attribute values.
const (
	textValue = iota
	integerValue
	numberValue
	truthValue
)

// appendEvent appends the event with its length in front: name, source, subject and key as texts with their lengths,
// the three times, and the attributes as name, kind and value. Times keep the instant to the nanosecond, not the zone.
func appendEvent(b []byte, e event.Event) []byte {
	var body []byte
	for _, text := range []string{e.Name, e.Source, e.Subject, e.Key} {
		body = appendText(body, text)
	}
	for _, at := range []time.Time{e.Start, e.Time, e.Observed} {
		body = appendTime(body, at)
	}
	body = binary.AppendUvarint(body, uint64(len(e.Attrs)))
	for _, a := range e.Attrs {
		body = appendText(body, a.Name)
		switch v := a.Value().(type) {
		case string:
			body = appendText(append(body, textValue), v)
		case int64:
			body = binary.AppendVarint(append(body, integerValue), v)
		case float64:
			body = binary.LittleEndian.AppendUint64(append(body, numberValue), math.Float64bits(v))
		case bool:
			truth := byte(0)
			if v {
				truth = 1
			}
			body = append(body, truthValue, truth)
		default:
			panic(fmt.Sprintf("ledger: attribute of type %T", v))
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// appendTime appends 0 for the zero time, otherwise 1 and the seconds and nanoseconds since 1970.
func appendTime(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(b, 0)
	}
	b = binary.AppendVarint(append(b, 1), at.Unix())
	return binary.AppendUvarint(b, uint64(at.Nanosecond()))
}

// events calls each with every event of a record's payload and returns how many there are.
func events(payload []byte, each func(event.Event) error) (int, error) {
	all := reader{rest: payload}
	n := 0
	for ; len(all.rest) > 0; n++ {
		r := reader{rest: all.bytes()}
		e := r.event()
		if all.failed || r.failed || len(r.rest) > 0 {
			return n, errors.New("not an event of this version")
		}
		if err := each(e); err != nil {
			return n, err
		}
	}
	return n, nil
}

// reader takes values off the front of rest. After anything that can not be read it has failed, and gives zeros.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) event() event.Event {
	e := event.Event{Name: r.text(), Source: r.text(), Subject: r.text(), Key: r.text(), Start: r.time(), Time: r.time(), Observed: r.time()}
	previous := ""
	for n := r.unsigned(); n > 0 && !r.failed; n-- {
		a := r.attr()
		if r.failed = r.failed || a.Name <= previous; !r.failed {
			e.Attrs = append(e.Attrs, a)
		}
		previous = a.Name
	}
	return e
}

func (r *reader) attr() event.Attr {
	name := r.text()
	switch r.byte() {
	case textValue:
		return event.String(name, r.text())
	case integerValue:
		return event.Int(name, r.signed())
	case numberValue:
		return event.Float(name, r.number())
	case truthValue:
		return event.Bool(name, r.byte() != 0)
	}
	r.failed = true
	return event.Attr{}
}

func (r *reader) time() time.Time {
	if r.byte() == 0 {
		return time.Time{}
	}
	seconds, nanoseconds := r.signed(), r.unsigned()
	if nanoseconds >= uint64(time.Second) {
		r.failed = true
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC()
}

func (r *reader) text() string { return string(r.bytes()) }

// bytes takes a length and as many bytes.
func (r *reader) bytes() []byte {
	n := r.unsigned()
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	return r.take(int(n))
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) number() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

func (r *reader) unsigned() uint64 {
	v, n := binary.Uvarint(r.rest)
	return v * uint64(r.skip(n))
}

func (r *reader) signed() int64 {
	v, n := binary.Varint(r.rest)
	return v * int64(r.skip(n))
}

// skip takes the n bytes of a number and returns 1, or if there was none, fails and returns 0.
func (r *reader) skip(n int) int {
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return 1
}

func (r *reader) fail() { r.rest, r.failed = nil, true }
