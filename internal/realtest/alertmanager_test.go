//go:build real

package realtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// notification is what Alertmanager posts to a webhook, as far as the tests look at it.
type notification struct {
	Status string
	Alerts []struct {
		Status              string
		Labels, Annotations map[string]string
		StartsAt, EndsAt    time.Time
		GeneratorURL        string
	}
}

// String names the alerts: "firing checkout page".
func (n notification) String() string {
	var out []string
	for _, a := range n.Alerts {
		out = append(out, a.Status+" "+a.Labels[slo.LabelSLO]+" "+a.Labels[slo.LabelSeverity])
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// hook is a receiver of notifications.
type hook struct {
	url  string
	mu   sync.Mutex
	seen []notification
}

// newHook serves until the test ends.
func newHook(t testing.TB) *hook {
	t.Helper()
	h := &hook{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var n notification
		if err == nil {
			err = json.Unmarshal(body, &n)
		}
		if err != nil {
			t.Errorf("notification: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.seen = append(h.seen, n)
	}))
	t.Cleanup(s.Close)
	h.url = s.URL
	return h
}

// notifications returns what came so far.
func (h *hook) notifications() []notification {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// names returns what came so far, as text.
func (h *hook) names() []string {
	var out []string
	for _, n := range h.notifications() {
		out = append(out, n.String())
	}
	return out
}

// expect waits until as many notifications came as are wanted, and compares.
func (h *hook) expect(am *server, want ...string) {
	am.t.Helper()
	am.await(fmt.Sprintf("%d notifications came, have %v", len(want), h.names()), startWithin, func() bool { return len(h.names()) >= len(want) })
	if diff := cmp.Diff(want, h.names()); diff != "" {
		am.t.Fatalf("notifications (-want +have):\n%s", diff)
	}
}

// alertmanager starts an Alertmanager in dir that tells h at once, per SLO and severity.
func alertmanager(t testing.TB, dir, addr string, h *hook) *server {
	t.Helper()
	config := write(t, dir, "alertmanager.yml", `
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
	mustOutput(t, "amtool", "check-config", config)
	return start(t, "alertmanager", addr, "/-/ready", "--config.file="+config, "--storage.path="+dir+"/data",
		"--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=info")
}

// TestAlertmanager replays an outage of an hour and sends everything that a Prometheus would send, every minute
// again, to a real Alertmanager: one page comes, and its end, with all labels and annotations. In the midst
// Alertmanager is restarted; that tells nobody anything twice.
func TestAlertmanager(t *testing.T) {
	h, dir, addr := newHook(t), t.TempDir(), address(t)
	am := alertmanager(t, dir, addr, h)
	var sent int
	var page engine.Alert
	send := func(ctx context.Context, alerts []engine.Alert) {
		err := engine.SendAlerts(ctx, nil, am.url, present(alerts))
		if err != nil {
			t.Errorf("at %v: %v", alerts, err)
		}
		sent += len(alerts)
		if a := alerts[0]; a.Labels[slo.LabelSeverity] == slo.Page && a.ResolvedAt.IsZero() {
			page = a
		}
	}
	var said []string // by the engine
	outage(t, send, func(at time.Time, e engine.Event) {
		said = append(said, map[engine.EventKind]string{engine.Fired: "firing ", engine.Resolved: "resolved "}[e.Kind]+
			e.Alert.Labels[slo.LabelSLO]+" "+e.Alert.Labels[slo.LabelSeverity])
		h.expect(am, said...)
		if e.Kind != engine.Fired || len(said) > 1 {
			return
		}
		awaitLogged(am)
		am.stop()
		if err := engine.SendAlerts(t.Context(), nil, am.url, present([]engine.Alert{e.Alert})); err == nil {
			t.Error("sending to an Alertmanager that is down: want an error, have none")
		}
		am = alertmanager(t, dir, addr, h)
	})
	want := []string{
		"firing checkout-availability page", "firing checkout-availability ticket",
		"resolved checkout-availability page", "resolved checkout-availability ticket",
	}
	got := h.names()
	t.Logf("%d alerts sent gave the notifications %q", sent, got)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications (-want +have):\n%s", diff)
	}
	if sent < 20 {
		t.Errorf("want the firing alerts sent again and again, have %d sends", sent)
	}
	first := h.notifications()[0].Alerts[0]
	if diff := cmp.Diff(map[string]string(page.Labels), first.Labels); diff != "" {
		t.Errorf("labels (-sent +notified):\n%s", diff)
	}
	for name := range page.Annotations {
		if first.Annotations[name] == "" && page.Annotations[name] != "" {
			t.Errorf("annotation %s is lost", name)
		}
	}
	if first.GeneratorURL == "" {
		t.Error("the link to the expression is lost")
	}
}

// awaitLogged waits until Alertmanager has written down that it told of its only group: it does so after the answer of
// the webhook, and a restart in between would tell again. The group asks the log before it tells, one time after the
// other, so its second question means that the first time is over.
func awaitLogged(am *server) {
	am.t.Helper()
	asked := regexp.MustCompile(`(?m)^alertmanager_nflog_queries_total ([2-9]|\d\d+)$`)
	am.await("the notification is logged", startWithin, func() bool { return asked.Match(am.get("/metrics", nil)) })
}

// present moves alerts of a replay to now.
func present(alerts []engine.Alert) []engine.Alert {
	out, now := slices.Clone(alerts), time.Now()
	for i := range out {
		a := &out[i]
		if a.FiredAt, a.ValidUntil = now, now.Add(5*time.Minute); !a.ResolvedAt.IsZero() {
			a.FiredAt, a.ResolvedAt = now.Add(-time.Minute), now
		}
	}
	return out
}

// outage replays the spec of the quickstart: 40 requests a second, of which half fail for an hour. notify gets each
// send, event each page or ticket and its end, after the sends of its tick.
func outage(t *testing.T, notify func(context.Context, []engine.Alert), event func(time.Time, engine.Event)) {
	t.Helper()
	st, e := embedded(t, compile(t, "../../examples/quickstart/slo.yaml"), engine.Options{Notify: notify, ExternalURL: "http://prometheus.example"})
	from := storyStart.Add(2 * time.Hour)
	err := e.Run(t.Context(), engine.Replay{
		From: storyStart, To: storyStart.Add(12 * time.Hour),
		Feed: func(at time.Time) error {
			bad := 20 * min(max(at.Sub(from), 0), time.Hour).Seconds()
			s := func(v float64, name, code string) store.Sample {
				return store.Sample{Labels: store.Labels{store.Name: name, "job": "checkout", "instance": "i", "code": code}, T: at.Add(-20 * time.Second), V: v}
			}
			return st.Append(s(1, "up", ""), s(40*at.Sub(storyStart).Seconds()-bad, "http_requests_total", "200"), s(bad, "http_requests_total", "500"))
		},
		OnTick: func(at time.Time, events []engine.Event) error {
			for _, x := range events {
				event(at, x)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDemoAlertmanager runs plimsoll demo against a real Alertmanager: each page and ticket that the demo tells of
// becomes one notification, and so does its end.
func TestDemoAlertmanager(t *testing.T) {
	h, dir := newHook(t), t.TempDir()
	am := alertmanager(t, dir, address(t), h)
	binary, err := os.ReadFile(program(t, "plimsoll"))
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(dir, "plimsoll") // without the collector beside it, whose part the demo leaves out
	if err := os.WriteFile(alone, binary, 0o700); err != nil {
		t.Fatal(err)
	}
	out := mustOutput(t, alone, "demo", "--alertmanager", am.url, "--days", "2", "-o", dir+"/demo")
	var want []string
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) > 3 && (f[3] == "PAGE" || f[3] == "ticket"):
			want = append(want, "firing "+strings.ToLower(f[3]))
		case len(f) > 3 && f[3] == "resolved":
			_, after, _ := strings.Cut(line, " the ")
			want = append(want, "resolved "+strings.Fields(after)[0])
		}
	}
	if len(want) == 0 {
		t.Fatalf("the demo tells of no page:\n%s", out)
	}
	am.await(fmt.Sprintf("%d notifications came", len(want)), startWithin, func() bool { return len(h.names()) >= len(want) })
	var got []string
	for _, n := range h.notifications() {
		for _, a := range n.Alerts {
			got = append(got, a.Status+" "+a.Labels[slo.LabelSeverity])
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notifications (-told by the demo +come):\n%s", diff)
	}
	t.Logf("%d notifications: %q", len(got), h.names())
}
