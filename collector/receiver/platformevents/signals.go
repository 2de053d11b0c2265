package platformevents

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// receivers holds the one receiver of each configuration. A receiver that is in pipelines of several signals is created
// once for each, but listens and counts only once.
type receivers struct {
	now func() time.Time

	mu       sync.Mutex
	byConfig map[*Config]*eventsReceiver
}

// of returns the receiver of a configuration for one more signal, whose consumer use notes.
func (rs *receivers) of(cfg component.Config, set receiver.Settings, use func(*eventsReceiver)) (*eventsReceiver, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	c := cfg.(*Config)
	r := rs.byConfig[c]
	if r == nil {
		var err error
		if r, err = newReceiver(c, set, rs.now, func() { rs.forget(c) }); err != nil {
			return nil, err
		}
		rs.byConfig[c] = r
	}
	use(r)
	r.signals++
	return r, nil
}

func (rs *receivers) forget(c *Config) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.byConfig, c)
}

func (rs *receivers) createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	return rs.of(cfg, set, func(r *eventsReceiver) { r.metrics = next })
}

func (rs *receivers) createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	return rs.of(cfg, set, func(r *eventsReceiver) { r.logs = next })
}

func (rs *receivers) createTraces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	return rs.of(cfg, set, func(r *eventsReceiver) { r.traces = next })
}

// passOn passes on what the events of one delivery say, in each signal there is a pipeline for. All are tried. The error
// is permanent only if nothing would be better for a redelivery.
func (r *eventsReceiver) passOn(ctx context.Context, events []event.Event) error {
	var permanent, transient []error
	for _, pass := range []func() error{
		func() error { return r.counting.PassChanges(ctx) },
		func() error { return r.passLogs(ctx, events) },
		func() error { return r.passTraces(ctx, events) },
	} {
		switch err := pass(); {
		case err == nil:
		case consumererror.IsPermanent(err):
			permanent = append(permanent, err)
		default:
			transient = append(transient, err)
		}
	}
	if len(transient) > 0 {
		return errors.Join(transient...)
	}
	return errors.Join(permanent...)
}

func (r *eventsReceiver) passMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	points := metrics.DataPointCount()
	ctx = r.obs.StartMetricsOp(ctx)
	err := r.metrics.ConsumeMetrics(ctx, metrics)
	r.obs.EndMetricsOp(ctx, typeName, points, err)
	return err
}

// passLogs passes on one log record for each event. A redelivery is passed on again: records carry their key.
func (r *eventsReceiver) passLogs(ctx context.Context, events []event.Event) error {
	if r.logs == nil || len(events) == 0 {
		return nil
	}
	ctx = r.obs.StartLogsOp(ctx)
	err := r.logs.ConsumeLogs(ctx, otlp.Logs(scopeName, events, r.set.Resource))
	r.obs.EndLogsOp(ctx, typeName, len(events), err)
	return err
}

// passTraces passes on the spans that the events end. A redelivery makes the same spans again.
func (r *eventsReceiver) passTraces(ctx context.Context, events []event.Event) error {
	if r.traces == nil {
		return nil
	}
	traces, spans := otlp.Traces(scopeName, events, r.set.Resource)
	if spans == 0 {
		return nil
	}
	ctx = r.obs.StartTracesOp(ctx)
	err := r.traces.ConsumeTraces(ctx, traces)
	r.obs.EndTracesOp(ctx, typeName, spans, err)
	return err
}
