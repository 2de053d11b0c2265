package docs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// TestMetrics keeps the table of metrics as the counters declare them, and the table of attributes whole.
func TestMetrics(t *testing.T) {
	page := read(t, "metrics.md")
	before, rest, ok := strings.Cut(page, "<!-- begin pipelines")
	comment, rest, okToo := strings.Cut(rest, "-->\n")
	_, after, okThree := strings.Cut(rest, "<!-- end pipelines -->")
	if !ok || !okToo || !okThree {
		t.Fatal("want comments around the table of pipelines")
	}
	var table strings.Builder
	table.WriteString("| metric | in Prometheus | kind, unit | from | what | attributes |\n|---|---|---|---|---|---|\n")
	for _, f := range counters.Families(pipelines.New(pipelines.Options{})) {
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
	golden(t, "metrics.md", before+"<!-- begin pipelines"+comment+"-->\n"+table.String()+"<!-- end pipelines -->"+after)
}
