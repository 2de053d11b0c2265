package sources_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

func check(t testing.TB, what string, f fixture, body []byte) []event.Event {
	t.Helper()
	return exportertest.Delivery{Name: f.name, Decode: f.decode}.Lawful(t, what, body, observed)
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

var hostile = append(exportertest.Hostile(), "resolved", "incident.resolved")

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
				if wrong := exportertest.Unlawful(e, observed); wrong != "" {
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
			if wrong := exportertest.Unlawful(e, observed); wrong != "" {
				t.Errorf("%v %s", e, wrong)
			}
		}
	})
}
