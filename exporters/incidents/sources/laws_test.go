package sources_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

// unlawful says what is wrong with an event, or nothing.
func unlawful(e event.Event) string {
	line, err := json.Marshal(e)
	switch {
	case err != nil:
		return err.Error()
	case len(line) > 4<<10:
		return "is too long"
	case e.Name != event.Unused && (e.Subject == "" || !strings.HasPrefix(e.Key, e.Subject+"/")):
		return "has no key, or one that does not begin with its subject"
	case strings.ContainsFunc(e.Key, func(r rune) bool { return r <= ' ' || r > '~' }) || len(e.Key) > 1024:
		return "has an unsafe key"
	case e.Time.After(observed.Add(event.MaxSkew)) || e.Time.Year() < 1970 || e.Start.After(observed.Add(event.MaxSkew)):
		return "is of no believable time"
	}
	for _, a := range e.Attrs {
		if text := a.Text(); text == "" || text != event.Clean(text) {
			return "has an unsafe " + a.Name
		}
	}
	return ""
}

func check(t testing.TB, what string, f fixture, body []byte) []event.Event {
	t.Helper()
	events, err := f.decode(http.Header{}, body, observed)
	if (err == nil) == (len(events) == 0) {
		t.Errorf("%s %s: %d events and error %v", f.name, what, len(events), err)
	}
	if err != nil && (len(err.Error()) > 120 || strings.Contains(err.Error(), "hunter2")) {
		t.Errorf("%s %s: the error quotes the body: %v", f.name, what, err)
	}
	for _, e := range events {
		if wrong := unlawful(e); wrong != "" {
			t.Errorf("%s %s: %v %s", f.name, what, e, wrong)
		}
	}
	return events
}

// planted are what must not come through: a message, an address of a person, addresses with a token in them.
var planted = []string{"hunter2 fell over, call Jane", "hunter2@example.com", "https://example.com/x?token=hunter2", "git://u:hunter2@host/x"}

// TestMeant: the golden file is the list of every place whose text goes on in clear. An address of a person or one with a
// token goes on from nowhere, and a message from where a name belongs alone.
func TestMeant(t *testing.T) {
	meant := map[string]bool{}
	note := func(name, path, text string, events []event.Event) {
		if !strings.Contains(string(exportertest.Lines(t, events)), "hunter2") {
			return
		}
		if text != planted[0] && !strings.HasSuffix(path, ".id") && !strings.HasSuffix(path, ".source") {
			t.Errorf("%s %s: %q goes on", name, path, text)
		}
		kind, _, _ := strings.Cut(name, "/")
		meant[kind+" "+path] = true
	}
	for _, f := range everything(t) {
		exportertest.Mutate(t, f.body, func(p exportertest.Place, with func(any) []byte) {
			for _, text := range planted {
				if p.Leaf {
					note(f.name, p.Path, text, check(t, p.Path, f, with(text)))
				}
			}
		})
	}
	silences := exportertest.Read(t, "testdata/lists/silences.json")
	exportertest.Mutate(t, exportertest.Read(t, "testdata/lists/alerts.json"), func(p exportertest.Place, with func(any) []byte) {
		for _, text := range planted {
			if p.Leaf {
				events, err := sources.AlertmanagerList("x", "", with(text), silences, observed)
				if err != nil {
					t.Fatal(err)
				}
				note("lists/", p.Path, text, events)
			}
		}
	})
	golden.Check(t, *update, "testdata/meant.golden", []byte(strings.Join(slices.Sorted(maps.Keys(meant)), "\n")+"\n"))
}

var hostile = []any{
	nil, "", "\n\r\x00\x1b[31m", strings.Repeat("long ", 2000), strings.Repeat("é", 5000), "../../%2e%2e", json.RawMessage(`"\ud800"`), -1, 17,
	json.RawMessage("1e308"), json.RawMessage("99999999999999999999999"), true,
	[]any{},
	map[string]any{},
	[]any{nil, 1, "x", map[string]any{"id": 1}},
	"9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "resolved", "incident.resolved",
}

func TestHostileValues(t *testing.T) {
	for _, f := range everything(t) {
		exportertest.Mutate(t, f.body, func(p exportertest.Place, with func(any) []byte) {
			for _, value := range hostile {
				check(t, p.Path, f, with(value))
			}
		})
		for _, body := range [][]byte{nil, f.body[:len(f.body)/2], []byte("[]"), []byte("null"), []byte("17"), []byte(strings.Repeat(`{"alerts":`, 20_000))} {
			check(t, "broken", f, body)
		}
	}
	silences := exportertest.Read(t, "testdata/lists/silences.json")
	exportertest.Mutate(t, exportertest.Read(t, "testdata/lists/alerts.json"), func(p exportertest.Place, with func(any) []byte) {
		for _, value := range hostile {
			events, _ := sources.AlertmanagerList("x", "", with(value), silences, observed)
			for _, e := range events {
				if wrong := unlawful(e); wrong != "" {
					t.Errorf("%s: %v %s", p.Path, e, wrong)
				}
			}
		}
	})
}

func FuzzKinds(f *testing.F) {
	kinds := sources.Kinds()
	for i, kind := range kinds {
		for _, one := range deliveries(f, kind) {
			f.Add(byte(i), one.body)
		}
	}
	f.Add(byte(len(kinds)), exportertest.Read(f, "testdata/lists/alerts.json"))
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		if int(which) < len(kinds) {
			check(t, "", fixture{kinds[which].Name, nil, kinds[which].Decode}, body)
			return
		}
		events, _ := sources.AlertmanagerList("x", "", body, []byte("[]"), observed)
		for _, e := range events {
			if wrong := unlawful(e); wrong != "" {
				t.Errorf("%v %s", e, wrong)
			}
		}
	})
}
