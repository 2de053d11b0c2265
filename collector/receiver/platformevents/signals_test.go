package platformevents_test

import (
	"errors"
	"net/http"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
)

// TestSignals: a receiver in pipelines of three signals listens and counts once.
func TestSignals(t *testing.T) {
	factory := platformevents.NewFactory(clock)
	cfg := config(t, factory)
	settings := receivertest.NewNopSettings(factory.Type())
	metrics, logs, traces := newNext(), &consumertest.LogsSink{}, &consumertest.TracesSink{}
	m, errMetrics := factory.CreateMetrics(t.Context(), settings, cfg, metrics)
	l, errLogs := factory.CreateLogs(t.Context(), settings, cfg, logs)
	tr, errTraces := factory.CreateTraces(t.Context(), settings, cfg, traces)
	if err := errors.Join(errMetrics, errLogs, errTraces); err != nil {
		t.Fatal(err)
	}
	all := []component.Component{m, l, tr}
	s := &server{t: t, url: "http://" + cfg.NetAddr.Endpoint, client: http.DefaultClient, receiver: m}
	for i, c := range all {
		if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		if resp, err := http.Get(s.url); (err == nil) != (i == len(all)-1) {
			t.Errorf("after start %d: %v", i, err)
		} else if err == nil {
			resp.Body.Close()
		}
	}
	for _, name := range []string{"requested", "completed", "completed"} {
		if got := s.signed(payload(t, name)); got != http.StatusAccepted {
			t.Errorf("%s: status %d, want 202", name, got)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	for _, c := range all {
		if err := c.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := metrics.last()["platform.events.received counted"]; got != 2 {
		t.Errorf("%d events counted, want 2", got)
	}
	if got := logs.LogRecordCount(); got != 3 {
		t.Errorf("%d log records, want 3", got)
	}
	record := logs.AllLogs()[1].ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	if record.EventName() != "cicd.pipeline.run.finished" || record.Attributes().AsRaw()["cicd.pipeline.run.id"] != "289782451" {
		t.Errorf("got %q with %v", record.EventName(), record.Attributes().AsRaw())
	}
	if got := traces.SpanCount(); got != 2 {
		t.Errorf("%d spans, want 2: the end of the run, twice the same", got)
	}
}

// TestSignalsRefuse: all signals are tried, and a redelivery is asked for if it can help.
func TestSignalsRefuse(t *testing.T) {
	busy, never := errors.New("busy"), consumererror.NewPermanent(errors.New("never"))
	f := func(metrics, logs error, want int) {
		t.Helper()
		factory := platformevents.NewFactory(clock)
		cfg := config(t, factory)
		settings := receivertest.NewNopSettings(factory.Type())
		next, traces := newNext(), &consumertest.TracesSink{}
		next.refuse(metrics)
		sink := consumertest.NewNop()
		if logs != nil {
			sink = consumertest.NewErr(logs)
		}
		m, errMetrics := factory.CreateMetrics(t.Context(), settings, cfg, next)
		l, errLogs := factory.CreateLogs(t.Context(), settings, cfg, sink)
		tr, errTraces := factory.CreateTraces(t.Context(), settings, cfg, traces)
		err := errors.Join(errMetrics, errLogs, errTraces)
		for _, c := range []component.Component{m, l, tr} {
			err = errors.Join(err, c.Start(t.Context(), componenttest.NewNopHost()))
		}
		if err != nil {
			t.Fatal(err)
		}
		s := &server{t: t, url: "http://" + cfg.NetAddr.Endpoint, client: http.DefaultClient, receiver: m}
		if got := s.signed(payload(t, "completed")); got != want {
			t.Errorf("metrics %v, logs %v: status %d, want %d", metrics, logs, got, want)
		}
		if traces.SpanCount() != 1 {
			t.Errorf("metrics %v, logs %v: no span", metrics, logs)
		}
		next.refuse(nil)
		s.shutdown()
	}
	f(nil, nil, http.StatusAccepted)
	f(nil, busy, http.StatusServiceUnavailable)
	f(busy, nil, http.StatusServiceUnavailable)
	f(never, busy, http.StatusServiceUnavailable)
	f(busy, never, http.StatusServiceUnavailable)
	f(never, nil, http.StatusBadRequest)
	f(nil, never, http.StatusBadRequest)
}
