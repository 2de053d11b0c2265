package platformcoverage_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/plimsoll-slo/plimsoll/collector/connector/platformcoverage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func metrics(service string) pmetric.Metrics {
	m := pmetric.NewMetrics()
	r := m.ResourceMetrics().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", service)
	r.Resource().Attributes().PutStr("contact", "hunter2@example.com")
	r.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetName("x")
	return m
}

func logs(service string) plog.Logs {
	l := plog.NewLogs()
	r := l.ResourceLogs().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", service)
	r.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hunter2 fell over")
	return l
}

func traces(service string) ptrace.Traces {
	t := ptrace.NewTraces()
	r := t.ResourceSpans().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", service)
	r.ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName("GET /?token=hunter2")
	return t
}

// watch is a connector of all three signals, as the collector makes it.
type watch struct {
	t       *testing.T
	metrics connector.Metrics
	logs    connector.Logs
	traces  connector.Traces
	sink    *consumertest.MetricsSink
}

func inventory(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "services.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// start runs a connector in the time of now.
func start(t *testing.T, dir, file string, now func() time.Time) *watch {
	t.Helper()
	factory := platformcoverage.NewFactory(now)
	cfg := factory.CreateDefaultConfig().(*platformcoverage.Config)
	cfg.Inventory, cfg.Storage.Directory = []string{file}, dir
	if err := errors.Join(componenttest.CheckConfigStruct(cfg), cfg.Validate()); err != nil {
		t.Fatal(err)
	}
	w := &watch{t: t, sink: &consumertest.MetricsSink{}}
	set := connectortest.NewNopSettings(factory.Type())
	var err, errLogs, errTraces error
	w.metrics, err = factory.CreateMetricsToMetrics(t.Context(), set, cfg, w.sink)
	w.logs, errLogs = factory.CreateLogsToMetrics(t.Context(), set, cfg, w.sink)
	w.traces, errTraces = factory.CreateTracesToMetrics(t.Context(), set, cfg, w.sink)
	if err := errors.Join(err, errLogs, errTraces); err != nil {
		t.Fatal(err)
	}
	for _, c := range []component.Component{w.metrics, w.logs, w.traces} {
		if err := c.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *watch) send(metric pmetric.Metrics, log plog.Logs, trace ptrace.Traces) {
	w.t.Helper()
	if err := errors.Join(w.metrics.ConsumeMetrics(w.t.Context(), metric), w.logs.ConsumeLogs(w.t.Context(), log), w.traces.ConsumeTraces(w.t.Context(), trace)); err != nil {
		w.t.Error(err)
	}
}

func (w *watch) shutdown() {
	w.t.Helper()
	for _, c := range []component.Component{w.metrics, w.logs, w.traces} {
		if err := c.Shutdown(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
}

// last returns the gauges that came last, of a service by signal.
func (w *watch) last() map[string]float64 {
	all := map[string]float64{}
	batches := w.sink.AllMetrics()
	if len(batches) == 0 {
		return all
	}
	for _, m := range batches[len(batches)-1].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		for _, p := range m.Gauge().DataPoints().All() {
			key := strings.TrimPrefix(m.Name(), "platform.telemetry.")
			for _, name := range []string{"service.name", "platform.telemetry.signal"} {
				if v, ok := p.Attributes().Get(name); ok {
					key += " " + v.Str()
				}
			}
			all[key] = p.DoubleValue()
		}
	}
	return all
}

// expect compares some of the gauges.
func (w *watch) expect(what string, want map[string]float64) {
	w.t.Helper()
	got := w.last()
	for key := range got {
		if _, asked := want[key]; !asked {
			delete(got, key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestDay: services send, one stops, the collector is away for three hours, the inventory changes. Time is synctest's.
func TestDay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	file := inventory(t, "services: [a, {name: b, signals: [metrics]}]")
	synctest.Test(t, func(t *testing.T) {
		w := start(t, dir, file, time.Now)
		for range 20 {
			w.send(metrics("a"), logs("a"), traces("a"))
			w.send(metrics("b"), logs("unlisted"), traces(""))
			time.Sleep(time.Minute)
		}
		whole := map[string]float64{
			"coverage a metrics": 1, "coverage a logs": 1, "coverage a traces": 1, "coverage b metrics": 1, "expected all": 2, "covered all": 2,
			"expected metrics": 2, "covered metrics": 2, "unlisted": 1,
		}
		w.expect("all send", whole)
		for range 13 {
			w.send(metrics("a"), logs("a"), traces("a"))
			time.Sleep(time.Minute)
		}
		lack := map[string]float64{"coverage a metrics": 1, "coverage b metrics": 0, "expected all": 2, "covered all": 1, "covered metrics": 1}
		w.expect("b has stopped", lack)
		w.shutdown()
		time.Sleep(3 * time.Hour)

		w = start(t, dir, file, time.Now)
		time.Sleep(31 * time.Second)
		w.expect("the collector is back, and nobody had time to send", lack)
		time.Sleep(12 * time.Minute)
		w.expect("a does not send any more", map[string]float64{"coverage a metrics": 0, "coverage a logs": 1, "coverage a traces": 1, "covered all": 0})
		if err := os.WriteFile(file, []byte("services: [unlisted"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.expect("an inventory that can not be read changes nothing", map[string]float64{"coverage a metrics": 0, "expected metrics": 2})
		if err := os.WriteFile(file, []byte("services: [{name: unlisted, signals: [logs]}]"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.expect("another inventory", map[string]float64{"coverage unlisted logs": 1, "expected all": 1, "covered all": 1, "unlisted": 1})
		w.shutdown()
		for _, md := range w.sink.AllMetrics() {
			if b, err := new(pmetric.JSONMarshaler).MarshalMetrics(md); err != nil || strings.Contains(string(b), "hunter2") {
				t.Errorf("something of what passed by goes on: %s %v", b, err)
			}
		}
	})
}

// TestCrash: without a last word what was seen is known again, less one interval.
func TestCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	file := inventory(t, "services: [{name: a, signals: [metrics]}]")
	copied := filepath.Join(t.TempDir(), "copy")
	synctest.Test(t, func(t *testing.T) {
		w := start(t, dir, file, time.Now)
		w.send(metrics("a"), plog.NewLogs(), ptrace.NewTraces())
		time.Sleep(31 * time.Second)
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil { // what a crash now would leave
			t.Fatal(err)
		}
		w.shutdown()
		time.Sleep(5 * time.Hour)
		w = start(t, copied, file, time.Now)
		time.Sleep(31 * time.Second)
		w.expect("after a crash", map[string]float64{"coverage a metrics": 1, "covered all": 1})
		w.shutdown()
	})
}

// TestBounded: however many names pass by, what is kept stays small.
func TestBounded(t *testing.T) {
	file := inventory(t, "services: [{name: a, signals: [metrics]}]")
	synctest.Test(t, func(t *testing.T) {
		w := start(t, "", file, time.Now)
		for i := range 5000 {
			w.send(metrics(fmt.Sprint("x", i)), plog.NewLogs(), ptrace.NewTraces())
		}
		w.send(metrics(strings.Repeat("long", 1000)), plog.NewLogs(), ptrace.NewTraces())
		w.send(metrics("a"), plog.NewLogs(), ptrace.NewTraces())
		time.Sleep(61 * time.Second)
		w.expect("many names", map[string]float64{"coverage a metrics": 1, "unlisted": 1000})
		w.shutdown()
	})
}

// BenchmarkMark is what a request with ten resources costs.
func BenchmarkMark(b *testing.B) {
	var now atomic.Int64
	factory := platformcoverage.NewFactory(func() time.Time { return time.Unix(now.Load(), 0) })
	cfg := factory.CreateDefaultConfig().(*platformcoverage.Config)
	file := filepath.Join(b.TempDir(), "services.yaml")
	if err := os.WriteFile(file, []byte("services: [a]"), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg.Inventory = []string{file}
	c, err := factory.CreateMetricsToMetrics(b.Context(), connectortest.NewNopSettings(factory.Type()), cfg, &consumertest.MetricsSink{})
	if err != nil {
		b.Fatal(err)
	}
	request := pmetric.NewMetrics()
	for i := range 10 {
		metrics(fmt.Sprint("service", i)).ResourceMetrics().MoveAndAppendTo(request.ResourceMetrics())
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.ConsumeMetrics(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}

func TestConfig(t *testing.T) {
	factory := platformcoverage.NewFactory(time.Now)
	f := func(want string, change func(*platformcoverage.Config)) {
		t.Helper()
		cfg := factory.CreateDefaultConfig().(*platformcoverage.Config)
		cfg.Inventory = []string{inventory(t, "services: [a]")}
		change(cfg)
		if err := cfg.Validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("", func(*platformcoverage.Config) {})
	f("inventory: want at least one file", func(c *platformcoverage.Config) { c.Inventory = nil })
	f("want at least one file, have none", func(c *platformcoverage.Config) { c.Inventory = []string{"none.yaml"} })
	f("interval: want more than 0s", func(c *platformcoverage.Config) { c.Interval = 0 })
	f("windows::logs: want at least twice the interval of 30s, have 59s", func(c *platformcoverage.Config) { c.Windows.Logs = 59 * time.Second })
}
