package dashboards

import (
	"fmt"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// executive answers: which promises do we keep, which are in danger, whose are
// they, is it getting better, and what does it cost.
func executive(v *view) page {
	d := v.frame(v.uidExecutive(), "SLOs: executive", "executive")
	d.description = "Which promises are kept, and how much error budget is left."
	d.from, d.refresh, d.step = "now-28d", "15m", "1h"
	d.variables = variables(false)
	d.annotations = v.annotations(chosen, ofServices, slo.Page)
	d.rows = []row{
		{id: 1, title: "Overview", panels: append([]panel{header("How to read this",
			"An SLO is a promise. **Budget left** is 100 % when nothing failed, 0 % when it is just kept, and less when it is broken. "+
				"**Burn rate** 1 spends the budget in one window.")}, v.counts()...)},
		{id: 2, title: "SLOs", panels: []panel{v.health()}},
		{id: 3, title: "Error budgets", panels: []panel{v.budgetOverTime(), v.leastBudget(), v.burnByProduct(), v.depletion()}},
		{id: 4, title: "Teams, and month on month", panels: []panel{keptBy(slo.LabelTeam), v.monthOnMonth()}},
	}
	v.section(&d, telemetry.Cost, row{id: 5, title: "Cost", panels: v.costSummary()})
	v.section(&d, telemetry.Onboarding, row{id: 6, title: "Onboarding", panels: v.onboarded()})
	leftOut(&d)
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
		one("Exhausted", "SLOs that have failed more than they may within their window.", counted(" < 0"), count, above(1, bad)),
		one("Budget at risk", "SLOs with less than a quarter of their budget left.", counted(" >= 0 < 0.25"), count, above(1, warning)),
		one("Alerting now", "SLOs with a firing alert of any severity.",
			fmt.Sprintf("count(%s) or count(%s) * 0", agg("max", slo.LabelSLO, alerts(chosen)), left), count, above(1, bad)),
		one("No telemetry", "SLOs of which nothing is known at present: neither good nor bad.",
			fmt.Sprintf("count(%s) or count(%s) * 0", agg("max", slo.LabelSLO,
				sel("ALERTS", `alertstate="firing"`, `alertname="`+slo.AlertNoData+`"`, chosen)), left), count, above(1, notice)),
	}
}

// health is one row per SLO.
func (v *view) health() panel {
	return panel{
		kind: tableKind, title: "Health by service and team", w: width, h: 10, unit: plain,
		description: "The thirty SLOs with the least budget left, one a row. Of an SLO with groups the worst group counts. " +
			"The burn rates are those over the first and last window of its alert profile.",
		noValue: "No SLO records a budget",
		queries: []query{
			{expr: leastBudget(chosen, agg("max", bySLO, sel(slo.SeriesObjective, chosen))), instant: true},
			{expr: leastBudget(chosen, budgetLeft(chosen)), instant: true},
			{expr: leastBudget(chosen, v.burnFast(chosen)), instant: true},
			{expr: leastBudget(chosen, v.burnSlow(chosen)), instant: true},
			{expr: leastBudget(chosen, v.exhaustion(chosen)), instant: true},
		},
		columns: []column{
			{of: slo.LabelService, title: "Service", links: []link{v.toService()}},
			{of: slo.LabelSLO, title: "SLO", links: []link{v.toDetail()}},
			{of: slo.LabelTeam, title: "Team", links: []link{v.toOnCall()}},
			{of: "A", title: "Objective", unit: ratio, decimals: 3},
			{of: "B", title: "Budget left", unit: ratio, decimals: 1, thresholds: budgetColors(), mappings: spent(), gauge: true},
			{of: "C", title: "Burn rate now", unit: multiple, decimals: 1, thresholds: v.burnColors()},
			{of: "D", title: "Burn rate lately", unit: multiple, decimals: 1, thresholds: v.burnColors()},
			{of: "E", title: "Spent in", unit: seconds, mappings: exhausted()},
		},
		sortBy: "Budget left",
	}
}

// product returns the label that tells products apart, and what to call it:
// product if any SLO has that label, else service.
func (v *view) product() (label, name string) {
	for i := range v.set.SLOs {
		if _, ok := v.set.SLOs[i].Labels["product"]; ok {
			return "product", "product"
		}
	}
	return slo.LabelService, "service"
}

