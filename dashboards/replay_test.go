package dashboards

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// replayed is the telemetry of which the exporters' decoders read real
// deliveries here. The platform API has no exporter here yet, and collector,
// Kubernetes and storage are metrics of other programs: their series are made up
// from the table of package telemetry.
func replayed() []string {
	return []string{
		telemetry.Pipelines, telemetry.Cost, telemetry.Incidents, telemetry.Policy, telemetry.Onboarding, telemetry.Secrets, telemetry.Coverage,
	}
}

// replayEnd is when the replay ends: the last evening of the month that the bill is for.
var replayEnd = time.Date(2024, 9, 30, 22, 0, 0, 0, time.UTC)

// replayTimes are the first and last ticks that are evaluated: forty minutes,
// and some a day, a week, a month and two months before.
func replayTimes() [][2]time.Time {
	var out [][2]time.Time
	for _, ago := range []int{60, 30, 7, 1} {
		at := replayEnd.AddDate(0, 0, -ago)
		out = append(out, [2]time.Time{at.Add(-5 * time.Minute), at})
	}
	return append(out, [2]time.Time{replayEnd.Add(-40 * time.Minute), replayEnd})
}

// world is what is exported while a set is replayed.
type world struct {
	t        *testing.T
	batch    *store.Batch
	store    *store.Store
	series   map[string]*store.Series
	set      *slo.Set
	counters [2]*counters.Counters // one heard of everything before the replay, the other hears of it now
	events   []event.Event
	book     *cost.Book
	tellings []*told
	faces    []*prometheus.Registry
	now      time.Time

	ticks, delivered int
}

