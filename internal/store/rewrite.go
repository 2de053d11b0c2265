package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// Draft is a new version of some series of a store: what is appended to it is seen by its queries in place of what
// the store holds of them, and comes into the store when it is published. All other series are those of the store.
type Draft struct {
	*Store // of the new version
	base   *Store
	hidden func(Labels) bool
}

// Draft returns an empty new version of the series for which hidden is true. It is to be closed, and s before it is not.
func (s *Store) Draft(hidden func(Labels) bool) (*Draft, error) {
	own, err := Open("", Options{Replay: 400 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	d := &Draft{Store: own, base: s, hidden: hidden}
	own.under = s.Queryable()
	own.hidden = hidden
	return d, nil
}

// overlay shows the series of top, and those of below that are not hidden.
type overlay struct {
	top, below storage.Queryable
	hidden     func(Labels) bool
}

// Querier implements storage.Queryable.
func (o overlay) Querier(mint, maxt int64) (storage.Querier, error) {
	top, err := o.top.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	below, err := o.below.Querier(mint, maxt)
	if err != nil {
		_ = top.Close()
		return nil, err
	}
	return storage.NewMergeQuerier([]storage.Querier{top, hiding{below, o.hidden}}, nil, storage.ChainedSeriesMerge), nil
}

// hiding leaves series out.
type hiding struct {
	storage.Querier
	hidden func(Labels) bool
}

// Select implements storage.Querier.
func (h hiding) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	return &shown{h.Querier.Select(ctx, sorted, hints, ms...), h.hidden}
}

// shown is a set without the hidden series.
type shown struct {
	storage.SeriesSet
	hidden func(Labels) bool
}

// Next implements storage.SeriesSet.
func (s *shown) Next() bool {
	for s.SeriesSet.Next() {
		if !s.hidden(s.At().Labels().Map()) {
			return true
		}
	}
	return false
}

// Warnings implements storage.SeriesSet.
func (s *shown) Warnings() annotations.Annotations { return s.SeriesSet.Warnings() }

// Publish replaces the hidden series that match in the store by those of the draft. Nobody may append to them
// meanwhile. It is not atomic: after an error or a crash some samples are missing, and Publish of another draft sets that
// right.
//
// No tombstone outlives it. Prometheus 3.15 fails on queries that begin before a tombstone and end within it, so the
// series leave the head for blocks first, and the blocks are then written anew.
func (d *Draft) Publish(ctx context.Context, name, pattern string) error {
	m, err := labels.NewMatcher(labels.MatchRegexp, name, pattern)
	if err != nil {
		return err
	}
	if err := d.remove(ctx, m); err != nil {
		return fmt.Errorf("publish: remove the old: %w", err)
	}
	if err := d.copyTo(ctx, m); err != nil {
		return fmt.Errorf("publish: write the new: %w", err)
	}
	return nil
}

// remove deletes the hidden series that match from the store.
func (d *Draft) remove(ctx context.Context, m *labels.Matcher) error {
	db := d.base.db
	old, err := d.base.matching(ctx, m, d.hidden)
	if err != nil {
		return err
	}
	// What is out of order in memory cannot leave the head otherwise.
	if err := db.CompactOOOHead(ctx); err != nil {
		return err
	}
	refs, err := d.base.headRefs(ctx, m, d.hidden)
	if err != nil {
		return err
	}
	if err := db.CompactSelectedSeries(refs); err != nil {
		return err
	}
	if rest, err := d.base.headRefs(ctx, m, d.hidden); err != nil || len(rest) > 0 {
		return errors.Join(err, fmt.Errorf("%d series stay in memory", len(rest)))
	}
	for _, l := range old {
		var ms []*labels.Matcher
		for k, v := range l {
			ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, k, v))
		}
		if err := db.Delete(ctx, 0, math.MaxInt64, ms...); err != nil {
			return err
		}
	}
	return db.CleanTombstones()
}

// headRefs returns the references of the series in the head that match and that are wanted.
func (s *Store) headRefs(ctx context.Context, m *labels.Matcher, want func(Labels) bool) ([]storage.SeriesRef, error) {
	ix, err := s.db.Head().Index()
	if err != nil {
		return nil, err
	}
	defer ix.Close()
	p, err := tsdb.PostingsForMatchers(ctx, ix, m)
	if err != nil {
		return nil, err
	}
	var out []storage.SeriesRef
	var b labels.ScratchBuilder
	for p.Next() {
		if err := ix.Series(p.At(), &b, nil); err == nil && want(b.Labels().Map()) {
			out = append(out, p.At())
		}
	}
	return out, p.Err()
}

// matching returns the series that match and that are wanted.
func (s *Store) matching(ctx context.Context, m *labels.Matcher, want func(Labels) bool) ([]Labels, error) {
	q, err := s.db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var out []Labels
	set := q.Select(ctx, true, nil, m)
	for set.Next() {
		if l := Labels(set.At().Labels().Map()); want(l) {
			out = append(out, l)
		}
	}
	return out, set.Err()
}

// copyTo appends the samples of the draft to the store.
func (d *Draft) copyTo(ctx context.Context, m *labels.Matcher) error {
	q, err := d.db.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	defer q.Close()
	b := d.base.Batch()
	set := q.Select(ctx, true, nil, m)
	for set.Next() {
		sr, err := d.base.Series(set.At().Labels().Map())
		if err != nil {
			return err
		}
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			ms, v := it.At()
			if err := b.Add(sr, time.UnixMilli(ms), v); err != nil {
				return err
			}
		}
		if it.Err() != nil {
			return it.Err()
		}
	}
	if set.Err() != nil {
		return set.Err()
	}
	return b.Commit()
}
