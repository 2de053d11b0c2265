package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// minute is t0 plus n minutes.
func minute(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Minute))) }

// world is a store with an engine and two counters.
type world struct {
	t        testing.TB
	store    *store.Store
	engine   *Engine
	bad, all *store.Series
	nBad     float64
	log      []string // events, e.g. "13 fired"
}

func newWorld(t testing.TB, o Options, files ...string) *world {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := Open(st, o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, engine: e}
	if len(files) > 0 {
		w.load(files...)
	}
	w.bad, w.all = w.series("errors_total"), w.series("requests_total")
	return w
}

func (w *world) load(files ...string) {
	w.t.Helper()
	if err := w.engine.Load(ruleFiles(files...)...); err != nil {
		w.t.Fatal(err)
	}
}

func ruleFiles(contents ...string) []RuleFile {
	var out []RuleFile
	for i, c := range contents {
		out = append(out, RuleFile{Name: fmt.Sprintf("rules%d.yaml", i), Content: []byte(c)})
	}
	return out
}

func (w *world) series(name string) *store.Series {
	w.t.Helper()
	s, err := w.store.Series(store.Labels{store.Name: name, "job": "api"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) put(s *store.Series, t time.Time, v float64) {
	w.t.Helper()
	b := w.store.Batch()
	if err := errors.Join(b.Add(s, t, v), b.Commit()); err != nil {
		w.t.Fatal(err)
	}
}

// errorsBetween feeds one request a second, half of them bad in (from, to], as samples every 30 s.
func (w *world) errorsBetween(from, to float64) func(time.Time) error {
	return func(t time.Time) error {
		b := w.store.Batch()
		for _, at := range []time.Time{t.Add(-30 * time.Second), t} {
			if at.After(minute(from)) && !at.After(minute(to)) {
				w.nBad += 15
			}
			if err := errors.Join(b.Add(w.bad, at, w.nBad), b.Add(w.all, at, at.Sub(minute(-1)).Seconds())); err != nil {
				return err
			}
		}
		return b.Commit()
	}
}

// run replays minutes 0 to last and collects the events.
func (w *world) run(last float64, r Replay) {
	w.t.Helper()
	r.From, r.To, r.Step = minute(0), minute(last), time.Minute
	hook := r.OnTick
	r.OnTick = func(t time.Time, events []Event) error {
		for _, ev := range events {
			w.log = append(w.log, fmt.Sprintf("%g %s", ev.At.Sub(t0).Minutes(), ev.Kind))
		}
		if hook != nil {
			return hook(t, events)
		}
		return nil
	}
	if err := w.engine.Run(context.Background(), r); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.log, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// query formats the result of an instant query.
func (w *world) query(expr string, at float64) string {
	w.t.Helper()
	ps, err := w.engine.Query(context.Background(), expr, minute(at))
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprintf("%s %g", p.Labels, p.V))
	}
	return strings.Join(out, "; ")
}

// errorRules records the error ratio over one minute and pages when it exceeds 40 % for the given time.
func errorRules(wait string) string {
	return `groups:
- name: record
  interval: 1m
  rules:
  - record: job:errors:ratio_rate1m
    expr: sum by (job) (rate(errors_total[1m])) / sum by (job) (rate(requests_total[1m]))
- name: alert
  interval: 1m
  rules:
  - alert: HighErrors
    expr: job:errors:ratio_rate1m > 0.4
    for: ` + wait + `
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} fails {{ $value | humanizePercentage }}'}
`
}

// Errors are in the samples from 10:30 to 20:00. A rate over (t-1m, t] sees the two samples at t-30s and t, so the
// ratio is 0.5 at the ticks of minutes 11 to 20: pending at 11, firing two minutes later, resolved at 21.
func TestPagesAtTheMinute(t *testing.T) {
	w := newWorld(t, Options{ExternalURL: "http://prom.example"}, errorRules("2m"))
	var page Alert
	w.run(30, Replay{Feed: w.errorsBetween(10, 20), OnTick: func(at time.Time, ev []Event) error {
		if at.Equal(minute(12)) {
			got := w.engine.Alerts()
			if len(got) != 1 || got[0].State != Pending || !got[0].ActiveAt.Equal(minute(11)) {
				t.Errorf("minute 12: got %+v, want one alert, pending since minute 11", got)
			}
		}
		if len(ev) > 0 && ev[0].Kind == Fired {
			page = ev[0].Alert
		}
		return nil
	}})
	w.wantEvents("13 fired", "21 resolved")
	want := Alert{
		Name: "HighErrors", State: Firing, Value: 0.5,
		Labels:      store.Labels{"alertname": "HighErrors", "job": "api", "severity": "page"},
		Annotations: store.Labels{"summary": "api fails 50%"},
		ActiveAt:    minute(11), FiredAt: minute(13), ValidUntil: minute(17),
		Source: "http://prom.example/graph?g0.expr=job%3Aerrors%3Aratio_rate1m+%3E+0.4&g0.tab=1",
	}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
	if got := w.query(`ALERTS{alertstate="firing"}`, 20); !strings.Contains(got, `alertname="HighErrors"`) {
		t.Errorf("ALERTS at minute 20: got %q", got)
	}
}

// The law: events are those of counting runs of bad minutes by hand.
func TestForIsARunLength(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		bad := rapid.SliceOfN(rapid.Bool(), 10, 60).Draw(r, "bad")
		wait, keep := rapid.IntRange(0, 6).Draw(r, "for"), rapid.IntRange(0, 4).Draw(r, "keep_firing_for")
		w := newWorld(t, Options{}, fmt.Sprintf(`groups: [{name: g, interval: 1m, rules: [
			{alert: A, expr: bad > 0, for: %dm, keep_firing_for: %dm}]}]`, wait, keep))
		s := w.series("bad")
		w.run(float64(len(bad)-1), Replay{Feed: func(at time.Time) error {
			v := 0.0
			if bad[int(at.Sub(t0).Minutes())] {
				v = 1
			}
			w.put(s, at, v)
			return nil
		}})
		var want []string
		run, over, firing := 0, 0, false
		for i, b := range bad {
			if b {
				run, over = run+1, 0
				if !firing && run > wait {
					firing = true
					want = append(want, fmt.Sprintf("%d fired", i))
				}
				continue
			}
			if firing && over >= keep {
				firing = false
				want = append(want, fmt.Sprintf("%d resolved", i))
			}
			over++
			if !firing {
				run = 0
			}
		}
		if diff := cmp.Diff(want, w.log, cmpopts.EquateEmpty()); diff != "" {
			r.Fatalf("for %dm, keep_firing_for %dm, bad %v (-want +got):\n%s", wait, keep, bad, diff)
		}
	})
}

