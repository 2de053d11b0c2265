package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/tombstones"
)

// shown is a store with the draft that is shown, if one is.
type shown struct{ s *Store }

// Querier implements storage.Queryable.
func (v shown) Querier(mint, maxt int64) (storage.Querier, error) {
	d := v.s.draft.Load()
	if d == nil || !d.readers.TryRLock() { // it is about to be closed: what it had is in the store
		return v.s.db.Querier(mint, maxt)
	}
	q, err := overlay{d.db, v.s.db, d.hidden}.Querier(mint, maxt)
	if err != nil {
		d.readers.RUnlock()
		return nil, err
	}
	return reading{q, d}, nil
}

// reading is a querier that keeps a draft open.
type reading struct {
	storage.Querier
	d *Draft
}

// Close implements storage.Querier. It is called once.
func (r reading) Close() error {
	defer r.d.readers.RUnlock()
	return r.Querier.Close()
}

// Appender implements storage.Appendable.
func (v shown) Appender(ctx context.Context) storage.Appender {
	base := v.s.Appendable().Appender(ctx)
	d := v.s.draft.Load()
	if d == nil {
		return base
	}
	return &parting{Appender: base, top: d.db.Appender(ctx), hidden: d.hidden}
}

// parting is a transaction in two stores. References are of one of them: those who append must not use them.
type parting struct {
	storage.Appender
	top    storage.Appender
	hidden func(Labels) bool
}

// Append implements storage.Appender.
func (p *parting) Append(_ storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	var err error
	if p.hidden(l.Map()) {
		_, err = p.top.Append(0, l, t, v)
	} else {
		_, err = p.Appender.Append(0, l, t, v)
	}
	return 0, err
}

// Commit implements storage.AppenderTransaction.
func (p *parting) Commit() error { return errors.Join(p.Appender.Commit(), p.top.Commit()) }

// Rollback implements storage.AppenderTransaction.
func (p *parting) Rollback() error { return errors.Join(p.Appender.Rollback(), p.top.Rollback()) }

// blockWriter writes blocks into the directory of a store that is open. The database finds them by itself.
type blockWriter struct {
	to        *Store
	compactor *tsdb.LeveledCompactor
	want      []ulid.ULID // blocks that must come
	gone      []ulid.ULID // blocks that must go
}

// without writes a block anew without the hidden series that match, if it has some. The new block is a child of the old
// one, for which the database drops its parent.
func (w *blockWriter) without(ctx context.Context, b *tsdb.Block, m *labels.Matcher, hidden func(Labels) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stones, err := stonesOf(ctx, b, m, hidden)
	if err != nil || stones.Total() == 0 {
		return err
	}
	if err := w.to.room.enough(uint64(b.Size())); err != nil {
		return err
	}
	meta := b.Meta()
	made, err := w.compactor.Write(w.to.dir, hollow{b, stones}, meta.MinTime, meta.MaxTime, &meta)
	if err != nil {
		return fmt.Errorf("write block %s anew: %w", meta.ULID, err)
	}
	if len(made) == 0 {
		w.to.condemned.Store(meta.ULID, true)
	}
	w.want, w.gone = append(w.want, made...), append(w.gone, meta.ULID)
	return nil
}

// stonesOf returns tombstones over the whole of the hidden series that match.
func stonesOf(ctx context.Context, b *tsdb.Block, m *labels.Matcher, hidden func(Labels) bool) (*tombstones.MemTombstones, error) {
	ix, err := b.Index()
	if err != nil {
		return nil, err
	}
	defer ix.Close()
	p, err := tsdb.PostingsForMatchers(ctx, ix, m)
	if err != nil {
		return nil, err
	}
	out := tombstones.NewMemTombstones()
	var l labels.ScratchBuilder
	for p.Next() {
		if err := ix.Series(p.At(), &l, nil); err != nil {
			return nil, err
		}
		if hidden(l.Labels().Map()) {
			out.AddInterval(p.At(), tombstones.Interval{Mint: math.MinInt64, Maxt: math.MaxInt64})
		}
	}
	return out, p.Err()
}

// hollow is a block of which series are missing.
type hollow struct {
	*tsdb.Block
	stones tombstones.Reader
}

// Tombstones implements tsdb.BlockReader.
func (h hollow) Tombstones() (tombstones.Reader, error) { return h.stones, nil }

// add writes what is in a head up to and including a time as blocks of at most a day.
func (w *blockWriter) add(ctx context.Context, h *tsdb.Head, until int64) error {
	const length = int64(24 * time.Hour / time.Millisecond)
	// Any other block would mean to the database that its log is not needed before the end of the block, and would be
	// merged with such ones.
	var base tsdb.BlockMeta
	base.Compaction.SetSelectedSeries()
	// The first block begins with its first sample: the begin of a block is taken for how far back samples reach.
	for from := h.MinTime(); from <= until; from = from/length*length + length {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.to.room.enough(0); err != nil {
			return err
		}
		end := min(from/length*length+length, until+1)
		made, err := w.compactor.Write(w.to.dir, tsdb.NewRangeHeadWithIsolationDisabled(h, from, end-1), from, end, &base)
		if err != nil {
			return err
		}
		w.want = append(w.want, made...)
	}
	return nil
}

// wait waits until the database has found what was written. It looks every reloadEvery.
func (w *blockWriter) wait(ctx context.Context) error {
	look := time.NewTicker(reloadEvery / 10)
	defer look.Stop()
	for !w.done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
	for _, id := range w.gone {
		w.to.condemned.Delete(id)
	}
	return nil
}

func (w *blockWriter) done() bool {
	there := map[ulid.ULID]bool{}
	for _, b := range w.to.db.Blocks() {
		there[b.Meta().ULID] = true
	}
	for _, id := range w.want {
		if !there[id] {
			return false
		}
	}
	for _, id := range w.gone {
		if there[id] {
			return false
		}
	}
	return true
}
