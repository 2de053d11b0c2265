package pipelines

import (
	"container/list"
	"slices"
	"strings"
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

// Snapshot is what the counters read at one moment: plain data that the faces print.
type Snapshot struct {
	// Start is since when everything is counted.
	Start time.Time
	// Revision grows with every change; give it to Counters.Read to get only what changed since.
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

// table holds the series of one metric. It makes at most max series; what comes after goes to series that carry
// event.Overflow instead of the attributes without bound, so that sums over all series stay exact.
type table struct {
	family  Family
	max     int
	rows    map[string]*row
	changed *list.List // of *row, by revision: a reading of what changed looks at nothing else
}

type row struct {
	Point
	revision uint64
	table    *table
	element  *list.Element
}

func newTable(family Family, limit int) *table {
	return &table{family: family, max: limit, rows: map[string]*row{}, changed: list.New()}
}

// put makes a series, or takes one up again.
func (t *table) put(key string, p Point, revision uint64) *row {
	r := &row{Point: p, revision: revision, table: t}
	r.element = t.changed.PushBack(r)
	t.rows[key] = r
	return r
}

// at returns the series with the attributes of both lists, or the overflow series with those of bounded. The series is
// taken to change in the given revision if it is new.
func (t *table) at(revision uint64, unbounded, bounded []event.Attr) *row {
	key := rowKey(unbounded, bounded)
	if r, ok := t.rows[key]; ok {
		return r
	}
	attrs := slices.Concat(unbounded, bounded)
	if len(t.rows) >= t.max && len(unbounded) > 0 {
		overflow := []event.Attr{event.Bool(event.Overflow, true)}
		if key = rowKey(overflow, bounded); t.rows[key] != nil {
			return t.rows[key]
		}
		attrs = slices.Concat(overflow, bounded)
	}
	p := Point{Attrs: event.NewSet(attrs...)}
	if t.family.Kind == Histogram {
		p.Buckets = make([]uint64, len(t.family.Bounds)+1)
	}
	return t.put(key, p, revision)
}

// rowKey joins the values; \xff is not in valid UTF-8.
func rowKey(lists ...[]event.Attr) string {
	var b strings.Builder
	for _, list := range lists {
		for _, a := range list {
			b.WriteString(a.Text())
			b.WriteByte('\xff')
		}
	}
	return b.String()
}

func (r *row) add(revision, n uint64) {
	r.Count += n
	r.revision = revision
	r.table.changed.MoveToBack(r.element)
}

// observe adds a value to a histogram with these bounds; a bound belongs to the bucket below it.
func (r *row) observe(revision uint64, bounds []float64, value float64) {
	i, _ := slices.BinarySearch(bounds, value)
	r.Buckets[i]++
	r.Sum += value
	r.add(revision, 1)
}

// read returns a copy of the family with the points that changed after the revision.
func (t *table) read(after uint64) Family {
	family := t.family
	for at := t.changed.Back(); at != nil && at.Value.(*row).revision > after; at = at.Prev() {
		p := at.Value.(*row).Point
		p.Buckets = slices.Clone(p.Buckets)
		family.Points = append(family.Points, p)
	}
	slices.SortFunc(family.Points, func(a, b Point) int { return compareSets(a.Attrs, b.Attrs) })
	return family
}

func compareSets(a, b event.Set) int {
	return slices.CompareFunc(a, b, func(x, y event.Attr) int {
		if c := strings.Compare(x.Name, y.Name); c != 0 {
			return c
		}
		return strings.Compare(x.Text(), y.Text())
	})
}
