package cost_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

// everything returns a book with a point of each metric.
func everything(t *testing.T) *cost.Book {
	t.Helper()
	b := cost.NewBook(now, cost.Options{
		Rules: []cost.Rule{{Attribute: cost.Environment, Keys: []string{"env"}, Aliases: map[string]string{"prod": "production", "dev": "development"}}, {Attribute: cost.Team, Keys: []string{"team"}}},
		Budgets: []cost.Budget{{
			Name: "all", Amount: cost.Whole(1), Currency: "USD", Match: map[string]string{cost.Environment: "production", cost.Team: "a"},
		}},
	})
	load(
		t, b, "a.csv", line("1", 9, 29, `{"env":"prod","team":"a"}`), line("2", 9, 29, `{"env":"dev","team":"a"}`),
		line("3", 9, 29, `{"env":"staging","team":"a"}`), line("x", 9, 29, ""),
	)
	return b
}

// TestFamilies: what a book says has the declared attributes and no others, and each metric is exposed.
func TestFamilies(t *testing.T) {
	b := everything(t)
	exposed := string(exposition(t, b))
	said := b.Read(now).Families
	rules := []cost.Rule{{Attribute: cost.Environment}, {Attribute: cost.Team}}
	declared := cost.Families(rules)
	if len(said) != len(declared) {
		t.Fatalf("a whole book says %d metrics, want %d", len(said), len(declared))
	}
	for i, family := range said {
		if family.Name != declared[i].Name || !strings.Contains(exposed, "# TYPE "+family.PrometheusName()+" "+family.Kind.String()) {
			t.Errorf("%s is not exposed, or not where %s is declared", family.Name, declared[i].Name)
		}
		seen := map[string]bool{}
		for _, p := range family.Points {
			for _, a := range p.Attrs {
				seen[a.Name] = true
			}
		}
		if d := cmp.Diff(slices.Sorted(slices.Values(declared[i].Attributes)), slices.Sorted(maps.Keys(seen)), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("attributes of %s (-declared +said):\n%s", family.Name, d)
		}
	}
}

// TestPage: formats and troubles are explained.
func TestPage(t *testing.T) {
	page := string(exportertest.Read(t, "../../docs/cost.md"))
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
