package coverage_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

var t0 = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func minutes(m float64) time.Time { return t0.Add(time.Duration(m * float64(time.Minute))) }

type fatal interface{ Fatal(...any) }

// inventory has a: all signals, b: logs alone.
func inventory(t testing.TB) *coverage.Inventory {
	t.Helper()
	file := filepath.Join(t.TempDir(), "services.yaml")
	if err := os.WriteFile(file, []byte("services: [{name: a, aliases: [a2], team: x}, {name: b, signals: [logs]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	var i coverage.Inventory
	if err := i.Load(file); err != nil {
		t.Fatal(err)
	}
	return &i
}

func opened(t fatal, j counters.Journal, i *coverage.Inventory) *counters.Counters {
	c, err := counters.Open(j, t0, coverage.New(coverage.Options{}, i))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func add(t fatal, c *counters.Counters, events ...event.Event) {
	if err := c.Add(events...); err != nil {
		t.Fatal(err)
	}
}

// gauges returns the values by name, service and signal.
func gauges(t fatal, c *counters.Counters, at float64) map[string]float64 {
	s, err := c.Read(minutes(at), 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			key := f.Name[len("platform.telemetry."):]
			for _, name := range []string{event.Service, event.Signal} {
				if text := p.Attrs.Text(name); text != "" {
					key += " " + text
				}
			}
			all[key] = p.Value
		}
	}
	return all
}

// TestStory goes through a day of two services of which one stops.
func TestStory(t *testing.T) {
	c := opened(t, &exportertest.Journal{}, inventory(t))
	type values = map[string]float64
	f := func(what string, at float64, want values) {
		t.Helper()
		if diff := cmp.Diff(want, gauges(t, c, at)); diff != "" {
			t.Errorf("%s, after %v minutes (-want +got):\n%s", what, at, diff)
		}
	}
	f("nobody watches yet", 0, values{})
	add(t, c, coverage.Begin(t0))
	f("nothing is known", 1, values{"unlisted": 0})
	add(t, c, coverage.Seen("a", coverage.Metrics, minutes(2)), coverage.Seen("other", coverage.Logs, minutes(2)))
	f("one is covered", 2, values{"coverage a metrics": 1, "expected metrics": 1, "covered metrics": 1, "unlisted": 1})
	f("one has stopped", 13.1, values{"coverage a metrics": 0, "expected metrics": 1, "covered metrics": 0, "expected all": 1, "covered all": 0, "unlisted": 1})
	add(t, c, coverage.Seen("a2", coverage.Metrics, minutes(60)), coverage.Seen("b", coverage.Logs, minutes(60)), coverage.Watch(minutes(60)))
	f("logs should have come", 67, values{
		"coverage a metrics": 1, "coverage a logs": 0, "coverage b logs": 1, "expected metrics": 1, "covered metrics": 1, "expected logs": 2, "covered logs": 1,
		"expected all": 2, "covered all": 1, "unlisted": 1,
	})
	add(t, c, coverage.Seen("a", coverage.Metrics, minutes(26.4*60)))
	f("a day later", 26.4*60+1, values{
		"coverage a metrics": 1, "coverage a logs": 0, "coverage a traces": 0, "coverage b logs": 0, "expected metrics": 1, "covered metrics": 1,
		"expected logs": 2, "covered logs": 0, "expected traces": 1, "covered traces": 0, "expected all": 2, "covered all": 0, "unlisted": 0,
	})
}

// TestAway: who was covered when the watch ended is covered when it begins again, whenever that is, and who was not is not;
// and then has as long as was left to send something.
func TestAway(t *testing.T) {
	i := inventory(t)
	rapid.Check(t, func(t *rapid.T) {
		j := &exportertest.Journal{}
		c := opened(t, j, i)
		add(t, c, coverage.Begin(t0), coverage.Seen("a", coverage.Metrics, minutes(0)))
		ran := float64(rapid.IntRange(1, 30).Draw(t, "ran"))
		add(t, c, coverage.Watch(minutes(ran)))
		if rapid.Bool().Draw(t, "compact") {
			if err := c.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		before := gauges(t, c, ran)["coverage a metrics"]
		away := float64(rapid.IntRange(0, 10_000).Draw(t, "away"))
		c = opened(t, j, i) // nobody said goodbye
		add(t, c, coverage.Begin(minutes(ran+away)))
		if got := gauges(t, c, ran+away)["coverage a metrics"]; got != before {
			t.Fatalf("covered %v before %v minutes away, and then %v", before, away, got)
		}
		later := float64(rapid.IntRange(0, 30).Draw(t, "later"))
		want := 0.0
		if ran+later <= 11 {
			want = 1
		}
		if got := gauges(t, c, ran+away+later)["coverage a metrics"]; got != want {
			t.Fatalf("covered %v after %v and %v minutes, want %v", got, ran, later, want)
		}
	})
}

// TestLaw: coverage is what the definition says of the last sighting, in whatever order sightings come, over restarts.
func TestLaw(t *testing.T) {
	i := inventory(t)
	windows := map[coverage.Signal]float64{coverage.Metrics: 11, coverage.Logs: 66, coverage.Traces: 26.4 * 60}
	rapid.Check(t, func(t *rapid.T) {
		j := &exportertest.Journal{}
		c := opened(t, j, i)
		add(t, c, coverage.Begin(t0))
		last := map[string]float64{}
		now := 0.0
		var all []event.Event
		for range rapid.IntRange(1, 20).Draw(t, "sightings") {
			now += float64(rapid.IntRange(0, 100).Draw(t, "pause"))
			name := rapid.SampledFrom([]string{"a", "a2", "b", "c"}).Draw(t, "service")
			signal := coverage.Signal(rapid.IntRange(0, 2).Draw(t, "signal"))
			all = append(all, coverage.Seen(name, signal, minutes(now)))
			last[fmt.Sprintf("coverage %s %s", name[:1], signal)] = now
		}
		for _, e := range append(rapid.Permutation(all).Draw(t, "order"), all[0]) {
			add(t, c, e)
			if rapid.Bool().Draw(t, "open again") {
				c = opened(t, j, i)
			}
		}
		now += float64(rapid.IntRange(0, 2000).Draw(t, "later"))
		got := gauges(t, c, now)
		for _, key := range []struct {
			name   string
			signal coverage.Signal
		}{{"a", coverage.Metrics}, {"a", coverage.Logs}, {"a", coverage.Traces}, {"b", coverage.Logs}} {
			name := fmt.Sprintf("coverage %s %s", key.name, key.signal)
			at, seen := last[name]
			value, known := got[name]
			switch {
			case !seen && now <= windows[key.signal]:
				if known {
					t.Fatalf("%s is %v, want nothing", name, value)
				}
			case (seen && now <= at+windows[key.signal]) != (value == 1) || !known:
				t.Fatalf("%s is %v at %v, last seen at %v", name, value, now, at)
			}
		}
	})
}

// TestBounds: names nobody knows do not drive out those of the inventory, which are heard of.
func TestBounds(t *testing.T) {
	c, err := counters.Open(&exportertest.Journal{}, t0, coverage.New(coverage.Options{MaxServices: 50}, inventory(t)))
	if err != nil {
		t.Fatal(err)
	}
	add(t, c, coverage.Begin(t0))
	for i := range 500 {
		add(t, c, coverage.Seen("a", coverage.Metrics, minutes(1)), coverage.Seen(fmt.Sprint("x", i), coverage.Metrics, minutes(1)))
	}
	if got := gauges(t, c, 2); got["coverage a metrics"] != 1 || got["unlisted"] > 50 {
		t.Errorf("got %v", got)
	}
}
