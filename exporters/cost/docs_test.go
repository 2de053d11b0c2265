package cost_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

// everything returns a book with a point of each metric.
func everything(t *testing.T) *cost.Book {
	t.Helper()
	b := cost.NewBook(now, cost.Options{
		Rules:   []cost.Rule{{Attribute: cost.Environment, Keys: []string{"env"}, Aliases: map[string]string{"prod": "production", "dev": "development"}}, {Attribute: cost.Team, Keys: []string{"team"}}},
		Budgets: []cost.Budget{{Name: "all", Amount: cost.Whole(1), Currency: "USD"}},
	})
	load(
		t, b, "a.csv", line("1", 9, 29, `{"env":"prod","team":"a"}`), line("2", 9, 29, `{"env":"dev","team":"a"}`),
		line("3", 9, 29, `{"env":"staging","team":"a"}`), line("x", 9, 29, ""),
	)
	return b
}

// TestPage compares the table of metrics in the documentation with the metrics.
func TestPage(t *testing.T) {
	page := string(exportertest.Read(t, "../../docs/cost.md"))
	var want []string
	exposed := string(exposition(t, everything(t)))
	for _, family := range everything(t).Read(now).Families {
		var names []string
		rules := false
		for _, a := range family.Points[len(family.Points)-1].Attrs {
			if a.Name == cost.Environment || a.Name == cost.Team {
				rules = true
			} else {
				names = append(names, a.Name)
			}
		}
		switch {
		case rules:
			names = append(names, "the attributes of rules")
		case family.Name == "cost.budget":
			names = append(names, "what the budget is for")
		case family.Name == "cost.rows":
			names = []string{cost.RowClass, cost.RowAllocation}
		}
		name := strings.ReplaceAll(family.Name, ".", "_") + map[string]string{"s": "_seconds"}[family.Unit]
		if family.Kind == cost.Counter {
			name += "_total"
		}
		if !strings.Contains(exposed, "# TYPE "+name+" ") {
			t.Errorf("%s is not exposed", name)
		}
		want = append(want, fmt.Sprintf("| `%s` | `%s` | %s | %s |", family.Name, name, family.Unit, strings.Join(names, ", ")))
	}
	var got []string
	for _, l := range strings.Split(page, "\n") {
		if strings.HasPrefix(l, "| `cost.") && strings.Count(l, "|") == 5 {
			got = append(got, l)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("table of docs/cost.md (-code +page):\n%s", d)
	}
	for _, format := range cost.Formats() {
		if !strings.Contains(page, "\n| `"+string(format)+"` |") {
			t.Errorf("format %s is not on the page", format)
		}
	}
	for _, trouble := range []cost.Trouble{
		cost.BadSyntax, cost.BadWidth, cost.BadAmount, cost.BadTime, cost.BadPeriod, cost.BadCurrency, cost.BadTags, cost.DirtyTag,
		cost.Unknown, cost.Truncated, cost.TooManyKinds,
	} {
		if !strings.Contains(page, "\n| `"+string(trouble)+"` |") {
			t.Errorf("trouble %s is not on the page", trouble)
		}
	}
}

// TestPack checks that each selector of the example pack finds a series.
func TestPack(t *testing.T) {
	exposed := string(exposition(t, everything(t)))
	pack := string(exportertest.Read(t, "../../examples/platform-team/slos/cost.yaml"))
	selectors := regexp.MustCompile(`\b(cost_[a-z_]+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(pack, -1)
	if len(selectors) < 6 {
		t.Fatalf("found only %q", selectors)
	}
	for _, selector := range selectors {
		found := false
		for _, series := range strings.Split(exposed, "\n") {
			labels, ok := strings.CutPrefix(series, selector[1]+"{")
			for _, label := range strings.Split(selector[2], ",") {
				ok = ok && strings.Contains(labels, label)
			}
			found = found || ok
		}
		if !found {
			t.Errorf("no series for %s in\n%s", selector[0], exposed)
		}
	}
}
