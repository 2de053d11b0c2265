package closed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/closed"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// spec is a data source and an SLO with the given SLI.
func spec(source, more, sli string) []slo.File {
	return []slo.File{{Name: "a.yaml", Text: []byte(`apiVersion: plimsoll.dev/v1
kind: DataSource
metadata: {name: default}
spec: {type: prometheus` + source + `}
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: a}
spec:
  service: web
  owner: {team: web}
  objective: {target: "99%"}
` + more + `  sli:
` + sli)}}
}

func compile(t *testing.T, files []slo.File) *slo.Set {
	t.Helper()
	set, l := slo.Compile(files)
	if l.Failed() {
		t.Fatal(l)
	}
	return set
}

func TestSpecs(t *testing.T) {
	f := func(source, more, sli string, want ...string) {
		t.Helper()
		files := spec(source, more, sli)
		l, err := closed.Specs(compile(t, files), files)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range l {
			got = append(got, d.String()+" / "+d.Hint)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sli, diff)
		}
	}
	events := "    events: {bad: 'http_requests_total{code=~\"5..\"}', total: 'http_requests_total'}\n"
	declared := ", series: [{name: http_requests_total, labels: [code]}]"
	f(declared, "", events)
	f("", "", events,
		`a.yaml:14:20: error: nothing records or exports http_requests_total [series-unknown] / declare it under series of DataSource "default"`,
		`a.yaml:14:63: error: nothing records or exports http_requests_total [series-unknown] / declare it under series of DataSource "default"`)
	f(", series: [{name: http_requests_total, labels: [code, method]}]", "", strings.ReplaceAll(events, "code=", "cod="),
		`a.yaml:14:40: error: http_requests_total has no label "cod" [label-unknown] / did you mean "code"?`)
	f(", series: [{name: http_request_total, labels: [code]}]", "", strings.ReplaceAll(events, "'http_requests_total'", "http_request_total"),
		`a.yaml:14:20: error: nothing records or exports http_requests_total [series-unknown] / did you mean "http_request_total"?`)
	// The parts of a histogram, not its base name, are what is read.
	latency := "    latency: {histogram: 'http_request_duration_seconds{code=\"200\"}', threshold: 1s}\n"
	f(", series: [{name: http_request_duration_seconds, type: histogram, labels: [code]}]", "", latency)
	f(", series: [{name: http_request_duration_seconds, labels: [code]}]", "", latency,
		`a.yaml:14:27: error: nothing records or exports http_request_duration_seconds_bucket [series-unknown] / declare it under series of DataSource "default"`,
		`a.yaml:14:27: error: nothing records or exports http_request_duration_seconds_count [series-unknown] / declare it under series of DataSource "default"`)
	// Telemetry that is known, but not in use.
	runs := "    events: {bad: 'cicd_pipeline_run_outcomes_total{platform_outcome=\"bad\"}', total: cicd_pipeline_run_outcomes_total}\n"
	f(", telemetry: [pipelines]", "", runs)
	f(", telemetry: [cost]", "", runs,
		`a.yaml:14:20: error: nothing records or exports cicd_pipeline_run_outcomes_total [series-unknown] / add pipelines to telemetry of DataSource "default", if it is kept there`,
		`a.yaml:14:86: error: nothing records or exports cicd_pipeline_run_outcomes_total [series-unknown] / add pipelines to telemetry of DataSource "default", if it is kept there`)
	f(", telemetry: [pipelines]", "", strings.ReplaceAll(runs, "platform_outcome", "outcome"),
		`a.yaml:14:53: error: cicd_pipeline_run_outcomes_total has no label "outcome" [label-unknown] / its labels are cicd_pipeline_name, cicd_pipeline_result, `+
			`cicd_pipeline_trigger, instance, job, otel_metric_overflow, platform_attempt, platform_outcome, vcs_owner_name, vcs_ref_kind, vcs_repository_name`)
	// Labels that aggregations, matching and groups need.
	gauge := "    coverage: {observed: 'sum by (%s) (up)', expected: 'count(up)'}\n"
	f("", "", strings.ReplaceAll(gauge, "%s", "job"))
	f("", "", strings.ReplaceAll(gauge, "%s", "region"),
		`a.yaml:14:35: error: no series under this aggregation has the label "region" [label-unknown] / the labels there are instance, job`)
	f(", labels: [region]", "", strings.ReplaceAll(gauge, "%s", "region"))
	f(declared, "  groupBy: [region]\n", events,
		`a.yaml:13:13: error: the series of a query of this SLO have no label "region" [label-unknown] / name it under labels of DataSource "default", if relabelling puts it on`)
	f(declared+", labels: [region]", "  groupBy: [region]\n", events)
	// A query may read what the rules record.
	f(declared, "", "    threshold: {metric: 'min(slo:budget_remaining:ratio{slo=\"a\"})', op: '>', value: 0}\n")
}

