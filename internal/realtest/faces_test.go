//go:build real

package realtest

import (
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

const facesCollector = `
extensions: {health_check: {endpoint: %s}}
receivers:
  platform_events:
    endpoint: %s
    interval: 1s
    settle: 1s
    prometheus: {endpoint: %s}
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

// TestFaces has one Prometheus take both faces of one collector: what it scrapes and what it is sent over OTLP are the
// same series with the same values, by the names that Prometheus itself gives to the latter.
func TestFaces(t *testing.T) {
	t.Parallel()
	addr, in, health, page, dir := address(t), address(t), address(t), address(t), t.TempDir()
	scrape := write(t, dir, "prometheus.yml", fmt.Sprintf(
		"scrape_configs: [{job_name: scraped, scrape_interval: 1s, static_configs: [{targets: [%q]}]}]\n", page))
	db := &database{server: start(t, "prometheus", addr, "/-/ready", "--config.file="+scrape, "--storage.tsdb.path="+dir+"/data",
		"--web.listen-address="+addr, "--web.enable-otlp-receiver", "--log.level=warn")}
	config := write(t, dir, "collector.yaml", fmt.Sprintf(facesCollector, health, in, page, hookSecret, addr))
	start(t, "plimsoll-collector", health, "/", "--config", config)
	p := &pushes{t: t, url: "http://" + in + "/github"}
	for _, conclusion := range []string{"success", "failure", "success", "timed_out", "cancelled"} {
		p.run(conclusion)
	}
	const final = `sum(cicd_pipeline_run_outcomes_total{platform_attempt="final",job%s"scraped"})`
	db.await("all runs are final on both faces", startWithin, func() bool {
		for _, is := range []string{"=", "!="} {
			if s := db.query(fmt.Sprintf(final, is), time.Now()); len(s) != 1 || s[0].v != 5 {
				return false
			}
		}
		return true
	})
	diff, series := "", 0
	db.await("both faces are equal", startWithin, func() bool {
		now := time.Now()
		scraped, sent := db.face(`job="scraped"`, now), db.face(`job!="scraped"`, now)
		diff, series = cmp.Diff(sent, scraped), len(sent)
		return diff == "" && series > 20
	})
	t.Logf("%d series are equal on both faces", series)
}

// face returns the series of the domains that have some label, without those that say how they came.
func (d *database) face(with string, now time.Time) map[string]float64 {
	d.t.Helper()
	out := map[string]float64{}
	for _, s := range d.query(`{__name__=~"(cicd|platform|deployment|secret|incident)_.+",`+with+`}`, now) {
		l := maps.Clone(s.labels)
		for _, name := range []string{"job", "instance", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"} {
			delete(l, name)
		}
		if le, err := strconv.ParseFloat(l["le"], 64); err == nil {
			l["le"] = strconv.FormatFloat(le, 'g', -1, 64)
		}
		out[store.Labels(l).String()] = s.v
	}
	return out
}
