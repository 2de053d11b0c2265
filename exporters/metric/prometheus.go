package metric

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Collector returns the Prometheus face of what read returns at each scrape, for example counters' Read of everything.
// Names follow OpenTelemetry's rules for Prometheus: cicd.pipeline.run.outcomes becomes cicd_pipeline_run_outcomes_total.
// Series carry the time since when they count, which OpenMetrics exposes. Like the series themselves their labels are not
// known beforehand, so the collector is unchecked: Describe sends nothing.
func Collector(read func() Snapshot) prometheus.Collector { return collector{read} }

// Handler answers scrapes with what read returns, in the text format or OpenMetrics as the scraper asks for.
func Handler(read func() Snapshot) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(Collector(read))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

type collector struct{ read func() Snapshot }

// Describe sends nothing.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends each point of one snapshot.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.read()
	for _, family := range s.Families {
		for _, point := range family.Points {
			metrics <- constMetric(s, family, point)
		}
	}
}

func constMetric(s Snapshot, family Family, point Point) prometheus.Metric {
	names, values := make([]string, len(point.Attrs)), make([]string, len(point.Attrs))
	for i, a := range point.Attrs {
		names[i], values[i] = strings.ReplaceAll(a.Name, ".", "_"), a.Text()
	}
	desc := prometheus.NewDesc(family.PrometheusName(), family.Help, names, nil)
	var m prometheus.Metric
	var err error
	switch family.Kind {
	case Histogram:
		buckets := cumulative(family.Bounds, point.Buckets)
		m, err = prometheus.NewConstHistogramWithCreatedTimestamp(desc, point.Count, point.Sum, buckets, s.Start, values...)
	case Gauge:
		m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, point.Value, values...)
	default:
		m, err = prometheus.NewConstMetricWithCreatedTimestamp(desc, prometheus.CounterValue, float64(point.Count), s.Start, values...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// PrometheusName returns the name with the suffix for its unit and kind; a unit in braces has none.
// Source: OpenTelemetry specification, "Prometheus and OpenMetrics compatibility".
func (family Family) PrometheusName() string {
	name := strings.ReplaceAll(family.Name, ".", "_")
	if family.Unit == "s" {
		name += "_seconds"
	}
	if family.Kind == Counter {
		name += "_total"
	}
	return name
}

func cumulative(bounds []float64, buckets []uint64) map[float64]uint64 {
	sums := make(map[float64]uint64, len(bounds))
	var sum uint64
	for i, bound := range bounds {
		sum += buckets[i]
		sums[bound] = sum
	}
	return sums
}
