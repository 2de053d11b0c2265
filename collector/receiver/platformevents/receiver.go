package platformevents

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

type eventsReceiver struct {
	cfg    *Config
	set    receiver.Settings
	now    func() time.Time
	obs    *receiverhelper.ObsReport
	forget func() // who made it forgets it

	// What is not in a pipeline is nil. Nothing of this changes after the first start.
	metrics consumer.Metrics
	logs    consumer.Logs
	traces  consumer.Traces
	signals int // how many of them there are

	life    sync.Mutex
	started int // how often it was started; the collector does so for each signal

	counters *pipelines.Counters
	ledger   *ledger.Ledger // nil if nothing is kept

	server *http.Server
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	passing sync.Mutex // held while metrics are passed on, so that they arrive in the order of their timestamps
	passed  uint64     // revision of the counters up to which the next consumer has everything
}

func newReceiver(cfg *Config, set receiver.Settings, now func() time.Time, forget func()) (*eventsReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, Transport: "http", ReceiverCreateSettings: set})
	if err != nil {
		return nil, err
	}
	return &eventsReceiver{cfg: cfg, set: set, now: now, obs: obs, forget: forget}, nil
}

// Start takes up the counters where they were left, listens, and begins to pass on. With several signals it does so when
// the last of them is started, since only then every consumer is.
func (r *eventsReceiver) Start(ctx context.Context, host component.Host) error {
	r.life.Lock()
	defer r.life.Unlock()
	if r.started++; r.started < r.signals {
		return nil
	}
	if err := r.open(); err != nil {
		return err
	}
	if err := r.serve(ctx, host); err != nil {
		return errors.Join(err, r.close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.tasks.Go(func() { r.tick(running) })
	return nil
}

// open makes the counters, in memory or as the ledger has them.
func (r *eventsReceiver) open() error {
	options := pipelines.Options{Settle: r.cfg.Settle, MaxSeries: r.cfg.Limits.Series, MaxRuns: r.cfg.Limits.Runs}
	if r.cfg.Storage.Directory == "" {
		r.counters = pipelines.New(r.now(), options)
		return nil
	}
	var err error
	if r.ledger, err = ledger.Open(r.cfg.Storage.Directory, ledger.Options{}); err != nil {
		return err
	}
	if cut, ok := r.ledger.Cut(); ok {
		r.set.Logger.Warn("the ledger ended in a record that was not acknowledged, it is cut off",
			zap.String("file", cut.File), zap.Int64("offset", cut.Offset), zap.Int64("bytes", cut.Bytes))
	}
	if r.counters, err = pipelines.Open(r.ledger, r.now(), options); err != nil {
		return errors.Join(err, r.close())
	}
	return nil
}

func (r *eventsReceiver) close() error {
	if r.ledger == nil {
		return nil
	}
	err := r.ledger.Close()
	r.ledger = nil
	return err
}

// serve begins to take deliveries.
func (r *eventsReceiver) serve(ctx context.Context, host component.Host) error {
	mux, err := r.mux()
	if err != nil {
		return err
	}
	listener, err := r.cfg.listen(ctx)
	if err != nil {
		return err
	}
	if r.server, err = r.cfg.ToServer(ctx, host.GetExtensions(), r.set.TelemetrySettings, mux); err != nil {
		return errors.Join(err, listener.Close())
	}
	r.tasks.Go(func() {
		if err := r.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	return nil
}

// Shutdown finishes the deliveries in hand and passes on the last state of the counters. The first signal's ends it for
// all, while every consumer still runs.
func (r *eventsReceiver) Shutdown(ctx context.Context) error {
	r.life.Lock()
	defer r.life.Unlock()
	r.forget()
	if r.server == nil {
		return nil
	}
	err := r.server.Shutdown(ctx)
	r.stop()
	r.tasks.Wait()
	r.server = nil
	return errors.Join(err, r.pass(ctx, 0), r.close())
}

// tick passes everything on at each interval: series that are not repeated would end for the backend.
func (r *eventsReceiver) tick(running context.Context) {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-running.Done():
			return
		case <-ticker.C:
			if err := r.pass(running, 0); err != nil {
				r.set.Logger.Warn("metrics were refused, they are repeated with the next interval", zap.Error(err))
			}
			if err := r.compact(); err != nil {
				r.set.Logger.Error("the ledger is not compacted, that is tried again with the next interval", zap.Error(err))
			}
		}
	}
}

// compact keeps the ledger from growing without end.
func (r *eventsReceiver) compact() error {
	if r.ledger == nil || !r.ledger.Due() {
		return nil
	}
	return r.counters.Compact()
}

// passChanges passes on what the next consumer has not taken over yet.
func (r *eventsReceiver) passChanges(ctx context.Context) error {
	r.passing.Lock()
	defer r.passing.Unlock()
	return r.passLocked(ctx, r.passed)
}

// pass passes on the points that changed after a revision.
func (r *eventsReceiver) pass(ctx context.Context, after uint64) error {
	r.passing.Lock()
	defer r.passing.Unlock()
	return r.passLocked(ctx, after)
}

func (r *eventsReceiver) passLocked(ctx context.Context, after uint64) error {
	if r.metrics == nil {
		return nil
	}
	now := r.now()
	snapshot, err := r.counters.Read(now, after)
	if err != nil {
		r.set.Logger.Error("what is due is not counted, that is tried again", zap.Error(err))
	}
	if len(snapshot.Families) == 0 {
		return nil
	}
	metrics := otlp.Metrics(scopeName, snapshot, r.set.Resource, now)
	points := metrics.DataPointCount()
	ctx = r.obs.StartMetricsOp(ctx)
	err = r.metrics.ConsumeMetrics(ctx, metrics)
	r.obs.EndMetricsOp(ctx, typeName, points, err)
	if err == nil || consumererror.IsPermanent(err) {
		r.passed = snapshot.Revision
	}
	return err
}
