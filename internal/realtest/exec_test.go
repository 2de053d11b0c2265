//go:build real

package realtest

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

var started = regexp.MustCompile(`msg=started part=alertmanager .* pid=(\d+)`)

// TestServeExec: serve runs an Alertmanager itself. One that ends in the midst of an outage is started again and
// tells nobody twice; when serve ends, it ends, too.
func TestServeExec(t *testing.T) {
	t.Parallel()
	h, s, dir, addr := newHook(t), newService(t), t.TempDir(), address(t)
	config := write(t, dir, "user.yml", `
route:
  receiver: hook
  group_by: [slo, severity]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1d
receivers:
- name: hook
  webhook_configs: [{url: "`+h.url+`", send_resolved: true}]
`)
	db := serveAt(t, dir, address(t), "--scrape-config", write(t, dir, "scrape.yml", fmt.Sprintf(scrapeConfig, s.address())),
		"--alertmanager-exec", program(t, "alertmanager"), "--alertmanager-config", config, "--alertmanager-listen", addr)
	l := &live{t: t, db: db, service: s}
	l.await("two evaluations", func() bool { return l.seen() >= 2 })
	s.begin()
	l.await("the page comes", func() bool { return len(h.names()) >= 1 })
	am := &server{t: t, name: "alertmanager", url: "http://" + addr, done: db.done}
	awaitLogged(am)
	pids := func() [][]string { return started.FindAllStringSubmatch(db.log.tail(1000), -1) }
	pid, err := strconv.Atoi(pids()[0][1])
	if err != nil {
		t.Fatal(err)
	}
	// Not killed: it writes what it has told every 15 minutes, and at its end.
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	l.await("it is started again", func() bool { return len(pids()) == 2 })
	l.await("the end of the page comes", func() bool { return len(h.names()) >= 2 })
	h.expect(am, "firing live page", "resolved live page")
	db.stop()
	if c, err := net.Dial("tcp", addr); err == nil {
		_ = c.Close()
		t.Error("the Alertmanager outlives serve")
	}
	merged, err := os.ReadFile(dir + "/data/alertmanager/alertmanager.yml")
	if err != nil || !strings.Contains(string(merged), "# plimsoll:begin") {
		t.Errorf("got configuration %q, %v", merged, err)
	}
}
