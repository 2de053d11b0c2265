package rules_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// adjustments is a set with adjustments of every kind.
func adjustments(t testing.TB) *slo.Set {
	t.Helper()
	spec, err := os.ReadFile("testdata/adjustments.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(spec))
}

// What adjustments add to the rules; everything else is in the goldens of kinds.
func TestAdjustmentGolden(t *testing.T) {
	for _, target := range []rules.Target{rules.Prometheus, rules.VictoriaMetrics} {
		set := adjustments(t)
		groups, err := rules.Generate(set, rules.Options{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		set.Adjustments = nil
		before, err := rules.Generate(set, rules.Options{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, g := range before {
			for _, r := range g.Rules {
				known[fmt.Sprint(g.File, g.Name, r)] = true
			}
		}
		var out bytes.Buffer
		for _, g := range groups {
			news := slices.DeleteFunc(g.Rules, func(r rules.Rule) bool { return known[fmt.Sprint(g.File, g.Name, r)] })
			fmt.Fprintf(&out, "== group %s: %d of %d rules\n%s", g.Name, len(news), len(g.Rules), strings.Join(append(g.Notes, ""), "\n"))
			for _, r := range news {
				fmt.Fprintf(&out, "-- %s%s %v\n%s\n", r.Record, r.Alert, r.Labels, r.Expr)
			}
		}
		golden.Check(t, *update, filepath.Join("testdata", "adjustments."+string(target)+".golden"), out.Bytes())
	}
}

// Every target takes every expression, and SLOs without adjustments have the rules that they have without any.
func TestAdjustmentsParse(t *testing.T) {
	for _, target := range targets() {
		set := adjustments(t)
		groups, err := rules.Generate(set, options(target))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups {
			for _, r := range g.Rules {
				if e, problems := promql.Parse(r.Expr); len(problems) > 0 || e.Type() != promql.Vector {
					t.Errorf("%s: %s%s: type %s, problems %v:\n%s", g.Name, r.Record, r.Alert, e.Type(), problems, r.Expr)
				}
				if err := promql.CheckVictoria(r.Expr); err != nil {
					t.Errorf("%s: %s%s: %v", g.Name, r.Record, r.Alert, err)
				}
			}
		}
	}
	for _, a := range []string{"api", "tenants", "costs"} {
		set := adjustments(t)
		set.SLOs = slices.DeleteFunc(set.SLOs, func(x slo.SLO) bool { return x.Name == a })
		with, err := rules.Generate(set, rules.Options{GroupSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		set.Adjustments = nil
		without, err := rules.Generate(set, rules.Options{GroupSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		of := func(groups []rules.Group) []rules.Group {
			return slices.DeleteFunc(groups, func(g rules.Group) bool { return g.Name != "slo-plain" })
		}
		if diff := cmp.Diff(of(without), of(with)); diff != "" {
			t.Errorf("the rules of SLO plain differ (-without +with adjustments of others):\n%s", diff)
		}
	}
}
