package metric

import (
	"cmp"
	"container/list"
	"iter"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Table holds the series of one metric. It makes at most as many as its limit; what comes after goes to series that
// carry event.Overflow instead of the attributes without bound, so that sums over all series stay exact.
// It is not safe for concurrent use.
type Table struct {
	family  Family
	limit   int
	rows    map[string]*Series
	changed *list.List // of *Series, by revision: a reading of what changed looks at nothing else
}

// Series is one series of a table.
type Series struct {
	Point
	revision uint64
	table    *Table
	element  *list.Element
}

// NewTable returns a table without series. family has no points.
func NewTable(family Family, limit int) *Table {
	return &Table{family: family, limit: limit, rows: map[string]*Series{}, changed: list.New()}
}

// SetLimit makes limit the most series from now on. Those that are there stay.
func (t *Table) SetLimit(limit int) { t.limit = limit }

// Name returns the name of the metric.
func (t *Table) Name() string { return t.family.Name }

// All returns every series, the least recently changed first.
func (t *Table) All() iter.Seq[*Series] {
	return func(yield func(*Series) bool) {
		for at := t.changed.Front(); at != nil; at = at.Next() {
			if !yield(at.Value.(*Series)) {
				return
			}
		}
	}
}

// put makes a series, or takes one up again.
func (t *Table) put(key string, p Point, revision uint64) *Series {
	s := &Series{Point: p, revision: revision, table: t}
	s.element = t.changed.PushBack(s)
	t.rows[key] = s
	return s
}

// At returns the series with the attributes of both lists, or the overflow series with those of bounded. The series is
// taken to change in the given revision if it is new.
func (t *Table) At(revision uint64, unbounded, bounded []event.Attr) *Series {
	key := rowKey(unbounded, bounded)
	if s, ok := t.rows[key]; ok {
		return s
	}
	attrs := slices.Concat(unbounded, bounded)
	if len(t.rows) >= t.limit && len(unbounded) > 0 {
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

// Add adds n to a counter.
func (s *Series) Add(revision, n uint64) {
	s.Count += n
	s.revision = revision
	s.table.changed.MoveToBack(s.element)
}

// Observe adds a value to a histogram; a bound belongs to the bucket below it.
func (s *Series) Observe(revision uint64, value float64) {
	i, _ := slices.BinarySearch(s.table.family.Bounds, value)
	s.Buckets[i]++
	s.Sum += value
	s.Add(revision, 1)
}

// Merge adds values that were counted elsewhere to a histogram: buckets is as long as those of the series, and sum the
// sum of the values.
func (s *Series) Merge(revision uint64, buckets []uint64, sum float64) {
	var n uint64
	for i, count := range buckets {
		s.Buckets[i] += count
		n += count
	}
	s.Sum += sum
	s.Add(revision, n)
}

// Read returns a copy of the metric with the points that changed after the revision, sorted by attributes.
func (t *Table) Read(after uint64) Family {
	family := t.family
	for at := t.changed.Back(); at != nil && at.Value.(*Series).revision > after; at = at.Prev() {
		p := at.Value.(*Series).Point
		p.Buckets = slices.Clone(p.Buckets)
		family.Points = append(family.Points, p)
	}
	family.Sort()
	return family
}

// Sort sorts the points by attributes.
func (family Family) Sort() {
	slices.SortFunc(family.Points, func(a, b Point) int {
		return slices.CompareFunc(a.Attrs, b.Attrs, func(x, y event.Attr) int {
			return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Text(), y.Text()))
		})
	})
}
