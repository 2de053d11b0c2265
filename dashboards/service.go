package dashboards

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// service is a service with its SLOs.
type service struct {
	name string
	spec *slo.Service // nil if none is declared
	slos []slo.SLO
}

// title returns what people call the service.
func (s *service) title() string {
	if s.spec != nil {
		return s.spec.Title()
	}
	return s.name
}

// servicesOf returns the services that have SLOs, by name.
func servicesOf(set *slo.Set) []service {
	byName := map[string]*service{}
	for _, x := range set.SLOs {
		s := byName[x.Service]
		if s == nil {
			s = &service{name: x.Service}
			s.spec, _ = set.Service(x.Service)
			byName[x.Service] = s
		}
		s.slos = append(s.slos, x)
	}
	var out []service
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, *byName[name])
	}
	return out
}

// serviceBoard answers, for the team that owns a service: which of our promises
// is in danger, since when, what changed, and is it we or something we need.
func (v *view) serviceBoard(s *service) (page, error) {
	of, err := v.of(s.slos)
	if err != nil {
		return page{}, err
	}
	only := slo.LabelService + "=" + strconv.Quote(s.name)
	filter := only + "," + slo.LabelSLO + `=~"$slo"`
	d := of.frame(v.uidService(s.name), "Service: "+inTitle(s.title()), s.name)
	d.description = "The promises of one service, what they are made of, and what the service needs."
	d.from, d.refresh = "now-24h", "1m"
	d.variables = []variable{dataSource(), {
		name: slo.LabelSLO, label: "SLO", description: "SLOs of the service.",
		query: fmt.Sprintf("label_values(%s, %s)", sel(slo.SeriesInfo, only), slo.LabelSLO),
	}}
	d.annotations = of.annotations(filter, "service_name="+strconv.Quote(s.name), slo.Page, slo.Ticket)
	d.rows = []row{
		{id: 1, title: "Promises", panels: []panel{v.about(s), of.promises(filter), of.alertTable(filter)}},
		{id: 2, title: "Error budgets", panels: []panel{of.budgets(filter), of.burning(filter)}},
		{id: 3, title: "Events", panels: []panel{badPart(filter), eventsOf(filter)}},
	}
	if s.spec != nil && len(s.spec.DependsOn) > 0 {
		needs := slo.LabelService + "=~" + strconv.Quote(alternatives(s.spec.DependsOn))
		d.rows = append(d.rows, row{id: 4, title: "What it needs", panels: []panel{v.needs(needs)}})
	}
	v.section(&d, telemetry.Pipelines, row{id: 5, title: "Deployments", collapsed: true, panels: deploymentsOf(s.name)})
	v.section(&d, telemetry.Incidents, row{id: 6, title: "Incidents", collapsed: true, panels: incidentsOf(s.name)})
	v.section(&d, telemetry.Cost, row{id: 7, title: "Cost", collapsed: true, panels: costOf(s.name)})
	leftOut(&d)
	return d, nil
}

// about is the words about a service: what it is, whose, and where its runbooks are.
func (v *view) about(s *service) panel {
	var b strings.Builder
	if s.spec != nil {
		if s.spec.Description != "" {
			b.WriteString(plainText(s.spec.Description) + "\n\n")
		}
		facts := []string{}
		if s.spec.Owner.Team != "" {
			facts = append(facts, "Team **"+plainText(s.spec.Owner.Team)+"**")
		}
		if s.spec.Runbook != "" {
			facts = append(facts, "[runbook](<"+s.spec.Runbook+">)")
		}
		for _, name := range slices.Sorted(maps.Keys(s.spec.Links)) {
			facts = append(facts, "["+plainText(name)+"](<"+s.spec.Links[name]+">)")
		}
		for _, name := range s.spec.DependsOn {
			need := plainText(name)
			if slices.ContainsFunc(v.services, func(s service) bool { return s.name == name }) {
				need = "[" + need + "](/d/" + v.uidService(name) + ")"
			}
			facts = append(facts, "needs "+need)
		}
		b.WriteString(strings.Join(facts, " · ") + "\n\n")
	}
	b.WriteString(v.sloTable(s.slos))
	return panel{
		kind: textKind, title: inTitle(s.title()), w: width, h: min(6+len(s.slos), 14), markdown: b.String(),
		description: "The service, its owner, and its SLOs with their runbooks.",
	}
}

