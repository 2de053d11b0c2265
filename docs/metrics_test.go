package docs_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

// families are those whose tables the page has, by the name in its comments.
func families() map[string][]metric.Family {
	return map[string][]metric.Family{
		"pipelines":   counters.Families(pipelines.New(pipelines.Options{})),
		"cost":        append(cost.Families(nil), intake.Families()...),
		"coverage":    counters.Families(coverage.New(coverage.Options{}, nil)),
		"incidents":   counters.Families(incidents.New(incidents.Options{})),
		"onboarding":  counters.Families(onboarding.New(onboarding.Options{})),
		"policies":    counters.Families(policy.New(policy.Options{})),
		"platformapi": counters.Families(platformapi.New(platformapi.Options{})),
		"secrets":     counters.Families(secrets.New(secrets.Options{})),
	}
}

// TestMetrics keeps the tables of metrics as the counters declare them, and that of attributes whole.
func TestMetrics(t *testing.T) {
	page := read(t, "metrics.md")
	for _, name := range slices.Sorted(maps.Keys(families())) {
		page = withTable(t, page, name, families()[name])
	}
	golden.Check(t, *update, "metrics.md", []byte(page))
}

// withTable returns the page with the table of a domain as it has to be. What counters have besides is in the first.
func withTable(t *testing.T, page, name string, families []metric.Family) string {
	t.Helper()
	before, rest, ok := strings.Cut(page, "<!-- begin "+name)
	comment, rest, okToo := strings.Cut(rest, "-->\n")
	_, after, okThree := strings.Cut(rest, "<!-- end "+name+" -->")
	if !ok || !okToo || !okThree {
		t.Fatalf("want comments around the table of %s", name)
	}
	var table strings.Builder
	table.WriteString("| metric | in Prometheus | kind, unit | from | what | attributes |\n|---|---|---|---|---|---|\n")
	for _, f := range families {
		if f.Name == "platform.events.received" && name != "pipelines" {
			continue
		}
		var attributes []string
		for _, name := range f.Attributes {
			attributes = append(attributes, "`"+name+"`")
			short := "`" + name[max(0, strings.LastIndex(name, ".")):] + "`"
			if !strings.Contains(after, "`"+name+"`") && !(strings.HasPrefix(name, event.EventSource[:len("platform.event")]) && strings.Contains(after, short)) {
				t.Errorf("metrics.md does not explain %s", name)
			}
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %v, %s | %s | %s | %s |\n", f.Name, f.PrometheusName(), f.Kind, f.Unit, f.From, f.Help, strings.Join(attributes, ", "))
	}
	return before + "<!-- begin " + name + comment + "-->\n" + table.String() + "<!-- end " + name + " -->" + after
}

// TestQueries: the queries of the pages are PromQL, and use metrics and labels that there are. Metrics of other systems are
// taken for granted.
func TestQueries(t *testing.T) {
	labels := map[string][]string{}
	for _, declared := range families() {
		for _, f := range declared {
			names := []string{"le"}
			for _, name := range f.Attributes {
				names = append(names, strings.ReplaceAll(name, ".", "_"))
			}
			for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
				labels[f.PrometheusName()+suffix] = names
			}
		}
	}
	cell := regexp.MustCompile("(?m)\\| `([^`]+)` \\|$")
	for _, name := range []string{"incidents.md", "policies.md", "onboarding.md", "coverage.md"} {
		ours := 0
		_, questions, _ := strings.Cut(read(t, name), "| question |")
		for _, row := range cell.FindAllStringSubmatch(questions, -1) {
			expr, problems := promql.Parse(row[1])
			if len(problems) > 0 {
				t.Errorf("%s: %q: %v", name, row[1], problems)
				continue
			}
			for _, s := range expr.Selectors() {
				known, isOurs := labels[s.Name]
				for _, prefix := range []string{"incident_", "platform_", "policy_"} {
					if strings.HasPrefix(s.Name, prefix) && !isOurs {
						t.Errorf("%s: there is no %s", name, s.Name)
					}
				}
				for _, m := range s.Matchers {
					if isOurs && !slices.Contains(known, m.Name) {
						t.Errorf("%s: %s has no label %s", name, s.Name, m.Name)
					}
				}
				if isOurs {
					ours++
				}
			}
		}
		if ours == 0 {
			t.Errorf("%s: no query of ours was found", name)
		}
	}
}
