package store

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

const (
	// batchSamples is how many samples a Batch holds before it commits by itself.
	batchSamples = 10_000
	// mapEvery is how many batches of samples pass between two calls of MapChunks: at 30 s a sample and a thousand
	// series, about an hour.
	mapEvery = 12
)

// Name is the label that holds the metric name.
const Name = model.MetricNameLabel

// Labels identify a series. The metric name is the label Name. Labels with an empty value count as absent.
type Labels map[string]string

// String returns l in PromQL notation with sorted names, e.g. up{job="api"}.
func (l Labels) String() string {
	m := make(model.Metric, len(l))
	for k, v := range l {
		m[model.LabelName(k)] = model.LabelValue(v)
	}
	return m.String()
}

// Series is a handle for appending to one series many times at the price of a pointer. It stays valid until its
// store is closed and is safe for concurrent use, as long as the samples come in order.
type Series struct {
	labels labels.Labels
	ref    atomic.Uint64
	last   atomic.Int64 // newest time added, in ms
}

// Series returns a handle for the series with the given labels, which are copied. Nothing is written yet.
// It fails if the metric name is missing or a name or value is not valid UTF-8.
func (s *Store) Series(l Labels) (*Series, error) {
	if l[Name] == "" {
		return nil, fmt.Errorf("series %v: want a metric name in label %q, have none", l, Name)
	}
	b := labels.NewScratchBuilder(len(l))
	for k, v := range l {
		if !model.UTF8Validation.IsValidLabelName(k) || !model.LabelValue(v).IsValid() {
			return nil, fmt.Errorf("series %v: label %q with value %q is not valid", l, k, v)
		}
		if v != "" {
			b.Add(k, v)
		}
	}
	b.Sort()
	sr := &Series{labels: b.Labels()}
	sr.last.Store(math.MinInt64)
	return sr, nil
}

// String returns the series in PromQL notation.
func (s *Series) String() string { return s.labels.String() }

// Batch collects samples and writes them to the store. It is a buffer, not a transaction: it commits by itself every
// 10 000 samples, and Commit writes the rest. After Commit or Discard it can be used again. One goroutine at a time.
type Batch struct {
	store   *Store
	app     storage.Appender // nil when nothing is pending
	pending int
	commits int
}

// Batch returns an empty batch.
func (s *Store) Batch() *Batch { return &Batch{store: s} }

// Add appends value v at time t (exact to the millisecond) to series sr. Use Stale() as v to end the series at t.
// It fails, and only this sample is lost, if t lies before the newest sample of the series by more than
// Options.OutOfOrder, if another value stands at t already (equal values are fine), or if t is too old for the store.
// Use one handle per series: what two handles add to the same series and time between two commits is not compared,
// the first stays.
func (b *Batch) Add(sr *Series, t time.Time, v float64) error {
	ms := t.UnixMilli()
	if ms <= sr.last.Load() {
		// Prometheus compares with committed samples only and would drop this one silently at commit.
		if err := b.Commit(); err != nil {
			return err
		}
	}
	if b.app == nil {
		b.app = b.store.appender()
	}
	ref, err := b.app.Append(storage.SeriesRef(sr.ref.Load()), sr.labels, ms, v)
	if err != nil {
		return fmt.Errorf("append %s at %s: %w", sr, t.UTC().Format(time.RFC3339Nano), err)
	}
	sr.ref.Store(uint64(ref))
	sr.last.Store(max(ms, sr.last.Load()))
	b.pending++
	if b.pending >= batchSamples {
		return b.Commit()
	}
	return nil
}

// Commit writes what is pending; queries see it from then on. It does nothing if nothing is pending.
func (b *Batch) Commit() error {
	if b.app == nil {
		return nil
	}
	if b.pending >= batchSamples {
		b.commits++
	}
	err := b.app.Commit()
	b.app, b.pending = nil, 0
	if b.commits >= mapEvery {
		b.commits = 0
		b.store.MapChunks()
	}
	if err != nil {
		return fmt.Errorf("commit samples: %w", err)
	}
	return nil
}

// Discard forgets what is pending. It does nothing if nothing is pending, so it can be deferred.
func (b *Batch) Discard() error {
	if b.app == nil {
		return nil
	}
	err := b.app.Rollback()
	b.app, b.pending = nil, 0
	return err
}

// Sample is one value of one series, for callers with few samples.
type Sample struct {
	Labels Labels
	T      time.Time // exact to the millisecond
	V      float64   // Stale() ends the series
}

// Append writes the samples in the order given. It writes all samples that can be written and returns the
// errors of the others.
func (s *Store) Append(samples ...Sample) error {
	b := s.Batch()
	var errs []error
	handles := map[string]*Series{}
	for _, x := range samples {
		key := x.Labels.String()
		if handles[key] == nil {
			sr, err := s.Series(x.Labels)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			handles[key] = sr
		}
		errs = append(errs, b.Add(handles[key], x.T, x.V))
	}
	return errors.Join(append(errs, b.Commit())...)
}
