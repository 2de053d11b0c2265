package docs_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/packs"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// TestPacks keeps the tables of packs as the packs are.
func TestPacks(t *testing.T) {
	page := read(t, "packs.md")
	before, rest, ok := strings.Cut(page, "<!-- begin packs")
	comment, rest, okToo := strings.Cut(rest, "-->\n")
	_, after, okThree := strings.Cut(rest, "<!-- end packs -->")
	if !ok || !okToo || !okThree {
		t.Fatal("want comments around the table of packs")
	}
	var table strings.Builder
	table.WriteString("| pack | for | SLO | objective | tells | needs |\n|---|---|---|---|---|---|\n")
	for _, p := range packs.All() {
		files, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		var specs []slo.File
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if packs.IsSpec(name) {
				specs = append(specs, slo.File{Name: path.Join(p.Name, name), Text: files[name]})
			}
		}
		set, found := slo.Compile(specs)
		if set == nil {
			t.Fatal(found)
		}
		name, covers, needs := "**"+p.Name+"**", strings.Join(p.Covers, ", "), p.Needs
		for _, x := range set.SLOs {
			fmt.Fprintf(&table, "| %s | %s | `%s` | %s | %s | %s |\n", name, covers, x.Name, strings.TrimSuffix(cell(x.Description), "."), tells(x.Alerting), cell(needs))
			name, covers, needs = "", "", ""
		}
	}
	golden.Check(t, *update, "packs.md", []byte(before+"<!-- begin packs"+comment+"-->\n"+table.String()+"<!-- end packs -->"+after))
}

// tells says who hears of an SLO.
func tells(a slo.Alerting) string {
	var out []string
	switch {
	case a.Page && a.PageWhen != "":
		out = append(out, "page, with a second signal")
	case a.Page:
		out = append(out, "page")
	}
	if a.Ticket {
		out = append(out, "ticket")
	}
	return strings.Join(out, "; ")
}
