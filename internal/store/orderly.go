package store

import (
	"context"
	"sync"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// orderly takes one sample at a time, over all its transactions. The database numbers a new series before it files it:
// when two are made at the same time it may have to put one before the other, in lists that a query is walking through,
// which then misses one of the two.
type orderly struct {
	storage.Appendable
	turn *sync.Mutex
}

// Appender implements storage.Appendable.
func (o orderly) Appender(ctx context.Context) storage.Appender {
	return orderlyAppender{o.Appendable.Appender(ctx), o.turn}
}

type orderlyAppender struct {
	storage.Appender
	turn *sync.Mutex
}

// Append implements storage.Appender.
func (a orderlyAppender) Append(ref storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	a.turn.Lock()
	defer a.turn.Unlock()
	return a.Appender.Append(ref, l, t, v)
}

// AppendHistogram implements storage.HistogramAppender.
func (a orderlyAppender) AppendHistogram(
	ref storage.SeriesRef, l labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram,
) (storage.SeriesRef, error) {
	a.turn.Lock()
	defer a.turn.Unlock()
	return a.Appender.AppendHistogram(ref, l, t, h, fh)
}
