//go:build real

package realtest

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// The live test: a service that fails for a while, on the wall clock.
const (
	liveRate   = 100.0 // requests a second
	liveCalm   = 5 * time.Second
	liveOutage = 45 * time.Second // half of the requests fail
	liveTick   = 10 * time.Second
	liveWithin = 20 * time.Minute // for each thing that is waited for; the budget on vmalert comes after up to 13
)

// TestLive runs the whole line on the wall clock, with Prometheus, with VictoriaMetrics and vmalert, and with a cluster
// of Cortex: a service is scraped every second and fails for 45 s; the server's own scheduler evaluates the files of
// plimsoll build, or the groups of plimsoll push; its alerts go to a real Alertmanager, which tells a webhook. In the
// midst of the outage an ingester of the cluster is killed. Every request is counted exactly, one page comes and one
// end of it, and package engine, fed with the samples that the server scraped, fires at the same time and has the same
// budget.
func TestLive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target string
		open   func(t testing.TB, files []string, service, alertmanager string) *database
		lag    time.Duration // of the alert
	}{
		// Prometheus evaluates each group at other times than package engine, by up to an interval: increments, then
		// the alert. One more for a busy machine that misses an evaluation.
		{"prometheus", livePrometheus, 3 * liveTick},
		// vmalert shows to a rule what the rule before it recorded at the next evaluation only: increments, sums, burn
		// rates, alert. And its groups are evaluated at other times, and may miss one.
		{"victoriametrics", liveVictoria, 6 * liveTick},
		{"mimir", liveCortex, 3 * liveTick},
		// plimsoll serve evaluates when package engine does, from the same samples.
		{"serve", liveServe, 0},
	} {
		t.Run(c.target, func(t *testing.T) {
			t.Parallel()
			h, s := newHook(t), newService(t)
			am := alertmanager(t, t.TempDir(), address(t), h)
			var files []string
			if c.target != "serve" {
				files = build(t, "testdata/live", "--target", c.target)
			}
			db := c.open(t, files, s.address(), am.url)
			l := &live{t: t, db: db, service: s, lag: c.lag}
			l.await("two evaluations of samples", func() bool { return l.seen() >= 2 })
			s.begin()
			l.await("a quarter of the outage is over", func() bool {
				_, bad := s.counts(time.Now())
				return bad > int(liveRate/2*liveOutage.Seconds())/4
			})
			if db.disturb != nil {
				db.disturb()
			}
			l.await("the page has come and gone", func() bool { return len(h.names()) >= 2 })
			s.end()
			l.await("the last request is counted", func() bool { return l.last(slo.SeriesEventsIncrement) == 0 })
			l.await("the budget has it too", l.settled)
			h.expect(am, "firing live page", "resolved live page")
			l.check()
		})
	}
}

// service serves /metrics of a program that fails for a while.
type service struct {
	*httptest.Server
	mu          sync.Mutex
	begun, over time.Time
}

func newService(t testing.TB) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		total, bad := s.counts(time.Now())
		fmt.Fprintf(w, "# TYPE http_requests_total counter\nhttp_requests_total{code=\"200\"} %d\nhttp_requests_total{code=\"500\"} %d\n", 1000+total-bad, bad)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) address() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *service) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = time.Now()
}

func (s *service) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = time.Now()
}

// counts returns the requests since begin, and how many of them failed.
func (s *service) counts(now time.Time) (total, bad int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun.IsZero() {
		return 0, 0
	}
	if !s.over.IsZero() {
		now = s.over
	}
	age := now.Sub(s.begun)
	failing := min(max(age-liveCalm, 0), liveOutage)
	return int(liveRate * age.Seconds()), int(liveRate / 2 * failing.Seconds())
}

const scrapeConfig = `
scrape_configs:
- job_name: live
  scrape_interval: 1s
  scrape_timeout: 1s
  static_configs: [{targets: ["%s"]}]
`

// livePrometheus starts a Prometheus with the rules.
func livePrometheus(t testing.TB, files []string, target, notify string) *database {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(`
rule_files: ["%s"]
alerting: {alertmanagers: [{static_configs: [{targets: ["%s"]}]}]}`, strings.Join(files, `", "`), strings.TrimPrefix(notify, "http://"))+
		fmt.Sprintf(scrapeConfig, target))
	return &database{server: start(t, "prometheus", addr, "/-/ready",
		"--config.file="+config, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+addr, "--log.level=warn", "--rules.alert.resend-delay=5s")}
}

