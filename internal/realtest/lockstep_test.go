//go:build real

package realtest

import (
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestLockstep evaluates the rules of every kind of SLO on a real server, rule by rule and tick by tick through a
// story of 75 minutes, writes what they record back to it, and compares each value with what package engine
// recorded. The queries, the database and the ends of series are the server's; the order of evaluation is ours, so
// that it can be the same on both sides.
func TestLockstep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target rules.Target
		open   func(testing.TB) *database
		error  float64 // relative; VictoriaMetrics keeps decimals, of about 15 digits
	}{
		{rules.Prometheus, func(t testing.TB) *database { return prometheus(t) }, 0},
		{rules.VictoriaMetrics, func(t testing.TB) *database { return victoria(t) }, 1e-9},
		{rules.Mimir, func(t testing.TB) *database { return cortex(t, "") }, 0},
	} {
		t.Run(string(c.target), func(t *testing.T) {
			t.Parallel()
			set := compile(t, "testdata/kinds/slos.yaml")
			l := newLockstep(t, c.target, c.open(t), story)
			l.error = c.error
			l.theirs = generate(t, set, c.target)
			l.run(set)
			l.report(10_000, 100)
		})
	}
}

// compile reads one spec file.
func compile(t testing.TB, name string) *slo.Set {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	set, found := slo.Compile([]slo.File{{Name: name, Text: text}})
	if set == nil {
		t.Fatalf("%s does not compile: %v", name, found)
	}
	return set
}

