package store

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// AppendableV2 is the write side for receivers that know the second form of the interface.
func (s *Store) AppendableV2() storage.AppendableV2 { return roomy{s.db, s.room} }

// Exemplars is the read side of exemplars, for the query API. A store keeps none.
func (s *Store) Exemplars() storage.ExemplarQueryable { return s.db }

// Samples is the read side with access to chunks, for the query API and remote read.
func (s *Store) Samples() storage.SampleAndChunkQueryable { return s.db }

// Span returns the times of the oldest and the newest sample of the store. Both are zero while it is empty.
func (s *Store) Span() (oldest, newest time.Time) {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, b := range s.db.Blocks() {
		lo, hi = min(lo, b.MinTime()), max(hi, b.MaxTime())
	}
	if h := s.db.Head(); h.MinTime() <= h.MaxTime() {
		lo, hi = min(lo, h.MinTime()), max(hi, h.MaxTime())
	}
	if lo > hi {
		return time.Time{}, time.Time{}
	}
	return time.UnixMilli(lo).UTC(), time.UnixMilli(hi).UTC()
}

// Compact runs what the background would do later: it writes full ranges of the head as blocks and merges blocks.
func (s *Store) Compact(ctx context.Context) error { return s.db.Compact(ctx) }

// Admin is what the query API of Prometheus tells and does about its database. It belongs to the store.
type Admin struct{ db *tsdb.DB }

// Admin returns the administration of s.
func (s *Store) Admin() Admin { return Admin{s.db} }

// CleanTombstones removes deleted samples from disk.
func (a Admin) CleanTombstones() error { return a.db.CleanTombstones() }

// Delete deletes the samples in [mint, maxt], in ms, of the series that match.
func (a Admin) Delete(ctx context.Context, mint, maxt int64, ms ...*labels.Matcher) error {
	return a.db.Delete(ctx, mint, maxt, ms...)
}

// Snapshot writes a copy of the database to dir.
func (a Admin) Snapshot(dir string, withHead bool) error { return a.db.Snapshot(dir, withHead) }

// Stats counts series by label.
func (a Admin) Stats(byLabel string, limit int) (*tsdb.Stats, error) {
	return a.db.Head().Stats(byLabel, limit), nil
}

// WALReplayStatus tells that the log has been read: Open returns only then.
func (a Admin) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }

// BlockMetas describes the blocks on disk.
func (a Admin) BlockMetas() ([]tsdb.BlockMeta, error) {
	var out []tsdb.BlockMeta
	for _, b := range a.db.Blocks() {
		out = append(out, b.Meta())
	}
	return out, nil
}