// liveVictoria starts a VictoriaMetrics that scrapes, and a vmalert with the rules.
func liveVictoria(t testing.TB, files []string, target, notify string) *database {
	t.Helper()
	config := write(t, t.TempDir(), "scrape.yml", fmt.Sprintf(scrapeConfig, target))
	db := victoria(t, "-promscrape.config="+config)
	addr := address(t)
	args := []string{
		"-httpListenAddr=" + addr, "-datasource.url=" + db.url, "-remoteWrite.url=" + db.url, "-remoteRead.url=" + db.url,
		"-notifier.url=" + notify, "-loggerLevel=WARN",
	}
	for _, f := range files {
		args = append(args, "-rule="+f)
	}
	start(t, "vmalert", addr, "/health", args...)
	return db
}

// liveCortex starts a cluster, pushes the rules to its ruler, and starts a Prometheus that scrapes and sends on.
func liveCortex(t testing.TB, _ []string, target, notify string) *database {
	t.Helper()
	db := cortex(t, notify)
	push := func(flags ...string) string {
		return mustOutput(t, "plimsoll", append([]string{"push", "rules", "--ruler", db.url, "--api", "cortex", "--tenant", db.tenant, "testdata/live"}, flags...)...)
	}
	t.Logf("pushed: %s", strings.TrimSpace(push()))
	if again := push("--plan", "--exit-code"); !strings.HasPrefix(again, "0 to create, 0 to update, 0 to remove") {
		t.Errorf("want nothing to do after a push, have\n%s", again)
	}
	sendOn(t, db, target)
	return db
}

// live looks at one server.
type live struct {
	t       testing.TB
	db      *database
	service *service
	lag     time.Duration
}

func (l *live) await(what string, ok func() bool) {
	l.t.Helper()
	began := time.Now()
	l.db.await(what, liveWithin, ok)
	l.t.Logf("%v until %s", time.Since(began).Round(time.Second), what)
}

// samples returns the raw samples of the last hour.
func (l *live) samples(selector string) []sample {
	l.t.Helper()
	return slices.DeleteFunc(l.db.query(selector+"[1h]", time.Now()), func(s sample) bool {
		return math.IsNaN(s.v) // the end of a series, of which VictoriaMetrics tells
	})
}

// last returns the newest value, or NaN.
func (l *live) last(selector string) float64 {
	all := l.samples(selector)
	if len(all) == 0 {
		return math.NaN()
	}
	return all[len(all)-1].v
}

// seen returns how many evaluations saw the service. A server evaluates before its first scrape, too: requests of that
// time would count on the side whose next evaluation comes first, the server or package engine.
func (l *live) seen() int {
	n := 0
	for _, s := range l.samples(slo.SeriesTelemetry) {
		if s.v == slo.TelemetryThere {
			n++
		}
	}
	return n
}

func sum(samples []sample) float64 {
	var out float64
	for _, s := range samples {
		out += s.v
	}
	return out
}

// check compares what the server recorded with the truth, and with package engine.
func (l *live) check() {
	total, bad := l.service.counts(time.Now())
	events, failed := sum(l.samples(slo.SeriesEventsIncrement)), sum(l.samples(slo.SeriesBadIncrement))
	l.t.Logf("requests: %d, counted %v; failed: %d, counted %v", total, events, bad, failed)
	if math.Abs(events-float64(total)) > 1e-6 || math.Abs(failed-float64(bad)) > 1e-6 {
		l.t.Errorf("want %d requests and %d failed, have %v and %v", total, bad, events, failed)
	}
	firing := l.samples(`ALERTS{alertname="` + slo.AlertBudgetBurn + `",alertstate="firing"}`)
	if len(firing) == 0 {
		l.t.Fatal("want an alert that fired, have none in ALERTS")
	}
	from, to := firing[0].t, firing[len(firing)-1].t.Add(liveTick)
	want := l.replay()
	if events != want.events || failed != want.failed {
		l.t.Errorf("package engine counts %v requests and %v failed, want %v and %v", want.events, want.failed, events, failed)
	}
	l.checkBudget(want.budget)
	late, later := from.Sub(want.from), to.Sub(want.to)
	l.t.Logf("fires %v after package engine, and ends %v after", late, later)
	if late.Abs() > l.lag || later.Abs() > l.lag {
		l.t.Errorf("want to fire from %v to %v, at most %v off, have %v to %v", want.from, want.to, l.lag, from, to)
	}
	for _, series := range []string{slo.SeriesBadIncrement, slo.SeriesBadSum + `{window="1m"}`, slo.SeriesBudgetRemaining} {
		all := l.samples(series)
		if len(all) == 0 {
			l.t.Fatalf("want samples of %s, have none", series)
		}
		t := all[len(all)-1].t
		l.t.Logf("%s is evaluated %v after multiples of %v", series, t.Sub(t.Truncate(liveTick)), liveTick)
	}
}

