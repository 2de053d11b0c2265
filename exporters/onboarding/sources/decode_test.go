package sources_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite golden files")

var observed = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func everything(t testing.TB) []exportertest.Delivery {
	t.Helper()
	return exportertest.Deliveries(t, sources.Kinds())
}

func check(t testing.TB, what string, f exportertest.Delivery, body []byte) []event.Event {
	t.Helper()
	return f.Lawful(t, what, body, observed)
}

func TestGolden(t *testing.T) {
	var lines []byte
	for _, f := range everything(t) {
		lines = append(append(lines, "# "+f.Name+"\n"...), exportertest.Lines(t, check(t, "as it is", f, f.Body))...)
	}
	golden.Check(t, *update, "testdata/all.golden", lines)
}

var planted = []string{"hunter2 fell over", "hunter2@example.com", "https://example.com/?token=hunter2"}

// TestMeant: nothing but identifiers goes on in clear.
func TestMeant(t *testing.T) {
	meant := map[string]bool{}
	for _, f := range everything(t) {
		exportertest.Mutate(t, f.Body, func(p exportertest.Place, with func(any) []byte) {
			if !p.Leaf {
				return
			}
			for _, text := range planted {
				if strings.Contains(string(exportertest.Lines(t, check(t, p.Path, f, with(text)))), "hunter2") && !strings.HasSuffix(p.Path, "id") && !strings.HasSuffix(p.Path, "source") {
					t.Errorf("%s %s: %q goes on", f.Name, p.Path, text)
				}
			}
			if strings.Contains(string(exportertest.Lines(t, check(t, p.Path, f, with("canary-7")))), "canary-7") {
				kind, _, _ := strings.Cut(f.Name, "/")
				meant[kind+" "+p.Path] = true
			}
		})
	}
	golden.Check(t, *update, "testdata/meant.golden", []byte(strings.Join(slices.Sorted(maps.Keys(meant)), "\n")+"\n"))
}

func TestHostileValues(t *testing.T) {
	for _, f := range everything(t) {
		exportertest.Mutate(t, f.Body, func(p exportertest.Place, with func(any) []byte) {
			for _, value := range exportertest.Hostile() {
				check(t, p.Path, f, with(value))
			}
		})
		for _, body := range []string{"", "[]", "null", "17", "{}", `{"tasks":[]}`, "[" + strings.Repeat("1,", 1000) + "1]", strings.Repeat(`{"tasks":[`, 20_000)} {
			check(t, "broken", f, []byte(body))
		}
	}
}

func FuzzKinds(f *testing.F) {
	kinds := sources.Kinds()
	for _, one := range everything(f) {
		for i, kind := range kinds {
			if strings.HasPrefix(one.Name, kind.Name) {
				f.Add(byte(i), one.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, body []byte) {
		kind := kinds[int(which)%len(kinds)]
		check(t, "", exportertest.Delivery{Name: kind.Name, Body: nil, Decode: kind.Decode}, body)
	})
}