// budgetOverTime is the worst budget of each product.
func (v *view) budgetOverTime() panel {
	label, name := v.product()
	return panel{
		kind: seriesKind, title: "Budget left, worst SLO of each " + name, w: 16, h: 9, unit: ratio, max: new(1.0),
		description: "The ten with the least. Below 0 a promise is broken. A rolling window gives budget back as old errors leave it; " +
			"a calendar window starts anew." + tooLow,
		noValue: "No SLO recorded a budget in this time", thresholds: budgetColors(), lines: true,
		queries: []query{{
			expr:   drawn(top("bottomk", most, agg("min", label, sel(slo.SeriesBudgetRemaining, chosen)))),
			legend: "{{" + label + "}}",
		}},
	}
}

// burnByProduct is the highest burn rate of each product over a day.
func (v *view) burnByProduct() panel {
	label, name := v.product()
	return chart("Burn rate over a day, worst SLO of each "+name, "The ten highest. 1 spends the budget in exactly one window of the SLO, 2 in half of it.",
		"No burn rate was recorded in this time", multiple, query{
			expr:   top("topk", most, agg("max", label, sel(slo.SeriesBurnRate, chosen, window("1d")))),
			legend: "{{" + label + "}}",
		}).colored([]threshold{{nil, good}, {new(1.0), notice}, {new(2.0), warning}})
}

// depletion is when the budgets that burn will be spent.
func (v *view) depletion() panel {
	p := bars("Budget spent in", "If it goes on as over the first window of the alert profile: the eight SLOs that come first.",
		"No SLO is on course to spend its budget within sixty days", seconds,
		query{expr: "bottomk(8, (" + v.exhaustion(chosen) + ") < 60 * 86400)", legend: "{{" + slo.LabelSLO + "}}"}).sized(12, 8).
		colored([]threshold{{nil, bad}, {new(6 * 3600.0), warning}, {new(3 * 86400.0), notice}, {new(30 * 86400.0), good}})
	p.links = []link{v.seriesToDetail()}
	p.mappings = exhausted()
	return p
}

// keptBy is the part of the promises that are kept, by a label.
func keptBy(label string) panel {
	left := agg("min", bySLO, sel(slo.SeriesBudgetRemaining, chosen))
	p := bars("Promises kept, by team", "Part of the SLOs of each team whose budget is not overspent; the ten teams with the least.",
		"No SLO records a budget", ratio,
		query{
			expr:   fmt.Sprintf("bottomk(%d, %s)", most, agg("avg", label, left+" >= bool 0")),
			legend: "{{" + label + "}}",
		}).sized(8, 9).colored(keptColors())
	p.max = new(1.0)
	return p
}

// keptColors are the thresholds of a part of the promises.
func keptColors() []threshold { return []threshold{{nil, bad}, {new(0.9), notice}, {new(1.0), good}} }

// month is how far back month on month looks.
const month = " offset 30d"

// monthOnMonth compares the promises kept with those of a month and of two ago.
func (v *view) monthOnMonth() panel {
	label, name := v.product()
	kept := func(ago string) query {
		left := agg("min", label+", "+slo.LabelSLO, sel(slo.SeriesBudgetRemaining, chosen)+ago)
		return query{expr: fmt.Sprintf("%s and on (%s) bottomk(%d, %s)", agg("avg", label, left+" >= bool 0"), label, manyRows,
			agg("min", label, sel(slo.SeriesBudgetRemaining, chosen))), instant: true}
	}
	least := query{expr: fmt.Sprintf("bottomk(%d, %s)", manyRows, agg("min", label, sel(slo.SeriesBudgetRemaining, chosen))), instant: true}
	col := func(of, title string) column {
		return column{of: of, title: title, unit: ratio, thresholds: keptColors()}
	}
	return panel{
		kind: tableKind, title: "Reliability, month on month", w: 16, h: 9, unit: plain,
		description: "Part of the promises of each " + name + " that were kept now, 30 days ago and 60 days ago, each over the window " +
			"of its SLO. Empty where nothing was recorded yet.",
		noValue: "No SLO records a budget",
		queries: []query{kept(""), kept(month), kept(" offset 60d"), least},
		columns: []column{
			{of: label, title: strings.ToUpper(name[:1]) + name[1:]},
			col("A", "Kept now"), col("B", "A month ago"), col("C", "Two months ago"),
			{of: "D", title: "Least budget left", unit: ratio, decimals: 1, thresholds: budgetColors(), mappings: spent(), gauge: true},
		},
		sortBy: "Least budget left",
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
