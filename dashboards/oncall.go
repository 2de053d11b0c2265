package dashboards

import (
	"fmt"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// onCall answers: what burns, how long does the budget last, which alert fires
// next, what around it fails or changed, and where is the runbook.
func onCall(v *view) page {
	d := v.frame(v.uidOnCall(), "SLOs: on call", "oncall")
	d.description = "What burns, how long the budget lasts, and which alert is near."
	d.from, d.refresh = "now-3h", "30s"
	d.variables = variables(false)
	d.annotations = v.annotations(chosen, ofServices, slo.Page, slo.Ticket)
	tiers := row{id: 2, title: "Burn rates, in multiples of what fires", collapsed: true, panels: v.eachTier(v.nearness)}
	d.rows = []row{{id: 1, title: "What is wrong", panels: append(v.firing(), v.urgent(), v.alertTable(chosen))}, tiers}
	v.section(&d, telemetry.Incidents, row{id: 3, title: "Incidents", panels: v.openIncidents()})
	v.section(&d, telemetry.Pipelines, row{id: 4, title: "Pipelines and deployments", panels: v.blocked()})
	v.section(&d, telemetry.PlatformAPI, row{id: 5, title: "Platform API", panels: apiSymptoms()})
	d.rows = append(d.rows, row{id: 6, title: "Ingestion", panels: []panel{recordingLag()}})
	v.section(&d, telemetry.Collector, row{id: 7, title: "Collectors", panels: []panel{lostTelemetry(), queues()}})
	v.section(&d, telemetry.Storage, row{id: 8, title: "Storage and rules", panels: []panel{brokenRules(), stored()}})
	v.section(&d, telemetry.Policy, row{id: 9, title: "Policy", panels: []panel{v.denials(), v.denied()}})
	d.rows = append(d.rows,
		row{id: 10, title: "Error budgets", panels: []panel{v.shrinking()}},
		row{id: 11, title: "Runbooks", collapsed: len(v.set.SLOs) > 20, panels: []panel{v.runbooks()}})
	leftOut(&d)
	return d
}

// firing are the numbers at the top.
func (v *view) firing() []panel {
	one := func(title, description, expr, color string) panel {
		return panel{
			kind: statKind, title: title, description: description, w: 6, h: 4, unit: count, thresholds: above(1, color),
			queries: []query{{expr: expr, legend: title, instant: true}}, noValue: "0",
		}
	}
	slos := func(selector string) string { return "count(" + agg("max", slo.LabelSLO, selector) + ") or vector(0)" }
	return []panel{
		one("Paging", "SLOs with a firing page.", slos(alerts(severity(slo.Page), chosen)), bad),
		one("Ticketing", "SLOs with a firing ticket.", slos(alerts(severity(slo.Ticket), chosen)), warning),
		one("No telemetry", "SLOs whose telemetry is missing: their state is not known.",
			slos(sel("ALERTS", `alertstate="firing"`, `alertname="`+slo.AlertNoData+`"`, chosen)), warning),
		one("Burning", "SLOs that burn faster than their budget lasts (burn rate over 1), alerting or not.",
			fmt.Sprintf("count((%s) > 1) or vector(0)", v.burnFast(chosen)), notice),
	}
}

// urgent is one row per burning SLO.
func (v *view) urgent() panel {
	burning := func(expr string) query {
		return query{expr: fmt.Sprintf("(%s) and on (%s) topk(%d, (%s) > 1)", expr, bySLO, manyRows, v.burnFast(chosen)), instant: true}
	}
	return panel{
		kind: tableKind, title: "Burning SLOs, the most urgent first", w: width, h: 9, unit: plain,
		description: "SLOs with a burn rate over 1, by the time until their budget is spent if it goes on as over the first " +
			"window of their alert profile. Errors that leave a rolling window meanwhile would give more time.",
		noValue: "No SLO burns faster than its budget lasts",
		queries: []query{
			burning(v.exhaustion(chosen)), burning(budgetLeft(chosen)), burning(v.burnFast(chosen)), burning(v.burnSlow(chosen)),
		},
		columns: []column{
			{of: slo.LabelSLO, title: "SLO", links: []link{v.toDetail(), v.toDebug()}},
			{of: slo.LabelService, title: "Service", links: []link{v.toService()}},
			{of: slo.LabelTeam, title: "Team"},
			{
				of: "A", title: "Spent in", unit: seconds, mappings: exhausted(),
				thresholds: []threshold{{nil, bad}, {new(6 * 3600.0), warning}, {new(3 * 86400.0), notice}},
			},
			{of: "B", title: "Budget left", unit: ratio, decimals: 1, thresholds: budgetColors()},
			{of: "C", title: "Burn rate now", unit: multiple, decimals: 1, thresholds: v.burnColors()},
			{of: "D", title: "Burn rate lately", unit: multiple, decimals: 1, thresholds: v.burnColors()},
		},
		sortBy: "Spent in",
	}
}

// alertTable is one row per firing alert.
func (v *view) alertTable(filter string) panel {
	return panel{
		kind: tableKind, title: "Firing alerts", w: width, h: 8, unit: plain,
		description: "Alerts that the rules fire at present. Silences and inhibitions of the Alertmanager are not known here.",
		noValue:     "No alert is firing",
		queries:     []query{{expr: fmt.Sprintf("topk(%d, %s)", manyRows, agg("max", "alertname, "+slo.LabelSeverity+", "+bySLO, alerts(filter))), instant: true}},
		columns: []column{
			{of: slo.LabelSeverity, title: "Severity"},
			{of: "alertname", title: "Alert"},
			{of: slo.LabelSLO, title: "SLO", links: []link{v.toDetail(), v.toDebug()}},
			{of: slo.LabelService, title: "Service", links: []link{v.toService()}},
			{of: slo.LabelTeam, title: "Team", links: []link{v.toOnCall()}},
		},
		sortBy: "Severity",
	}
}

// nearness shows how near tier number n is to firing.
func (v *view) nearness(n int) panel {
	highest := func(of func(tier) string) query {
		return query{
			expr:   top("topk", 8, v.burnShare(n, of, chosen)),
			legend: "{{" + slo.LabelSLO + "}} over {{" + slo.LabelWindow + "}}",
		}
	}
	return panel{
		kind: seriesKind, title: "Burn rate against " + v.tierName(n), w: 12, h: 8, unit: multiple, min: new(0.0),
		description: "Burn rate divided by the burn rate that fires. The alert fires while the long and the short window of an SLO " +
			"are both above 1. The eight highest of each window are drawn.",
		noValue: "No burn rate was recorded for this tier", thresholds: above(1, bad), lines: true,
		queries: []query{highest(long), highest(short)},
		links:   []link{v.seriesToDetail()},
	}
}

// shrinking is the least budgets over time.
func (v *view) shrinking() panel {
	return panel{
		kind: seriesKind, title: "Budget left, the ten least", w: width, h: 8, unit: ratio, max: new(1.0),
		description: "The ten SLOs that come lowest in the time range." + tooLow,
		noValue:     "No SLO recorded a budget in this time", thresholds: budgetColors(), lines: true,
		queries: []query{{expr: drawn(top("bottomk", most, budgetLeft(chosen))), legend: "{{" + slo.LabelSLO + "}}"}},
		links:   []link{v.seriesToDetail()},
	}
}
