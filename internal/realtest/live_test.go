//go:build real

package realtest

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
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
	liveWithin = 4 * time.Minute // for each thing that is waited for
)

// TestLive runs the whole line on the wall clock, once with Prometheus and once with VictoriaMetrics and vmalert: a
// service is scraped every second and fails for 45 s; the server's own scheduler evaluates the files of plimsoll
// build; its alerts go to a real Alertmanager, which tells a webhook. Every request is counted exactly, one page
// comes and one end of it, and package engine, fed with the samples that the server scraped, fires at the same time.
func TestLive(t *testing.T) {
	for _, c := range []struct {
		target string
		open   func(t testing.TB, files []string, service, alertmanager string) *database
		lag    time.Duration // of the alert
	}{
		// Prometheus evaluates at other times than package engine, by up to an interval, and sees other samples.
		{"prometheus", livePrometheus, 2 * liveTick},
		// vmalert shows to a rule what the rule before it recorded at the next evaluation only: increments, sums, burn
		// rates, alert. And its groups are evaluated at other times.
		{"victoriametrics", liveVictoria, 5 * liveTick},
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
			l.await("two evaluations", func() bool { return len(l.samples(slo.SeriesBadIncrement)) >= 2 })
			s.begin()
			l.await("the page has come and gone", func() bool { return len(h.names()) >= 2 })
			s.end()
			l.await("the last request is counted", func() bool { return l.last(slo.SeriesEventsIncrement) == 0 })
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

// samples returns the raw samples of the last minutes.
func (l *live) samples(selector string) []sample {
	l.t.Helper()
	return l.db.query(selector+"[20m]", time.Now())
}

// last returns the newest value, or NaN.
func (l *live) last(selector string) float64 {
	all := l.samples(selector)
	if len(all) == 0 {
		return math.NaN()
	}
	return all[len(all)-1].v
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
	wantFrom, wantTo, wantEvents, wantFailed := l.replay()
	if events != wantEvents || failed != wantFailed {
		l.t.Errorf("package engine counts %v requests and %v failed, want %v and %v", wantEvents, wantFailed, events, failed)
	}
	late, later := from.Sub(wantFrom), to.Sub(wantTo)
	l.t.Logf("fires %v after package engine, and ends %v after", late, later)
	if late.Abs() > l.lag || later.Abs() > l.lag {
		l.t.Errorf("want to fire from %v to %v, at most %v off, have %v to %v", wantFrom, wantTo, l.lag, from, to)
	}
}

// replay gives the samples that the server scraped to package engine, and returns from when to when the alert fires,
// as of the data, and what it counts.
func (l *live) replay() (from, to time.Time, events, failed float64) {
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
	err := e.Run(l.t.Context(), engine.Replay{
		From: first.Truncate(liveTick), To: last.Add(delay).Truncate(liveTick),
		OnTick: func(t time.Time, happened []engine.Event) error {
			for _, x := range happened {
				switch {
				case x.Alert.Name != slo.AlertBudgetBurn:
				case x.Kind == engine.Fired:
					from = t.Add(-delay)
				default:
					to = t.Add(-delay)
				}
			}
			return l.add(e, t.Add(-delay), &events, &failed)
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return from, to, events, failed
}

// add adds the increments that were recorded at a time.
func (l *live) add(e *engine.Engine, at time.Time, events, failed *float64) error {
	for series, total := range map[string]*float64{slo.SeriesEventsIncrement: events, slo.SeriesBadIncrement: failed} {
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
