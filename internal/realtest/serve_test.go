//go:build real

package realtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// liveServe starts plimsoll serve with a target to scrape.
func liveServe(t testing.TB, _ []string, target, notify string) *database {
	t.Helper()
	return serve(t, t.TempDir(), target, notify)
}

// serve starts plimsoll serve on the specs of the live test with its data in dir.
func serve(t testing.TB, dir, target string, notify ...string) *database {
	t.Helper()
	flags := []string{"--scrape-config", write(t, dir, "scrape.yml", fmt.Sprintf(scrapeConfig, target))}
	for _, url := range notify {
		flags = append(flags, "--alertmanager", url)
	}
	return serveAt(t, dir, address(t), flags...)
}

// serveAt starts plimsoll serve on the specs of the live test, with its data in dir, at addr.
func serveAt(t testing.TB, dir, addr string, flags ...string) *database {
	t.Helper()
	args := append([]string{"serve", "--specs", "testdata/live", "--data", dir + "/data", "--listen", addr}, flags...)
	return &database{server: start(t, "plimsoll", addr, "/-/ready", args...)}
}

// TestServeSelf: while an alert waits for an Alertmanager that is away, serve spends its own budget of notifications,
// and pages about itself when the Alertmanager is there.
func TestServeSelf(t *testing.T) {
	t.Parallel()
	h, s, addr, dir := newHook(t), newService(t), address(t), t.TempDir()
	db := serveAt(t, dir, address(t), "--self-slos", "--instance", "one", "--alertmanager", "http://"+addr,
		"--scrape-config", write(t, dir, "scrape.yml", fmt.Sprintf(scrapeConfig, s.address())))
	l := &live{t: t, db: db, service: s}
	l.await("two evaluations of samples", func() bool { return l.seen() >= 2 })
	s.begin()
	const page = `ALERTS{slo="plimsoll-notifications",instance="one",severity="page",alertstate="firing"}`
	l.await("it pages about itself", func() bool { return len(l.samples(page)) > 0 })
	l.await("the budget shows it", func() bool {
		left := l.last(slo.SeriesBudgetRemaining + `{slo="plimsoll-notifications"}`)
		return left < 1
	})
	for _, name := range []string{"evaluations", "rules", "up"} { // nothing is pushed
		if left := l.last(slo.SeriesBudgetRemaining + `{slo="plimsoll-` + name + `",instance="one"}`); left != 1 {
			t.Errorf("plimsoll-%s: %v of the budget is left, want all of it", name, left)
		}
	}
	am := alertmanager(t, t.TempDir(), addr, h)
	am.await("the page about itself comes", liveWithin, func() bool {
		return strings.Contains(strings.Join(h.names(), "\n"), "firing plimsoll-notifications page")
	})
}

// TestServeAlertmanagerAway: of two Alertmanagers one is away when the page begins and comes back while it lasts.
// The one that was there tells at once, the other when it is back, each once, and each tells of the end.
func TestServeAlertmanagerAway(t *testing.T) {
	const away = 20 * time.Second
	here, there, s := newHook(t), newHook(t), newService(t)
	am, addr := alertmanager(t, t.TempDir(), address(t), here), address(t)
	db := serve(t, t.TempDir(), s.address(), am.url, "http://"+addr)
	l := &live{t: t, db: db, service: s}
	l.await("two evaluations", func() bool { return len(l.samples("slo:bad:inc")) >= 2 })
	s.begin()
	l.await("the page comes", func() bool { return len(here.names()) >= 1 })
	// promtool reads it as it reads a Prometheus.
	if out := mustOutput(t, "promtool", "query", "instant", db.url, `up{job="live"}`); !strings.Contains(out, "=> 1 @") {
		t.Errorf("promtool query instant: %s", out)
	}
	if out := mustOutput(t, "promtool", "query", "labels", db.url, "job"); !strings.Contains(out, "live") {
		t.Errorf("promtool query labels: %s", out)
	}
	began := time.Now()
	l.await("the outage of Alertmanager is over", func() bool { return time.Since(began) > away })
	late := alertmanager(t, t.TempDir(), addr, there)
	there.expect(late, "firing live page")
	l.await("the end of the page comes", func() bool { return len(here.names()) >= 2 && len(there.names()) >= 2 })
	here.expect(am, "firing live page", "resolved live page")
	there.expect(late, "firing live page", "resolved live page")
}
