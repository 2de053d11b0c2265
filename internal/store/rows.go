package store

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Row is a series with some of its samples, oldest first.
type Row struct {
	Labels  Labels
	Samples []Point
}

// Point is a value at a time.
type Point struct {
	T time.Time // exact to the millisecond
	V float64   // Stale() ends the series
}

// Each calls f with every series that want accepts and its samples in [from, to], if it has some that are no
// histograms, in the order of the labels. The row belongs to f. It ends with the first error of f.
func (s *Store) Each(ctx context.Context, from, to time.Time, want func(Labels) bool, f func(Row) error) error {
	q, err := s.Queryable().Querier(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return err
	}
	defer q.Close()
	set := q.Select(ctx, true, nil, labels.MustNewMatcher(labels.MatchNotEqual, Name, ""))
	for set.Next() {
		row := Row{Labels: set.At().Labels().Map()}
		if !want(row.Labels) {
			continue
		}
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind != chunkenc.ValFloat {
				continue
			}
			if ms, v := it.At(); ms >= from.UnixMilli() && ms <= to.UnixMilli() {
				row.Samples = append(row.Samples, Point{time.UnixMilli(ms).UTC(), v})
			}
		}
		if err := it.Err(); err != nil {
			return err
		}
		if len(row.Samples) > 0 {
			if err := f(row); err != nil {
				return err
			}
		}
	}
	return set.Err()
}

// AppendRow writes the samples of a series, those that it has already excepted. A sample that cannot be written does
// not keep the others from being written.
func (b *Batch) AppendRow(r Row) error {
	sr, err := b.store.Series(r.Labels)
	if err != nil {
		return err
	}
	for _, p := range r.Samples {
		if e := b.Add(sr, p.T, p.V); e != nil && err == nil {
			err = e
		}
	}
	return err
}
