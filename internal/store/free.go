package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
)

// ErrLowSpace is the answer to samples while the file system has less free space than Options.MinFree. The database
// itself must not meet a full disk: it panics when there is no room for a file of chunks.
var ErrLowSpace = errors.New("too little free space for samples")

// lookEvery is how many transactions begin between two looks at the file system.
const lookEvery = 64

// room watches the free space. It is safe for concurrent use.
type room struct {
	dir   string
	least uint64 // 0: it is not watched
	begun atomic.Uint64
	low   atomic.Bool
}

// check is called at the beginning of a transaction.
func (r *room) check() error {
	if r.least == 0 {
		return nil
	}
	if n := r.begun.Add(1); n%lookEvery == 1 || r.low.Load() {
		free, err := freeBytes(r.dir)
		if err != nil {
			return fmt.Errorf("free space of %q: %w", r.dir, err)
		}
		r.low.Store(free < r.least)
	}
	if r.low.Load() {
		return ErrLowSpace
	}
	return nil
}

// enough fails if so many bytes more would leave too little free space.
func (r *room) enough(more uint64) error {
	if r.least == 0 {
		return nil
	}
	free, err := freeBytes(r.dir)
	if err != nil {
		return fmt.Errorf("free space of %q: %w", r.dir, err)
	}
	if free < r.least+more {
		return ErrLowSpace
	}
	return nil
}

// roomy is a database that takes samples only while there is room.
type roomy struct {
	db interface {
		storage.Appendable
		storage.AppendableV2
	}
	room *room
}

// Appender implements storage.Appendable.
func (r roomy) Appender(ctx context.Context) storage.Appender {
	if err := r.room.check(); err != nil {
		return refusal{err}
	}
	return r.db.Appender(ctx)
}

// AppenderV2 implements storage.AppendableV2.
func (r roomy) AppenderV2(ctx context.Context) storage.AppenderV2 {
	if err := r.room.check(); err != nil {
		return refusalV2{err}
	}
	return r.db.AppenderV2(ctx)
}

// refusal is a transaction that takes nothing.
type refusal struct{ err error }

func (r refusal) Append(storage.SeriesRef, labels.Labels, int64, float64) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusal) AppendHistogram(storage.SeriesRef, labels.Labels, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusal) AppendHistogramSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusal) AppendSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusal) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, r.err
}

func (r refusal) UpdateMetadata(storage.SeriesRef, labels.Labels, metadata.Metadata) (storage.SeriesRef, error) {
	return 0, r.err
}
func (refusal) SetOptions(*storage.AppendOptions) {}
func (r refusal) Commit() error                   { return r.err }
func (refusal) Rollback() error                   { return nil }

// refusalV2 is refusal in the second form.
type refusalV2 struct{ err error }

func (r refusalV2) Append(
	storage.SeriesRef, labels.Labels, int64, int64, float64, *histogram.Histogram, *histogram.FloatHistogram, storage.AppendV2Options,
) (storage.SeriesRef, error) {
	return 0, r.err
}
func (r refusalV2) Commit() error { return r.err }
func (refusalV2) Rollback() error { return nil }
