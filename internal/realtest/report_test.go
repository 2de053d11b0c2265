//go:build real

package realtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// reportSpec is two SLOs over the same counters, one with groups.
const reportSpec = `apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: api}
spec:
  service: api
  owner: {team: platform}
  objective: {target: "99.9%"}
  sli:
    events: {bad: 'requests_total{job="api",code="500"}', total: 'requests_total{job="api"}'}
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: api-by-region}
spec:
  service: api
  owner: {team: platform}
  objective: {target: "99.5%"}
  groupBy: [region]
  sli:
    events: {bad: 'requests_total{job="api",code="500"}', total: 'requests_total{job="api"}'}
`

// TestReport: a report of the same recorded series is the same, byte for byte, from Prometheus and from VictoriaMetrics.
// The month has the end of summer time, and so more slots than one range query may have.
func TestReport(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.Date(2025, 10, 1, 0, 0, 0, 0, zone), time.Date(2025, 11, 1, 0, 0, 0, 0, zone)
	dir := t.TempDir()
	spec := write(t, dir, "slo.yaml", reportSpec)
	samples := recordedMonth(from, to)
	reports := map[string]string{}
	for name, open := range map[string]func() *database{
		"prometheus": func() *database { return prometheus(t) }, "victoria-metrics": func() *database { return victoria(t) },
	} {
		db := open()
		for i := 0; i < len(samples); i += 20_000 {
			db.write(samples[i:min(i+20_000, len(samples))]...)
		}
		db.sync()
		file := filepath.Join(dir, name+".json")
		mustOutput(t, "plimsoll", "report", "--url", db.url, "--period", "2025-10", "--zone", "Europe/Berlin", "-o", file, spec)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		reports[name] = string(text)
		db.stop()
	}
	if reports["prometheus"] != reports["victoria-metrics"] {
		t.Errorf("the reports differ:\n%.3000s\n%.3000s", reports["prometheus"], reports["victoria-metrics"])
	}
	// 745 hours of 15 rollups of 1000 events; 20 rollups had 100 bad ones.
	for _, want := range []string{`"events": 11175000,`, `"bad": 2000,`, `"allowed": 11175,`, `"verdict": "met"`, `"paged": true`, `"telemetry": 1,`} {
		if !strings.Contains(reports["prometheus"], want) {
			t.Errorf("the report lacks %s:\n%.3000s", want, reports["prometheus"])
		}
	}
}

// recordedMonth is what rules would have recorded, in the order of time.
func recordedMonth(from, to time.Time) []sample {
	outage := from.Add(500 * time.Hour)
	page := store.Labels{store.Name: "ALERTS", slo.LabelSLO: "api", "alertname": slo.AlertBudgetBurn, "alertstate": "firing", slo.LabelSeverity: slo.Page}
	var out []sample
	for at := from.Add(4 * time.Minute); !at.After(to.Add(8 * time.Minute)); at = at.Add(4 * time.Minute) {
		n := 0.0
		if at.After(outage) && !at.After(outage.Add(80*time.Minute)) {
			n = 100
			out = append(out, sample{labels: page, t: at, v: 1})
		}
		add := func(l store.Labels, v float64) { out = append(out, sample{labels: l, t: at, v: v}) }
		for series, v := range map[string]float64{slo.SeriesEventsRollup: 1000, slo.SeriesBadRollup: n} {
			add(store.Labels{store.Name: series, slo.LabelSLO: "api"}, v)
			add(store.Labels{store.Name: series, slo.LabelSLO: "api-by-region", "region": "eu"}, v)
			add(store.Labels{store.Name: series, slo.LabelSLO: "api-by-region", "region": "us"}, v/2)
		}
		add(store.Labels{store.Name: slo.SeriesTelemetry, slo.LabelSLO: "api"}, slo.TelemetryThere)
		add(store.Labels{store.Name: slo.SeriesTelemetry, slo.LabelSLO: "api-by-region"}, slo.TelemetryThere)
	}
	return out
}
