package rules_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

var t0 = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

// compile compiles YAML documents.
func compile(t testing.TB, spec string) *slo.Set {
	t.Helper()
	set, found := slo.Compile([]slo.File{{Name: "spec.yaml", Text: []byte(spec)}})
	if set == nil {
		t.Fatalf("spec does not compile: %v", found)
	}
	return set
}

// availability is the spec of one SLO per job over http_requests_total{job=...}; more is added to the fields of each.
func availability(objective, window, more string, jobs ...string) string {
	spec := `
apiVersion: plimsoll.dev/v1
kind: Service
metadata: {name: shop}
spec: {owner: {team: web}, runbook: "https://runbooks.example/shop"}
`
	for _, job := range jobs {
		spec += fmt.Sprintf(`---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: %[1]s}
spec:
  service: shop
  objective: {target: %[2]q, window: %[3]s}
  sli:
    events:
      bad: http_requests_total{job="%[1]s",code=~"5.."}
      total: http_requests_total{job="%[1]s"}
%[4]s
`, job, objective, window, more)
	}
	return spec
}

// coarse is a data source with fewer evaluations, for long runs.
const coarse = `---
apiVersion: plimsoll.dev/v1
kind: DataSource
metadata: {name: default}
spec: {type: prometheus, scrapeInterval: 1m, evaluationInterval: 2m}
`

// world is rules, a store, and a log of alerts.
type world struct {
	t      testing.TB
	set    *slo.Set
	store  *store.Store
	engine *engine.Engine
	series map[string]*store.Series
	events []engine.Event
}

