package cost

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector returns a collector of what read returns, with the names that OpenTelemetry's metrics have in Prometheus:
// cost.data.age becomes cost_data_age_seconds. Labels are not known beforehand, so the collector is unchecked.
// Do not answer a scrape before the first pass over all sources, or after a restart before the book is restored: series
// that appear on a target that was up are money spent from 0.
func Collector(read func() Snapshot) prometheus.Collector { return collector{read} }

type collector struct{ read func() Snapshot }

// Describe sends nothing.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends each point of one snapshot.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.read()
	for _, family := range s.Families {
		for _, point := range family.Points {
			metrics <- constMetric(s.Start, family, point)
		}
	}
}

func constMetric(start time.Time, family Family, point Point) prometheus.Metric {
	names, values := make([]string, len(point.Attrs)), make([]string, len(point.Attrs))
	for i, a := range point.Attrs {
		names[i], values[i] = strings.ReplaceAll(a.Name, ".", "_"), a.Text()
	}
	desc := prometheus.NewDesc(prometheusName(family), family.Help, names, nil)
	var m prometheus.Metric
	var err error
	if family.Kind == Counter {
		m, err = prometheus.NewConstMetricWithCreatedTimestamp(desc, prometheus.CounterValue, point.Value.Float(), start, values...)
	} else {
		m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, point.Value.Float(), values...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// prometheusName returns the name with the suffix for its unit and kind; a unit in braces has none.
func prometheusName(family Family) string {
	name := strings.ReplaceAll(family.Name, ".", "_")
	if family.Unit == "s" {
		name += "_seconds"
	}
	if family.Kind == Counter {
		name += "_total"
	}
	return name
}
