package incidents_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// TestPrometheus: the other face shows the same, under the names that queries use.
func TestPrometheus(t *testing.T) {
	c := counters.New(t0, incidents.New(incidents.Options{}))
	x := told{alert: "1", incident: "shop", pagerduty: true}
	add(t, c, x.event())
	x.state, x.at = incidents.Acknowledged, 2
	add(t, c, x.event())
	x.state, x.at = incidents.Resolved, 10
	add(t, c, x.event())
	y := told{alert: "2", incident: "search", at: 20, start: 20}
	add(t, c, y.event())
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metric.Collector(func() metric.Snapshot { return read(t, c, minutes(60)) }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			got[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetHistogram().GetSampleSum()
		}
	}
	for name, want := range map[string]float64{
		"incident_opened_total": 2, "incident_time_to_restore_seconds": 600, "incident_time_to_ack_seconds": 120, "incident_open": 1, "incident_oldest_seconds": 2400,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}
