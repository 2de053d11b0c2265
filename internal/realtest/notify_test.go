//go:build real

package realtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// message is what Alertmanager posts to a chat.
type message struct {
	to          string // name of the receiver
	Attachments []struct{ Title, Text string }
}

// chat takes the messages of receivers, each at the path that is its name.
type chat struct {
	url  string
	mu   sync.Mutex
	seen []message
}

// newChat serves until the test ends.
func newChat(t testing.TB) *chat {
	t.Helper()
	c := &chat{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m := message{to: path.Base(r.URL.Path)}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || len(m.Attachments) != 1 {
			t.Errorf("message to %s: want one attachment, have %d, %v", m.to, len(m.Attachments), err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.seen = append(c.seen, m)
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// messages returns what came so far, sorted by receiver.
func (c *chat) messages() []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.seen)
	slices.SortFunc(out, func(a, b message) int { return strings.Compare(a.to, b.to) })
	return out
}

// receivers are those of testdata/alertmanager.
var receivers = []string{"default", "api-oncall", "api-tickets", "shop-oncall", "shop-tickets", "telemetry-oncall", `the "boss" of {{shops}}`}

// chatting starts an Alertmanager with the merged configuration, whose receivers use the templates.
func chatting(t testing.TB, c *chat, dirs ...string) *server {
	t.Helper()
	config := "route:\n  receiver: default\n  group_wait: 1s\n  group_interval: 1s\nreceivers:\n"
	for _, r := range receivers {
		config += fmt.Sprintf("  - name: %q\n    slack_configs:\n      - api_url: %s\n", r, c.url+"/"+strings.Trim(strings.Fields(r)[len(strings.Fields(r))-1], "{}"))
		config += "        channel: '#x'\n        title: '{{ template \"plimsoll.title\" . }}'\n        text: '{{ template \"plimsoll.text\" . }}'\n"
	}
	file, addr := merge(t, dirs, config), address(t)
	return start(t, "alertmanager", addr, "/-/ready", "--config.file="+file, "--storage.path="+t.TempDir(),
		"--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=info")
}

// suppressed returns how many notifications were not sent for a reason.
func (s *server) suppressed(reason string) int {
	res, err := http.Get(s.url + "/metrics")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), `alertmanager_notifications_suppressed_total{reason="`+reason+`"} `); ok {
			n, _ := strconv.Atoi(v)
			return n
		}
	}
	return 0
}

// TestNotifications lets everything fail in a replay, and sends what the generated rules say to a real Alertmanager
// with the generated configuration: an incident is one notification, to who owns it.
func TestNotifications(t *testing.T) {
	burning := outageOfAll(t)
	noData := burning["shop-availability ticket"]
	noData.Name, noData.Labels = slo.AlertNoData, maps.Clone(noData.Labels)
	noData.Labels["alertname"], noData.Labels[slo.LabelReason] = slo.AlertNoData, slo.ReasonNoTelemetry
	burning["shop-availability nodata"] = noData

	f := func(name string, suppressed int, want []string, send ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			t.Parallel()
			c := newChat(t)
			am := chatting(t, c, "testdata/alertmanager")
			var alerts []engine.Alert
			for _, s := range send {
				a, ok := burning[s]
				if !ok {
					t.Fatalf("there is no alert %q, there are %q", s, slices.Sorted(maps.Keys(burning)))
				}
				alerts = append(alerts, a)
			}
			if err := engine.SendAlerts(t.Context(), nil, am.url, present(alerts)); err != nil {
				t.Fatal(err)
			}
			// Every alert is accounted for before the messages are counted: told, or known to be kept back.
			am.await("every alert is told or inhibited", startWithin, func() bool {
				return am.suppressed("inhibition") >= suppressed && len(c.messages()) >= len(want)
			})
			var got []string
			for _, m := range c.messages() {
				got = append(got, m.to+": "+m.Attachments[0].Title)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("messages (-want +have):\n%s", diff)
			}
			for _, m := range c.messages() {
				complete(t, m)
			}
		})
	}
	page := func(s string) string { return "[PAGE] " + burning[s+" page"].Annotations["summary"] }
	f("page over ticket", 1, []string{"shop-oncall: " + page("shop-availability")}, "shop-availability page", "shop-availability ticket")
	f("ticket alone", 0, []string{"shop-tickets: [TICKET] " + burning["shop-availability ticket"].Annotations["summary"]}, "shop-availability ticket")
	f("outage over its consequences", 2, []string{"api-oncall: " + page("api-availability")},
		"shop-availability page", "shop-availability ticket", "api-availability page")
	f("no page, no consequences", 0, []string{"api-tickets: [TICKET] " + burning["api-availability ticket"].Annotations["summary"], "shop-oncall: " + page("shop-availability")},
		"shop-availability page", "api-availability ticket")
	f("escalations are told", 1, []string{"api-oncall: " + page("api-availability"), "shops: [ESCALATION] " + burning["shop-availability escalation"].Annotations["summary"]},
		"shop-availability escalation", "api-availability page", "shop-availability page")
	f("lost telemetry over missing telemetry", 1, []string{"telemetry-oncall: " + page("telemetry-ingest")}, "telemetry-ingest page", "shop-availability nodata")
	f("missing telemetry", 0, []string{"shop-tickets: [TICKET] " + noData.Annotations["summary"]}, "shop-availability nodata")
}

