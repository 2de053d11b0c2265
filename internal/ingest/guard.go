package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// callKey is the key of call in the context of a request.
type callKey struct{}

// call is what the appenders of a request know about it.
type call struct {
	source *source
	// partial: the protocol has no way to tell of single samples, and its handler gives up at the first bad one. Then
	// bad samples are left out, the good ones stored, and Commit returns the first error.
	partial bool
}

// guarded makes appenders that watch over limits. Its context comes from Receiver.limited.
type guarded struct {
	r  *Receiver
	v1 storage.Appendable
	v2 storage.AppendableV2
}

// Appender implements storage.Appendable.
func (g *guarded) Appender(ctx context.Context) storage.Appender {
	return &appender{Appender: g.v1.Appender(ctx), watch: g.watch(ctx)}
}

// AppenderV2 implements storage.AppendableV2.
func (g *guarded) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appenderV2{AppenderV2: g.v2.AppenderV2(ctx), watch: g.watch(ctx)}
}

func (g *guarded) watch(ctx context.Context) watch {
	c, ok := ctx.Value(callKey{}).(call)
	if !ok {
		panic("ingest: a request came past its limits")
	}
	return watch{r: g.r, call: c, newest: math.MinInt64, ahead: g.r.now().Add(maxAhead).UnixMilli()}
}

// errTooMany is the refusal of a new series. It counts as out of bounds, so that senders do not try again for ever.
var errTooMany = fmt.Errorf("%w: the source has too many active series", storage.ErrOutOfBounds)

// errLabels is the refusal of a series whose labels are too many or too long.
var errLabels = fmt.Errorf("%w: the labels of a series are too many or too long", storage.ErrOutOfBounds)

// checkLabels checks what every series has to keep to.
func (l Limits) checkLabels(of labels.Labels) error {
	n, long := 0, false
	of.Range(func(x labels.Label) {
		n++
		long = long || len(x.Name) > l.LabelBytes || len(x.Value) > l.LabelBytes
	})
	if n > l.Labels || long {
		return errLabels
	}
	return nil
}

// watch is what both forms of appenders share.
type watch struct {
	r      *Receiver
	call   call
	newest int64
	ahead  int64 // the latest time that a sample may have, in ms
	stored int
	bad    int
	first  error
	fatal  error // the first that is not the fault of a sample
}

// admit checks the limits of series. A series with a reference was admitted before in this request.
func (w *watch) admit(ref storage.SeriesRef, l labels.Labels) error {
	if ref != 0 {
		return nil
	}
	if err := w.r.limits.checkLabels(l); err != nil {
		return err
	}
	if !w.call.source.admit(l.Hash(), w.r.now(), w.r.limits.SeriesPerSource) {
		return errTooMany
	}
	return nil
}

// errFuture is the refusal of a sample that no clock has reached.
var errFuture = fmt.Errorf("%w: more than %v ahead of the clock", storage.ErrOutOfBounds, maxAhead)

// maxAhead is how far a sample may be ahead of the clock, as with Prometheus.
const maxAhead = 10 * time.Minute

// note counts the outcome of one sample and returns what to tell the handler.
func (w *watch) note(t int64, err error) error {
	if err == nil {
		w.stored++
		w.newest = max(w.newest, t)
		return nil
	}
	reason, mine := reasonOf(err)
	w.r.metrics.rejected.WithLabelValues(reason).Inc()
	if !mine && w.fatal == nil {
		w.fatal = err
	}
	if !w.call.partial || !mine {
		return err
	}
	w.bad++
	if w.first == nil {
		w.first = err
	}
	return nil
}

// The reasons that are limits of ours.
const (
	reasonSeries = "series_limit"
	reasonLabels = "label_limit"
)

// reasonOf names the reason for which a sample is refused, and reports whether it is the sample's own fault.
func reasonOf(err error) (string, bool) {
	switch {
	case errors.Is(err, errTooMany):
		return reasonSeries, true
	case errors.Is(err, errLabels):
		return reasonLabels, true
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return "out_of_order", true
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return "duplicate", true
	case errors.Is(err, storage.ErrTooOldSample):
		return "too_old", true
	case errors.Is(err, storage.ErrOutOfBounds):
		return "out_of_bounds", true
	}
	return "store", false
}

// committed notes the outcome of a commit and returns what to tell the sender.
func (w *watch) committed(err error) error {
	if err != nil {
		w.r.metrics.rejected.WithLabelValues("store").Add(float64(w.stored))
		w.fatal = err
		return err
	}
	w.r.metrics.samples.Add(float64(w.stored))
	if w.stored > 0 {
		w.call.source.stored(time.UnixMilli(w.newest), w.r.now())
	}
	if w.bad > 0 {
		return fmt.Errorf("%d of %d samples not stored, the first because: %w", w.bad, w.bad+w.stored, w.first)
	}
	return nil
}

// appender watches over an appender of the first form.
type appender struct {
	storage.Appender
	watch
}

// Append implements storage.Appender.
func (a *appender) Append(ref storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	err := a.admit(ref, l)
	if err == nil {
		ref, err = a.Appender.Append(ref, l, t, v)
	}
	return ref, a.note(t, err)
}

// AppendHistogram implements storage.HistogramAppender.
func (a *appender) AppendHistogram(ref storage.SeriesRef, l labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram) (storage.SeriesRef, error) {
	err := a.admit(ref, l)
	if err == nil {
		ref, err = a.Appender.AppendHistogram(ref, l, t, h, fh)
	}
	return ref, a.note(t, err)
}

// Commit implements storage.AppenderTransaction.
func (a *appender) Commit() error { return a.committed(a.Appender.Commit()) }

// appenderV2 watches over an appender of the second form.
type appenderV2 struct {
	storage.AppenderV2
	watch
}

// Append implements storage.AppenderV2.
func (a *appenderV2) Append(
	ref storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AppendV2Options,
) (storage.SeriesRef, error) {
	err := a.admit(ref, l)
	if t > a.ahead {
		err = errFuture
	}
	if err == nil {
		ref, err = a.AppenderV2.Append(ref, l, st, t, v, h, fh, o)
	}
	return ref, a.note(t, err)
}

// Commit implements storage.AppenderTransaction.
func (a *appenderV2) Commit() error { return a.committed(a.AppenderV2.Commit()) }
