package collector_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.uber.org/goleak"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/internal/collectortest"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

const (
	secret = "0123456789 is the webhook's secret"
	canary = "s3cr3t-canary"
)

var received = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return received }

// backend takes OTLP over HTTP and keeps the latest value of each series under its Prometheus name.
type backend struct {
	mu     sync.Mutex
	series map[string]float64
	raw    bytes.Buffer
	came   chan struct{}
}

func (b *backend) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	request := pmetricotlp.NewExportRequest()
	if err != nil || request.UnmarshalProto(body) != nil || req.URL.Path != "/v1/metrics" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.raw.Write(body)
	metrics := request.Metrics()
	for i := range metrics.ResourceMetrics().Len() {
		for j := range metrics.ResourceMetrics().At(i).ScopeMetrics().Len() {
			scope := metrics.ResourceMetrics().At(i).ScopeMetrics().At(j)
			for k := range scope.Metrics().Len() {
				b.keep(scope.Metrics().At(k))
			}
		}
	}
	b.mu.Unlock()
	select {
	case b.came <- struct{}{}:
	default:
	}
	answer, _ := pmetricotlp.NewExportResponse().MarshalProto()
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(answer)
}

// keep translates by OpenTelemetry's rules for Prometheus, on its own.
func (b *backend) keep(m pmetric.Metric) {
	name := strings.ReplaceAll(m.Name(), ".", "_")
	if m.Type() == pmetric.MetricTypeSum {
		for i := range m.Sum().DataPoints().Len() {
			p := m.Sum().DataPoints().At(i)
			b.series[name+"_total"+labels(p.Attributes())] = float64(p.IntValue())
		}
		return
	}
	if m.Type() == pmetric.MetricTypeGauge {
		if m.Unit() == "s" {
			name += "_seconds"
		}
		for i := range m.Gauge().DataPoints().Len() {
			p := m.Gauge().DataPoints().At(i)
			b.series[name+labels(p.Attributes())] = p.DoubleValue()
		}
		return
	}
	for i := range m.Histogram().DataPoints().Len() {
		p := m.Histogram().DataPoints().At(i)
		b.series[name+"_seconds_count"+labels(p.Attributes())] = float64(p.Count())
		b.series[name+"_seconds_sum"+labels(p.Attributes())] = p.Sum()
		var sum uint64
		for j, bound := range p.ExplicitBounds().AsRaw() {
			sum += p.BucketCounts().At(j)
			b.series[fmt.Sprint(name, "_seconds_bucket", labels(p.Attributes()), bound)] = float64(sum)
		}
	}
}

func labels(attributes pcommon.Map) string {
	var all []string
	for name, value := range attributes.All() {
		all = append(all, strings.ReplaceAll(name, ".", "_")+"="+value.AsString())
	}
	sort.Strings(all)
	return fmt.Sprint(all)
}

func (b *backend) snapshot() map[string]float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]float64{}
	for name, value := range b.series {
		all[name] = value
	}
	return all
}

// prometheusFace returns the same from the Prometheus face.
func prometheusFace(t *testing.T, c *counters.Counters, now time.Time) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metric.Collector(func() metric.Snapshot {
		s, err := c.Read(now, 0)
		if err != nil {
			t.Error(err)
		}
		return s
	}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return seriesOf(families)
}

// scrapePage returns what a scrape is answered.
func scrapePage(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", url, resp.StatusCode, err)
	}
	return string(text)
}

// exposed returns the series of a page in the text format.
func exposed(t *testing.T, page string) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return seriesOf(slices.Collect(maps.Values(families)))
}

func seriesOf(families []*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			l := promLabels(m.Label)
			if h := m.Histogram; h != nil {
				all[family.GetName()+"_count"+l] = float64(h.GetSampleCount())
				all[family.GetName()+"_sum"+l] = h.GetSampleSum()
				for _, bucket := range h.Bucket {
					if math.IsInf(bucket.GetUpperBound(), 1) {
						continue // is the count, and only text has it
					}
					all[fmt.Sprint(family.GetName(), "_bucket", l, bucket.GetUpperBound())] = float64(bucket.GetCumulativeCount())
				}
				continue
			}
			all[family.GetName()+l] = m.Counter.GetValue() + m.Gauge.GetValue()
		}
	}
	return all
}