func newWorld(t testing.TB, spec string, o rules.Options) *world {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 60 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w := &world{t: t, set: compile(t, spec), store: st, series: map[string]*store.Series{}}
	if w.engine, err = engine.Open(st, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	files, err := rules.Files(w.set, o)
	if err != nil {
		t.Fatal(err)
	}
	var load []engine.RuleFile
	for _, f := range files {
		load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := w.engine.Load(load...); err != nil {
		t.Fatal(err)
	}
	return w
}

// sample is one value of one series.
type sample struct {
	labels store.Labels
	value  float64
}

// put writes samples of one time.
func (w *world) put(at time.Time, samples ...sample) error {
	b := w.store.Batch()
	for _, s := range samples {
		key := s.labels.String()
		if w.series[key] == nil {
			sr, err := w.store.Series(s.labels)
			if err != nil {
				return err
			}
			w.series[key] = sr
		}
		if err := b.Add(w.series[key], at, s.value); err != nil {
			return err
		}
	}
	return b.Commit()
}

func requests(job, code string, v float64) sample {
	return sample{store.Labels{store.Name: "http_requests_total", "job": job, "instance": "i", "code": code}, v}
}

func up(job string, v float64) sample {
	return sample{store.Labels{store.Name: "up", "job": job, "instance": "i"}, v}
}

// replay is a run from t0. Scrapes are 20 s before each multiple of scrape.
type replay struct {
	length, scrape, step time.Duration
	feed                 func(at time.Duration) []sample // a scrape
	skip                 func(at time.Duration) bool     // a tick
}

func (w *world) run(r replay) {
	w.t.Helper()
	next := t0
	err := w.engine.Run(context.Background(), engine.Replay{
		From: t0, To: t0.Add(r.length), Step: r.step,
		Feed: func(at time.Time) error {
			for ; !next.After(at); next = next.Add(r.scrape) {
				if err := w.put(next.Add(-20*time.Second), r.feed(next.Sub(t0)-20*time.Second)...); err != nil {
					return err
				}
			}
			return nil
		},
		Skip: func(at time.Time) bool { return r.skip != nil && r.skip(at.Sub(t0)) },
		OnTick: func(_ time.Time, ev []engine.Event) error {
			w.events = append(w.events, ev...)
			return nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.noNaN(r.length)
}

// noNaN checks every recorded value.
func (w *world) noNaN(length time.Duration) {
	w.t.Helper()
	got, err := w.engine.QueryRange(context.Background(), `{__name__=~"slo:.*"}`, t0, t0.Add(length), 2*time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, x := range got {
		for _, p := range x.Samples {
			if math.IsNaN(p.V) {
				w.t.Fatalf("%s is NaN at %v", x.Labels, p.T.Sub(t0))
			}
		}
	}
}

// value returns the one value of a query.
func (w *world) value(query string, at time.Duration) float64 {
	w.t.Helper()
	got, err := w.engine.Query(context.Background(), query, t0.Add(at))
	if err != nil {
		w.t.Fatal(err)
	}
	if len(got) != 1 {
		w.t.Fatalf("%s at %v: got %d values %v, want 1", query, at, len(got), got)
	}
	return got[0].V
}

// alerts returns what fired and ended, as "90.5 fired SLOBudgetBurn page of api".
func (w *world) alerts() []string {
	var out []string
	for _, e := range w.events {
		out = append(out, fmt.Sprintf("%g %s %s %s of %s", e.At.Sub(t0).Minutes(), e.Kind, e.Alert.Name, e.Alert.Labels["severity"], e.Alert.Labels["slo"]))
	}
	return out
}

func (w *world) wantAlerts(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.alerts(), cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

func (w *world) near(what string, got, want, tolerance float64) {
	w.t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		w.t.Errorf("%s: got %v, want %v to %v", what, got, want, tolerance)
	}
}

// traffic is a counter of one job that grows by a number of events a minute, some of them bad.
type traffic struct {
	job        string
	rate       func(at time.Duration) (perMinute, badPerMinute float64)
	at         time.Duration
	ok, bad    float64 // as the counters say
	all, wrong float64 // truth
}

// scrape moves on to at and returns the samples.
func (x *traffic) scrape(at time.Duration) []sample {
	for ; x.at < at; x.at += 10 * time.Second {
		n, bad := x.rate(x.at)
		x.ok, x.bad = x.ok+(n-bad)/6, x.bad+bad/6
		x.all, x.wrong = x.all+n/6, x.wrong+bad/6
	}
	out := []sample{up(x.job, 1), requests(x.job, "200", x.ok)}
	if x.bad > 0 {
		out = append(out, requests(x.job, "500", x.bad))
	}
	return out
}

func steady(n, bad float64) func(time.Duration) (float64, float64) {
	return func(time.Duration) (float64, float64) { return n, bad }
}

// Five services over the whole window, with the truth counted while the traffic is made up.
func TestBudgetIsTheEventTruth(t *testing.T) {
	if testing.Short() {
		t.Skip("replays more than a day") // -short
	}
	t.Parallel()
	const length = 2 * 24 * time.Hour
	clock := func(at time.Duration) int { return int(at.Hours()) % 24 }
	all := []*traffic{
		{job: "steady", rate: steady(6000, 3)},
		{job: "peak", rate: func(at time.Duration) (float64, float64) {
			if clock(at) == 9 {
				return 60000, 120
			}
			return 600, 0
		}},
		{job: "night", rate: func(at time.Duration) (float64, float64) {
			if clock(at) >= 8 {
				return 0, 0
			}
			return 600, 0.3
		}},
		{job: "restarts", rate: steady(600, 0.3)},
		{job: "late", rate: func(at time.Duration) (float64, float64) { // errors in one minute of each day
			if clock(at) == 12 && at%time.Hour < time.Minute {
				return 600, 300
			}
			return 600, 0
		}},
	}
	var jobs []string
	for _, x := range all {
		jobs = append(jobs, x.job)
	}
	w := newWorld(t, availability("99.9%", "{rolling: 2d}", "", jobs...)+coarse, rules.Options{})
	w.run(replay{length: length, scrape: time.Minute, step: 2 * time.Minute, feed: func(at time.Duration) (out []sample) {
		for _, x := range all {
			if x.job == "restarts" && at%(3*time.Hour) < time.Minute {
				x.ok, x.bad = 0, 0 // just after a scrape
			}
			out = append(out, x.scrape(at)...)
		}
		return out
	}})
	for _, x := range all {
		in := `{slo="` + x.job + `"}`
		truth := 1 - x.wrong/x.all/0.001
		got := w.value(slo.SeriesBudgetRemaining+in, length)
		t.Logf("%-10s budget left %8.4f, truth %8.4f", x.job, got, truth)
		w.near(x.job+": budget left", got, truth, 0.001)
	}
	w.near("steady: half is left", w.value(slo.SeriesBudgetRemaining+`{slo="steady"}`, length), 0.5, 0.0005)
	w.near("late: every bad event", w.value(`sum_over_time(slo:bad:inc{slo="late"}[2d])`, length), 600, 0.001)
}
