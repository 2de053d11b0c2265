package platformsli_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/goleak"

	"github.com/plimsoll-slo/plimsoll/collector/connector/platformsli"
	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var received = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// record returns the log record of the end of a run.
func record(run, result string) plog.Logs {
	subject := "gh/1/run/" + run
	return otlp.Logs("test", []event.Event{{
		Name: event.RunFinished, Source: "github", Subject: subject, Key: subject + "/1/finished",
		Start: received.Add(-time.Minute), Time: received, Observed: received,
		Attrs: event.NewSet(
			event.String(event.RepositoryOwner, "acme"), event.String(event.Repository, "shop"), event.String(event.PipelineName, "build"),
			event.String(event.RunID, run), event.Int(event.RunAttempt, 1), event.String(event.Result, result), event.Float(event.RunDuration, 60),
		),
	}}, pcommon.NewResource())
}

// start runs a connector, and returns it with what it passed on.
func start(t *testing.T, dir string, next consumer.Metrics) connector.Logs {
	t.Helper()
	factory := platformsli.NewFactory(func() time.Time { return received })
	cfg := factory.CreateDefaultConfig().(*platformsli.Config)
	cfg.Interval, cfg.Storage.Directory = time.Hour, dir
	if err := errors.Join(componenttest.CheckConfigStruct(cfg), cfg.Validate()); err != nil {
		t.Error(err)
	}
	c, err := factory.CreateLogsToMetrics(t.Context(), connectortest.NewNopSettings(factory.Type()), cfg, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown without start: %v", err)
	}
	if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	return c
}

// outcomes returns the final outcomes and the verdicts in what came last.
func outcomes(sink *consumertest.MetricsSink) map[string]int64 {
	all := map[string]int64{}
	batches := sink.AllMetrics()
	if len(batches) == 0 {
		return all
	}
	last := batches[len(batches)-1]
	for _, m := range last.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Type() != pmetric.MetricTypeSum {
			continue
		}
		for _, p := range m.Sum().DataPoints().All() {
			attrs := p.Attributes().AsRaw()
			if attrs["platform.attempt"] == "first" {
				continue
			}
			for _, name := range []string{"cicd.pipeline.result", "platform.event.verdict"} {
				if v, ok := attrs[name].(string); ok {
					all[v] = p.IntValue()
				}
			}
			for name := range attrs {
				if strings.Contains(name, "run.id") || strings.Contains(name, "revision") {
					panic("a metric has " + name)
				}
			}
		}
	}
	return all
}

// TestCount: each event is counted once, however often it comes and whatever comes with it, over restarts.
func TestCount(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		sink := &consumertest.MetricsSink{}
		c := start(t, dir, sink)
		for _, logs := range []plog.Logs{record("1", "success"), record("2", "success"), record("1", "success"), plog.NewLogs()} {
			other := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
			other.Body().SetStr("a line of somebody else's log")
			if err := c.ConsumeLogs(t.Context(), logs); err != nil {
				t.Error(err)
			}
		}
		if err := c.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if got := outcomes(sink); got["success"] != 2 || got["counted"] != 2 || got["duplicate"] == 0 {
			t.Errorf("got %v, want 2 successes, 2 counted and some duplicates", got)
		}
	}
}

// TestRefused: an error of the next consumer goes to the sender, and what it sends again is counted once.
// TestForged: whoever may send logs can say that a run failed, but not that its outcome is final: that only time decides.
func TestForged(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	c := start(t, "", sink)
	send := func(name string) {
		t.Helper()
		logs := record("1", "failure")
		if name != "" {
			logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).SetEventName(name)
		}
		if err := c.ConsumeLogs(t.Context(), logs); err != nil {
			t.Fatal(err)
		}
	}
	send("")
	for _, name := range []string{event.RunSettled, event.LeadSettled, event.FileRead, event.Rejected, event.IncidentSettled, event.OnboardingSettled} {
		if send(name); !event.Inner(name) {
			t.Errorf("%s may come from outside", name)
		}
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := outcomes(sink); got["failure"] != 0 || got["counted"] != 1 || got["success"] != 0 {
		t.Errorf("have %v, want one event counted, and no final outcome", got)
	}
}

func TestRefused(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	busy := errors.New("busy")
	next, err := consumer.NewMetrics(sink.ConsumeMetrics)
	if err != nil {
		t.Fatal(err)
	}
	refuse := true
	gate, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		if refuse {
			return busy
		}
		return next.ConsumeMetrics(ctx, md)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "", gate)
	if err := c.ConsumeLogs(t.Context(), record("1", "success")); !errors.Is(err, busy) {
		t.Errorf("got error %v, want busy", err)
	}
	refuse = false
	if err := c.ConsumeLogs(t.Context(), record("1", "success")); err != nil {
		t.Error(err)
	}
	if got := outcomes(sink); got["success"] != 1 {
		t.Errorf("got %v, want 1 success", got)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