// budgetSeries are the series of the budget's window, by the rollups.
const budgetSeries = `{__name__=~"slo:events:sum|slo:bad:sum|slo:burn_rate:ratio|slo:budget_remaining:ratio",window=~"1d|"}`

// settled reports whether the series of the budget have every request, and agree: on vmalert they follow one another
// by an evaluation each.
func (l *live) settled() bool {
	total, failed := l.service.counts(time.Now())
	const rate = slo.SeriesBurnRate + `{window="1d"}`
	burn := float64(failed) / float64(total) / 0.01
	return l.last(slo.SeriesEventsSum+`{window="1d"}`) == float64(total) && math.Abs(l.last(rate)-burn) < 1e-6*burn &&
		math.Abs(l.last(slo.SeriesBudgetRemaining)-(1-burn)) < 1e-6*burn
}

// checkBudget compares the series of the budget with those of package engine.
func (l *live) checkBudget(want map[string]float64) {
	got := map[string]float64{}
	for _, s := range l.db.query(budgetSeries, time.Now()) {
		got[s.key()] = s.v
	}
	for key, w := range want {
		g, ok := got[key]
		if !ok || math.Abs(g-w) > 1e-9*math.Abs(w) { // VictoriaMetrics keeps decimals, of about 15 digits
			l.t.Errorf("budget: %s: want %v, have %v", key, w, g)
		}
		if strings.HasPrefix(key, slo.SeriesBudgetRemaining) {
			l.t.Logf("budget left: %v, %v in package engine", g, w)
		}
	}
	if len(want) != 4 || len(got) != 4 {
		l.t.Errorf("want four series of the budget, have %d in package engine and %d on the server: %v", len(want), len(got), got)
	}
}

// outcome is what package engine makes of the samples that a server scraped.
type outcome struct {
	from, to       time.Time // when the alert fires, as of the data
	events, failed float64
	budget         map[string]float64 // budgetSeries at the end
}

// replay gives the samples that the server scraped to package engine.
func (l *live) replay() outcome {
	l.t.Helper()
	var scraped []store.Sample
	first, last := time.Now(), time.Time{}
	for _, selector := range []string{`http_requests_total{job="live"}`, `up{job="live"}`} {
		for _, s := range l.samples(selector) {
			scraped = append(scraped, store.Sample{Labels: s.labels, T: s.t, V: s.v})
			if s.t.Before(first) {
				first = s.t
			}
			if s.t.After(last) {
				last = s.t
			}
		}
	}
	set := compile(l.t, "testdata/live/slos.yaml")
	st, e := embedded(l.t, set, engine.Options{})
	if err := st.Append(scraped...); err != nil {
		l.t.Fatal(err)
	}
	delay := generate(l.t, set, "prometheus")[0].QueryOffset
	const rollup = 4 * time.Minute
	to := last.Add(3 * rollup).Truncate(rollup) // when the rollups have everything
	var out outcome
	err := e.Run(l.t.Context(), engine.Replay{
		From: first.Truncate(liveTick), To: to,
		OnTick: func(t time.Time, happened []engine.Event) error {
			for _, x := range happened {
				switch {
				case x.Alert.Name != slo.AlertBudgetBurn:
				case x.Kind == engine.Fired:
					out.from = t.Add(-delay)
				default:
					out.to = t.Add(-delay)
				}
			}
			return l.add(e, t.Add(-delay), &out)
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	points, err := e.Query(l.t.Context(), budgetSeries, to.Add(-delay))
	if err != nil {
		l.t.Fatal(err)
	}
	out.budget = map[string]float64{}
	for _, p := range points {
		out.budget[p.Labels.String()] = p.V
	}
	return out
}

// add adds the increments that were recorded at a time.
func (l *live) add(e *engine.Engine, at time.Time, out *outcome) error {
	for series, total := range map[string]*float64{slo.SeriesEventsIncrement: &out.events, slo.SeriesBadIncrement: &out.failed} {
		points, err := e.Query(l.t.Context(), series, at)
		if err != nil {
			return err
		}
		for _, p := range points {
			*total += p.V
		}
	}
	return nil
}
