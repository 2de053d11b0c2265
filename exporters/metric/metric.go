// Package metric holds what is counted as plain data: metrics with their series, which the faces print, and the bounded
// tables in which counters keep them.
package metric

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Kind is the kind of a metric.
type Kind int

// The kinds of metrics. The first two are cumulative and monotonic, a gauge is what is the case at one moment.
const (
	Counter Kind = iota
	Histogram
	Gauge
)

// String returns the word for the kind.
func (k Kind) String() string { return [...]string{"counter", "histogram", "gauge"}[k] }

// Snapshot is what counters read at one moment: plain data that the faces print.
type Snapshot struct {
	// Start is since when everything is counted.
	Start time.Time
	// Revision grows with every change; give it to the next reading to get only what changed since.
	Revision uint64
	// Families are the metrics in a fixed order; those without points are left out.
	Families []Family
}

// Family is one metric.
type Family struct {
	// Name and Unit are OpenTelemetry's (unit "{run}" or "s"), Help is one sentence.
	Name, Unit, Help string
	Kind             Kind
	// Attributes are the names of those that points can have, besides event.Overflow.
	Attributes []string
	// From says in one or two words what it is counted from.
	From string
	// Bounds are the upper bounds of a histogram's buckets, ascending, without +Inf.
	Bounds []float64
	// Points are sorted by attributes.
	Points []Point
}

// Point is one series of a metric.
type Point struct {
	Attrs event.Set
	// Count is the value of a counter, or how many values a histogram has seen.
	Count uint64
	// Value is the value of a gauge.
	Value float64
	// Sum is the sum of a histogram's values.
	Sum float64
	// Buckets are the counts between bounds, not cumulative; one more than Bounds.
	Buckets []uint64
}
