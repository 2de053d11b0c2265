package promql_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	engine "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

func TestKeepsLabels(t *testing.T) {
	f := func(q, label string, want promql.Answer) {
		t.Helper()
		if got := mustParse(t, q).KeepsLabels(label); got != want {
			t.Errorf("KeepsLabels of %q for %s = %v, want %v", q, label, got, want)
		}
	}
	f(`m`, "x", promql.Yes)
	f(`m{x=""}`, "x", promql.No)
	f(`sum(m)`, "x", promql.No)
	f(`sum by (x) (m)`, "x", promql.Yes)
	f(`sum without (x) (m)`, "x", promql.No)
	f(`sum without (x) (m)`, "y", promql.Yes)
	f(`topk by (y) (1, m)`, "x", promql.Yes)
	f(`count_values by (y) ("x", m)`, "x", promql.Unknown)
	f(`count_values by (y) ("x", m)`, "y", promql.Yes)
	f(`rate(m[5m])`, "x", promql.Yes)
	f(`rate(m[5m])`, "__name__", promql.Unknown)
	f(`m / 2`, "x", promql.Yes)
	f(`2 > bool m`, "x", promql.Yes)
	f(`vector(1)`, "x", promql.No)
	f(`time()`, "x", promql.No)
	f(`sum by (x) (m) / sum(n)`, "x", promql.No)
	f(`m / on (x) n`, "x", promql.Yes)
	f(`m / on (x) n`, "y", promql.No)
	f(`m / ignoring (x) n`, "x", promql.No)
	f(`m / on (x) group_left (z) n`, "y", promql.Yes)
	f(`m / on (x) group_left (z) sum by (x) (n)`, "z", promql.No)
	f(`sum by (x) (m) / on (x) group_right () n`, "y", promql.Yes)
	f(`m or sum(n)`, "x", promql.Unknown)
	f(`m unless on () n`, "x", promql.Yes)
	f(`m and sum(n)`, "x", promql.No)
	f(`label_replace(m, "x", "$1", "y", "(.*)")`, "x", promql.Unknown)
	f(`label_replace(m, "x", "$1", "y", "(.*)")`, "y", promql.Yes)
	f(`absent(m)`, "x", promql.Unknown)
	f(`histogram_quantile(0.9, m)`, "le", promql.No)
	f(`histogram_quantile(0.9, sum by (le, x) (m))`, "x", promql.Yes)
	if got := mustParse(t, `sum by (x) (m)`).KeepsLabels("x", "y"); got != promql.No {
		t.Errorf("KeepsLabels of a kept and a dropped label = %v, want no", got)
	}
	if got := mustParse(t, `sum(m)`).KeepsLabels(); got != promql.Yes {
		t.Errorf("KeepsLabels of no labels = %v, want yes", got)
	}
}