// examples returns the files of each example.
func examples(t *testing.T) map[string][]slo.File {
	t.Helper()
	root := filepath.Join("..", "..", "examples")
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]slo.File{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		files, l := slo.ReadFiles(filepath.Join(root, e.Name()))
		if l.Failed() {
			t.Fatal(l)
		}
		if e.Name() == "quickstart" { // the smallest spec says nothing of where its series are
			files = append(files, slo.File{Name: "added.yaml", Text: []byte("apiVersion: plimsoll.dev/v1\nkind: DataSource\nmetadata: {name: default}\n" +
				"spec: {type: prometheus, series: [{name: http_requests_total, labels: [code]}]}\n")})
		}
		out[e.Name()] = files
	}
	if len(out) < 3 {
		t.Fatalf("found %d examples", len(out))
	}
	return out
}

// Every query of the examples, and every rule and alert made of them, reads what
// is recorded or declared.
func TestExamples(t *testing.T) {
	for name, files := range examples(t) {
		set := compile(t, files)
		l, err := closed.Specs(set, files)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range l {
			t.Errorf("%s: %s / %s", name, d, d.Hint)
		}
		worlds, err := closed.Worlds(set)
		if err != nil {
			t.Fatal(err)
		}
		groups, err := rules.Generate(set, rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, g := range groups {
			for _, r := range g.Rules {
				e, problems := promql.Parse(r.Expr)
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				for _, f := range worlds[g.DataSource].Check(e) {
					t.Errorf("%s: group %s, %s%s: %s (%s)\n%s", name, g.Name, r.Record, r.Alert, f.Msg, f.Hint, r.Expr)
				}
				checked++
			}
		}
		t.Logf("%s: %d rules", name, checked)
	}
}

func TestCheck(t *testing.T) {
	w := closed.New("cluster")
	w.Add("a_total", "x", "y")
	w.Add("b", "x")
	f := func(q, want string) {
		t.Helper()
		e, problems := promql.Parse(q)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := ""
		for _, x := range w.Check(e) {
			got += string(x.Code) + " " + q[x.Off:x.Off+x.Len] + ": " + x.Msg + " (" + x.Hint + ")\n"
		}
		if got != want {
			t.Errorf("%s:\ngot  %swant %s", q, got, want)
		}
	}
	f(`1`, "")
	f(`up{cluster="c"}`, "")
	f(`rate(a_total{x="1"}[5m])`, "")
	f(`rate(a[5m])`, "series-unknown a: nothing records or exports a (did you mean \"a_total\"?)\n")
	f(`b_total`, "series-unknown b_total: nothing records or exports b_total (did you mean \"b\"?)\n")
	f(`zzz`, "series-unknown zzz: nothing records or exports zzz ()\n")
	f(`{__name__=~"a_total|b",x="1"}`, "")
	f(`{__name__=~"a_total|b",z="1"}`, "label-unknown z=\"1\": a_total, b has no label \"z\" (its labels are x, y)\n")
	f(`{__name__=~"c.*"}`, "series-unknown {__name__=~\"c.*\"}: nothing records or exports a series that this selects ()\n")
	f(`{job="x"}`, "") // any series: nothing to say
	f(`sum by (z) (a_total) or zzz`, "series-unknown zzz: nothing records or exports zzz ()\n")
	f(`a_total{y!~"1|2"} * on (x) group_left () b`, "")
	f(`a_total * on (y) group_left () b`, "label-unknown y: no series to the right has the label \"y\" (the labels there are x)\n")
}
