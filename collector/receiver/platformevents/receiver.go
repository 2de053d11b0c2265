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
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
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

	counting *counting.Counting
	server   *http.Server
	serving  sync.WaitGroup
	stop     context.CancelFunc // ends the backfill, the polls and the reading of files
	naming   secrets.Naming
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
	var next func(context.Context, pmetric.Metrics) error
	if r.metrics != nil {
		next = r.passMetrics
	}
	r.counting = counting.New(r.cfg.Config, scopeName, r.set.TelemetrySettings, next, r.now)
	if err := r.counting.Open(); err != nil {
		return err
	}
	var err error
	if r.naming, err = r.cfg.SecretNames.naming(); err != nil {
		return errors.Join(err, r.counting.Close())
	}
	readers, err := r.fileReaders()
	if err == nil {
		err = r.counting.Run(ctx, host)
	}
	if err != nil {
		return errors.Join(err, r.counting.Close())
	}
	if err := r.serve(ctx, host); err != nil {
		return errors.Join(err, r.counting.Shutdown(ctx))
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	r.backfill(running)
	r.rotation(running)
	for _, f := range readers {
		r.serving.Go(func() { f.run(running) })
	}
	return nil
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
	r.serving.Go(func() {
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
	r.stop()
	err := r.server.Shutdown(ctx)
	r.serving.Wait()
	r.server = nil
	return errors.Join(err, r.counting.Shutdown(ctx))
}
