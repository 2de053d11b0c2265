package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// Self scrapes the process it is part of, as Prometheus would, but past the network: no address, no certificate and no
// token is needed. It is for one goroutine at a time.
type Self struct {
	store         Store
	from          prometheus.Gatherer
	job, instance string
}

// NewSelf returns a scraper of what from gathers into st. The series have the labels job and instance.
func NewSelf(st Store, from prometheus.Gatherer, job, instance string) *Self {
	return &Self{store: st, from: from, job: job, instance: instance}
}

// selfPrefixes are the metrics that are kept. The hundreds of the Go runtime and of the store stay on /metrics.
var selfPrefixes = [...]string{"plimsoll_", "process_"}

// Scrape stores the metrics of the process as of now, and up: 1 if they could be gathered, otherwise 0. Gauges,
// counters and classic histograms are kept. It fails if they cannot be gathered or stored.
func (s *Self) Scrape(ctx context.Context, now time.Time) error {
	families, gatherErr := s.from.Gather()
	app := s.store.Appendable().Appender(ctx)
	a := selfAppender{Self: s, app: app, t: now.UnixMilli()}
	if gatherErr == nil {
		for _, f := range families {
			if slices.ContainsFunc(selfPrefixes[:], func(p string) bool { return strings.HasPrefix(f.GetName(), p) }) {
				a.family(f)
			}
		}
		a.add("up", nil, 1)
	} else {
		gatherErr = fmt.Errorf("gather own metrics: %w", gatherErr)
		a.add("up", nil, 0)
	}
	if a.err != nil {
		return errors.Join(gatherErr, fmt.Errorf("store own metrics: %w", a.err), app.Rollback())
	}
	if err := app.Commit(); err != nil {
		return errors.Join(gatherErr, fmt.Errorf("store own metrics: %w", err))
	}
	return gatherErr
}

// selfAppender appends the samples of one scrape, up to the first error.
type selfAppender struct {
	*Self
	app storage.Appender
	t   int64
	err error
}

// family appends the samples of all series of a metric.
func (a *selfAppender) family(f *dto.MetricFamily) {
	name := f.GetName()
	for _, m := range f.GetMetric() {
		switch {
		case m.Counter != nil:
			a.add(name, m.GetLabel(), m.GetCounter().GetValue())
		case m.Gauge != nil:
			a.add(name, m.GetLabel(), m.GetGauge().GetValue())
		case m.Histogram != nil:
			a.histogram(name, m.GetLabel(), m.GetHistogram())
		}
	}
}

func (a *selfAppender) histogram(name string, l []*dto.LabelPair, h *dto.Histogram) {
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) {
			a.add(name+"_bucket", l, float64(b.GetCumulativeCount()), labels.BucketLabel, labels.FormatOpenMetricsFloat(b.GetUpperBound()))
		}
	}
	a.add(name+"_bucket", l, float64(h.GetSampleCount()), labels.BucketLabel, "+Inf")
	a.add(name+"_sum", l, h.GetSampleSum())
	a.add(name+"_count", l, float64(h.GetSampleCount()))
}

// add appends one sample; more are names and values of further labels.
func (a *selfAppender) add(name string, own []*dto.LabelPair, v float64, more ...string) {
	if a.err != nil {
		return
	}
	b := labels.NewScratchBuilder(len(own) + 4)
	for _, x := range own {
		b.Add(x.GetName(), x.GetValue())
	}
	for i := 0; i < len(more); i += 2 {
		b.Add(more[i], more[i+1])
	}
	b.Add(store.Name, name)
	b.Add("instance", a.instance)
	b.Add("job", a.job)
	b.Sort()
	_, a.err = a.app.Append(0, b.Labels(), a.t, v)
}
