//go:build real

package realtest

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const hookSecret = "0123456789abcdef-hook"

const pipelinesCollector = `
extensions: {health_check: {endpoint: %s}}
receivers:
  platform_events:
    endpoint: %s
    interval: 1s
    settle: 1s
    storage: {directory: %q}
    sources: {github: {secrets: [%s]}}
exporters:
  otlp_http:
    metrics_endpoint: http://%s/api/v1/otlp/v1/metrics
    compression: none
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [platform_events], exporters: [otlp_http]}}
`

// TestPipelines goes the whole way: signed webhooks to the collector, OTLP to plimsoll serve, the SLO of the example on
// the outcomes of runs, its budget and its page. The collector is killed in between, and every delivery comes twice.
func TestPipelines(t *testing.T) {
	t.Parallel()
	specs := "testdata/pipelines"
	pack, err := os.ReadFile("../../examples/platform-team/slos/pipelines.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := os.ReadFile(specs + "/slos.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, sli, _ := strings.Cut(string(spec), "  sli:\n")
	if len(sli) < 100 || !strings.Contains(string(pack), sli) {
		t.Fatalf("the SLI is not that of the example:\n%s", sli)
	}
	h := newHook(t)
	am := alertmanager(t, t.TempDir(), address(t), h)
	addr, in, health, dir := address(t), address(t), address(t), t.TempDir()
	db := &database{server: start(t, "plimsoll", addr, "/-/ready",
		"serve", "--specs", specs, "--data", dir+"/data", "--listen", addr, "--alertmanager", am.url)}
	config := write(t, dir, "collector.yaml", fmt.Sprintf(pipelinesCollector, health, in, dir+"/ledger", hookSecret, addr))
	collector := start(t, "plimsoll-collector", health, "/", "--config", config)
	p := &pushes{t: t, url: "http://" + in + "/github"}

	p.run("success") // from which on runs count
	db.await("two evaluations with telemetry", startWithin, func() bool {
		return len(db.query(`slo:telemetry:state{slo="pipelines-final-success"} == 2 and on (slo) slo:info offset 50s`, time.Now())) == 1
	})
	before := p.good
	for range 40 {
		p.run("success")
	}
	collector.kill()
	collector = start(t, "plimsoll-collector", health, "/", "--config", config)
	for range 20 {
		p.run("failure")
	}
	h.expect(am, "firing pipelines-final-success page")
	events, bad := p.good-before+p.bad, p.bad
	want := 1 - float64(bad)/float64(events)/.02
	left := math.NaN()
	db.await(fmt.Sprintf("the budget left is %v", want), 15*time.Minute, func() bool {
		for _, s := range db.query(slo.SeriesBudgetRemaining+`{slo="pipelines-final-success"}`, time.Now()) {
			left = s.v
		}
		return math.Abs(left-want) < 1e-9
	})
	t.Logf("%d runs, %d failed: budget left %v", events, bad, left)
}

// pushes delivers runs of one workflow, each twice.
type pushes struct {
	t         testing.TB
	url       string
	good, bad int
}

func (p *pushes) run(conclusion string) {
	p.t.Helper()
	if conclusion == "success" {
		p.good++
	} else {
		p.bad++
	}
	payload := exportertest.Read(p.t, "../../exporters/pipelines/sources/testdata/github/completed.payload.json")
	now := time.Now().UTC()
	body, err := exportertest.Replace(payload, map[string]any{
		"workflow_run.id": 1_000_000 + p.good + p.bad, "workflow_run.conclusion": conclusion,
		"workflow_run.run_started_at": now.Add(-time.Minute).Format(time.RFC3339), "workflow_run.updated_at": now.Format(time.RFC3339),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	for range 2 {
		req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url, bytes.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GitHub-Event", "workflow_run")
		req.Header.Set("X-Hub-Signature-256", exportertest.GitHubSignature(hookSecret, body))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			p.t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			p.t.Fatalf("a delivery was answered %s", res.Status)
		}
	}
}
