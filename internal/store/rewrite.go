package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
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
	*Store  // of the new version
	base    *Store
	hidden  func(Labels) bool
	until   time.Time    // what is in the blocks of the store by now
	readers sync.RWMutex // held for reading by queriers
}

// Draft returns an empty new version of the series for which hidden is true. It is to be closed, and s before it is not.
func (s *Store) Draft(hidden func(Labels) bool) (*Draft, error) {
	own, err := Open("", Options{Replay: 400 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	d := &Draft{Store: own, base: s, hidden: hidden}
	own.under, own.hidden = s.db, hidden
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
	return &rest{h.Querier.Select(ctx, sorted, hints, ms...), h.hidden}
}

// rest is a set without the hidden series.
type rest struct {
	storage.SeriesSet
	hidden func(Labels) bool
}

// Next implements storage.SeriesSet.
func (s *rest) Next() bool {
	for s.SeriesSet.Next() {
		if !s.hidden(s.At().Labels().Map()) {
			return true
		}
	}
	return false
}

// Warnings implements storage.SeriesSet.
func (s *rest) Warnings() annotations.Annotations { return s.SeriesSet.Warnings() }

// Show makes the new version the one that the store has: its Queryable and Results read and write the draft in place of
// the hidden series. Samples and the receivers go on with what is in the store. Nothing may append to the hidden series
// of the store any more but through Results. Show is undone by Finish or Close.
func (d *Draft) Show() { d.base.draft.Store(d) }

// Publish replaces the hidden series that match, in the store, by those of the draft, up to and including the time
// until. It is for the background: the store can be read and written meanwhile. Show must have been called, and nothing
// may append to the draft at times up to until. It is not atomic: after an error or a crash some samples are missing,
// and Publish of another draft sets that right.
//
// There are no tombstones, not even for a while: Prometheus 3.15 fails on queries that begin before a tombstone and end
// within it. The old series leave the head for blocks, and the blocks are written anew without them.
func (d *Draft) Publish(ctx context.Context, name, pattern string, until time.Time) error {
	m, err := labels.NewMatcher(labels.MatchRegexp, name, pattern)
	if err != nil {
		return err
	}
	d.base.db.DisableCompactions() // waits for the one that is in progress
	defer d.base.db.EnableCompactions()
	if err := d.leaveHead(ctx, m); err != nil {
		return fmt.Errorf("publish: remove the old: %w", err)
	}
	w := &blockWriter{to: d.base}
	w.compactor, err = tsdb.NewLeveledCompactor(ctx, nil, slog.New(slog.DiscardHandler), []int64{tsdb.DefaultBlockDuration}, chunkenc.NewPool(), nil)
	if err != nil {
		return err
	}
	for _, b := range d.base.db.Blocks() {
		if err := w.without(ctx, b, m, d.hidden); err != nil {
			return fmt.Errorf("publish: remove the old: %w", err)
		}
	}
	if err := w.add(ctx, d.db.Head(), until.UnixMilli()); err != nil {
		return fmt.Errorf("publish: write the new: %w", err)
	}
	d.until = until
	return w.wait(ctx)
}

// leaveHead moves the hidden series that match from the head to blocks.
func (d *Draft) leaveHead(ctx context.Context, m *labels.Matcher) error {
	db := d.base.db
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
	return nil
}

// Finish appends to the store what came to the draft after Publish, and undoes Show. Nobody may append to the draft
// meanwhile.
func (d *Draft) Finish(ctx context.Context) error {
	if err := d.copyTo(ctx, d.until.UnixMilli()+1); err != nil {
		return fmt.Errorf("publish: write the new: %w", err)
	}
	d.Hide()
	return nil
}

// Hide undoes Show, if it was called: the store is what it is. It must not be called while Publish is.
func (d *Draft) Hide() { d.base.draft.CompareAndSwap(d, nil) }

// Close undoes Show and gives the draft up. It waits for queries that still read it.
func (d *Draft) Close() error {
	d.Hide()
	d.readers.Lock() // for ever: nobody may begin to read
	return d.Store.Close()
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

// copyTo appends the samples of the draft to the store, from a time on.
func (d *Draft) copyTo(ctx context.Context, from int64) error {
	q, err := d.db.Querier(from, math.MaxInt64)
	if err != nil {
		return err
	}
	defer q.Close()
	b := d.base.Batch()
	set := q.Select(ctx, true, nil, labels.MustNewMatcher(labels.MatchRegexp, Name, ".+"))
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