// A vanished target ends its recorded series at the next evaluation, not five minutes later.
func TestStaleness(t *testing.T) {
	w := newWorld(t, Options{}, `groups: [{name: g, interval: 1m, rules: [{record: "job:up", expr: up}]}]`)
	up := w.series("up")
	w.run(8, Replay{Feed: func(at time.Time) error {
		switch n := at.Sub(t0).Minutes(); {
		case n < 5:
			w.put(up, at, 1)
		case n == 5:
			w.put(up, at, store.Stale())
		}
		return nil
	}})
	f := func(at float64, want string) {
		t.Helper()
		if got := w.query("job:up", at); got != want {
			t.Errorf("minute %g: got %q, want %q", at, got, want)
		}
	}
	f(4.9, `job:up{job="api"} 1`)
	f(5, "")
	f(8, "")
}

// Firing from 13 on, sent at 13, 15, 17: an Alertmanager that hears nothing more gives up four minutes after the last
// send, and learns of the alert anew at the next evaluation.
func TestMissedTicks(t *testing.T) {
	w := newWorld(t, Options{}, errorRules("2m"))
	skip := func(at time.Time) bool { return !at.Before(minute(18)) && at.Before(minute(28)) }
	w.run(45, Replay{Feed: w.errorsBetween(10, 40), Skip: skip})
	w.wantEvents("13 fired", "21 expired", "28 fired", "41 resolved")
	if got, want := w.engine.Stats()[0].Evaluations, int64(36); got != want {
		t.Errorf("got %d evaluations, want %d of 46 slots", got, want)
	}
}

// Pending from 11 on with `for: 15m` fires at 26. A restart after 20 forgets it; the second evaluation, at 22,
// restores it: it had 6 minutes left. Prometheus grants at least the grace period from there (32), or moves the start
// by the two minutes of the outage if the rest is longer than the grace period (28). A `for` below the grace period
// starts anew at 21.
func TestRestart(t *testing.T) {
	f := func(wait string, grace time.Duration, restart float64, want ...string) {
		t.Helper()
		w := newWorld(t, Options{ForGracePeriod: grace}, errorRules(wait))
		w.run(40, Replay{Feed: w.errorsBetween(10, 60), OnTick: func(at time.Time, _ []Event) error {
			if at.Equal(minute(restart)) {
				return w.engine.Restart()
			}
			return nil
		}})
		w.wantEvents(want...)
	}
	f("15m", 0, -1, "26 fired")
	f("15m", 0, 20, "32 fired")
	f("15m", time.Minute, 20, "28 fired")
	f("9m", 0, 15, "25 fired")
	f("0m", 0, 15, "11 fired") // sent again at 16, before its end: nothing new for Alertmanager
	f("9m", 0, 25, "20 fired", "28 expired", "35 fired")
}

