package dashboards

import (
	"fmt"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// detail shows one SLO: every number that its alerts and its budget are made of.
func detail(v *view) page {
	d := v.frame(v.uidDetail(), "SLOs: detail", "detail")
	d.description = "One SLO: its events, its burn rates with their thresholds, and its budget."
	d.from = "now-6h"
	d.variables = variables(true)
	d.annotations = v.annotations(onlyIt, ofServices, slo.Page, slo.Ticket)
	burn := row{id: 3, title: "Burn rates", panels: []panel{v.allWindows(), v.windowTable()}}
	burn.panels = append(burn.panels, v.eachTier(v.tierPanel)...)
	d.rows = []row{
		{id: 1, title: "$slo", panels: v.now()},
		{id: 2, title: "Error budget", panels: []panel{v.budget(), v.alertHistory()}},
		burn,
		{id: 4, title: "Events", panels: []panel{v.events(), v.errorRatio()}},
		{id: 5, title: "Raw increments", collapsed: true, panels: []panel{v.increments()}},
		{id: 6, title: "All SLOs", collapsed: true, panels: []panel{v.runbooks()}},
	}
	return d
}

// now are the numbers at the top.
func (v *view) now() []panel {
	one := func(title, description, noValue, expr string, u unit, decimals int, colors []threshold) panel {
		return panel{
			kind: statKind, title: title, description: description, w: 4, h: 4, unit: u, decimals: decimals, thresholds: colors,
			queries: []query{{expr: expr, legend: title, instant: true}}, noValue: noValue,
		}
	}
	total := func(name string) string {
		return fmt.Sprintf("sum(sum_over_time(%s[$__range]))", sel(name, onlyIt))
	}
	out := []panel{
		one("Objective", "The part of events (or of time) that must be good.", "Not recorded",
			"max("+sel(slo.SeriesObjective, onlyIt)+")", ratio, 3, uncolored()),
		one("Budget left", "Part of the error budget left, of the worst group. Below 0 the promise is broken.", "Not recorded",
			"min("+sel(slo.SeriesBudgetRemaining, onlyIt)+")", ratio, 1, budgetColors()),
		one("Burn rate", "Over the first window of the alert profile. 1 spends the budget in exactly one window of the SLO.",
			"Not recorded", v.burnFast(onlyIt), multiple, 1, v.burnColors()),
		one("Spent in", "If it goes on burning at this rate.", "Not burning", v.exhaustion(onlyIt), seconds, 0,
			[]threshold{{nil, bad}, {new(6 * 3600.0), warning}, {new(3 * 86400.0), good}}),
		one("Events", "Events in the time range of this page, all groups together.", "No events", total(slo.SeriesEventsIncrement), count, 0, uncolored()),
		one("Bad events", "Bad events in the time range of this page, all groups together.", "No events",
			total(slo.SeriesBadIncrement), count, 0, above(1, warning)),
	}
	out[3].mappings = exhausted()
	return out
}

// budget is the budget left of each group.
func (v *view) budget() panel {
	p := panel{
		kind: seriesKind, title: "Budget left", w: 16, h: 8, unit: ratio, max: new(1.0),
		description: "Part of the error budget left; of an SLO with groups, one line per group, the ten with the least. Below 0 the promise is broken." + tooLow,
		noValue:     "No budget was recorded in this time", thresholds: budgetColors(), lines: true,
		queries: []query{{expr: drawn(top("bottomk", most, sel(slo.SeriesBudgetRemaining, onlyIt))), legend: v.legend()}},
	}
	if v.adjusted() {
		p.description += " Of an SLO with adjustments also what would be left without them."
		p.queries = append(p.queries, query{expr: drawn(top("bottomk", most, sel(slo.SeriesBudgetRemainingRaw, onlyIt))), legend: "unadjusted " + v.legend()})
	}
	return p
}

// alertHistory is when alerts fired.
func (v *view) alertHistory() panel {
	return panel{
		kind: barsKind, title: "Firing alerts", w: 8, h: 8, unit: count, min: new(0.0), stacked: true,
		description: "Number of firing alerts by severity; more than one for SLOs with groups.",
		noValue:     "No alert fired in this time", thresholds: uncolored(),
		fixed: []fixed{{slo.Page + "$", bad}, {slo.Ticket + "$", notice}, {"^" + slo.AlertNoData, good}},
		queries: []query{{
			expr:   agg("count", "alertname, "+slo.LabelSeverity, alerts(onlyIt)),
			legend: "{{alertname}} {{" + slo.LabelSeverity + "}}",
		}},
	}
}

// allWindows is the burn rate over every window that is recorded.
func (v *view) allWindows() panel {
	return panel{
		kind: seriesKind, title: "Burn rate over every window", w: 14, h: 9, unit: multiple, min: new(0.0),
		description: "Of an SLO with groups, the highest of the groups. 1 spends the budget in exactly one window of the SLO.",
		noValue:     "No burn rate was recorded in this time", thresholds: above(1, notice), lines: true,
		queries: []query{{
			expr:   agg("max", slo.LabelWindow, sel(slo.SeriesBurnRate, onlyIt)),
			legend: "over {{" + slo.LabelWindow + "}}",
		}},
	}
}

// windowTable is the counts behind the burn rates.
func (v *view) windowTable() panel {
	return panel{
		kind: tableKind, title: "Windows", w: 10, h: 9, unit: plain,
		description: "What each window holds at present, all groups together; the burn rate is that of the worst group.",
		noValue:     "No window is recorded",
		queries: []query{
			{expr: agg("sum", slo.LabelWindow, sel(slo.SeriesEventsSum, onlyIt)), instant: true},
			{expr: agg("sum", slo.LabelWindow, sel(slo.SeriesBadSum, onlyIt)), instant: true},
			{expr: agg("max", slo.LabelWindow, sel(slo.SeriesBurnRate, onlyIt)), instant: true},
		},
		columns: []column{
			{of: slo.LabelWindow, title: "Window"},
			{of: "A", title: "Events", unit: count},
			{of: "B", title: "Bad events", unit: count},
			{of: "C", title: "Burn rate", unit: multiple, decimals: 2, thresholds: v.burnColors()},
		},
		sortBy: "Events",
	}
}

// eachTier is a panel for each tier, two in a line; the last of an odd number has a line of its own.
func (v *view) eachTier(draw func(n int) panel) []panel {
	var out []panel
	for n := range v.mostTiers() {
		out = append(out, draw(n))
	}
	if len(out)%2 == 1 {
		out[len(out)-1].w = width
	}
	return out
}

// tierPanel is the two windows of tier number n and its threshold.
func (v *view) tierPanel(n int) panel {
	over := "{{" + slo.LabelWindow + "}}"
	return panel{
		kind: seriesKind, title: "Burn rate, " + v.tierName(n), w: 12, h: 8, unit: multiple, min: new(0.0),
		description: "The alert fires while both windows are above the dashed line. Of an SLO with groups, the highest of the groups.",
		noValue:     "This SLO has fewer tiers, or no burn rate was recorded", thresholds: uncolored(),
		queries: []query{
			{expr: v.burn(n, long, onlyIt), legend: "over " + over},
			{expr: v.burn(n, short, onlyIt), legend: "over " + over},
			{expr: v.threshold(n, onlyIt), legend: "fires from here", dashed: true},
		},
	}
}

// events is the number of events in each step of the picture.
func (v *view) events() panel {
	inStep := func(name string) string {
		return fmt.Sprintf("sum(sum_over_time(%s[$__interval]))", sel(name, onlyIt))
	}
	return panel{
		kind: barsKind, title: "Events", w: 12, h: 8, unit: count,
		description: "Events and bad events in each step of the picture, all groups together: what the rules counted.",
		noValue:     "No events were recorded in this time", thresholds: uncolored(),
		queries: []query{
			{expr: inStep(slo.SeriesEventsIncrement), legend: "events"},
			{expr: inStep(slo.SeriesBadIncrement), legend: "bad events"},
		},
	}
}

// errorRatio compares the part of bad events with what the objective allows.
func (v *view) errorRatio() panel {
	of := func(name string) string { return fmt.Sprintf("sum(sum_over_time(%s[$__interval]))", sel(name, onlyIt)) }
	return panel{
		kind: seriesKind, title: "Bad part of the events", w: 12, h: 8, unit: ratio,
		description: "Bad events of all events in each step of the picture, and the part that the objective allows. " +
			"A step without events has no value.",
		noValue: "No events were recorded in this time", thresholds: uncolored(),
		queries: []query{
			{expr: fmt.Sprintf("%s / (%s > 0)", of(slo.SeriesBadIncrement), of(slo.SeriesEventsIncrement)), legend: "bad part"},
			{expr: "max(" + sel(slo.SeriesErrorBudget, onlyIt) + ")", legend: "allowed", dashed: true},
		},
	}
}

// increments is what the rules recorded at each evaluation.
func (v *view) increments() panel {
	return panel{
		kind: seriesKind, title: "Increments per evaluation", w: width, h: 9, unit: count,
		description: "The recorded increments themselves, one line per group, the ten highest. A gap is an evaluation that was missed. " +
			"Bad events may be negative for deadlines, which look missed until they are met, and for money, which may be paid back.",
		noValue: "No increments were recorded in this time", thresholds: uncolored(),
		queries: []query{
			{expr: top("topk", most, sel(slo.SeriesEventsIncrement, onlyIt)), legend: "events " + v.legend()},
			{expr: top("topk", most, sel(slo.SeriesBadIncrement, onlyIt)), legend: "bad " + v.legend()},
		},
	}
}