// promises is one row per SLO of a service.
func (v *view) promises(filter string) panel {
	p := panel{
		kind: tableKind, title: "State of the promises", w: width, h: 8, unit: plain,
		description: "One row per SLO, the least budget first. Of an SLO with groups the worst group counts.",
		noValue:     "No SLO of this service records a budget",
		columns: []column{
			{of: slo.LabelService, hidden: true},
			{of: slo.LabelTeam, hidden: true},
			{of: slo.LabelSLO, title: "SLO", links: []link{v.toDetail()}},
			{of: "A", title: "Objective", unit: ratio, decimals: 3},
			{of: "B", title: "Budget left", unit: ratio, decimals: 1, thresholds: budgetColors(), mappings: spent(), gauge: true},
			{of: "C", title: "Burn rate now", unit: multiple, decimals: 1, thresholds: v.burnColors()},
			{of: "D", title: "Spent in", unit: seconds, mappings: exhausted()},
		},
		sortBy: "Budget left",
	}
	for _, expr := range []string{
		agg("max", bySLO, sel(slo.SeriesObjective, filter)), budgetLeft(filter), v.burnFast(filter), v.exhaustion(filter),
	} {
		p.queries = append(p.queries, query{expr: leastBudget(filter, expr), instant: true})
	}
	return p
}

// budgets is the budget left of each SLO of a filter.
func (v *view) budgets(filter string) panel {
	p := chart("Budget left", "Of each SLO its worst group; the ten with the least. Below 0 the promise is broken."+tooLow,
		"No SLO recorded a budget in this time", ratio,
		query{expr: drawn(top("bottomk", most, budgetLeft(filter))), legend: "{{" + slo.LabelSLO + "}}"}).colored(budgetColors())
	p.min, p.max, p.links = nil, new(1.0), []link{v.seriesToDetail()}
	return p
}

// burning is the burn rate of each SLO of a filter.
func (v *view) burning(filter string) panel {
	p := chart("Burn rate", "Over the first window of the alert profile; the ten highest. 1 spends the budget in exactly one window of the SLO.",
		"No burn rate was recorded in this time", multiple,
		query{expr: top("topk", most, v.burnFast(filter)), legend: "{{" + slo.LabelSLO + "}}"}).colored(v.burnColors())
	p.links = []link{v.seriesToDetail()}
	return p
}

// badPart compares, for each SLO, the part of bad events with what it allows.
func badPart(filter string) panel {
	of := func(name string) string {
		return agg("sum", slo.LabelSLO, "sum_over_time("+sel(name, filter)+"[$__interval])")
	}
	return chart("Bad part of the events", "Bad events of all events in each step, in multiples of what the objective allows: above 1 the budget shrinks faster than it may. "+
		"The ten highest; a step without events has no value.", "No events were recorded in this time", multiple,
		query{
			expr: top("topk", most, fmt.Sprintf("%s / (%s > 0) / (%s > 0)", of(slo.SeriesBadIncrement), of(slo.SeriesEventsIncrement),
				agg("max", slo.LabelSLO, sel(slo.SeriesErrorBudget, filter)))),
			legend: "{{" + slo.LabelSLO + "}}",
		}).colored(above(1, warning))
}

