//go:build real

package realtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

const incidentsAlertmanager = `
route:
  receiver: plimsoll
  group_by: [slo, severity]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1d
receivers:
- name: plimsoll
  webhook_configs:
  - url: http://%s/alertmanager
    send_resolved: true
    http_config: {authorization: {credentials: %s}}
`

const incidentsCollector = `
extensions: {health_check: {endpoint: %s}}
receivers:
  platform_events:
    endpoint: %s
    interval: 1s
    incidents: {reopen: 12s, recur: 1h, absent: 2s}
    storage: {directory: %q}
    sources: {alertmanager: {bearer_token: %s}}
    backfill: {alertmanager: {base_url: "%s", interval: 1s}}
exporters:
  otlp_http:
    metrics_endpoint: http://%s/api/v1/otlp/v1/metrics
    compression: none
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [platform_events], exporters: [otlp_http]}}
`

// incident is one alert of a real Alertmanager, and what is counted of it.
type incident struct {
	t      *testing.T
	am, db *server
	query  func(string) float64
}

// send posts to Alertmanager's API and returns the answer.
func (in *incident) send(path string, body any) []byte {
	in.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		in.t.Fatal(err)
	}
	res, err := http.Post(in.am.url+"/api/v2/"+path, "application/json", bytes.NewReader(text))
	if err != nil {
		in.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		in.t.Fatalf("POST %s: %s %s %v", path, res.Status, answer, err)
	}
	return answer
}

// alert tells Alertmanager when the alert began and ends.
func (in *incident) alert(start, end time.Time) {
	in.t.Helper()
	a := map[string]any{
		"labels":   map[string]string{"alertname": "SLOBurnRate", "slo": "checkout", "severity": "page", "service": "shop", "team": "payments"},
		"startsAt": start, "endsAt": end,
	}
	in.send("alerts", []any{a})
}

// expect waits until a query has the value, within a tolerance below.
func (in *incident) expect(query string, want, below float64) {
	in.t.Helper()
	got := 0.0
	defer func() {
		if in.t.Failed() {
			in.t.Logf("%s is %v, want %v", query, got, want)
		}
	}()
	in.db.await(fmt.Sprintf("%s is %v", query, want), startWithin, func() bool {
		got = in.query(query)
		return got <= want && got >= want-below
	})
	in.t.Logf("%s = %v", query, got)
}

// TestIncidents goes the whole way with a real Alertmanager: an alert fires, is silenced and resolves, of which no webhook
// tells; it fires again and resolves, which one tells; and it fires once more at once while the collector is killed.
func TestIncidents(t *testing.T) {
	t.Parallel()
	dir, addr, in, health, alerts := t.TempDir(), address(t), address(t), address(t), address(t)
	config := write(t, dir, "alertmanager.yml", fmt.Sprintf(incidentsAlertmanager, in, hookSecret))
	mustOutput(t, "amtool", "check-config", config)
	am := start(t, "alertmanager", alerts, "/-/ready", "--config.file="+config, "--storage.path="+dir+"/am", "--web.listen-address="+alerts, "--cluster.listen-address=")
	db := &database{server: start(t, "plimsoll", addr, "/-/ready", "serve", "--specs", "testdata/pipelines", "--data", dir+"/data", "--listen", addr)}
	config = write(t, dir, "collector.yaml", fmt.Sprintf(incidentsCollector, health, in, dir+"/ledger", hookSecret, am.url, addr))
	collector := start(t, "plimsoll-collector", health, "/", "--config", config)
	x := &incident{t: t, am: am, db: db.server, query: func(q string) float64 {
		for _, s := range db.query("sum("+q+")", time.Now()) {
			return s.v
		}
		return 0
	}}
	const (
		counted  = `platform_events_received_total{platform_event_source="alertmanager",platform_event_verdict="counted"}`
		restored = `incident_time_to_restore_seconds_count{service_name="shop",incident_severity="page",platform_team="payments"}`
		took     = `incident_time_to_restore_seconds_sum`
	)
	soon := func() time.Time { return time.Now().Add(time.Hour) }

	first := time.Now().Add(-10 * time.Minute)
	x.alert(first, soon())
	x.expect(`incident_opened_total{incident_recurrence="new"}`, 1, 0)
	x.expect(`incident_open{incident_state="triggered"}`, 1, 0)
	var silence struct{ SilenceID string }
	if err := json.Unmarshal(x.send("silences", map[string]any{
		"matchers": []any{map[string]any{"name": "slo", "value": "checkout", "isRegex": false, "isEqual": true}},
		"startsAt": time.Now(), "endsAt": soon(), "createdBy": "test", "comment": "on it",
	}), &silence); err != nil {
		t.Fatal(err)
	}
	x.expect(`incident_open{incident_state="silenced"}`, 1, 0)
	end := time.Now()
	x.alert(first, end)
	x.expect(restored, 1, 0)
	x.expect(took, end.Sub(first).Seconds(), 5) // asked every second, and the machine may be slow
	x.expect(counted, 1, 0)                     // no webhook said that it ended
	sum := x.query(took)

	mustOutput(t, "amtool", "silence", "expire", silence.SilenceID, "--alertmanager.url", am.url)
	second := time.Now()
	x.alert(second, soon())
	x.expect(`incident_opened_total{incident_recurrence="recurred"}`, 1, 0)
	x.alert(second, time.Now())
	x.expect(counted, 3, 0)

	third := time.Now()
	x.alert(third, soon())
	x.expect(`incident_opened_total{incident_recurrence="reopened"}`, 1, 0)
	collector.kill()
	start(t, "plimsoll-collector", health, "/", "--config", config)
	x.expect(`incident_open{incident_state="triggered"}`, 1, 0)
	end = time.Now()
	x.alert(third, end)
	x.expect(restored, 2, 0)
	x.expect(took, sum+end.Sub(second).Seconds()+.002, .004) // a webhook said so, to the millisecond
	x.expect(`incident_opened_total`, 3, 0)
}
