//go:build real

package realtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// servers starts two servers with the same specs, an agent that sends what it scrapes to both, and a Prometheus that
// reads from both. again starts the first one again, over its data.
func servers(t *testing.T, target, notify string) (one, two, both *database, again func() *database) {
	t.Helper()
	dirs, addrs := []string{t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()}, []string{address(t), address(t), address(t), address(t)}
	serve := func(i int) *database { return serveAt(t, dirs[i], addrs[i], "--alertmanager", notify) }
	one, two = serve(0), serve(1)
	config := write(t, dirs[2], "agent.yml", fmt.Sprintf(scrapeConfig, target)+fmt.Sprintf(`
remote_write:
- {url: "%s/api/v1/write", queue_config: {batch_send_deadline: 1s}}
- {url: "%s/api/v1/write", queue_config: {batch_send_deadline: 1s}}
`, one.url, two.url))
	start(t, "prometheus", addrs[2], "/-/ready", "--agent", "--config.file="+config, "--storage.agent.path="+dirs[2]+"/data",
		"--web.listen-address="+addrs[2], "--log.level=warn")
	config = write(t, dirs[3], "reader.yml", fmt.Sprintf(`
remote_read:
- {url: "%s/api/v1/read", read_recent: true}
- {url: "%s/api/v1/read", read_recent: true}
`, one.url, two.url))
	both = &database{server: start(t, "prometheus", addrs[3], "/-/ready", "--config.file="+config, "--storage.tsdb.path="+dirs[3]+"/data",
		"--web.listen-address="+addrs[3], "--log.level=warn")}
	return one, two, both, func() *database { return serve(0) }
}

// TestServeReplicas: two servers with the same specs and the same samples are one to people: one notification of the
// page and one of its end, though one of the two is killed while it lasts and comes back; and the same budgets, which
// are one where both are read.
func TestServeReplicas(t *testing.T) {
	t.Parallel()
	h, s := newHook(t), newService(t)
	am := alertmanager(t, t.TempDir(), address(t), h)
	one, two, both, again := servers(t, s.address(), am.url)
	a, b := &live{t: t, db: one, service: s}, &live{t: t, db: two, service: s}
	b.await("two evaluations of both", func() bool { return a.seen() >= 2 && b.seen() >= 2 })
	s.begin()
	const firing = `ALERTS{alertname="` + slo.AlertBudgetBurn + `",alertstate="firing"}`
	b.await("both page", func() bool { return len(a.samples(firing)) > 0 && len(b.samples(firing)) > 0 })
	one.kill()
	killed := time.Now()
	b.await("one of them has missed an evaluation", func() bool { return time.Since(killed) > liveTick })
	a.db = again()
	b.await("the page has come and gone", func() bool { return len(h.names()) >= 2 })
	s.end()
	b.await("both budgets have every request", func() bool { return a.settled() && b.settled() })
	h.expect(am, "firing live page", "resolved live page")
	budget := func(db *database) map[string]float64 {
		out := map[string]float64{}
		for _, x := range db.query(budgetSeries, time.Now()) {
			out[x.key()] = x.v
		}
		return out
	}
	want := budget(two)
	if len(want) != 4 {
		t.Errorf("want four series of the budget, have %v", want)
	}
	if diff := cmp.Diff(want, budget(a.db)); diff != "" {
		t.Errorf("budgets (-one replica +the other):\n%s", diff)
	}
	if diff := cmp.Diff(want, budget(both)); diff != "" {
		t.Errorf("budgets (-one replica +both read as one):\n%s", diff)
	}
	if n := both.query(`count(`+slo.SeriesBudgetRemaining+`)`, time.Now()); len(n) != 1 || n[0].v != 1 {
		t.Errorf("want one budget where both are read, have %v", n)
	}
}
