package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
)

// TestMetrics keeps the tables of metrics as the counters declare them, and the tables of attributes whole.
func TestMetrics(t *testing.T) {
	page := read(t, "metrics.md")
	page = table(t, page, "pipelines", counters.Families(pipelines.New(pipelines.Options{})))
	page = table(t, page, "platformapi", own(counters.Families(platformapi.New(platformapi.Options{}))))
	golden(t, "metrics.md", page)
}

// own returns the metrics without those that every domain has.
func own(families []metric.Family) []metric.Family {
	return slices.DeleteFunc(families, func(f metric.Family) bool { return f.Name == "platform.events.received" })
}

// table returns the page with the table between the comments of a name as it should be.
func table(t *testing.T, page, name string, families []metric.Family) string {
	t.Helper()
	begin, end := "<!-- begin "+name, "<!-- end "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	comment, rest, okToo := strings.Cut(rest, "-->\n")
	_, after, okThree := strings.Cut(rest, end)
	if !ok || !okToo || !okThree {
		t.Fatalf("want comments around the table of %s", name)
	}
	var table strings.Builder
	table.WriteString("| metric | in Prometheus | kind, unit | from | what | attributes |\n|---|---|---|---|---|---|\n")
	for _, f := range families {
		var attributes []string
		for _, name := range f.Attributes {
			attributes = append(attributes, "`"+name+"`")
			short := "`" + name[strings.LastIndex(name, "."):] + "`"
			if !strings.Contains(after, "`"+name+"`") && !(strings.HasPrefix(name, event.EventSource[:len("platform.event")]) && strings.Contains(after, short)) {
				t.Errorf("metrics.md does not explain %s", name)
			}
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %v, %s | %s | %s | %s |\n", f.Name, f.PrometheusName(), f.Kind, f.Unit, f.From, f.Help, strings.Join(attributes, ", "))
	}
	return before + begin + comment + "-->\n" + table.String() + end + after
}
