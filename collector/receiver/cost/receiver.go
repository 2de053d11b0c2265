package cost

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

type costReceiver struct {
	cfg     *Config
	set     receiver.Settings
	next    consumer.Metrics
	now     func() time.Time
	readers Readers
	obs     *receiverhelper.ObsReport

	intake  *intake.Intake // nil until Start
	scraped *scrape.Server
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	// What was logged last, not to repeat it with every look. They belong to the one who looks.
	trouble string
	missing []string
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics, now func() time.Time, readers Readers) (*costReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, Transport: "file", ReceiverCreateSettings: set})
	if err != nil {
		return nil, err
	}
	return &costReceiver{cfg: cfg, set: set, next: next, now: now, readers: readers, obs: obs}, nil
}

// Start takes up what was read before, and begins to look at the sources.
func (r *costReceiver) Start(ctx context.Context, host component.Host) error {
	options, err := r.cfg.options()
	if err != nil {
		return err
	}
	options.Parquet, options.Buckets = r.readers.Parquet, r.readers.Buckets
	if r.intake, err = intake.Open(options, r.now()); err != nil {
		return err
	}
	known := r.intake
	r.scraped, err = scrape.Open(ctx, host, r.cfg.Prometheus, r.set.TelemetrySettings, func() metric.Snapshot { return known.Read(r.now()) })
	if err != nil {
		r.intake.Close()
		r.intake = nil
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.tasks.Go(func() { r.run(running) })
	return nil
}

// Shutdown ends looking, and passes on what is known.
func (r *costReceiver) Shutdown(ctx context.Context) error {
	if r.intake == nil {
		return nil
	}
	r.stop()
	r.tasks.Wait()
	r.intake.Close()
	err := errors.Join(r.scraped.Close(ctx), r.pass(ctx))
	r.intake = nil
	return err
}

// run looks and passes on at each interval. A look may take longer, as that at a bill of gigabytes: what is known is
// passed on meanwhile.
func (r *costReceiver) run(running context.Context) {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	done := make(chan struct{}, 1)
	look := func() {
		r.look(running)
		done <- struct{}{}
	}
	r.tasks.Go(look)
	for looking := true; ; {
		select {
		case <-running.Done():
			return
		case <-done:
			looking = false
		case <-ticker.C:
			if !looking {
				looking = true
				r.tasks.Go(look)
				continue
			}
		}
		if err := r.pass(running); err != nil && running.Err() == nil {
			r.set.Logger.Warn("metrics were refused, they are repeated with the next interval", zap.Error(err))
		}
	}
}

// look reads what is new.
func (r *costReceiver) look(ctx context.Context) {
	err := r.intake.Poll(ctx, r.now())
	if ctx.Err() != nil {
		return
	}
	switch {
	case err == nil:
		r.trouble = ""
	case err.Error() != r.trouble:
		r.trouble = err.Error()
		r.set.Logger.Error("not every bill is read, what was known counts on, that is tried again", zap.Error(err))
	}
	if missing := r.intake.Missing(); !slices.Equal(missing, r.missing) {
		if r.missing = missing; len(missing) > 0 {
			r.set.Logger.Warn("no costs are passed on until each source was read once as a whole", zap.Strings("missing", missing))
		}
	}
}

// pass passes everything on.
func (r *costReceiver) pass(ctx context.Context) error {
	now := r.now()
	snapshot := r.intake.Read(now)
	if len(snapshot.Families) == 0 {
		return nil
	}
	metrics := otlp.Metrics(scopeName, snapshot, r.set.Resource, now)
	points := metrics.DataPointCount()
	ctx = r.obs.StartMetricsOp(ctx)
	err := r.next.ConsumeMetrics(ctx, metrics)
	r.obs.EndMetricsOp(ctx, typeName, points, err)
	return err
}
