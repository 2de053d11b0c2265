package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// october is the report of a month of one SLO, with empty answers.
func october(t *testing.T) (*slo.Set, report.Options, report.Facts) {
	t.Helper()
	set, _ := manySLOs(t, 1)
	p, err := report.PeriodOf(slo.Month, time.Date(2026, 10, 9, 0, 0, 0, 0, time.UTC), "UTC")
	if err != nil {
		t.Fatal(err)
	}
	o := report.Options{Period: p, Now: p.To.Add(time.Hour)}
	queries, err := report.Queries(set, o)
	if err != nil {
		t.Fatal(err)
	}
	facts := report.Facts{}
	for _, q := range queries {
		facts[q.ID] = []report.Series{}
	}
	return set, o, facts
}

// TestQueriesParse: what is asked is PromQL, for Prometheus and for VictoriaMetrics, for every kind of SLO.
func TestQueriesParse(t *testing.T) {
	files, l := slo.ReadFiles("../../examples/platform-team")
	set, more := slo.Compile(files)
	if set == nil || l.Failed() {
		t.Fatal(l, more)
	}
	n := 0
	for _, x := range set.Reports {
		p, err := report.PeriodOf(x.Period, time.Date(2026, 6, 9, 0, 0, 0, 0, time.UTC), x.Zone)
		if err != nil {
			t.Fatal(err)
		}
		queries, err := report.Queries(set, report.Options{Period: p, Now: p.To.Add(time.Hour), SLOs: x.SLOs})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			n++
			if _, problems := promql.Parse(q.Expr); len(problems) > 0 {
				t.Errorf("%s: %v\n%s", q.ID, problems, q.Expr)
			}
			if err := promql.CheckVictoria(q.Expr); err != nil {
				t.Errorf("%s: %v\n%s", q.ID, err, q.Expr)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d queries, want more than 100", n)
	}
}

// TestSilence: without any answer nothing is met and nothing missed.
func TestSilence(t *testing.T) {
	set, o, facts := october(t)
	r, err := report.Build(set, o, facts)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.SLOs[0].Verdict; got != report.NotEvaluated || r.Tally.NotEvaluated != 1 || r.Teams[0].Lowest != nil {
		t.Errorf("have %s, %+v", got, r.Tally)
	}
}

// TestCost: money of two currencies and two kinds is told apart, and teams add up.
func TestCost(t *testing.T) {
	set, o, facts := october(t)
	money := func(currency, kind, team string, v float64) report.Series {
		labels := map[string]string{"cost_currency": currency, "cost_metric": kind}
		if team != "" {
			labels["platform_team"] = team
		}
		return report.Series{Labels: labels, Points: []report.Point{{T: o.Period.To, V: v}}}
	}
	facts["cost/1"] = []report.Series{
		money("EUR", "billed", "shop", 900), money("EUR", "billed", "", 350), money("EUR", "effective", "shop", 700.125), money("USD", "billed", "shop", 10),
	}
	facts["cost-start/1"] = []report.Series{money("EUR", "billed", "shop", 500), money("EUR", "billed", "", 400), money("EUR", "effective", "shop", 500)}
	facts["cost-before/1"] = []report.Series{money("EUR", "billed", "shop", 300)}
	budget := money("EUR", "", "", 1000)
	budget.Labels = map[string]string{"cost_currency": "EUR", "cost_budget_name": "all", "cost_period": "month"}
	facts["cost-budget/1"] = []report.Series{budget}
	r, err := report.Build(set, o, facts)
	if err != nil {
		t.Fatal(err)
	}
	n := func(f float64) *float64 { return &f }
	want := []report.Cost{
		{
			DataSource: "default", Currency: "EUR", Kind: "billed", Amount: n(350), Previous: n(600),
			Teams: []report.TeamCost{{"", -50}, {"shop", 400}}, Budgets: []report.Money{{Name: "all", Amount: 1000}},
		},
		{DataSource: "default", Currency: "EUR", Kind: "effective", Amount: n(200.125), Teams: []report.TeamCost{{"shop", 200.125}}, Budgets: []report.Money{}},
		{DataSource: "default", Currency: "USD", Kind: "billed", Teams: []report.TeamCost{}, Budgets: []report.Money{}},
	}
	if d := cmp.Diff(want, r.Costs); d != "" {
		t.Error(d)
	}
	var b bytes.Buffer
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"| in the period | 350.00 |", "| of it, team (none) | -50.00 |", "| in the period | 200.13 |", "is not known, so neither"} {
		if !strings.Contains(b.String(), text) {
			t.Errorf("the report lacks %q", text)
		}
	}
}

// TestAnswers: an answer that is not one to its query is refused.
func TestAnswers(t *testing.T) {
	try := func(want string, change func(f report.Facts, to time.Time)) {
		t.Helper()
		set, o, facts := october(t)
		change(facts, o.Period.To)
		if _, err := report.Build(set, o, facts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, have %v", want, err)
		}
	}
	of := func(name string, points ...report.Point) []report.Series {
		return []report.Series{{Labels: map[string]string{slo.LabelSLO: name}, Points: points}}
	}
	late := time.Minute + 999*time.Millisecond
	try("query bad/1 has no answer", func(f report.Facts, _ time.Time) { delete(f, "bad/1") })
	try("something on the way moved them", func(f report.Facts, to time.Time) { f["bad/1"] = of("s0000x", report.Point{T: to, V: 1}) })
	try("want finite numbers", func(f report.Facts, to time.Time) {
		f["bad/1"] = of("s0000x", report.Point{T: to.Add(late), V: math.NaN()})
	})
	try("want SLOs that were asked for", func(f report.Facts, to time.Time) { f["bad/1"] = of("other", report.Point{T: to.Add(late), V: 1}) })
	try("want one point", func(f report.Facts, to time.Time) {
		f["rollups/1"] = of("s0000x", report.Point{T: to, V: 1}, report.Point{T: to, V: 2})
	})
}

// TestDigest: whoever has the JSON form can work its digest out.
func TestDigest(t *testing.T) {
	r, _ := monthReport(t)
	var b, compact bytes.Buffer
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, bytes.Replace(b.Bytes(), []byte(r.Digest), nil, 1)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", sha256.Sum256(bytes.TrimSpace(compact.Bytes()))); got != r.Digest {
		t.Errorf("want %s, have %s", r.Digest, got)
	}
}

// TestExecutive: executives are not shown the details of what was met.
func TestExecutive(t *testing.T) {
	set, o, facts := october(t)
	facts["events/1"] = []report.Series{{Labels: map[string]string{slo.LabelSLO: "s0000x"}, Points: []report.Point{{T: o.Period.To.Add(time.Minute + 999*time.Millisecond), V: 10}}}}
	o.Audience = "executive"
	r, err := report.Build(set, o, facts)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	if r.SLOs[0].Verdict != report.Met || strings.Contains(b.String(), "<article") || strings.Contains(b.String(), `href="#slo-`) {
		t.Errorf("%s, and the page has details", r.SLOs[0].Verdict)
	}
}
