package slo

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

const source = "apiVersion: plimsoll.dev/v1\nkind: DataSource\nmetadata: {name: main}\nspec:\n  type: prometheus\n"

// What is kept in a data source comes out sorted, each thing once.
func TestContentsOfDataSource(t *testing.T) {
	set, l := Compile([]File{{Name: "a.yaml", Text: []byte(source + `
  telemetry: [pipelines, cost]
  labels: [namespace, cluster, namespace]
  series:
    - {name: z_total, labels: [code, app]}
    - {name: a_seconds, type: histogram}
`)}})
	if len(l) > 0 {
		t.Fatal(l)
	}
	got, _ := set.DataSource("main")
	if !slices.Equal(got.Telemetry, []string{"cost", "pipelines"}) || !slices.Equal(got.Labels, []string{"cluster", "namespace"}) {
		t.Errorf("telemetry %q, labels %q", got.Telemetry, got.Labels)
	}
	want := []ExternalSeries{{Name: "a_seconds", Histogram: true}, {Name: "z_total", Labels: []string{"app", "code"}}}
	if diff := cmp.Diff(want, got.Series); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestContentsRefuse(t *testing.T) {
	f := func(spec, want string) {
		t.Helper()
		_, l := Compile([]File{{Name: "a.yaml", Text: []byte(source + spec)}})
		if len(l) != 1 || l[0].String() != want {
			t.Errorf("%s: got %v\nwant %s", spec, l, want)
		}
	}
	f("  telemetry: [pipeline]\n", `a.yaml:6:15: error: "pipeline" is not one of collector, cost, coverage, incidents, kubernetes, logs, onboarding, pipelines, platformapi, policy, secrets, storage or traces [wrong-value]`)
	f("  telemetry: [cost, cost]\n", `a.yaml:6:21: error: "cost" is in the list twice [duplicate-name]`)
	f("  series: [{name: a}, {name: a}]\n", `a.yaml:6:30: error: "a" is in the list twice [duplicate-name]`)
	f("  series: [{name: a-b}]\n", `a.yaml:6:19: error: "a-b" is not the name of a metric [bad-name]`)
	f("  labels: [a.b]\n", `a.yaml:6:12: error: "a.b" is not a label name [bad-label]`)
}

// The words of the format are the names of the table of telemetry.
func TestTelemetryWords(t *testing.T) {
	f, _ := reflect.TypeFor[dataSourceSpec]().FieldByName("Telemetry")
	if diff := cmp.Diff(telemetry.Names(), strings.Split(f.Tag.Get("enum"), "|")); diff != "" {
		t.Errorf("(-table +format):\n%s", diff)
	}
}
