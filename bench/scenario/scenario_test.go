package scenario_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/bench/scenario"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// run returns a world after some time and an engine to query what it wrote.
func run(t *testing.T, seed uint64, spec scenario.Spec, length time.Duration) (*scenario.World, *engine.Engine) {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 60 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w, err := scenario.New(st, start, seed, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Feed(start.Add(length)); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return w, e
}

// query returns the value of an expression that has one.
func query(t *testing.T, e *engine.Engine, expr string, at time.Time) float64 {
	t.Helper()
	got, err := e.Query(context.Background(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Fatalf("%s at %s: got %v, want one value", expr, at, got)
	}
	return got[0].V
}

// Where nothing goes wrong, the counters and the truth are the same.
func TestTruth(t *testing.T) {
	w, e := run(t, 1, scenario.Spec{Services: []scenario.Service{{Name: "calm", Pods: 4, Rate: 20, ErrorRatio: .01}}}, 6*time.Hour)
	at := start.Add(6 * time.Hour)
	events, bad := w.Truth("calm", start, at)
	// The pods are scraped up to half a minute before.
	least, leastBad := w.Truth("calm", start, at.Add(-time.Minute))
	if got := int64(query(t, e, `sum(http_requests_total)`, at)); got < least || got > events {
		t.Errorf("counters say %d events, want %d to %d", got, least, events)
	}
	if got := int64(query(t, e, `sum(http_requests_total{code=~"5.."})`, at)); got < leastBad || got > bad {
		t.Errorf("counters say %d bad events, want %d to %d", got, leastBad, bad)
	}
	if want := 20. * 6 * 3600; float64(events) < .98*want || float64(events) > 1.02*want {
		t.Errorf("got %d events, want about %.0f", events, want)
	}
	if want := .01 * float64(events); float64(bad) < .9*want || float64(bad) > 1.1*want {
		t.Errorf("got %d bad events, want about %.0f", bad, want)
	}
}

func TestSameSeedSameSamples(t *testing.T) {
	digest := func(seed uint64) []engine.Point {
		_, e := run(t, seed, scenario.Month(), 26*time.Hour)
		got, err := e.Query(context.Background(), `sum by (job, pod) (sum_over_time(http_requests_total[26h]))`, start.Add(26*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	one, again, other := digest(1), digest(1), digest(2)
	if diff := cmp.Diff(one, again); diff != "" {
		t.Errorf("two runs with one seed differ: %s", diff)
	}
	if cmp.Equal(one, other) {
		t.Error("two seeds give the same samples")
	}
}

// The month has the troubles that its services are named for.
func TestMonthHasTrouble(t *testing.T) {
	spec := scenario.Month()
	spec.Down = scenario.Span{At: 20 * time.Hour, For: 40 * time.Minute}
	w, e := run(t, 1, spec, 30*time.Hour)
	at := start.Add(30 * time.Hour)
	want := func(what, expr string, at time.Time, low, high float64) {
		t.Helper()
		if got := query(t, e, expr, at); got < low || got > high {
			t.Errorf("%s: %s is %v, want %v to %v", what, expr, got, low, high)
		}
	}
	want("restarts every 2h", `sum(resets(http_requests_total{job="restarts",code="200"}[1d]))`, at, 100, 300)
	want("a rollout", `count(count by (pod) (count_over_time(http_requests_total{job="restarts"}[30h])))`, at, 14, 14)
	want("no pods at night", `count(up{job="scale-to-zero"}) or vector(0)`, start.Add(12*time.Hour), 0, 0)
	want("pods at day", `count(up{job="scale-to-zero"})`, at, 7, 7)
	want("no traffic at night", `sum(increase(http_requests_total{job="closed-at-night"}[1h])) + count(up{job="closed-at-night"})`, start.Add(14*time.Hour), 7, 7)
	want("failed scrapes", `1 - avg(avg_over_time(up{job="failed-scrapes"}[1d]))`, at, .015, .035)
	want("no server", `count(count_over_time(up[38m])) or vector(0)`, start.Add(20*time.Hour+39*time.Minute), 0, 0)
	want("lazy series", `count(http_requests_total{job="low-traffic"})`, at, 1, 25)
	if !w.Down(start.Add(20*time.Hour)) || w.Down(start.Add(20*time.Hour+40*time.Minute)) {
		t.Error("the server is down from hour 20 on and up 40 minutes later: Down says something else")
	}
	events, _ := w.Truth("low-traffic", start, at)
	if events < 1500 || events > 2400 {
		t.Errorf("low traffic has %d events in 30 hours, want about 66 an hour", events)
	}
	if got := w.Live(); got < 400 || got > 600 {
		t.Errorf("%d series are live, want about 500", got)
	}
}