func promLabels(pairs []*dto.LabelPair) string {
	var all []string
	for _, l := range pairs {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	sort.Strings(all)
	return fmt.Sprint(all)
}

// deliveries returns the real payloads, some of them with another end, and one full of canaries.
func deliveries(t *testing.T) [][]byte {
	t.Helper()
	dir := "../exporters/pipelines/sources/testdata/github/"
	var all [][]byte
	add := func(name string, values map[string]any) {
		body, err := os.ReadFile(dir + name + ".payload.json")
		if err != nil {
			t.Fatal(err)
		}
		if body, err = exportertest.Replace(body, values); err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	add("requested", nil)
	add("completed", nil)
	add("completed", nil)
	add("completed.with-pull-requests", nil)
	add("requested.with-conclusion", map[string]any{"workflow_run.id": 2})
	for i, conclusion := range []string{"failure", "timed_out", "startup_failure", "cancelled", "neutral", canary} {
		add("completed", map[string]any{
			"workflow_run.id": 10 + i, "workflow_run.conclusion": conclusion, "workflow_run.name": "release",
			"workflow_run.run_started_at": received.Add(-time.Hour), "workflow_run.updated_at": received,
		})
	}
	planted, err := exportertest.Plant(all[1], canary, "repository.full_name", "workflow_run.path", "workflow_run.status")
	if err != nil {
		t.Fatal(err)
	}
	if planted, err = exportertest.Replace(planted, map[string]any{"workflow_run.id": 99, "workflow_run.name": "planted"}); err != nil {
		t.Fatal(err)
	}
	return append(all, planted)
}

// TestCollector sends signed deliveries to the real collector and compares what a backend gets over OTLP with the
// Prometheus face of counters that were given the same deliveries: from the receiver, and from the connector that is
// given the receiver's logs. What either shows to a scrape is the same again.
func TestCollector(t *testing.T) {
	t.Run("receiver", func(t *testing.T) {
		testCollector(t, "receiver", `metrics: {receivers: [platform_events], exporters: [otlp_http, debug]}`)
	})
	t.Run("connector", func(t *testing.T) {
		testCollector(t, "connector", `
    logs: {receivers: [platform_events], exporters: [platform_sli, debug]}
    metrics: {receivers: [platform_sli], exporters: [otlp_http, debug]}
    traces: {receivers: [platform_events], exporters: [debug]}`)
	})
}

func testCollector(t *testing.T, who, inPipelines string) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	sink := &backend{series: map[string]float64{}, came: make(chan struct{}, 1)}
	otlp := httptest.NewServer(sink)
	defer otlp.Close()
	var clock atomic.Int64 // seconds after received
	now := func() time.Time { return received.Add(time.Duration(clock.Load()) * time.Second) }
	endpoint, scraped := collectortest.FreePort(t), map[string]string{"receiver": collectortest.FreePort(t), "connector": collectortest.FreePort(t)}
	var logs bytes.Buffer
	stop := collectortest.Run(t, collector.Settings("test", now), &logs, "yaml:"+fmt.Sprintf(`
receivers: {platform_events: {endpoint: %q, interval: 50ms, sources: {github: {secrets: [%q]}}, prometheus: {endpoint: %q}}}
connectors: {platform_sli: {interval: 50ms, prometheus: {endpoint: %q}}}
exporters: {otlp_http: {endpoint: %q, compression: none}, debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}, logs: {level: debug}}
  pipelines:
    %s
`, endpoint, secret, scraped["receiver"], scraped["connector"], otlp.URL, inPipelines))

	counters := counters.New(received, pipelines.New(pipelines.Options{}))
	for _, body := range deliveries(t) {
		header := http.Header{
			"X-Github-Event": {"workflow_run"}, "X-Hub-Signature-256": {exportertest.GitHubSignature(secret, body)},
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+endpoint+"/github", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("status %d, want 202", resp.StatusCode)
		}
		events, err := sources.GitHub(header, body, received)
		if err != nil {
			t.Fatal(err)
		}
		if err := counters.Add(events...); err != nil {
			t.Fatal(err)
		}
	}
	clock.Store(3600) // failures settle
	want := prometheusFace(t, counters, now())
	deadline := time.After(30 * time.Second)
	for cmp.Diff(want, sink.snapshot()) != "" {
		select {
		case <-sink.came:
		case <-deadline:
			t.Fatalf("OTLP and Prometheus differ (-Prometheus +OTLP):\n%s", cmp.Diff(want, sink.snapshot()))
		}
	}
	page := scrapePage(t, "http://"+scraped[who]+"/metrics")
	if diff := cmp.Diff(want, exposed(t, page)); diff != "" {
		t.Errorf("what is scraped is not what is passed on (-passed on +scraped):\n%s", diff)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()

	const failed = "cicd_pipeline_run_outcomes_total[cicd_pipeline_name=release cicd_pipeline_result=failure cicd_pipeline_trigger=manual platform_attempt=final platform_outcome=bad vcs_owner_name=octo-org vcs_ref_kind=default vcs_repository_name=octo-repo]"
	if want[failed] != 1 || len(want) < 30 {
		t.Errorf("hardly anything was compared: %d series, %v", len(want), want)
	}
	for where, text := range map[string]string{"OTLP": sink.raw.String(), "the log": logs.String(), "Prometheus": page} {
		for _, hidden := range []string{canary, secret} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s shows %q", where, hidden)
			}
		}
	}
}