func generate(t testing.TB, set *slo.Set, target rules.Target) []rules.Group {
	t.Helper()
	groups, err := rules.Generate(set, rules.Options{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

// embedded returns an engine with the rules of set, over an empty store.
func embedded(t testing.TB, set *slo.Set, o engine.Options) (*store.Store, *engine.Engine) {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	e, err := engine.Open(st, o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := rules.Files(set, rules.Options{Target: rules.Prometheus})
	if err != nil {
		t.Fatal(err)
	}
	var load []engine.RuleFile
	for _, f := range files {
		load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := e.Load(load...); err != nil {
		t.Fatal(err)
	}
	return st, e
}

// lockstep evaluates rules on a server.
type lockstep struct {
	t       testing.TB
	db      *database
	target  rules.Target
	theirs  []rules.Group
	story   func(at time.Duration) []sample
	error   float64
	live    map[int]map[string]sample // what each rule recorded last, by rule and series
	holding map[int]map[string]condition
	names   map[string]bool // metrics that the rules on the server record
	unseen  map[string]bool // metrics written since the last flush

	queries, values, alerts int
	series                  map[string]bool
	worst                   float64
	worstAt                 string
}

func newLockstep(t testing.TB, target rules.Target, db *database, story func(at time.Duration) []sample) *lockstep {
	return &lockstep{
		t: t, target: target, db: db, story: story, live: map[int]map[string]sample{}, holding: map[int]map[string]condition{},
		series: map[string]bool{}, unseen: map[string]bool{}, names: map[string]bool{},
	}
}

// report says what was compared, and wants that to be something.
func (l *lockstep) report(values, alerts int) {
	l.t.Helper()
	l.t.Logf("%d queries, %d values of %d series compared, %d alerts; largest relative difference %.2g at %s",
		l.queries, l.values, len(l.series), l.alerts, l.worst, l.worstAt)
	if l.values < values || l.alerts < alerts {
		l.t.Errorf("want a story that records and alerts, have %d values and %d alerts", l.values, l.alerts)
	}
}

// run plays the story on both sides.
func (l *lockstep) run(set *slo.Set) {
	for _, g := range l.theirs {
		for _, r := range g.Rules {
			l.names[r.Record] = true
		}
	}
	st, e := embedded(l.t, set, engine.Options{})
	fed := time.Duration(0)
	err := e.Run(l.t.Context(), engine.Replay{
		From: storyStart, To: storyStart.Add(storyLength), Step: storyScrape,
		Feed: func(t time.Time) error {
			for ; !storyStart.Add(fed).After(t); fed += storyScrape {
				if fed == storyTrouble && l.db.disturb != nil {
					l.db.disturb()
				}
				if err := l.feed(st, l.story(fed)); err != nil {
					return err
				}
			}
			return nil
		},
		OnTick: func(t time.Time, _ []engine.Event) error { return l.tick(e, t) },
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// feed writes samples to both sides.
func (l *lockstep) feed(st *store.Store, samples []sample) error {
	var in []store.Sample
	l.write(samples)
	for _, s := range samples {
		if s.h == nil {
			in = append(in, store.Sample{Labels: s.labels, T: s.t, V: s.v})
		} else if err := appendHistogram(l.t, st, s); err != nil {
			return err
		}
	}
	return st.Append(in...)
}

func (l *lockstep) write(samples []sample) {
	l.db.write(samples...)
	for _, s := range samples {
		l.unseen[s.labels[store.Name]] = true
	}
}

// query evaluates expr on the server, after making visible what it reads.
func (l *lockstep) query(expr string, at time.Time) []sample {
	for name := range l.unseen {
		if strings.Contains(expr, name) {
			l.db.sync()
			clear(l.unseen)
			break
		}
	}
	l.queries++
	return l.db.query(expr, at)
}

// tick evaluates the groups that are due at t on the server, and compares.
func (l *lockstep) tick(e *engine.Engine, t time.Time) error {
	id, settled := 0, true
	for _, g := range l.theirs {
		for _, r := range g.Rules {
			id++
			if t.UnixNano()%int64(g.Interval) != 0 {
				continue
			}
			// The rules for vmalert, which has no chains, read at the next tick what a slow group records.
			settled = settled && (l.target != rules.VictoriaMetrics || g.Interval == storyScrape)
			at := t.Add(-g.QueryOffset)
			if r.Alert != "" {
				l.alert(id, g.Name, r, at)
				continue
			}
			l.record(id, r, at)
		}
	}
	if l.target == rules.VictoriaMetrics && t.Before(storyStart.Add(warmUp)) {
		settled = false
	}
	if !settled {
		return nil
	}
	l.compareAlerts(e, t)
	return l.compare(e, t.Add(-l.theirs[0].QueryOffset))
}

// record does what a rule engine does: it writes the results under the name of the rule.
func (l *lockstep) record(id int, r rules.Rule, at time.Time) {
	now := map[string]sample{}
	for _, s := range l.query(r.Expr, at) {
		maps.Copy(s.labels, r.Labels)
		s.labels[store.Name] = r.Record
		s.t = at
		if _, twice := now[s.key()]; twice {
			l.t.Errorf("%s at %s: %s twice from\n%s", l.db.name, at, s.key(), r.Expr)
		}
		now[s.key()] = s
	}
	l.keep(id, now, at)
}

// keep writes the samples of a rule, and ends the series that it had written and has no more.
func (l *lockstep) keep(id int, now map[string]sample, at time.Time) {
	out := slices.Collect(maps.Values(now))
	for key, s := range l.live[id] {
		if _, ok := now[key]; !ok {
			out = append(out, sample{labels: s.labels, t: at, v: store.Stale()})
		}
	}
	l.live[id] = now
	l.write(out)
}

// condition is an instance of an alert whose expression holds.
type condition struct {
	labels store.Labels // with alertname
	since  time.Time
	value  float64
	state  engine.State
}

// alert does what a rule engine does: it keeps for how long the expression holds, and writes ALERTS, which the
// rules read.
func (l *lockstep) alert(id int, group string, r rules.Rule, at time.Time) {
	if r.KeepFiringFor > 0 {
		l.t.Fatalf("alert %s: keep_firing_for is not done here", r.Alert)
	}
	was := l.holding[id]
	l.holding[id] = map[string]condition{}
	states := map[string]sample{}
	for _, s := range l.query(r.Expr, at) {
		maps.Copy(s.labels, r.Labels)
		delete(s.labels, store.Name)
		s.labels["alertname"] = r.Alert
		c := condition{labels: s.labels, since: at, value: s.v, state: engine.Firing}
		if old, ok := was[s.key()]; ok {
			c.since = old.since
		}
		if at.Sub(c.since) < r.For {
			c.state = engine.Pending
		}
		l.holding[id][s.key()] = c
		labels := maps.Clone(s.labels)
		labels[store.Name], labels["alertstate"] = "ALERTS", string(c.state)
		if l.target == rules.VictoriaMetrics {
			labels["alertgroup"] = group
		}
		out := sample{labels: labels, t: at, v: 1}
		states[out.key()] = out
	}
	l.keep(id, states, at)
}

// compareAlerts compares the alerts that are pending or fire, with their values.
func (l *lockstep) compareAlerts(e *engine.Engine, at time.Time) {
	want, got := map[string]float64{}, map[string]float64{}
	for _, a := range e.Alerts() {
		if a.State != engine.Inactive {
			want[string(a.State)+" "+a.Labels.String()] = a.Value
		}
	}
	for _, cs := range l.holding {
		for _, c := range cs {
			got[string(c.state)+" "+c.labels.String()] = c.value
		}
	}
	l.alerts += len(want)
	l.equal("alerts at "+at.Format(time.TimeOnly), got, want)
}

// warmUp is how long rules are evaluated before they count the first events. Until then those for vmalert, which look at
// the raw series themselves, see telemetry, and groups, that the chained ones do not record yet.
const warmUp = 3 * time.Minute

// sight is how long a server takes the last sample of a series for its present value.
const sight = 5 * time.Minute

// compare compares all series that are alive at a time.
func (l *lockstep) compare(e *engine.Engine, at time.Time) error {
	points, err := e.Query(l.t.Context(), `{__name__=~"slo:.+"}`, at)
	if err != nil {
		return err
	}
	want, got := map[string]float64{}, map[string]float64{}
	for _, p := range points {
		if !l.names[p.Labels[store.Name]] {
			continue // a step in between that vmalert, which cannot chain rules, does without
		}
		want[p.Labels.String()] = p.V
		l.series[p.Labels.String()] = true
	}
	for _, live := range l.live {
		for key, s := range live {
			// What is recorded once an hour is out of sight for most of it.
			if s.labels[store.Name] != "ALERTS" && at.Sub(s.t) < sight {
				got[key] = s.v
			}
		}
	}
	l.values += len(want)
	l.equal("recorded at "+at.Format(time.TimeOnly), got, want)
	return nil
}

// equal compares values by series.
func (l *lockstep) equal(what string, got, want map[string]float64) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		w := want[key]
		g, ok := got[key]
		if !ok {
			l.t.Errorf("%s: %s: want %v, have nothing on %s", what, key, w, l.db.name)
			continue
		}
		off := math.Abs(g-w) / max(math.Abs(w), 1e-300)
		if g == w {
			off = 0
		}
		if off > l.worst || math.IsNaN(off) {
			l.worst, l.worstAt = off, what+" "+key
		}
		if !(off <= l.error) {
			l.t.Errorf("%s: %s: want %v, have %v on %s", what, key, w, g, l.db.name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			l.t.Errorf("%s: %s: want nothing, have %v on %s", what, key, got[key], l.db.name)
		}
	}
}
