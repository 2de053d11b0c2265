package docs_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/dashboards"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestDashboards keeps the tables of telemetry and of panels as the programs
// have them: the panels are those of the platform team's example.
func TestDashboards(t *testing.T) {
	page := between(t, read(t, "dashboards.md"), "telemetry", telemetryTable())
	golden.Check(t, *update, "dashboards.md", []byte(between(t, page, "panels", panelTable(t))))
}

// between replaces what stands between the comments of that name.
func between(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- begin "+name+": written by go test ./docs -update -->\n", "<!-- end "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, okToo := strings.Cut(rest, end)
	if !ok || !okToo {
		t.Fatalf("want comments around %s", name)
	}
	return before + begin + text + end + after
}

func telemetryTable() string {
	var b strings.Builder
	b.WriteString("| `telemetry` | to have it | series |\n|---|---|---|\n")
	for _, s := range telemetry.Sources() {
		var names []string
		for _, f := range s.Families {
			names = append(names, "`"+f.Name+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.Name, s.Enable, strings.Join(names, ", "))
	}
	return b.String()
}

type shownPanel struct {
	Type, Title, Description string
	Panels                   []shownPanel
}

func panelTable(t *testing.T) string {
	t.Helper()
	files, l := slo.ReadFiles("../examples/platform-team")
	set, found := slo.Compile(files)
	if l.Failed() || set == nil {
		t.Fatal(l, found)
	}
	generated, err := dashboards.Generate(set, dashboards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range []string{"executive", "oncall", "debug", "slo", "svc-platform-api"} {
		for _, f := range generated {
			if f.Name != "dashboards/plimsoll-"+name+".json" {
				continue
			}
			var d struct{ Panels []shownPanel }
			if err := json.Unmarshal(f.Content, &d); err != nil {
				t.Fatal(err)
			}
			title := "plimsoll-" + name
			if service, ok := strings.CutPrefix(name, "svc-"); ok {
				title = "plimsoll-svc-NAME, here of " + service
			}
			fmt.Fprintf(&b, "### %s\n\n| row | panel | what it shows |\n|---|---|---|\n", title)
			row := ""
			for _, p := range d.Panels {
				if p.Type == "row" {
					row = p.Title
				}
				for _, p := range append([]shownPanel{p}, p.Panels...) {
					if p.Type != "row" {
						fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(row), cell(p.Title), cell(p.Description))
					}
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
