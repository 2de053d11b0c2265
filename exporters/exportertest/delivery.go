package exportertest

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// Delivery is a payload of testdata, named by the folder of its kind and its file.
type Delivery struct {
	Name   string
	Header http.Header // may be nil
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
			all = append(all, Delivery{Name: strings.TrimPrefix(file, "testdata/"), Body: Read(t, file), Decode: kind.Decode})
		}
	}
	return all
}

// Law says what is wrong with an event, or nothing.
type Law func(e event.Event) string

// Lawful decodes a body in place of the delivery's own and returns its events, after making sure that there are some or
// an error, that the error does not quote the body, and that each event is as Unlawful and the laws of a domain want it.
// what is said of the body in errors.
func (d Delivery) Lawful(t testing.TB, what string, body []byte, observed time.Time, laws ...Law) []event.Event {
	t.Helper()
	header := d.Header
	if header == nil {
		header = http.Header{}
	}
	events, err := d.Decode(header, body, observed)
	if (err == nil) == (len(events) == 0) {
		t.Errorf("%s %s: %d events and error %v", d.Name, what, len(events), err)
	}
	if err != nil && (len(err.Error()) > 120 || strings.Contains(err.Error(), "hunter2")) {
		t.Errorf("%s %s: the error quotes the body: %v", d.Name, what, err)
	}
	for _, e := range events {
		wrong := Unlawful(e, observed)
		for _, law := range laws {
			if wrong == "" {
				wrong = law(e)
			}
		}
		if wrong != "" {
			t.Errorf("%s %s: %v %s", d.Name, what, e, wrong)
		}
	}
	return events
}

// Unlawful says what is wrong with an event of any decoder that was observed at a time, or nothing: it is named, bounded,
// identified, of a believable time, and clean.
func Unlawful(e event.Event, observed time.Time) string {
	line, err := json.Marshal(e)
	latest := observed.Add(event.MaxSkew)
	switch {
	case err != nil:
		return err.Error()
	case len(line) > 8<<10:
		return "is too long"
	case e.Source == "" || !e.Observed.Equal(observed):
		return "has no source or another time of receipt"
	case event.Inner(e.Name):
		return "is one that only counters make"
	case e.Name == event.Unused && e.Subject+e.Key != "":
		return "is unused but identified"
	case e.Name != event.Unused && (e.Subject == "" || !strings.HasPrefix(e.Key, e.Subject+"/")):
		return "has no key, or one that does not begin with its subject"
	case len(e.Key) > 1024 || strings.ContainsFunc(e.Key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "has an unsafe key"
	case e.Time.After(latest) || e.Time.Year() < 1970 || e.Start.After(latest):
		return "is of no believable time"
	}
	for _, a := range e.Attrs {
		if text, ok := a.Value().(string); ok && (text == "" || text != event.Clean(text)) {
			return "has an unsafe " + a.Name
		}
	}
	return ""
}

// Words is the law that attributes have no other words than these.
func Words(vocabulary map[string][]string) Law {
	return func(e event.Event) string {
		for _, a := range e.Attrs {
			if words := vocabulary[a.Name]; words != nil && !slices.Contains(words, a.Text()) {
				return "has an unknown word for " + a.Name
			}
		}
		return ""
	}
}

// Names is the law that events have no other names than these.
func Names(names ...string) Law {
	return func(e event.Event) string {
		if !slices.Contains(names, e.Name) {
			return "has an unknown name"
		}
		return ""
	}
}
