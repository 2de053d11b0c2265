//go:build real

package realtest

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestStoreLive is TestLive with plimsoll serve --store: the store has the samples that are scraped every second, two
// replicas of serve ask it and write the results to it, and both tell one Alertmanager. An ingester of the cluster is
// killed in the midst of the outage. Every request is counted, one page comes and one end of it, and package engine, fed
// with the samples of the store, fires at the same tick and has the same budget.
func TestStoreLive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind string
		open func(t testing.TB, target string) *database
	}{
		{"prometheus", storePrometheus},
		{"victoriametrics", storeVictoria},
		{"cortex", storeCortex},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			h, s := newHook(t), newService(t)
			am := alertmanager(t, t.TempDir(), address(t), h)
			db := c.open(t, s.address())
			first := serveOver(t, c.kind, db, am.url)
			serveOver(t, c.kind, db, am.url)
			l := &live{t: t, db: db, service: s}
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
			for _, line := range metricLines(first, "plimsoll_store_tick_queries", "plimsoll_store_refused_samples_total", "plimsoll_store_requests_total", "plimsoll_tick_lag_seconds ") {
				t.Log(line)
			}
		})
	}
}

// metricLines returns the lines of a server's metrics that begin with one of some words.
func metricLines(s *server, words ...string) []string {
	var out []string
	for line := range strings.Lines(string(s.get("/metrics", nil))) {
		for _, w := range words {
			if strings.HasPrefix(line, w) {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return out
}

// serveOver starts plimsoll serve over a store.
func serveOver(t testing.TB, kind string, db *database, notify string) *server {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	text := fmt.Sprintf("type: %s\nurl: %s\nbackfill: 1m\n", kind, db.url+db.prefix)
	if db.tenant != "" {
		text += "tenant: " + db.tenant + "\n"
	}
	if db.writeURL != "" {
		text += "writeURL: " + db.writeURL + "\n"
	}
	return start(t, "plimsoll", addr, "/-/ready", "serve", "--specs", "testdata/live", "--data", dir+"/data", "--listen", addr,
		"--store", write(t, dir, "store.yaml", text), "--alertmanager", notify)
}

// storePrometheus starts a Prometheus that scrapes and takes remote writes.
func storePrometheus(t testing.TB, target string) *database {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(scrapeConfig, target)+"storage: {tsdb: {out_of_order_time_window: 10m}}\n")
	return &database{server: start(t, "prometheus", addr, "/-/ready", "--web.enable-remote-write-receiver",
		"--config.file="+config, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+addr, "--log.level=warn")}
}

// storeVictoria starts a VictoriaMetrics that scrapes; its -search.latencyOffset is the default.
func storeVictoria(t testing.TB, target string) *database {
	t.Helper()
	return victoria(t, "-promscrape.config="+write(t, t.TempDir(), "scrape.yml", fmt.Sprintf(scrapeConfig, target)), "-dedup.minScrapeInterval=1ms")
}

// storeCortex starts a cluster, and a Prometheus that scrapes and sends on.
func storeCortex(t testing.TB, target string) *database {
	t.Helper()
	db := cortex(t, "")
	sendOn(t, db, target)
	return db
}

// sendOn starts a Prometheus agent that scrapes and sends on.
func sendOn(t testing.TB, db *database, target string) {
	t.Helper()
	dir, addr := t.TempDir(), address(t)
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(scrapeConfig, target)+fmt.Sprintf(`
remote_write: [{url: "%s", headers: {X-Scope-OrgID: "%s"}, queue_config: {batch_send_deadline: 1s}}]
`, cmp.Or(db.writeURL, db.url+db.push), db.tenant))
	start(t, "prometheus", addr, "/-/ready",
		"--agent", "--config.file="+config, "--storage.agent.path="+dir+"/data", "--web.listen-address="+addr, "--log.level=warn")
}
