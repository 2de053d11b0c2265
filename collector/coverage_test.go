package collector_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/internal/collectortest"
)

const coverageConfig = `
receivers:
  otlp: {protocols: {http: {endpoint: %s}}}
connectors:
  platform_coverage:
    inventory: [%q]
    interval: 50ms
    storage: {directory: %q}
    prometheus: {endpoint: %s}
exporters:
  otlp_http: {endpoint: %s, compression: none, sending_queue: {enabled: false}}
  debug: {}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [debug, platform_coverage]}
    logs: {receivers: [otlp], exporters: [debug, platform_coverage]}
    traces: {receivers: [otlp], exporters: [debug, platform_coverage]}
    metrics/coverage: {receivers: [platform_coverage], exporters: [otlp_http]}
`

// TestCoverage: in the collector as it is built, one connector in pipelines of all signals tells of all of them.
func TestCoverage(t *testing.T) {
	sink := collectortest.NewSink()
	server := httptest.NewServer(sink)
	t.Cleanup(server.Close)
	dir, addr, page := t.TempDir(), collectortest.FreePort(t), collectortest.FreePort(t)
	inventory, config := filepath.Join(dir, "services.yaml"), filepath.Join(dir, "collector.yaml")
	if err := os.WriteFile(inventory, []byte("services: [checkout, {name: quiet, signals: [logs]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(coverageConfig, addr, inventory, filepath.Join(dir, "coverage"), page, server.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := collectortest.Run(t, collector.Settings("test", clock), io.Discard, "file:"+config)
	defer stop()

	metrics, logs, traces := pmetricotlp.NewExportRequest(), plogotlp.NewExportRequest(), ptraceotlp.NewExportRequest()
	m := metrics.Metrics().ResourceMetrics().AppendEmpty()
	m.Resource().Attributes().PutStr("service.name", "checkout")
	gauge := m.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	gauge.SetName("x")
	gauge.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	l := logs.Logs().ResourceLogs().AppendEmpty()
	l.Resource().Attributes().PutStr("service.name", "checkout")
	l.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr(canary)
	s := traces.Traces().ResourceSpans().AppendEmpty()
	s.Resource().Attributes().PutStr("service.name", "checkout")
	s.ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(canary)
	for path, marshal := range map[string]func() ([]byte, error){
		"metrics": metrics.MarshalProto, "logs": logs.MarshalProto, "traces": traces.MarshalProto,
	} {
		body, err := marshal()
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Post("http://"+addr+"/v1/"+path, "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d", path, res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	sink.Wait(t, `"platform.telemetry.coverage"`, `"metrics"`, `"logs"`, `"traces"`, `"platform.telemetry.covered"`)
	series := exposed(t, scrapePage(t, "http://"+page+"/metrics"))
	if got := series["platform_telemetry_covered[platform_telemetry_signal=logs]"]; got != 1 {
		t.Errorf("a scrape says that %v services send logs, want 1: %v", got, series)
	}
	http.DefaultClient.CloseIdleConnections()
	if strings.Contains(sink.Text(), canary) {
		t.Error("something of what passed by goes on")
	}
}
