package sources_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/policy/sources"
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

// TestTotals: what is counted of all fixtures, delivered twice, is what is in them by eye.
func TestTotals(t *testing.T) {
	c := counters.New(observed, policy.New(policy.Options{}))
	for range 2 {
		for _, f := range everything(t) {
			if err := c.Add(check(t, "", f, f.Body)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := c.Read(observed, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name == "policy.decisions" {
				got[p.Attrs.Text(event.PolicyEngine)+" "+p.Attrs.Text(event.PolicyDecision)] += p.Count
			}
		}
	}
	want := map[string]uint64{
		"gatekeeper deny": 3, "gatekeeper warn": 2, "gatekeeper audit": 2, // a dry run and one object that two ways tell of
		"kyverno deny": 1 + 7, "kyverno allow": 1, "kyverno audit": 4, "kyverno error": 2, "kyverno warn": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var planted = []string{"hunter2 fell over", "hunter2@example.com", "https://example.com/?token=hunter2"}

// TestMeant: nothing but what can be the name of an object of Kubernetes' goes on in clear.
func TestMeant(t *testing.T) {
	meant := map[string]bool{}
	for _, f := range everything(t) {
		exportertest.Mutate(t, f.Body, func(p exportertest.Place, with func(any) []byte) {
			if !p.Leaf {
				return
			}
			for _, text := range planted {
				if strings.Contains(string(exportertest.Lines(t, check(t, p.Path, f, with(text)))), "hunter2") && !strings.HasSuffix(p.Path, "metadata.uid") {
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
		for _, body := range []string{"", "[]", "null", "17", "{}", `{"items":[]}`, "[" + strings.Repeat("1,", 1000) + "1]", strings.Repeat(`{"items":[`, 20_000)} {
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
