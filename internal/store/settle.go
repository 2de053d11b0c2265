package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Settled returns a store with the samples of s, a replay store, in the places in which a Prometheus server that keeps
// them for a month would have them at now: blocks of 2 to 54 hours, and the last one to three hours in the head. It
// takes samples up to an hour older than its newest, does not compact, and is gone when it is closed. s stays as it is.
// For measurements: what a query costs depends on where the samples are.
func (s *Store) Settled(ctx context.Context, now time.Time, o Options) (_ *Store, err error) {
	if !s.replay {
		return nil, errors.New("settle store: want a replay store")
	}
	dir, err := os.MkdirTemp("", "plimsoll-store-")
	if err != nil {
		return nil, fmt.Errorf("settle store: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("settle store: %w", err), os.RemoveAll(dir))
		}
	}()
	block := tsdb.DefaultBlockDuration
	// The head is cut when it is half a block longer than one.
	cut := (now.UnixMilli() - block/2) / block * block
	if err := s.writeBlocks(ctx, dir, tsdb.ExponentialBlockRanges(block, 4, 3), cut); err != nil {
		return nil, err
	}
	to, err := Open(dir, o)
	if err != nil {
		return nil, err
	}
	to.temp = true
	to.db.DisableCompactions()
	if err := s.copyHead(ctx, to, cut); err != nil {
		return nil, errors.Join(err, to.db.Close())
	}
	return to, nil
}

// writeBlocks writes everything before end into blocks, each as long as its place on the time line allows.
func (s *Store) writeBlocks(ctx context.Context, dir string, ranges []int64, end int64) error {
	compactor, err := tsdb.NewLeveledCompactor(ctx, nil, slog.New(slog.DiscardHandler), ranges, chunkenc.NewPool(), nil)
	if err != nil {
		return err
	}
	for from := s.db.Head().MinTime() / ranges[0] * ranges[0]; from < end; {
		length := ranges[0]
		for _, r := range ranges {
			if from%r == 0 && from+r <= end {
				length = r
			}
		}
		part := tsdb.NewRangeHeadWithIsolationDisabled(s.db.Head(), from, from+length-1)
		if _, err := compactor.Write(dir, part, from, from+length, nil); err != nil {
			return err
		}
		from += length
	}
	return nil
}

// headStep is how much time is copied at once: less than what a head takes samples behind the newest of all.
const headStep = int64(30 * time.Minute / time.Millisecond)

// copyHead copies the samples from a time on.
func (s *Store) copyHead(ctx context.Context, to *Store, from int64) error {
	for ; from <= s.db.Head().MaxTime(); from += headStep {
		if err := s.copyRange(ctx, to, from, from+headStep-1); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) copyRange(ctx context.Context, to *Store, from, until int64) error {
	querier, err := s.db.Querier(from, until)
	if err != nil {
		return err
	}
	defer querier.Close()
	found := querier.Select(ctx, false, nil, labels.MustNewMatcher(labels.MatchRegexp, Name, ".+"))
	into := to.db.Appender(ctx)
	for found.Next() {
		series := found.At()
		samples := series.Iterator(nil)
		var ref storage.SeriesRef
		for samples.Next() == chunkenc.ValFloat {
			t, v := samples.At()
			if ref, err = into.Append(ref, series.Labels(), t, v); err != nil {
				return errors.Join(err, into.Rollback())
			}
		}
		if err := samples.Err(); err != nil {
			return errors.Join(err, into.Rollback())
		}
	}
	if err := found.Err(); err != nil {
		return errors.Join(err, into.Rollback())
	}
	return into.Commit()
}
