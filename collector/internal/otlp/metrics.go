// Package otlp turns events and what is counted of them into OpenTelemetry's data, and events back.
package otlp

import (
	"crypto/sha256"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Metrics returns the OTLP face of a snapshot; scopeName says who made it. The resource is what counted: each collector
// counts for itself, and a reader adds them up. Its service.instance.id stands for the counters and not for the process,
// so that counters which survive a restart go on as the same series.
func Metrics(scopeName string, s metric.Snapshot, collector pcommon.Resource, now time.Time) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	resource := metrics.ResourceMetrics().AppendEmpty()
	setResource(resource.Resource(), collector)
	resource.Resource().Attributes().PutStr("service.instance.id", instance(scopeName, s.Start))
	scope := resource.ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(scopeName)
	for _, family := range s.Families {
		m := scope.Metrics().AppendEmpty()
		m.SetName(family.Name)
		m.SetUnit(family.Unit)
		m.SetDescription(family.Help)
		switch family.Kind {
		case metric.Histogram:
			setHistogram(m.SetEmptyHistogram(), s.Start, now, family)
		case metric.Gauge:
			setGauge(m.SetEmptyGauge(), now, family)
		default:
			setSum(m.SetEmptySum(), s.Start, now, family)
		}
	}
	return metrics
}

// setResource names the collector.
func setResource(to, collector pcommon.Resource) {
	for _, name := range []string{"service.name", "service.instance.id", "service.version"} {
		if v, ok := collector.Attributes().Get(name); ok {
			v.CopyTo(to.Attributes().PutEmpty(name))
		}
	}
}

// instance returns the identity of the counters that began to count at a time: a UUID of version 8 (RFC 9562) that is
// the same as long as they count on.
func instance(scopeName string, start time.Time) string {
	id := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", scopeName, start.UnixNano()))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

func setSum(sum pmetric.Sum, start, now time.Time, family metric.Family) {
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	sum.DataPoints().EnsureCapacity(len(family.Points))
	for _, point := range family.Points {
		p := sum.DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.SetIntValue(int64(point.Count))
		setAttributes(p.Attributes(), point.Attrs)
	}
}

func setGauge(gauge pmetric.Gauge, now time.Time, family metric.Family) {
	gauge.DataPoints().EnsureCapacity(len(family.Points))
	for _, point := range family.Points {
		p := gauge.DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.SetDoubleValue(point.Value)
		setAttributes(p.Attributes(), point.Attrs)
	}
}

func setHistogram(histogram pmetric.Histogram, start, now time.Time, family metric.Family) {
	histogram.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	histogram.DataPoints().EnsureCapacity(len(family.Points))
	for _, point := range family.Points {
		p := histogram.DataPoints().AppendEmpty()
		p.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.SetCount(point.Count)
		p.SetSum(point.Sum)
		p.ExplicitBounds().FromRaw(family.Bounds)
		p.BucketCounts().FromRaw(point.Buckets)
		setAttributes(p.Attributes(), point.Attrs)
	}
}

func setAttributes(to pcommon.Map, attrs event.Set) {
	to.EnsureCapacity(len(attrs))
	for _, a := range attrs {
		switch v := a.Value().(type) {
		case string:
			to.PutStr(a.Name, v)
		case int64:
			to.PutInt(a.Name, v)
		case float64:
			to.PutDouble(a.Name, v)
		case bool:
			to.PutBool(a.Name, v)
		}
	}
}
