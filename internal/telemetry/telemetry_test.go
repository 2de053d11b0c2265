package telemetry_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

// label writes the name of an attribute as Prometheus does.
func label(attribute string) string { return strings.ReplaceAll(attribute, ".", "_") }

func families(t *testing.T, source string) map[string]telemetry.Family {
	t.Helper()
	s, ok := telemetry.Lookup(source)
	if !ok {
		t.Fatalf("there is no source %q", source)
	}
	out := map[string]telemetry.Family{}
	for _, f := range s.Families {
		if _, twice := out[f.Name]; twice {
			t.Errorf("%s declares %s twice", source, f.Name)
		}
		out[f.Name] = f
	}
	return out
}

// What the exporters declare is what the table says of them: names, kinds and
// labels. Cost, which is no domain of counters, has a test of its own.
func TestExportersAreDeclared(t *testing.T) {
	f := func(source string, domain counters.Domain) {
		t.Helper()
		have := families(t, source)
		for _, f := range counters.Families(domain) {
			name := f.PrometheusName()
			if name == telemetry.EventsReceived && source != telemetry.Pipelines {
				continue // of all counters, and in the table once
			}
			got, ok := have[name]
			delete(have, name)
			if !ok || got.Kind.String() != f.Kind.String() {
				t.Errorf("%s, a %v, is in the table of %s: %t, %v", name, f.Kind, source, ok, got.Kind)
			}
			want := []string{label(event.Overflow)}
			for _, a := range f.Attributes {
				want = append(want, label(a))
			}
			if diff := cmp.Diff(sorted(want), sorted(got.Labels)); diff != "" {
				t.Errorf("labels of %s (-exporter +table):\n%s", name, diff)
			}
		}
		for name := range have {
			t.Errorf("%s is in the table of %s, but the exporter does not have it", name, source)
		}
	}
	f(telemetry.Pipelines, pipelines.New(pipelines.Options{}))
	f(telemetry.Secrets, secrets.New(secrets.Options{}))
	f(telemetry.Incidents, incidents.New(incidents.Options{}))
	f(telemetry.Policy, policy.New(policy.Options{}))
	f(telemetry.Onboarding, onboarding.New(onboarding.Options{}))
	f(telemetry.PlatformAPI, platformapi.New(platformapi.Options{}))
	f(telemetry.Coverage, coverage.New(coverage.Options{}, nil))
}

func sorted(in []string) []string { return slices.Sorted(slices.Values(in)) }

// What a book of real bills says is in the table, and the table has no metric
// that it never says.
func TestCostIsDeclared(t *testing.T) {
	budget := cost.Budget{Name: "all", Currency: "USD", Amount: cost.Whole(100), Match: map[string]string{event.Environment: "dev"}}
	book := cost.NewBook(time.Date(2024, 9, 1, 0, 0, 0, 0, time.UTC), cost.Options{Budgets: []cost.Budget{budget}})
	csv, err := os.ReadFile("../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := book.Load("sample", cost.FOCUS, bytes.NewReader(csv), cost.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	have := families(t, telemetry.Cost)
	for _, f := range book.Read(time.Date(2024, 9, 30, 23, 59, 0, 0, time.UTC)).Families {
		name := f.PrometheusName()
		got, ok := have[name]
		delete(have, name)
		if !ok || got.Kind.String() != f.Kind.String() {
			t.Errorf("%s, a %v, is in the table: %t, %v", name, f.Kind, ok, got.Kind)
			continue
		}
		want := []string{}
		for _, a := range f.Attributes {
			want = append(want, label(a))
		}
		if diff := cmp.Diff(sorted(want), slices.DeleteFunc(sorted(got.Labels), func(l string) bool { return l == label(event.Overflow) })); diff != "" {
			t.Errorf("labels of %s (-exporter +table):\n%s", name, diff)
		}
		for _, p := range f.Points {
			for _, a := range p.Attrs {
				if !slices.Contains(got.Labels, label(a.Name)) {
					t.Errorf("%s has the label %s, which the table does not say", name, label(a.Name))
				}
			}
		}
	}
	for _, f := range intake.Families() {
		name := f.PrometheusName()
		got := have[name]
		delete(have, name)
		want := []string{}
		for _, a := range f.Attributes {
			want = append(want, label(a))
		}
		if diff := cmp.Diff(sorted(want), sorted(got.Labels)); diff != "" || got.Kind.String() != f.Kind.String() {
			t.Errorf("%s, a %v, is a %v in the table; labels (-intake +table):\n%s", name, f.Kind, got.Kind, diff)
		}
	}
	for name := range have {
		t.Errorf("%s is in the table, but neither a whole book nor an intake says it", name)
	}
}

func TestTable(t *testing.T) {
	owner := map[string]string{}
	for _, s := range telemetry.Sources() {
		if s.Title == "" || !strings.HasSuffix(s.Enable, ".") || (len(s.Families) == 0) != (s.Name == telemetry.Logs || s.Name == telemetry.Traces) {
			t.Errorf("source %+v is not complete", s)
		}
		for _, f := range s.Families {
			if old := owner[f.Name]; old != "" {
				t.Errorf("%s and %s both declare %s", old, s.Name, f.Name)
			}
			owner[f.Name] = s.Name
			if total := strings.HasSuffix(f.Name, "_total"); total != (f.Kind == telemetry.Counter) && s.Name != telemetry.Collector {
				t.Errorf("%s is a %v by the table, but not by its name", f.Name, f.Kind)
			}
			seen := slices.Clone(f.Labels)
			slices.Sort(seen)
			if len(slices.Compact(seen)) != len(f.Labels) {
				t.Errorf("%s has a label twice: %q", f.Name, f.Labels)
			}
		}
	}
	if _, ok := telemetry.Lookup("gossip"); ok {
		t.Error("there is a source of gossip")
	}
	h := telemetry.Family{Name: "a_seconds", Kind: telemetry.Histogram, Labels: []string{"x"}}
	want := []telemetry.Series{{"a_seconds", []string{"x"}}, {"a_seconds_bucket", []string{"x", "le"}}, {"a_seconds_count", []string{"x"}}, {"a_seconds_sum", []string{"x"}}}
	if diff := cmp.Diff(want, h.Series()); diff != "" {
		t.Error(diff)
	}
}
