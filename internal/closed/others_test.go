package closed_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/dashboards"
	"github.com/plimsoll-slo/plimsoll/internal/closed"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const ownRules = `groups:
  - name: own
    rules:
      - record: shop:requests:rate5m
        expr: sum by (code) (rate(http_requests_total{job="shop"}[5m]))
      - alert: Slow
        expr: |
          shop:requests:rate5m{codes="500"} > 1
            and on () shop:request:rate5m > 0
        labels: {severity: page}
      - alert: Broken
        expr: sum(
`

const ownDashboard = `{
  "panels": [
    {"type": "row", "panels": [{"targets": [
      {"expr": "sum by (code) (rate(http_requests_total{job=~\"$job\"}[$__rate_interval])) / $scale"},
      {"expr": "max_over_time(shop:requests:rate5m{code=\"5\"}[$__range:${step}] offset $ago) > [[limit]]"},
      {"expr": "sum by (handler) (http_requests_total)"}
    ]}]},
    {"targets": [{"datasource": {"type": "loki"}, "expr": "{app=\"x\"} | nothing"}]}
  ],
  "templating": {"list": [{"definition": "label_values(http_request_total{job=\"shop\"}, code)"}]},
  "annotations": {"list": [{"expr": "ALERTS{alertname=\"Slow\",severity=\"page\",sev=\"1\"}"}]}
}
`

func TestOthers(t *testing.T) {
	files := spec(", series: [{name: http_requests_total, labels: [code]}]", "", "    events: {bad: 'http_requests_total{code=\"500\"}', total: 'http_requests_total'}\n")
	l, err := closed.Others(compile(t, files), []slo.File{{Name: "own.yaml", Text: []byte(ownRules)}, {Name: "own.json", Text: []byte(ownDashboard)}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range l {
		got = append(got, d.String())
	}
	want := []string{
		`own.json:6:25: error: no series under this aggregation has the label "handler" [label-unknown]`,
		`own.json:10:56: error: nothing records or exports http_request_total [series-unknown]`,
		`own.json:11:82: error: ALERTS has no label "sev" [label-unknown]`,
		`own.yaml:8:32: error: shop:requests:rate5m has no label "codes" [label-unknown]`,
		`own.yaml:9:23: error: nothing records or exports shop:request:rate5m [series-unknown]`,
		`own.yaml:12:18: error: this "(" is never closed [promql-syntax]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What build writes for the examples has no findings: the files that people load
// are read back, rules and dashboards.
func TestOthersOfGenerated(t *testing.T) {
	for name, files := range examples(t) {
		set := compile(t, files)
		var out []slo.File
		rf, err := rules.Files(set, rules.Options{Target: rules.Prometheus})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range rf {
			out = append(out, slo.File{Name: f.Name, Text: f.Content})
		}
		df, err := dashboards.Generate(set, dashboards.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range df {
			out = append(out, slo.File{Name: f.Name, Text: f.Content})
		}
		l, err := closed.Others(set, out)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range l {
			if i < 10 {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}
