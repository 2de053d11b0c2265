package alertmanager_test

import (
	"bytes"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/rules/alertmanager"
	"github.com/plimsoll-slo/plimsoll/slo"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// compile compiles the files of a directory.
func compile(t testing.TB, paths ...string) *slo.Set {
	t.Helper()
	files, l := slo.ReadFiles(paths...)
	set, more := slo.Compile(files)
	if l.Failed() || more.Failed() {
		t.Fatalf("%v does not compile: %v %v", paths, l, more)
	}
	return set
}

// parse compiles a text.
func parse(t testing.TB, text string) *slo.Set {
	t.Helper()
	set, l := slo.Compile([]slo.File{{Name: "slo.yaml", Text: []byte(text)}})
	if l.Failed() {
		t.Fatalf("the specs do not compile: %v", l)
	}
	return set
}

func generate(t testing.TB, set *slo.Set, o alertmanager.Options) alertmanager.Config {
	t.Helper()
	c, err := alertmanager.Generate(set, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFilesGolden(t *testing.T) {
	for name, paths := range map[string][]string{
		"platform-team": {"../../examples/platform-team"},
		"web-service":   {"../../examples/web-service"},
		"mutes":         {"../../internal/realtest/testdata/alertmanager", "../../internal/realtest/testdata/mutes"},
	} {
		files, err := alertmanager.Files(compile(t, paths...), alertmanager.Options{Apart: []string{"cluster"}})
		if err != nil || len(files) != 2 {
			t.Fatalf("%s: want two files, have %d, %v", name, len(files), err)
		}
		if files[0].Name != alertmanager.TemplatesName || !bytes.HasPrefix(files[0].Content, []byte(alertmanager.TemplatesHeader+"\n")) {
			t.Errorf("want the templates with their header first, have %s", files[0].Name)
		}
		golden.Check(t, *update, filepath.Join("testdata", name+".yml"), files[1].Content)
	}
}

// TestNoSLOs wants nothing but the templates from a set without SLOs.
func TestNoSLOs(t *testing.T) {
	for _, p := range generate(t, &slo.Set{}, alertmanager.Options{}).Parts() {
		if (p.Items != "") != (p.Path == "templates") {
			t.Errorf("%s: have %q", p.Path, p.Items)
		}
	}
}

// TestReferences wants each receiver once, at the place that names it first.
func TestReferences(t *testing.T) {
	set := parse(t, `apiVersion: plimsoll.dev/v1
kind: Service
metadata: {name: shop}
spec:
  owner: {team: shop, page: pager, ticket: tickets}
---
apiVersion: plimsoll.dev/v1
kind: BudgetPolicy
metadata: {name: p}
spec:
  states: [{name: frozen, budgetBelow: "0%", action: freeze}]
  escalations: [{burnRateAbove: 2, for: 1h, notify: boss}]
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: a}
spec:
  service: shop
  owner: {page: own}
  objective: {target: "99.9%"}
  policy: p
  sli: {events: {bad: e_total, total: r_total}}
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: b}
spec:
  service: shop
  objective: {target: "99.9%"}
  sli: {events: {bad: f_total, total: r_total}}
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: silent}
spec:
  service: shop
  owner: {page: never, ticket: never}
  objective: {target: "99.9%"}
  alerting: {page: false, ticket: false}
  noData: {notify: none}
  sli: {events: {bad: g_total, total: r_total}}
`)
	var got []string
	for _, r := range generate(t, set, alertmanager.Options{}).Receivers {
		got = append(got, r.Receiver+" "+r.At.String())
	}
	want := []string{"boss slo.yaml:12:53", "own slo.yaml:19:17", "pager slo.yaml:5:29", "tickets slo.yaml:5:44"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("receivers (-want +got):\n%s", diff)
	}
}

// TestObservabilityAnnotation refuses what is neither yes nor no.
func TestObservabilityAnnotation(t *testing.T) {
	set := &slo.Set{SLOs: []slo.SLO{{Meta: slo.Meta{Name: "s"}}}, Services: []slo.Service{{Meta: slo.Meta{Name: "a", Annotations: map[string]string{alertmanager.AnnotationObservability: "yes"}}}}}
	if _, err := alertmanager.Generate(set, alertmanager.Options{}); err == nil || !strings.Contains(err.Error(), `"yes"`) {
		t.Errorf(`want an error that names "yes", have %v`, err)
	}
}
