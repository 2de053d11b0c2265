package dashboards

import (
	"fmt"
	"strconv"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

// Panels about cost. Amounts of different currencies are never added, nor are
// billed and allocated cost: everything here is billed cost by currency.

const (
	billed     = `cost_metric="billed"`
	byCurrency = "cost_currency"
	byEnv      = "deployment_environment_name, cost_currency"
)

// spend returns the billed cost of a period of the chosen teams.
func (v *view) spend(period string, more ...string) string {
	return sel(telemetry.CostSpend, append(more, billed, `cost_period="`+period+`"`, v.mine(telemetry.CostSpend))...)
}

// costSummary answers: do we stay within the budget, what grows, and what is
// unlike the days before.
func (v *view) costSummary() []panel {
	month := figure("Spent this month", "Billed cost of the month so far, by currency.", "No cost of this month is known",
		agg("sum", byCurrency, v.spend("mtd")), count, uncolored()).sized(6, 4)
	month.named, month.queries[0].legend = true, "{{"+byCurrency+"}}"
	age := figure("Newest cost data", "Age of the newest charge of the provider that is furthest behind. Later figures may still rise.",
		"No cost is known", "max("+sel(telemetry.CostAge)+")", seconds, []threshold{{nil, good}, {new(36 * 3600.0), warning}}).sized(6, 4)
	budget := agg("sum", byEnv, sel(telemetry.CostBudget, `cost_period="month"`, `deployment_environment_name!=""`))
	used := bars("Part of the month's budget spent", "By environment that has a budget, all teams together; the ten with the most.", "No environment has a budget", ratio, query{
		expr:   fmt.Sprintf("topk(%d, %s / (%s > 0))", most, agg("sum", byEnv, sel(telemetry.CostSpend, billed, `cost_period="mtd"`)), budget),
		legend: "{{deployment_environment_name}} {{cost_currency}}",
	}).sized(12, 8).colored([]threshold{{nil, good}, {new(0.8), notice}, {new(1.0), bad}})
	trend := chart("Cost of a day", "Billed cost of the last whole day, by environment; the ten with the most.", "No cost of a day is known", count, query{
		expr: top("topk", most, agg("sum", byEnv, v.spend("last_day"))), legend: "{{deployment_environment_name}} {{cost_currency}}",
	})
	return []panel{month, age, used, v.unusual(), trend}
}

// unusual compares the last day with those before.
func (v *view) unusual() panel {
	day := agg("sum", byEnv, v.spend("last_day"))
	usual := agg("sum", byEnv, "avg_over_time("+v.spend("last_day")+"[28d])")
	often := func(expr string) query {
		return query{expr: fmt.Sprintf("(%s) and on (%s) topk(%d, %s)", expr, byEnv, manyRows, day), instant: true}
	}
	return panel{
		kind: tableKind, title: "Days unlike the last four weeks", w: 12, h: 12, unit: plain,
		description: "Cost of the last whole day against the mean of the last 28 days. Twice the usual is worth a question.",
		noValue:     "No cost of a day is known",
		queries:     []query{often(day), often(usual), often(fmt.Sprintf("%s / (%s > 0)", day, usual))},
		columns: []column{
			{of: "deployment_environment_name", title: "Environment"},
			{of: "cost_currency", title: "Currency"},
			{of: "A", title: "Last day", unit: count},
			{of: "B", title: "Usual day", unit: count},
			{of: "C", title: "Factor", unit: multiple, decimals: 1, thresholds: []threshold{{nil, good}, {new(1.5), notice}, {new(2.0), bad}}},
		},
		sortBy: "Factor", mostFirst: true,
	}
}

// costCauses answers where the money goes, and whether the figures can be trusted.
func (v *view) costCauses() []panel {
	where := list("Most expensive services", "Billed cost of the last 30 days; the ten with the most.", "No cost is known",
		fmt.Sprintf("topk(%d, %s)", most, agg("sum", "service_name, platform_team, cost_currency", v.spend("trailing_30d"))),
		column{title: "Cost", unit: count}, column{of: "service_name", title: "Of"}, column{of: "platform_team", title: "Team"}, column{of: "cost_currency", title: "Currency"})
	kinds := bars("Kinds of charges", "Billed cost of the last 30 days, by category and currency; the ten with the most.", "No cost is known", count, query{
		expr: fmt.Sprintf("topk(%d, %s)", most, agg("sum", "cost_charge_category, cost_currency", v.spend("trailing_30d"))), legend: "{{cost_charge_category}} {{cost_currency}}",
	}).sized(12, 8)
	kinds.min = nil
	rows := bars("Rows of the bills", "Rows read since the start, by what became of them and whether they have an owner.", "No bill was read", count, query{
		expr: agg("sum", "class, tagged", sel(telemetry.CostRows)), legend: "{{class}} tagged: {{tagged}}",
	}).sized(12, 8)
	wrong := list("What is wrong with the bills", "Rows of the present data with something wrong; the ten most.", "Nothing is wrong with the present data",
		atMost(agg("sum", "cost_trouble", sel(telemetry.CostTroubles))), column{title: "Rows", unit: count}, column{of: "cost_trouble", title: "Trouble"})
	age := chart("Age of the cost data", "By provider.", "No cost is known", latency, query{
		expr: agg("max", "cost_provider", sel(telemetry.CostAge)), legend: "{{cost_provider}}",
	}).sized(width, 7).colored([]threshold{{nil, good}, {new(36 * 3600.0), warning}})
	return []panel{where, kinds, rows, wrong, age}
}

// costOf is the cost of one service.
func costOf(service string) []panel {
	it := "service_name=" + strconv.Quote(service)
	p := chart("Cost of a day", "Billed cost of the last whole day, by environment; the ten with the most.", "No cost of a service of this name is known", count, query{
		expr: top("topk", most, agg("sum", byEnv, sel(telemetry.CostSpend, it, billed, `cost_period="last_day"`))), legend: "{{deployment_environment_name}} {{cost_currency}}",
	})
	return []panel{p.sized(width, 8)}
}