// deliveries are the real webhooks and histories that the decoders are tested with.
func deliveries(t *testing.T) []event.Event {
	t.Helper()
	var out []event.Event
	dir := filepath.Join("..", "exporters", "pipelines", "sources", "testdata")
	for _, name := range []string{"pipelines.csv", "pipeline_details.csv"} {
		events, err := sources.History(read(t, filepath.Join(dir, "gitlab", name)), replayEnd, sources.GitLabPipeline)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, events...)
	}
	files, err := filepath.Glob(filepath.Join(dir, "github", "*.payload.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		kind, _, _ := strings.Cut(filepath.Base(file), ".")
		if kind == "secret_scanning_alert" { // of no pipeline
			continue
		}
		if kind == "completed" || kind == "requested" {
			kind = "workflow_run"
		}
		events, err := sources.GitHub(http.Header{"X-Github-Event": {kind}, "Content-Type": {"application/json"}}, read(t, file), replayEnd)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, events...)
	}
	return append(out, decoded(t, sources.ArgoCD, [2]string{}, "pipelines", "sources", "testdata", "argocd", "notification_*.json")...)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newWorld(t *testing.T, st *store.Store, set *slo.Set) *world {
	t.Helper()
	start := replayTimes()[0][0]
	w := &world{
		t: t, store: st, batch: st.Batch(), set: set, series: map[string]*store.Series{}, events: deliveries(t),
		book: cost.NewBook(start, cost.Options{Budgets: []cost.Budget{{
			Name: "dev", Currency: "USD", Amount: cost.Whole(100), Match: map[string]string{cost.Environment: "dev"},
		}}}),
	}
	bill := read(t, filepath.Join("..", "exporters", "cost", "testdata", "focus", "focus_sample_first_500_rows.csv"))
	if _, _, err := w.book.Load("sample", cost.FOCUS, bytes.NewReader(bill), cost.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range w.counters {
		c := counters.New(start, pipelines.New(pipelines.Options{}))
		w.counters[i] = c
		w.expose(c)
	}
	for _, x := range tellings(t) {
		if slices.ContainsFunc(set.DataSources, func(d slo.DataSource) bool { return slices.Contains(d.Telemetry, x.source) }) {
			w.tellings = append(w.tellings, x)
			w.expose(x.counters)
		}
	}
	w.faces[0].MustRegister(metric.Collector(func() metric.Snapshot { return w.book.Read(w.now) }))
	if err := w.counters[0].Add(w.events...); err != nil {
		t.Fatal(err)
	}
	return w
}

// expose adds a face for what counters count.
func (w *world) expose(c *counters.Counters) {
	face := prometheus.NewRegistry()
	face.MustRegister(metric.Collector(func() metric.Snapshot {
		s, err := c.Read(w.now, 0)
		if err != nil {
			w.t.Error(err)
		}
		return s
	}))
	w.faces = append(w.faces, face)
}

// scrape writes what is exported, once a minute. One delivery comes in at each
// of the scrapes, some before them.
func (w *world) scrape(at time.Time) error {
	if at.Second() != 0 {
		return nil
	}
	w.now = at
	w.ticks++
	for _, d := range w.set.DataSources {
		for _, s := range d.Series {
			w.external(s)
		}
		for _, name := range d.Telemetry {
			if slices.Contains(replayed(), name) {
				continue
			}
			source, _ := telemetry.Lookup(name)
			for _, f := range source.Families {
				recordFamily(w.set, f, w.madeUp)
			}
		}
	}
	if !w.exporting() {
		return w.batch.Commit()
	}
	left := max(0, scrapes()-w.ticks) // one delivery at each of them
	if n := len(w.events) - left; n > w.delivered {
		if err := w.counters[1].Add(w.events[w.delivered:n]...); err != nil {
			return err
		}
		w.delivered = n
	}
	for _, x := range w.tellings {
		if err := x.hear(at); err != nil {
			return err
		}
	}
	for i, face := range w.faces {
		families, err := face.Gather()
		if err != nil {
			return err
		}
		instance := fmt.Sprintf("%d:8888", i)
		for _, f := range families {
			for _, m := range f.Metric {
				w.metric(f.GetName(), instance, m)
			}
		}
		w.put("up", map[string]string{"job": "collector", "instance": instance}, 1)
	}
	return w.batch.Commit()
}

// exporting tells whether the set uses what the exporters export.
func (w *world) exporting() bool {
	return slices.ContainsFunc(w.set.DataSources, func(d slo.DataSource) bool {
		return slices.ContainsFunc(d.Telemetry, func(s string) bool { return slices.Contains(replayed(), s) })
	})
}

// scrapes is how many scrapes a replay has.
func scrapes() int {
	n := 0
	for _, span := range replayTimes() {
		n += int(span[1].Sub(span[0])/time.Minute) + 1
	}
	return n
}

// madeUp writes a series that no exporter of this repository gives.
func (w *world) madeUp(name string, labels map[string]string, v, slope float64, _ ...string) {
	l := map[string]string{"job": "made-up"}
	maps.Copy(l, labels)
	w.put(name, l, v+slope*float64(w.ticks))
}

// external writes a metric that the user declares: requests, of which one in
// twenty fails.
func (w *world) external(s slo.ExternalSeries) {
	for _, code := range []string{"200", "500"} {
		n := float64(w.ticks * 30 * 95)
		if code == "500" {
			n = float64(w.ticks * 30 * 5)
		}
		labels := map[string]string{"job": "shop"}
		for _, l := range s.Labels {
			labels[l] = l
		}
		if slices.Contains(s.Labels, "code") || s.Name == "http_requests_total" {
			labels["code"] = code
		} else if code == "500" {
			continue
		}
		for _, job := range []string{"shop", "checkout", "plimsoll"} {
			labels["job"], labels["instance"] = job, job+":80"
			w.put("up", map[string]string{"job": job, "instance": job + ":80"}, 1)
			if !s.Histogram {
				w.put(s.Name, labels, n)
				continue
			}
			for _, le := range []string{"0.1", "0.25", "0.3", "0.5", "1", "+Inf"} {
				l := maps.Clone(labels)
				l["le"] = le
				w.put(s.Name+"_bucket", l, n)
			}
			w.put(s.Name+"_count", labels, n)
			w.put(s.Name+"_sum", labels, n/10)
		}
	}
}

func (w *world) metric(name, instance string, m *dto.Metric) {
	labels := map[string]string{"job": "collector", "instance": instance}
	for _, l := range m.Label {
		labels[l.GetName()] = l.GetValue()
	}
	h := m.GetHistogram()
	switch {
	case m.Counter != nil:
		w.put(name, labels, m.Counter.GetValue())
	case m.Gauge != nil:
		w.put(name, labels, m.Gauge.GetValue())
	case h != nil:
		for _, b := range append(h.Bucket, &dto.Bucket{UpperBound: new(math.Inf(1)), CumulativeCount: h.SampleCount}) {
			l := maps.Clone(labels)
			if l["le"] = number(b.GetUpperBound()); math.IsInf(b.GetUpperBound(), 1) {
				l["le"] = "+Inf"
			}
			w.put(name+"_bucket", l, float64(b.GetCumulativeCount()))
		}
		w.put(name+"_count", labels, float64(h.GetSampleCount()))
		w.put(name+"_sum", labels, h.GetSampleSum())
	default:
		w.t.Errorf("%s is of a kind that is not replayed", name)
	}
}

func (w *world) put(name string, labels map[string]string, v float64) {
	l := store.Labels{store.Name: name, "instance": "one:80"}
	maps.Copy(l, labels)
	key := l.String()
	if w.series[key] == nil {
		s, err := w.store.Series(l)
		if err != nil {
			w.t.Fatal(err)
		}
		w.series[key] = s
	}
	if err := w.batch.Add(w.series[key], w.now, v); err != nil {
		w.t.Fatal(err)
	}
}

// replay evaluates the generated rules of a set over what is exported.
func replay(t *testing.T, set *slo.Set) *engine.Engine {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 70 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	generated, err := rules.Files(set, rules.Options{Target: rules.Prometheus})
	if err != nil {
		t.Fatal(err)
	}
	var files []engine.RuleFile
	for _, f := range generated {
		files = append(files, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := e.Load(files...); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, st, set)
	for _, span := range replayTimes() {
		if err := e.Run(context.Background(), engine.Replay{From: span[0], To: span[1], Feed: w.scrape}); err != nil {
			t.Fatal(err)
		}
	}
	if w.ticks != scrapes() {
		t.Fatalf("%d scrapes, want %d", w.ticks, scrapes())
	}
	return e
}

// mayBeEmpty is why a query of some dashboards has no data in a replay although
// it reads the right series: what it shows did not happen.
// TestEveryPanelHasData wants data of it from made-up series.
func mayBeEmpty(d jsonDashboard, title, ref string) string {
	service := strings.HasPrefix(d.UID, "plimsoll-svc-")
	switch {
	case service && slices.Contains([]string{"Deployments", "Deployments in the time range", "Cost of a day"}, title):
		return "the real deliveries and bills are of other services"
	case service && slices.Contains([]string{"Open incidents", "Incidents opened"}, title):
		return "the real deliveries are of other services"
	case d.UID == "plimsoll-svc-secrets" && title == "Bad part of the events":
		return "the SLO that has events allows no bad one, so there is nothing to measure them by"
	case title == "Time until a new secret is used":
		return "no delivery tells when a consumer has a new secret"
	case service && title == "State of the promises" && ref == "D":
		return "no SLO of the service burns"
	case service && title == "Firing alerts":
		return "no alert of the service fires"
	case title == "Blocked runs":
		return "every run of the deliveries has ended"
	case title == "Flaky pipelines":
		return "no run of the deliveries was tried twice"
	case title == "Lead time of changes":
		return "the deliveries do not tell the commits of their deployments"
	}
	return ""
}

// Every query of every panel of every example is run on what the rules of the
// example record of real deliveries and bills, read by the exporters' own
// decoders, and of made-up series where there is no exporter.
func TestExamplesHaveData(t *testing.T) {
	label := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for name, set := range examples(t) {
		t.Run(name, func(t *testing.T) {
			if name == "quickstart" { // the smallest spec says nothing of where its series are
				set.DataSources[0].Series = []slo.ExternalSeries{{Name: "http_requests_total", Labels: []string{"code"}}}
			}
			e := replay(t, set)
			panels, queries := 0, 0
			for kind, d := range parse(t, generate(t, set, Options{})) {
				values := everything()
				values["__range"] = "30m"
				if kind == "slo" || kind == "debug" {
					values["slo"] = burning(t, set, e)
				}
				for _, p := range d.prometheus() {
					if len(p.Targets) > 0 {
						panels++
					}
					for _, q := range p.Targets {
						queries++
						got := resultAt(t, e, q, values, replayEnd)
						if len(got) == 0 && mayBeEmpty(d, p.Title, q.RefID) == "" {
							t.Errorf("%s: panel %q, query %s is empty\n%s", d.UID, p.Title, q.RefID, choose(q.Expr, values))
						}
						for _, point := range got {
							for _, m := range label.FindAllStringSubmatch(q.LegendFormat, -1) {
								if point.Labels[m[1]] == "" && !mayMiss(m[1]) {
									t.Errorf("%s: panel %q: legend %q, but labels are %s", d.UID, p.Title, q.LegendFormat, point.Labels)
								}
							}
							if math.IsNaN(point.V) {
								t.Errorf("%s: panel %q: NaN at %s", d.UID, p.Title, point.Labels)
							}
						}
					}
				}
			}
			t.Logf("%d queries of %d panels", queries, panels)
		})
	}
}

// mayMiss tells whether not every series of a metric has the label.
func mayMiss(label string) bool {
	return slices.Contains([]string{"tagged", "platform_team", "platform_telemetry_signal"}, label)
}

// burning returns an SLO that burns, one of which most is recorded if there is one.
func burning(t *testing.T, set *slo.Set, e *engine.Engine) string {
	t.Helper()
	burn := fmt.Sprintf(`max by (slo) (%s{window="1h"}) > 0`, slo.SeriesBurnRate)
	any := ""
	for _, q := range []string{burn, burn + " and on (slo) " + slo.SeriesBudgetRemainingRaw} {
		ps, err := e.Query(context.Background(), q, replayEnd)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ps {
			if s, ok := set.SLO(p.Labels[slo.LabelSLO]); ok && (any == "" || s.Alerting.Page && s.Alerting.Ticket) {
				any = s.Name
			}
		}
	}
	if any == "" {
		t.Fatal("no SLO burns")
	}
	return any
}
