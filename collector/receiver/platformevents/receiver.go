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

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// ledger is what events are counted in. pipelines.Counters is one, in memory.
type ledger interface {
	Add(events ...event.Event) error
	Reject(source, reason string)
	Read(now time.Time, after uint64) (pipelines.Snapshot, error)
}

type eventsReceiver struct {
	cfg    *Config
	set    receiver.Settings
	next   consumer.Metrics
	now    func() time.Time
	obs    *receiverhelper.ObsReport
	ledger ledger

	server *http.Server
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	passing sync.Mutex // held while metrics are passed on, so that they arrive in the order of their timestamps
	passed  uint64     // revision of the ledger up to which the next consumer has everything
}

func newReceiver(cfg *Config, set receiver.Settings, next consumer.Metrics, now func() time.Time) (*eventsReceiver, error) {
	obs, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{ReceiverID: set.ID, Transport: "http", ReceiverCreateSettings: set})
	if err != nil {
		return nil, err
	}
	counters := pipelines.New(now(), pipelines.Options{Settle: cfg.Settle, MaxSeries: cfg.Limits.Series, MaxRuns: cfg.Limits.Runs})
	return &eventsReceiver{cfg: cfg, set: set, next: next, now: now, obs: obs, ledger: counters}, nil
}

// Start listens, and begins to pass metrics on.
func (r *eventsReceiver) Start(ctx context.Context, host component.Host) error {
	listener, err := r.cfg.ToListener(ctx)
	if err != nil {
		return err
	}
	if r.server, err = r.cfg.ToServer(ctx, host.GetExtensions(), r.set.TelemetrySettings, r.mux()); err != nil {
		return errors.Join(err, listener.Close())
	}
	r.tasks.Go(func() {
		if err := r.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.tasks.Go(func() { r.tick(running) })
	return nil
}

// Shutdown finishes the deliveries in hand and passes on the last state of the counters.
func (r *eventsReceiver) Shutdown(ctx context.Context) error {
	if r.server == nil {
		return nil
	}
	err := r.server.Shutdown(ctx)
	r.stop()
	r.tasks.Wait()
	r.server = nil
	return errors.Join(err, r.pass(ctx, 0))
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
		}
	}
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
	now := r.now()
	snapshot, err := r.ledger.Read(now, after)
	if err != nil {
		r.set.Logger.Error("outcomes are not settled", zap.Error(err))
	}
	if len(snapshot.Families) == 0 {
		return nil
	}
	metrics := toMetrics(snapshot, r.set.Resource, now)
	points := metrics.DataPointCount()
	ctx = r.obs.StartMetricsOp(ctx)
	err = r.next.ConsumeMetrics(ctx, metrics)
	r.obs.EndMetricsOp(ctx, typeName, points, err)
	if err == nil || consumererror.IsPermanent(err) {
		r.passed = snapshot.Revision
	}
	return err
}
