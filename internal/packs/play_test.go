package packs_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/packs"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// t0 is when every replay begins: a Monday.
var t0 = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// play replays deliveries to the rules of a pack: decoder, counters, the Prometheus face, a scrape, the rules on the
// engine of Prometheus.
type play struct {
	t        *testing.T
	asserted *asserted
	set      *slo.Set
	counters *counters.Counters
	book     *cost.Book // nil without cost
	// scraped are series of others at a time: what exporters of the platform itself would show.
	scraped func(now time.Time) []sample

	agenda   []happening
	store    *store.Store
	engine   *engine.Engine
	registry *prometheus.Registry
	series   map[string]*store.Series
	now      time.Time
	alerts   []alert
}

type happening struct {
	at time.Time
	do func() error
}

// sample is one value of one series.
type sample struct {
	labels store.Labels
	value  float64
}

// alert is one that fired; it ended at end, which is zero while it has not.
type alert struct {
	slo, severity string
	at            time.Duration // since t0
	end           time.Duration
}

// sources is a DataSource for replays of days and weeks.
const sources = `
apiVersion: plimsoll.dev/v1
kind: DataSource
metadata: {name: default}
spec: {type: prometheus, scrapeInterval: %[1]s, evaluationInterval: %[1]s}
`

// newPlay returns a replay of a pack, with counters for the domains and samples at every interval.
func newPlay(t *testing.T, a *asserted, name string, interval time.Duration, domains ...counters.Domain) *play {
	t.Helper()
	specs := append(specsOf(t, name), slo.File{Name: "sources.yaml", Text: fmt.Appendf(nil, sources, interval)})
	set, found := slo.Compile(specs)
	if set == nil {
		t.Fatalf("pack %s does not compile: %v", name, found)
	}
	st, err := store.Open("", store.Options{Replay: 100 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	p := &play{t: t, asserted: a, set: set, store: st, series: map[string]*store.Series{}, registry: prometheus.NewPedanticRegistry(), now: t0}
	p.counters = counters.New(t0, domains...)
	if p.engine, err = engine.Open(st, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	files, err := rules.Files(set, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var load []engine.RuleFile
	for _, f := range files {
		load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := p.engine.Load(load...); err != nil {
		t.Fatal(err)
	}
	p.registry.MustRegister(
		metric.Collector(func() metric.Snapshot {
			s, err := p.counters.Read(p.now, 0)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}),
		metric.Collector(func() metric.Snapshot {
			if p.book == nil {
				return metric.Snapshot{}
			}
			return p.book.Read(p.now)
		}),
	)
	return p
}

// specsOf returns the specs of a pack, by name.
func specsOf(t testing.TB, name string) []slo.File {
	t.Helper()
	p, ok := packs.Find(name)
	if !ok {
		t.Fatalf("no pack %s", name)
	}
	files, err := p.Files()
	if err != nil {
		t.Fatal(err)
	}
	var out []slo.File
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if packs.IsSpec(file) {
			out = append(out, slo.File{Name: path.Join(name, file), Text: files[file]})
		}
	}
	return out
}

// at does something when the replay comes to a time after t0.
func (p *play) at(after time.Duration, do func() error) {
	p.agenda = append(p.agenda, happening{t0.Add(after), do})
}

// deliver posts a body to a decoder at a time after t0; body gets that time.
func (p *play) deliver(after time.Duration, decode source.Decoder, header http.Header, body func(now time.Time) []byte) {
	p.at(after, func() error {
		now := t0.Add(after)
		events, err := decode(header, body(now), now)
		if err != nil {
			return err
		}
		return p.counters.Add(events...)
	})
}

// tell adds events at a time after t0, as a poller or a connector does.
func (p *play) tell(after time.Duration, events func(now time.Time) []event.Event) {
	p.at(after, func() error { return p.counters.Add(events(t0.Add(after))...) })
}

// run replays everything up to a time after t0.
func (p *play) run(length time.Duration) {
	p.t.Helper()
	slices.SortStableFunc(p.agenda, func(a, b happening) int { return a.at.Compare(b.at) })
	err := p.engine.Run(context.Background(), engine.Replay{
		From: t0, To: t0.Add(length),
		Feed: func(now time.Time) error {
			for len(p.agenda) > 0 && !p.agenda[0].at.After(now) {
				if err := p.agenda[0].do(); err != nil {
					return err
				}
				p.agenda = p.agenda[1:]
			}
			p.now = now
			return p.scrape()
		},
		OnTick: func(now time.Time, events []engine.Event) error {
			for _, e := range events {
				p.note(now.Sub(t0), e)
			}
			return nil
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// note keeps what Alertmanager learns; missing telemetry has the severity nodata.
func (p *play) note(at time.Duration, e engine.Event) {
	name, severity := e.Alert.Labels[slo.LabelSLO], e.Alert.Labels[slo.LabelSeverity]
	switch {
	case e.Alert.Name == slo.AlertNoData:
		severity = "nodata"
	case e.Alert.Name != slo.AlertBudgetBurn:
		return
	}
	if e.Kind == engine.Fired {
		p.alerts = append(p.alerts, alert{slo: name, severity: severity, at: at})
		return
	}
	for i, a := range p.alerts {
		if a.slo == name && a.severity == severity && a.end == 0 {
			p.alerts[i].end = at
		}
	}
}

// scrape writes to the store what a scrape of all targets gives now.
func (p *play) scrape() error {
	families, err := p.registry.Gather()
	if err != nil {
		return err
	}
	batch := p.store.Batch()
	add := func(s sample) error {
		key := s.labels.String()
		if p.series[key] == nil {
			if p.series[key], err = p.store.Series(s.labels); err != nil {
				return err
			}
		}
		return batch.Add(p.series[key], p.now, s.value)
	}
	all := []sample{{store.Labels{store.Name: "up", "job": "collector", "instance": "c"}, 1}}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			all = append(all, samples(f, m)...)
		}
	}
	if p.scraped != nil {
		all = append(all, p.scraped(p.now)...)
	}
	for _, s := range all {
		if err := add(s); err != nil {
			return err
		}
	}
	return batch.Commit()
}

// samples returns the series of a metric as Prometheus 3 stores them.
func samples(f *dto.MetricFamily, m *dto.Metric) []sample {
	of := func(suffix string, value float64, more ...string) sample {
		l := store.Labels{store.Name: f.GetName() + suffix, "job": "collector", "instance": "c"}
		for _, pair := range m.GetLabel() {
			l[pair.GetName()] = pair.GetValue()
		}
		for i := 0; i < len(more); i += 2 {
			l[more[i]] = more[i+1]
		}
		return sample{l, value}
	}
	switch {
	case m.Counter != nil:
		return []sample{of("", m.Counter.GetValue())}
	case m.Gauge != nil:
		return []sample{of("", m.Gauge.GetValue())}
	}
	h := m.GetHistogram()
	n := float64(h.GetSampleCount())
	out := []sample{of("_count", n), of("_sum", h.GetSampleSum()), of("_bucket", n, "le", "+Inf")}
	for _, b := range h.GetBucket() {
		le := strconv.FormatFloat(b.GetUpperBound(), 'f', -1, 64)
		if !strings.Contains(le, ".") {
			le += ".0"
		}
		out = append(out, of("_bucket", float64(b.GetCumulativeCount()), "le", le))
	}
	return out
}

// left wants the budget left of an SLO to be what counted events say.
func (p *play) left(name string, bad, total float64) {
	p.t.Helper()
	x, ok := p.set.SLO(name)
	if !ok {
		p.t.Fatalf("no SLO %s", name)
	}
	want := 1 - bad/total/x.Budget.Float()
	p.leftIs(name, want, max(1e-6, 0.01*math.Abs(1-want)))
}

// leftIs wants the budget left of an SLO to be want within an error.
func (p *play) leftIs(name string, want, within float64) {
	p.t.Helper()
	p.asserted.budget(name)
	got, err := p.engine.Query(context.Background(), slo.SeriesBudgetRemaining+`{slo="`+name+`"}`, p.now)
	if err != nil || len(got) != 1 {
		p.t.Errorf("budget of %s: want one value, have %v %v", name, got, err)
		return
	}
	if math.Abs(got[0].V-want) > within {
		p.t.Errorf("%s: the rules say that %.4f%% of the budget is left, want %.4f%%", name, 100*got[0].V, 100*want)
	}
	p.t.Logf("%s: budget left %.4f%%, counted %.4f%%", name, 100*got[0].V, 100*want)
}

// fired wants exactly these alerts of an SLO, each with the severity, the earliest and the latest time at which it may
// fire: "page 2h 3h".
func (p *play) fired(name string, want ...string) {
	p.t.Helper()
	var got []alert
	for _, a := range p.alerts {
		if a.slo == name {
			got = append(got, a)
		}
	}
	ok := len(got) == len(want)
	for _, w := range want {
		f := strings.Fields(w)
		from, err := time.ParseDuration(f[1])
		to, err2 := time.ParseDuration(f[2])
		if err != nil || err2 != nil {
			p.t.Fatal(w, err, err2)
		}
		p.asserted.alert(f[0], name)
		ok = ok && slices.ContainsFunc(got, func(a alert) bool { return a.severity == f[0] && a.at >= from && a.at <= to })
	}
	if !ok {
		p.t.Errorf("%s: want alerts %v, have %v", name, want, got)
	}
	p.t.Logf("%s: %v", name, got)
}

// counted wants the rules to have counted so many bad events of so many, each within an error.
func (p *play) counted(name string, bad, total, within float64) {
	p.t.Helper()
	p.asserted.budget(name)
	for series, want := range map[string]float64{slo.SeriesBadIncrement: bad, slo.SeriesEventsIncrement: total} {
		got, err := p.engine.Query(context.Background(), fmt.Sprintf(`sum(sum_over_time(%s{slo=%q}[30d]))`, series, name), p.now)
		if err != nil || len(got) != 1 || math.Abs(got[0].V-want) > within {
			p.t.Errorf("%s: want %s to add up to %v, have %v %v", name, series, want, got, err)
		}
	}
}

// String returns an alert for messages.
func (a alert) String() string {
	if a.end == 0 {
		return fmt.Sprintf("%s %v..", a.severity, a.at)
	}
	return fmt.Sprintf("%s %v..%v", a.severity, a.at, a.end)
}

// grouped wants the budget left of one group of an SLO.
func (p *play) grouped(name, label, value string, want, within float64) {
	p.t.Helper()
	p.asserted.budget(name)
	got, err := p.engine.Query(context.Background(), fmt.Sprintf(`%s{slo=%q,%s=%q}`, slo.SeriesBudgetRemaining, name, label, value), p.now)
	if err != nil || len(got) != 1 || math.Abs(got[0].V-want) > within {
		p.t.Errorf("budget of %s for %s: want %v, have %v %v", name, value, want, got, err)
	}
}