// eventsOf is the events of each SLO of a filter.
func eventsOf(filter string) panel {
	p := chart("Events", "Events in each step, of the ten SLOs with the most.", "No events were recorded in this time", count,
		query{
			expr:   top("topk", most, agg("sum", slo.LabelSLO, "sum_over_time("+sel(slo.SeriesEventsIncrement, filter)+"[$__interval])")),
			legend: "{{" + slo.LabelSLO + "}}",
		})
	return p
}

// needs is one row per SLO of the services that a service needs.
func (v *view) needs(filter string) panel {
	return panel{
		kind: tableKind, title: "SLOs of the services that it needs", w: width, h: 8, unit: plain,
		description: "If one of these burns, look there first.", noValue: "No SLO of these services records a budget",
		queries: []query{
			{expr: leastBudget(filter, budgetLeft(filter)), instant: true},
			{expr: leastBudget(filter, agg("max", bySLO, sel(slo.SeriesBurnRate, filter, window("1h")))), instant: true},
		},
		columns: []column{
			{of: slo.LabelService, title: "Service", links: []link{v.toService()}},
			{of: slo.LabelSLO, title: "SLO", links: []link{v.toDetail()}},
			{of: slo.LabelTeam, title: "Team", links: []link{v.toOnCall()}},
			{of: "A", title: "Budget left", unit: ratio, decimals: 1, thresholds: budgetColors(), mappings: spent(), gauge: true},
			{of: "B", title: "Burn rate, 1 h", unit: multiple, decimals: 1, thresholds: v.burnColors()},
		},
		sortBy: "Budget left",
	}
}

// manyRows is how many rows a table has at most.
const manyRows = 30

// leastBudget keeps of expr, which has the labels of bySLO, the SLOs of a filter
// with the least budget left.
func leastBudget(filter, expr string) string {
	return fmt.Sprintf("(%s) and on (%s) bottomk(%d, %s)", expr, bySLO, manyRows, budgetLeft(filter))
}

// maxListed is how many SLOs a text lists; beyond that a list is not read, and
// makes a dashboard slow to load.
const maxListed = 100

// sloTable lists SLOs with their objectives and runbooks, in Markdown.
func (v *view) sloTable(slos []slo.SLO) string {
	var b strings.Builder
	b.WriteString("| Service | SLO | Team | Objective | Runbook |\n|---|---|---|---|---|\n")
	for i := range slos[:min(len(slos), maxListed)] {
		s := &slos[i]
		book := "none"
		if s.Runbook != "" {
			book = "[runbook](<" + s.Runbook + ">)"
		}
		fmt.Fprintf(&b, "| [%s](/d/%s) | [%s](/d/%s?var-slo=%s) | %s | %s over %s | %s |\n", plainText(s.Service), v.uidService(s.Service),
			plainText(s.Title()), v.uidDetail(), s.Name, plainText(s.Owner.Team), s.Objective.Percent(), s.Window, book)
	}
	if n := len(slos) - maxListed; n > 0 {
		fmt.Fprintf(&b, "\nand %d more: each service has a dashboard with its own.\n", n)
	}
	return b.String()
}

// runbooks is a panel with the objective, owner and runbook of every SLO.
func (v *view) runbooks() panel {
	return panel{
		kind: textKind, title: "SLOs and their runbooks", w: width, h: min(3+len(v.set.SLOs), 20), markdown: v.sloTable(v.set.SLOs),
		description: "The SLOs in the specs from which this dashboard was generated.",
	}
}

// plainText makes s fit into a line of Markdown, a cell of a table too, and
// keeps Grafana from taking a $ in it for a variable.
func plainText(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "[", `\[`, "]", `\]`, "<", "&lt;", "$", "&#36;", "*", `\*`).Replace(s)
}

// inTitle keeps Grafana from taking a $ in a title for a variable: titles know
// no escapes, so it is the full-width dollar sign.
func inTitle(s string) string { return strings.ReplaceAll(s, "$", "\uff04") }

// alternatives is a regular expression for any of the names.
func alternatives(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = regexp.QuoteMeta(n)
	}
	return strings.Join(out, "|")
}
