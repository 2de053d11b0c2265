package dashboards

import (
	"fmt"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// executive answers: which promises do we keep, which are in danger, whose are
// they.
func executive(v *view) page {
	d := v.frame(v.uidExecutive(), "SLOs: executive", "executive")
	d.description = "Which promises are kept, and how much error budget is left."
	d.from, d.refresh, d.step = "now-28d", "15m", "1h"
	d.variables = variables(false)
	d.annotations = annotations(chosen, slo.Page)
	d.rows = []row{
		{title: "Overview", panels: append([]panel{header("How to read this",
			"An SLO is a promise, and its error budget is what may fail within its window without breaking it. "+
				"**Budget left** is 100 % when nothing failed and 0 % when the promise is just kept; below that it is broken. "+
				"**Burn rate** 1 spends the budget in exactly one window.")}, v.counts()...)},
		{title: "SLOs", panels: []panel{v.health()}},
		{title: "Error budgets", panels: []panel{v.budgetOverTime(), v.leastBudget()}},
	}
	return d
}

// counts are the numbers at the top: how many SLOs are in which state.
func (v *view) counts() []panel {
	left := budgetLeft(chosen)
	counted := func(cond string) string {
		return fmt.Sprintf("count(%s%s) or count(%s) * 0", left, cond, left)
	}
	one := func(title, description, expr string, u unit, colors []threshold) panel {
		return panel{
			kind: statKind, title: title, description: description, w: 4, h: 4, unit: u, thresholds: colors,
			queries: []query{{expr: expr, legend: title, instant: true}}, noValue: "No SLO records a budget",
		}
	}
	return []panel{
		one("Promises kept", "Part of the SLOs whose budget is not overspent.",
			fmt.Sprintf("(%s) / count(%s)", counted(" >= 0"), left), ratio,
			[]threshold{{nil, bad}, {new(0.9), notice}, {new(1.0), good}}),
		one("SLOs", "SLOs that record a budget.", "count("+left+")", count, uncolored()),
		one("Budget exhausted", "SLOs that have failed more than they may within their window.", counted(" < 0"), count, above(1, bad)),
		one("Budget at risk", "SLOs with less than a quarter of their budget left.", counted(" >= 0 < 0.25"), count, above(1, warning)),
		one("Alerting now", "SLOs with a firing alert of any severity.",
			fmt.Sprintf("count(%s) or count(%s) * 0", agg("max", slo.LabelSLO, alerts(chosen)), left), count, above(1, bad)),
		one("Without telemetry", "SLOs of which nothing is known at present: neither good nor bad.",
			fmt.Sprintf("count(%s) or count(%s) * 0", agg("max", slo.LabelSLO,
				sel("ALERTS", `alertstate="firing"`, `alertname="`+slo.AlertNoData+`"`, chosen)), left), count, above(1, notice)),
	}
}

// health is one row per SLO.
func (v *view) health() panel {
	return panel{
		kind: tableKind, title: "Health by service and team", w: width, h: 10, unit: plain,
		description: "One row per SLO, the least budget first. Of an SLO with groups the worst group counts. " +
			"The burn rates are those over the first and last window of its alert profile.",
		noValue: "No SLO records a budget",
		queries: []query{
			{expr: agg("max", bySLO, sel(slo.SeriesObjective, chosen)), instant: true},
			{expr: budgetLeft(chosen), instant: true},
			{expr: v.burnFast(chosen), instant: true},
			{expr: v.burnSlow(chosen), instant: true},
			{expr: v.exhaustion(chosen), instant: true},
		},
		columns: []column{
			{of: slo.LabelService, title: "Service"},
			{of: slo.LabelSLO, title: "SLO", links: []link{v.toDetail()}},
			{of: slo.LabelTeam, title: "Team", links: []link{v.toOnCall()}},
			{of: "A", title: "Objective", unit: ratio, decimals: 3},
			{of: "B", title: "Budget left", unit: ratio, decimals: 1, thresholds: budgetColors(), mappings: spent(), gauge: true},
			{of: "C", title: "Burn rate now", unit: multiple, decimals: 1, thresholds: v.burnColors()},
			{of: "D", title: "Burn rate lately", unit: multiple, decimals: 1, thresholds: v.burnColors()},
			{of: "E", title: "Spent in, at this rate", unit: seconds},
		},
		sortBy: "Budget left",
	}
}

// budgetOverTime is the worst budget of each service.
func (v *view) budgetOverTime() panel {
	return panel{
		kind: seriesKind, title: "Budget left over time, worst SLO of each service", w: 16, h: 9, unit: ratio, max: new(1.0),
		description: "Below 0 a promise of the service is broken. A rolling window gives budget back as old errors leave it; " +
			"a calendar window starts anew.",
		noValue: "No SLO recorded a budget in this time", thresholds: budgetColors(), lines: true,
		queries: []query{{expr: agg("min", slo.LabelService, sel(slo.SeriesBudgetRemaining, chosen)), legend: "{{" + slo.LabelService + "}}"}},
	}
}

// leastBudget is the ten SLOs that are nearest to breaking.
func (v *view) leastBudget() panel {
	return panel{
		kind: gaugesKind, title: "Least budget left", w: 8, h: 9, unit: ratio, min: new(0.0), max: new(1.0), decimals: 1,
		description: "The ten SLOs with the least budget left.",
		noValue:     "No SLO records a budget", thresholds: budgetColors(), mappings: spent(),
		queries: []query{{expr: "bottomk(10, " + budgetLeft(chosen) + ")", legend: "{{" + slo.LabelSLO + "}}", instant: true}},
		links:   []link{v.seriesToDetail()},
	}
}
