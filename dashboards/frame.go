package dashboards

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// What the three dashboards share.

// Colours, by meaning. None stands alone: a text or a number always says the same.
const (
	good    = "green"
	notice  = "yellow"
	warning = "orange"
	bad     = "red"
	neutral = "blue"
)

func (v *view) uidExecutive() string { return v.opts.UID + "-executive" }
func (v *view) uidOnCall() string    { return v.opts.UID + "-oncall" }
func (v *view) uidDetail() string    { return v.opts.UID + "-slo" }

// frame returns a dashboard without rows, with links to the other two.
func (v *view) frame(uid, title, tag string) page {
	d := page{uid: uid, title: title, tag: tag, step: v.step}
	for _, l := range []link{
		{"SLOs: executive", "/d/" + v.uidExecutive()},
		{"SLOs: on call", "/d/" + v.uidOnCall()},
		{"SLOs: detail", "/d/" + v.uidDetail()},
	} {
		if l.url != "/d/"+uid {
			d.links = append(d.links, l)
		}
	}
	return d
}

// variables returns the choices at the top: data source, team, service and SLO.
// The values come from SeriesInfo, which has one series per SLO.
func variables(single bool) []variable {
	values := func(label string, matchers ...string) string {
		return fmt.Sprintf("label_values(%s, %s)", sel(slo.SeriesInfo, matchers...), label)
	}
	team, service := slo.LabelTeam+`=~"$team"`, slo.LabelService+`=~"$service"`
	return []variable{
		{name: "datasource", label: "Data source", description: "Where the rules record their series."},
		{
			name: slo.LabelTeam, label: "Team", query: values(slo.LabelTeam),
			description: "Owners of SLOs.",
		},
		{
			name: slo.LabelService, label: "Service", query: values(slo.LabelService, team),
			description: "Services of the chosen teams.",
		},
		{
			name: slo.LabelSLO, label: "SLO", query: values(slo.LabelSLO, team, service), single: single,
			description: "SLOs of the chosen teams and services.",
		},
	}
}

// annotations marks the times in which alerts fired.
func annotations(filter string, severities ...string) []annotation {
	var out []annotation
	for _, s := range severities {
		a := annotation{
			name:  strings.ToUpper(s[:1]) + s[1:] + " alerts",
			expr:  agg("max", "alertname, "+slo.LabelSeverity+", "+bySLO, alerts(severity(s), filter)),
			title: "{{alertname}}: {{" + slo.LabelSLO + "}}",
			text:  "{{" + slo.LabelSeverity + "}} for team {{" + slo.LabelTeam + "}}, service {{" + slo.LabelService + "}}",
			color: warning,
		}
		if s == slo.Page {
			a.color = bad
		}
		out = append(out, a)
	}
	return out
}

// header is a panel of Markdown across the page.
func header(title, markdown string) panel {
	return panel{kind: textKind, title: title, description: "What this dashboard is for.", w: width, h: 3, markdown: markdown}
}

// toDetail links from a row of a table to the dashboard of its SLO.
func (v *view) toDetail() link {
	return link{"SLO detail", "/d/" + v.uidDetail() + "?${__url_time_range}&${datasource:queryparam}&var-slo=${__data.fields." + slo.LabelSLO + "}"}
}

// seriesToDetail links from a line that is labelled with an SLO to its dashboard.
func (v *view) seriesToDetail() link {
	return link{"SLO detail", "/d/" + v.uidDetail() + "?${__url_time_range}&${datasource:queryparam}&var-slo=${__field.labels." + slo.LabelSLO + "}"}
}

// toOnCall links from a row of a table to the on-call dashboard of its team.
func (v *view) toOnCall() link {
	return link{"On call", "/d/" + v.uidOnCall() + "?${datasource:queryparam}&var-team=${__data.fields." + slo.LabelTeam + "}"}
}

// budgetColors are the thresholds of a part of the budget left.
func budgetColors() []threshold {
	return []threshold{{nil, bad}, {new(0.0), warning}, {new(0.25), notice}, {new(0.5), good}}
}

// spent shows a budget below 0 in words.
func spent() []mapping {
	return []mapping{{to: new(-1e-9), text: "Exhausted", color: bad}}
}

// burnColors are the thresholds of a burn rate: 1 spends the budget in exactly
// its period, 2 in half of it, and the last is the lowest rate that pages. It
// is 14.4 if the first tiers do not agree.
func (v *view) burnColors() []threshold {
	page := 14.4
	if parts := v.tier(0); len(parts) == 1 {
		page = slo.Decimal(parts[0].key.factor).Float()
	}
	out := []threshold{{nil, good}, {new(1.0), notice}}
	if page > 2 {
		out = append(out, threshold{new(2.0), warning})
	}
	if page > 1 {
		out = append(out, threshold{new(page), bad})
	}
	return out
}

// above colours everything from limit on.
func above(limit float64, color string) []threshold {
	return []threshold{{nil, good}, {new(limit), color}}
}

// uncolored is for values that are neither good nor bad.
func uncolored() []threshold { return []threshold{{nil, neutral}} }

// legend names a line after its SLO and, for grouped SLOs, its group.
func (v *view) legend() string {
	groups := map[string]bool{}
	for _, s := range v.set.SLOs {
		for _, l := range s.GroupBy {
			groups[l] = true
		}
	}
	out := "{{" + slo.LabelSLO + "}}"
	for _, l := range slices.Sorted(maps.Keys(groups)) {
		out += " {{" + l + "}}"
	}
	return out
}

// runbooks is a panel with the objective, owner and runbook of every SLO.
func (v *view) runbooks() panel {
	var b strings.Builder
	b.WriteString("| Service | SLO | Team | Objective | Runbook |\n|---|---|---|---|---|\n")
	for i := range v.set.SLOs {
		s := &v.set.SLOs[i]
		book := "none"
		if s.Runbook != "" {
			book = "[runbook](<" + s.Runbook + ">)"
		}
		fmt.Fprintf(&b, "| %s | [%s](/d/%s?var-slo=%s) | %s | %s over %s | %s |\n", cell(s.Service), cell(s.Title()),
			v.uidDetail(), s.Name, cell(s.Owner.Team), s.Objective.Percent(), s.Window, book)
	}
	return panel{
		kind: textKind, title: "SLOs and their runbooks", w: width, h: min(3+len(v.set.SLOs), 20), markdown: b.String(),
		description: "Every SLO in the specs from which this dashboard was generated.",
	}
}

// cell makes s fit into a cell of a Markdown table, and keeps Grafana from
// taking a $ in it for a variable.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "[", `\[`, "]", `\]`, "<", "&lt;", "$", "&#36;").Replace(s)
}