// exprs draws vector expressions over the metrics m and n.
func exprs(depth int) *rapid.Generator[string] {
	leaf := rapid.SampledFrom([]string{"m", "n", `m{x="1"}`, `n{y!=""}`, `m{z=""}`, "vector(1)", "rate(m[5m])", "last_over_time(n[5m])"})
	if depth == 0 {
		return leaf
	}
	list := rapid.SampledFrom([]string{"()", "(x)", "(y)", "(x, y)", "(x, y, z)", "(z)"})
	return rapid.Custom(func(t *rapid.T) string {
		a := exprs(depth-1).Draw(t, "a")
		b := exprs(depth-1).Draw(t, "b")
		l := list.Draw(t, "labels")
		match := rapid.SampledFrom([]string{"", " on " + l, " ignoring " + l}).Draw(t, "matching")
		switch rapid.IntRange(0, 6).Draw(t, "form") {
		case 0:
			return a
		case 1:
			op := rapid.SampledFrom([]string{"sum", "max", "count", "group"}).Draw(t, "aggregation")
			return fmt.Sprintf("%s %s %s (%s)", op, rapid.SampledFrom([]string{"by", "without"}).Draw(t, "by"), l, a)
		case 2:
			return fmt.Sprintf(rapid.SampledFrom([]string{
				"abs(%s)", "-(%s)", "topk(2, %s)", "sort(%s)", "max_over_time((%s)[5m:1m])", "2 * (%s)", "(%s) > 0", "timestamp(%s)",
				`label_replace(%s, "x", "q", "y", ".*")`, `absent(%s)`, "histogram_quantile(0.5, %s)", "vector(scalar(%s))",
				`label_join(%s, "z", "-", "x", "y")`, `count_values by (x) ("z", %s)`,
			}).Draw(t, "call"), a)
		case 3:
			return fmt.Sprintf("(%s) %s%s (%s)", a, rapid.SampledFrom([]string{"+", ">", ">= bool", "/"}).Draw(t, "op"), match, b)
		case 4:
			return fmt.Sprintf("(%s) %s%s (%s)", a, rapid.SampledFrom([]string{"and", "or", "unless"}).Draw(t, "set"), match, b)
		default:
			if match == "" {
				match = " ignoring ()"
			}
			group := rapid.SampledFrom([]string{"group_left", "group_right", "group_left (z)", "group_right (z)", "group_left (x)"}).Draw(t, "group")
			return fmt.Sprintf("(%s) *%s %s (%s)", a, match, group, b)
		}
	})
}

// The Prometheus engine, on series that all carry x, y and z, never contradicts Yes and No.
func TestKeepsLabelsLaw(t *testing.T) {
	st := promqltest.LoadedStorage(t, `load 1m
		m{x="1",y="1",z="1"} 1+1x60
		m{x="2",y="1",z="1"} 2+1x60
		m{x="2",y="2",z="2"} 3+1x60
		n{x="1",y="1",z="1"} 4+1x60
		n{x="2",y="2",z="1"} 5+1x60`)
	eng := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6)
	var answered, failed, results int
	rapid.Check(t, func(t *rapid.T) {
		q := exprs(rapid.IntRange(1, 3).Draw(t, "depth")).Draw(t, "expr")
		e, problems := promql.Parse(q)
		if problems != nil {
			return // such as a label both in on and in group_left
		}
		vector, err := evaluate(eng, st, q)
		if err != nil {
			failed++ // such as many-to-many matching
			return
		}
		results += len(vector)
		for _, label := range []string{"x", "y", "z", "le", "__name__"} {
			got := e.KeepsLabels(label)
			if got != promql.Unknown {
				answered++
			}
			for _, s := range vector {
				has := s.Metric.Get(label) != ""
				if got == promql.Yes && !has && label != "le" || got == promql.No && has {
					t.Fatalf("KeepsLabels of %q for %s = %v, a result is %s", q, label, got, s.Metric)
				}
			}
		}
	})
	t.Logf("%d answers, %d results, %d queries that fail", answered, results, failed)
	if answered == 0 || results == 0 {
		t.Error("nothing was compared")
	}
}

// Rewriting means what it says: the engine gives the same for Rate as for the text written by hand.
func TestRateMeaning(t *testing.T) {
	st := promqltest.LoadedStorage(t, `load 1m
		m{x="1"} 1+1x60
		m{x="2"} 2+3x60`)
	eng := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6)
	e := mustParse(t, `sum(m{x="1"}) / sum(m)`)
	got, err := evaluate(eng, st, e.Rate(10*time.Minute).String())
	if err != nil || len(got) != 1 || got[0].F != 0.25 {
		t.Errorf("share of the rates = %v, %v, want 0.25", got, err)
	}
	if !slices.Contains(e.Rate(time.Minute).Selectors()[0].Under, "rate") {
		t.Error("the rewritten selector is not under rate")
	}
}

func evaluate(eng *engine.Engine, st storage.Queryable, q string) (engine.Vector, error) {
	query, err := eng.NewInstantQuery(context.Background(), st, nil, q, time.Unix(1800, 0))
	if err != nil {
		return nil, err
	}
	defer query.Close()
	return query.Exec(context.Background()).Vector()
}