// TestMutes sends a page in maintenance that is always on, and one outside: only the latter is told.
func TestMutes(t *testing.T) {
	c := newChat(t)
	am := chatting(t, c, "testdata/alertmanager", "testdata/mutes")
	page := func(slos, service string) engine.Alert {
		return engine.Alert{Name: slo.AlertBudgetBurn, Labels: store.Labels{
			"alertname": slo.AlertBudgetBurn, slo.LabelSeverity: slo.Page, slo.LabelSLO: slos, slo.LabelService: service,
		}}
	}
	send := func(a engine.Alert) {
		t.Helper()
		if err := engine.SendAlerts(t.Context(), nil, am.url, present([]engine.Alert{a})); err != nil {
			t.Fatal(err)
		}
	}
	send(page("telemetry-ingest", "telemetry"))
	am.await("the page in maintenance is kept back", startWithin, func() bool { return am.suppressed("mute_time_interval") > 0 })
	send(page("another", "another"))
	am.await("the other page is told", startWithin, func() bool { return len(c.messages()) > 0 })
	if got := c.messages(); len(got) != 1 || got[0].to != "default" {
		t.Errorf("want one message to default, have %v", got)
	}
}

// complete wants the figures and links that the alerts have.
func complete(t *testing.T, m message) {
	t.Helper()
	text := m.Attachments[0].Text
	for _, want := range []string{"\nBurn rate: ", "\nBudget left: ", "\nEvents: ", " bad of ", "\nQuery: http://prometheus.example/graph?"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in the text to %s:\n%s", want, m.to, text)
		}
	}
	if !strings.HasPrefix(m.to, "shop") {
		return
	}
	for _, want := range []string{"Shop <availability> & more", "\nRunbook: https://runbooks.example/shop\n", "\nDashboard: https://grafana.example/d/shop\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in the text to %s:\n%s", want, m.to, text)
		}
	}
}

// outageOfAll replays testdata/alertmanager: half an hour in which all requests fail. It returns the alerts that fire
// at its end by SLO and severity.
func outageOfAll(t *testing.T) map[string]engine.Alert {
	t.Helper()
	st, e := embedded(t, compile(t, "testdata/alertmanager/slos.yaml"), engine.Options{ExternalURL: "http://prometheus.example"})
	from := storyStart.Add(time.Hour)
	err := e.Run(t.Context(), engine.Replay{
		From: storyStart, To: from.Add(30 * time.Minute),
		Feed: func(at time.Time) error {
			bad := 40 * max(at.Sub(from), 0).Seconds()
			for _, job := range []string{"api", "shop", "ingest"} {
				s := func(v float64, name, code string) store.Sample {
					return store.Sample{Labels: store.Labels{store.Name: name, "job": job, "instance": "i", "code": code}, T: at.Add(-20 * time.Second), V: v}
				}
				err := st.Append(s(1, "up", ""), s(40*at.Sub(storyStart).Seconds()-bad, "http_requests_total", "200"), s(bad, "http_requests_total", "500"))
				if err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]engine.Alert{}
	for _, a := range e.Alerts() {
		if !a.FiredAt.IsZero() && a.ResolvedAt.IsZero() {
			a.Source = "http://prometheus.example/graph?x"
			out[a.Labels[slo.LabelSLO]+" "+a.Labels[slo.LabelSeverity]] = a
		}
	}
	return out
}
