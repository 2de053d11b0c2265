package ingest

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// targets makes the appenders of scrapes. Each target is a source with limits of its own: of one that has too many
// series those that it had first are stored, and no other target notices.
type targets struct {
	into     storage.AppendableV2
	limits   Limits
	now      func() time.Time
	log      *slog.Logger
	rejected *prometheus.CounterVec

	mu      sync.Mutex
	sources map[uint64]*source // by the hash of the labels of the target
	swept   time.Time
}

func newTargets(into storage.AppendableV2, now func() time.Time, l Limits, log *slog.Logger, reg prometheus.Registerer) *targets {
	t := &targets{into: into, limits: l, now: now, log: log, sources: map[uint64]*source{}, swept: now()}
	t.rejected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "plimsoll_scrape_rejected_samples_total", Help: "Scraped samples that were not stored.",
	}, []string{"reason"})
	reg.MustRegister(t.rejected)
	return t
}

// AppenderV2 implements storage.AppendableV2. The context is that of a scrape loop.
func (t *targets) AppenderV2(ctx context.Context) storage.AppenderV2 {
	from, ok := scrape.TargetFromContext(ctx)
	if !ok {
		panic("ingest: a scrape without a target")
	}
	own := from.Labels(labels.NewBuilder(labels.EmptyLabels()))
	return &targetAppender{AppenderV2: t.into.AppenderV2(ctx), targets: t, own: own, source: t.source(own.Hash())}
}

// source returns the source of a target. Those of targets that are gone are forgotten.
func (t *targets) source(key uint64) *source {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Sub(t.swept) >= generation {
		t.swept = now
		for k, s := range t.sources {
			if s.idle(now) {
				delete(t.sources, k)
			}
		}
	}
	s := t.sources[key]
	if s == nil {
		s = newSource(now)
		t.sources[key] = s
	}
	s.stored(time.Time{}, now)
	return s
}

// targetAppender watches over one scrape.
type targetAppender struct {
	storage.AppenderV2
	*targets
	own    labels.Labels // of the target
	source *source
	told   bool
}

// Append implements storage.AppenderV2.
func (a *targetAppender) Append(
	ref storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AppendV2Options,
) (storage.SeriesRef, error) {
	err := a.admit(ref, l, v)
	if err == nil {
		ref, err = a.AppenderV2.Append(ref, l, st, t, v, h, fh, o)
	}
	if err == nil {
		return ref, nil
	}
	reason, _ := reasonOf(err)
	a.rejected.WithLabelValues(reason).Inc()
	if limited := reason == reasonSeries || reason == reasonLabels; limited && !a.told {
		a.told = true
		if a.source.tell(a.now()) {
			a.log.Error("of a target not everything is stored", "target", a.own.String(), "err", err)
		}
	}
	return ref, err
}

// admit checks the limits. What the scraper itself says of a target is always stored, and so is the end of a series.
func (a *targetAppender) admit(ref storage.SeriesRef, l labels.Labels, v float64) error {
	switch {
	case value.IsStaleNaN(v):
		return nil
	case ref != 0: // it was admitted before, and goes on being active
		a.source.admit(l.Hash(), a.now(), math.MaxInt)
		return nil
	case a.report(l):
		return nil
	}
	if err := a.limits.checkLabels(l); err != nil {
		return err
	}
	if !a.source.admit(l.Hash(), a.now(), a.limits.SeriesPerSource) {
		return errTooMany
	}
	return nil
}

// report tells whether a series is one of those that the scraper adds to each scrape. A target cannot make more of
// them: they have the labels of the target and no others.
func (a *targetAppender) report(l labels.Labels) bool {
	switch name := l.Get(store.Name); name {
	case "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
		"scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes":
		return labels.Equal(l, labels.NewBuilder(a.own).Set(store.Name, name).Labels())
	}
	return false
}
