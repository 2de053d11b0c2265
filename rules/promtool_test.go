package rules_test

import (
	"cmp"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// rehearsals is a set of SLOs for which tests can be written, in the forms in which people write queries.
func rehearsals() string {
	regexps := sliSpec("regexps", `sli: {events: {bad: 'r_total{job=~"a|b",code=~"(5[0-9]{2}|timeout).*",path!~"/health.*"}', total: 'r_total{job=~"a|b",path!~"/health.*"}'}}`)
	return availability("99.9%", "{rolling: 30d}", "", "three-nines", "it-s") +
		sliSpec("good", `sli: {events: {good: 'sum(done_total{result="ok"})', total: sum(done_total)}}`) +
		sliSpec("two-names", `sli: {events: {bad: 'errors_total{app="x"}', total: 'requests_total{app="x"}'}}`) + regexps +
		sliSpec("grouped", "groupBy: [tenant]\nsli: {events: {bad: 'r_total{code=~\"5..\"}', total: r_total}}") +
		sliSpec("latency", `sli: {latency: {histogram: 'rpc_seconds{job="api"}', threshold: 300ms}}`) +
		sliSpec("below", `sli: {threshold: {metric: 'max(queue_length{queue="mail"})', op: "<", value: 0.5}}`) +
		sliSpec("probe", `sli: {availability: {probe: 'probe_success{job="probe"}'}}`) +
		sliSpec("missing-is-bad", "noData: {treatAs: bad}\nsli: {availability: {probe: probe_success}}") +
		sliSpec("backup", `sli: {freshness: {timestamp: backup_time, maxAge: 26h}}`) +
		strings.Replace(sliSpec("no-budget", `sli: {events: {bad: lost_total, total: sent_total}}`), "99%", "100%", 1) +
		strings.Replace(sliSpec("nine-of-ten", `sli: {events: {bad: lost_total, total: sent_total}}`), "99%", "90%", 1) +
		strings.Replace(sliSpec("month", `sli: {events: {bad: lost_total, total: sent_total}}`), `"99%"`, `"99.7%", window: {calendar: month, timeZone: Europe/Berlin}`, 1) +
		sliSpec("no-pages", "alerting: {page: false}\nsli: {events: {bad: lost_total, total: sent_total}}") +
		sliSpec("slow-clock", "dataSource: slow\nsli: {events: {bad: lost_total, total: sent_total}}") +
		sliSpec("poisson", "alerting: {profile: poisson}\nsli: {availability: {probe: probe_success}}") +
		sliSpec("long-page", "alerting: {profile: long}\nsli: {events: {bad: lost_total, total: sent_total}}") + `---
apiVersion: plimsoll.dev/v1
kind: DataSource
metadata: {name: slow}
spec: {type: prometheus, scrapeInterval: 1m, evaluationInterval: 2m}
---
apiVersion: plimsoll.dev/v1
kind: AlertProfile
metadata: {name: poisson}
spec:
  tiers: [{severity: page, long: 1h, short: 5m, burnRate: 14.4}]
  evidence: {test: poisson, significance: "0.1%"}
---
apiVersion: plimsoll.dev/v1
kind: AlertProfile
metadata: {name: long}
spec:
  tiers: [{severity: page, long: 1d, short: 2h, burnRate: 6}]
`
}

// Each generated test passes on the engine, and on promtool where there is one; and each fails if what it says is
// wrong. Each kind of SLI that has tests is among them.
func TestPromtoolTestsPass(t *testing.T) {
	t.Parallel()
	set := compile(t, rehearsals())
	o := rules.Options{GroupSize: 2}
	files, err := rules.Files(set, o)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := rules.PromtoolTests(set, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(tests) != len(set.SLOs) {
		t.Fatalf("got %d files for %d SLOs", len(tests), len(set.SLOs))
	}
	for i, f := range tests {
		if want := set.SLOs[i].Name + ".test.yaml"; f.Name != want {
			t.Errorf("file %q, want %q", f.Name, want)
		}
		checkRehearsal(t, f, files)
	}
	onPromtool(t, files, tests, true)
	for _, lie := range [][2]string{{"x30 ", "x31 "}, {"x30 ", "x29 "}, {"value: 0.5", "value: 0.6"}} { // of the outage's beginning, and the budget
		for _, f := range tests {
			if f.Name == "three-nines.test.yaml" {
				f.Content = []byte(strings.Replace(string(f.Content), lie[0], lie[1], 2))
				onPromtool(t, files, []rules.File{f}, false)
			}
		}
	}
}

// SLOs without tests say why, and their files load.
func TestPromtoolTestsSayWhyNot(t *testing.T) {
	t.Parallel()
	set := kinds(t)
	files, err := rules.Files(set, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tests, err := rules.PromtoolTests(set, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{
		"composite": "kind composite", "coverage": "kind coverage", "deadline": "kind deadline", "raw": "kind raw", "spend": "kind spend",
		"latency-native": "native histograms", "slices": "time slices", "ratio-slices": "time slices", "weighted": "kind composite",
		"events-good": "more than one selector", "events-expression": "more than one selector",
	}
	for _, f := range tests {
		text, name := string(f.Content), strings.TrimSuffix(f.Name, ".test.yaml")
		if !strings.HasPrefix(text, rules.Header+"\n") {
			t.Errorf("%s does not begin with the header", f.Name)
		}
		has := strings.Contains(text, "has no tests: ")
		if want := why[name]; has != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%s: want reason %q:\n%s", f.Name, want, text)
		}
	}
	onPromtool(t, files, tests, true)
	for _, target := range []rules.Target{rules.PrometheusOperator, rules.VictoriaMetrics} {
		tests, err := rules.PromtoolTests(without(set, "latency-native"), rules.Options{Target: target})
		if err != nil || len(tests) == 0 || strings.Contains(string(tests[0].Content), "rule_files") {
			t.Errorf("target %s: got %v, %s", target, err, tests[0].Content)
		}
	}
}

// onPromtool runs the real promtool, named by PROMTOOL or built into bin, if there is one.
func onPromtool(t *testing.T, files, tests []rules.File, pass bool) {
	t.Helper()
	tool, err := filepath.Abs(cmp.Or(os.Getenv("PROMTOOL"), "../bin/promtool"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tool); err != nil {
		t.Logf("no promtool: the tests ran on the engine only")
		return
	}
	dir := t.TempDir()
	args := []string{"test", "rules"}
	write := func(f rules.File, into string) string {
		name := filepath.Join(into, f.Name)
		if err := os.WriteFile(name, f.Content, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, f := range files {
		write(f, dir)
	}
	if err := os.Mkdir(filepath.Join(dir, "tests"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range tests {
		args = append(args, write(f, filepath.Join(dir, "tests")))
	}
	out, err := exec.Command(tool, args...).CombinedOutput()
	if (err == nil) != pass {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// checkRehearsal evaluates the tests of a file on the engine.
func checkRehearsal(t *testing.T, f rules.File, files []rules.File) {
	t.Helper()
	var w *world
	var rule string
	tick, end := time.Duration(0), time.Duration(0)
	inputs := map[string]string{}
	series, expr, at, tests := "", "", time.Duration(0), 0
	for line := range strings.Lines(string(f.Content)) {
		key, value, _ := strings.Cut(strings.TrimLeft(strings.TrimSpace(line), "- "), ": ")
		switch key {
		case "evaluation_interval":
			tick, _ = promql.ParseDuration(value)
		case "name":
			clear(inputs)
			w, end = nil, 0
		case "series":
			series = strings.Trim(value, "'")
		case "values":
			inputs[series] = strings.Trim(value, `"`)
		case "expr":
			expr = strings.Trim(value, "'")
		case "eval_time":
			at, _ = promql.ParseDuration(value)
			if w == nil {
				w = rehearse(t, rule, files, inputs, tick)
			}
			end = w.upTo(end, at, tick)
			tests++
		case "exp_samples", "{labels":
			if key == "exp_samples" && value == "" {
				continue
			}
			_, value, _ = strings.Cut(line, "value: ")
			want := strings.TrimRight(strings.TrimSpace(value), "}")
			got := math.NaN()
			if v, err := w.engine.Query(context.Background(), expr, time.Unix(0, 0).Add(at)); err == nil && len(v) == 1 {
				got = v[0].V
			}
			number, err := strconv.ParseFloat(want, 64)
			if err != nil {
				number = math.NaN()
			}
			if math.Abs(got-number) > 1e-9 || math.IsNaN(got) != math.IsNaN(number) {
				t.Errorf("%s: %s at %v: got %v, want %v", f.Name, expr, at, got, number)
			}
		default:
			if name, ok := strings.CutPrefix(key, "../"); ok {
				rule = name
			}
		}
	}
	if tests == 0 {
		t.Errorf("%s has no tests:\n%s", f.Name, f.Content)
	}
}

// rehearse returns a world that begins at the epoch with the rules of one file and the given series.
func rehearse(t *testing.T, rule string, files []rules.File, inputs map[string]string, tick time.Duration) *world {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w := &world{t: t, store: st, series: map[string]*store.Series{}}
	if w.engine, err = engine.Open(st, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name != rule {
			continue
		}
		if err := w.engine.Load(engine.RuleFile{Name: f.Name, Content: f.Content}); err != nil {
			t.Fatal(err)
		}
	}
	p := parser.NewParser(parser.Options{})
	for series, values := range inputs {
		labels, vs, err := p.ParseSeriesDesc(series + " " + values)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range vs {
			if err := w.put(time.Unix(int64(i)*60, 0), sample{labels.Map(), v.Value}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// upTo evaluates the ticks after done up to at and returns the last one.
func (w *world) upTo(done, at, tick time.Duration) time.Duration {
	w.t.Helper()
	for done+tick <= at {
		done += tick
		if _, err := w.engine.EvalAt(context.Background(), time.Unix(0, 0).Add(done)); err != nil {
			w.t.Fatal(err)
		}
	}
	return done
}

func TestPromtoolTestsAreDeterministic(t *testing.T) {
	a, err := rules.PromtoolTests(compile(t, rehearsals()), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := rules.PromtoolTests(compile(t, rehearsals()), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if a[i].Name != b[i].Name || string(a[i].Content) != string(b[i].Content) {
			t.Errorf("%s differs", a[i].Name)
		}
	}
}
