package pipelines_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

// realDeliveries returns counters that have read all the real payloads and histories.
func realDeliveries(t *testing.T) *counters.Counters {
	t.Helper()
	c := counters.New(observed, pipelines.New(pipelines.Options{}))
	var events []event.Event
	files, err := filepath.Glob("sources/testdata/github/*.payload.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		kind, _, _ := strings.Cut(filepath.Base(file), ".")
		if kind == "completed" || kind == "requested" {
			kind = "workflow_run"
		}
		decoded, err := sources.GitHub(delivery(kind), exportertest.Read(t, file), observed)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, decoded...)
	}
	for _, name := range []string{"pipelines", "pipeline_details"} {
		decoded, err := sources.History(exportertest.Read(t, "sources/testdata/gitlab/"+name+".csv"), observed, sources.GitLabPipeline)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, decoded...)
	}
	if err := c.Add(events...); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(observed.AddDate(0, 2, 0), 0); err != nil {
		t.Fatal(err)
	}
	return c
}

// whole is everything c shows two months after it was given the real deliveries.
func whole(c *counters.Counters) metric.Snapshot {
	s, err := c.Read(observed.AddDate(0, 2, 0), 0)
	if err != nil {
		panic(err)
	}
	return s
}

func exposition(t *testing.T, c *counters.Counters) []byte {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metric.Collector(func() metric.Snapshot { return whole(c) }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&b, family); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestCollector(t *testing.T) {
	c := realDeliveries(t)
	golden.Check(t, *update, "testdata/history.prom", exposition(t, c))
	collector := metric.Collector(func() metric.Snapshot { return whole(c) })
	if err := testutil.CollectAndCompare(collector, bytes.NewReader(exportertest.Read(t, "testdata/history.prom"))); err != nil {
		t.Error(err)
	}
	problems, err := testutil.CollectAndLint(collector)
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

func TestCollectorOverflow(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{MaxSeries: 1}))
	for i, workflow := range []string{"a", "b"} {
		s := step{run: int64(i + 1), attempt: 1, at: 1, status: "completed", result: "success", workflow: workflow}
		if err := c.Add(s.event(t, 0)); err != nil {
			t.Fatal(err)
		}
	}
	collector := metric.Collector(func() metric.Snapshot { return reading(c) })
	if problems, err := testutil.CollectAndLint(collector); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	line := `cicd_pipeline_run_outcomes_total{cicd_pipeline_result="success",cicd_pipeline_trigger="other",otel_metric_overflow="true",platform_attempt="final",platform_outcome="good",vcs_ref_kind="other"} 2`
	if text := string(exposition(t, c)); !strings.Contains(text, line+"\n") {
		t.Errorf("want the line\n%s\nhave\n%s", line, text)
	}
}

// TestCanary plants a secret in every text of a delivery but the names that are meant to be shown.
func TestCanary(t *testing.T) {
	const canary = "s3cr3t-canary"
	body, err := exportertest.Plant(exportertest.Read(t, "sources/testdata/github/completed.with-pull-requests.payload.json"), canary, "repository.full_name", "workflow_run.path")
	if err != nil {
		t.Fatal(err)
	}
	body, err = exportertest.Replace(body, map[string]any{"workflow_run.name": ""})
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(body, []byte(canary)); n < 250 {
		t.Fatalf("planted only %d canaries", n)
	}
	e := decodeOne(t, delivery("workflow_run"), body)
	c := counters.New(observed, pipelines.New(pipelines.Options{}))
	if err := c.Add(e); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(observed.AddDate(1, 0, 0), 0); err != nil {
		t.Fatal(err)
	}
	shown := string(exportertest.Lines(t, []event.Event{e})) + string(exposition(t, c))
	if strings.Contains(shown, canary) {
		t.Errorf("the canary is in\n%s", shown)
	}
	if !strings.Contains(shown, `vcs_repository_name="octo-repo"`) {
		t.Errorf("nothing was counted:\n%s", shown)
	}
}