func TestQueryOffset(t *testing.T) {
	w := newWorld(t, Options{}, `groups:
- {name: late, interval: 1m, query_offset: 2m, rules: [{record: late, expr: clock}]}
- {name: now, interval: 1m, rules: [{record: now, expr: clock}]}`)
	clock := w.series("clock")
	w.run(10, Replay{Feed: func(at time.Time) error {
		w.put(clock, at, at.Sub(t0).Minutes())
		return nil
	}})
	for name, want := range map[string]string{"late": "8", "now": "10"} {
		if got := w.query(fmt.Sprintf("(timestamp(%s) - %d) / 60", name, t0.Unix()), 10); got != `{job="api"} `+want {
			t.Errorf("time of %s: got %s, want minute %s", name, got, want)
		}
		if got := w.query(name, 10); !strings.HasSuffix(got, " "+want) {
			t.Errorf("value of %s: got %s, want %s", name, got, want)
		}
	}
}

// A group sees what groups before it recorded at the same tick, across files; one before its source sees the tick
// before. A group of another interval is evaluated in its own slots only.
func TestOrderAndIntervals(t *testing.T) {
	w := newWorld(t, Options{}, `groups:
- {name: before, interval: 1m, rules: [{record: before, expr: source}]}
- {name: source, interval: 1m, rules: [{record: source, expr: clock}, {record: inside, expr: source}]}`, `groups:
- {name: after, interval: 1m, rules: [{record: after, expr: source}]}
- {name: slow, interval: 3m, rules: [{record: slow, expr: source}]}`)
	clock := w.series("clock")
	if got, want := w.engine.Step(), time.Minute; got != want {
		t.Errorf("step: got %v, want %v", got, want)
	}
	w.run(11, Replay{Feed: func(at time.Time) error {
		w.put(clock, at, at.Sub(t0).Minutes())
		return nil
	}})
	for name, want := range map[string]string{"before": "10", "source": "11", "inside": "11", "after": "11", "slow": "9"} {
		if got := w.query(name, 11); !strings.HasSuffix(got, " "+want) {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
}

// Two engines of one process that take turns on equal input give equal output.
func TestEqualRuns(t *testing.T) {
	type result struct {
		Stats  []RuleStats
		Series []Series
		Events []Event
	}
	worlds := []*world{newWorld(t, Options{}, errorRules("2m")), newWorld(t, Options{}, errorRules("2m"))}
	results := make([]result, 2)
	for n := range 30 {
		for i, w := range worlds {
			if err := w.errorsBetween(10, 20)(minute(float64(n))); err != nil {
				t.Fatal(err)
			}
			ev, err := w.engine.EvalAt(context.Background(), minute(float64(n)))
			if err != nil {
				t.Fatal(err)
			}
			results[i].Events = append(results[i].Events, ev...)
		}
	}
	for i, w := range worlds {
		var err error
		results[i].Stats = w.engine.Stats()
		results[i].Series, err = w.engine.QueryRange(context.Background(), `{__name__!=""}`, minute(0), minute(29), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
	}
	equalNaN := cmpopts.EquateNaNs()
	if diff := cmp.Diff(results[0], results[1], equalNaN, cmpopts.IgnoreFields(RuleStats{}, "Duration")); diff != "" {
		t.Errorf("second engine differs (-first +second):\n%s", diff)
	}
	if len(results[0].Events) != 2 || len(results[0].Series) < 4 {
		t.Errorf("got %d events and %d series, want 2 and at least 4", len(results[0].Events), len(results[0].Series))
	}
}

// rate over (t-1m, t] loads two samples of each counter; the alert loads one sample when there is one.
func TestStats(t *testing.T) {
	w := newWorld(t, Options{}, errorRules("2m"))
	w.run(9, Replay{Feed: w.errorsBetween(99, 99)})
	got := w.engine.Stats()
	want := []RuleStats{
		{File: "rules0.yaml", Group: "record", Rule: "job:errors:ratio_rate1m", Kind: "recording", Evaluations: 10, Queries: 10, Samples: 40, SamplesRead: 40},
		{File: "rules0.yaml", Group: "alert", Rule: "HighErrors", Kind: "alerting", Evaluations: 10, Queries: 10, Samples: 10, SamplesRead: 10},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(RuleStats{}, "Duration", "PeakSamples")); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	w.engine.ResetStats()
	if s := w.engine.Stats()[0]; s.Evaluations != 0 || s.Samples != 0 || s.Rule != want[0].Rule {
		t.Errorf("after reset: got %+v", s)
	}
}

func TestQuery(t *testing.T) {
	w := newWorld(t, Options{})
	w.put(w.series("b"), minute(0), 2)
	w.put(w.series("a"), minute(0), math.Inf(1))
	if got, want := w.query(`{job="api"}`, 1), `a{job="api"} +Inf; b{job="api"} 2`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := w.query("1+1", 0), "{} 2"; got != want {
		t.Errorf("scalar: got %s, want %s", got, want)
	}
	f := func(expr, want string) {
		t.Helper()
		_, err := w.engine.Query(context.Background(), expr, minute(0))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", expr, err, want)
		}
	}
	f("a[5m]", "have a range vector")
	f("a +", "parse error")
	if _, err := w.engine.QueryRange(context.Background(), "a", minute(1), minute(0), time.Minute); err == nil {
		t.Error("range with its end before its start: got no error")
	}
}
