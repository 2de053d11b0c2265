package dashboards

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// What the three dashboards share.

// Colours, by meaning. None stands alone: a text or a number always says the
// same. They can be told apart with every kind of colour blindness, and read on
// both themes of Grafana, which TestColors shows.
const (
	good    = "#287ed6"
	notice  = "#be8a00"
	warning = "#c85a28"
	bad     = "#dc0a4e"
	neutral = "text"
)

func (v *view) uidExecutive() string { return v.opts.UID + "-executive" }
func (v *view) uidOnCall() string    { return v.opts.UID + "-oncall" }
func (v *view) uidDebug() string     { return v.opts.UID + "-debug" }
func (v *view) uidDetail() string    { return slo.DetailUID(v.opts.UID) }

// maxUID is the length that Grafana allows.
const maxUID = 40

// uidService is a readable name where it fits, else a digest of it.
func (v *view) uidService(service string) string {
	start := v.opts.UID + "-svc-"
	if len(start)+len(service) <= maxUID {
		return start + service
	}
	return start + fmt.Sprintf("%x", sha256.Sum256([]byte(service)))[:maxUID-len(start)]
}

// frame returns a dashboard without rows, with links to the others.
func (v *view) frame(uid, title, tag string) page {
	d := page{uid: uid, title: title, tag: tag, step: v.step}
	for _, l := range []link{
		{"SLOs: executive", "/d/" + v.uidExecutive()},
		{"SLOs: on call", "/d/" + v.uidOnCall()},
		{"SLOs: debug", "/d/" + v.uidDebug()},
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
		dataSource(),
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

// dataSource is the choice of a Prometheus.
func dataSource() variable {
	return variable{name: "datasource", label: "Data source", plugin: "prometheus", description: "Where the rules record their series."}
}

// header is a panel of Markdown across the page, high enough for a phone.
func header(title, markdown string) panel {
	return panel{kind: textKind, title: title, description: "What this dashboard is for.", w: width, h: 4, markdown: markdown}
}

// toDetail links from a row of a table to the dashboard of its SLO.
func (v *view) toDetail() link {
	return link{"SLO detail", "/d/" + v.uidDetail() + "?${__url_time_range}&${datasource:queryparam}&var-slo=${__data.fields." + slo.LabelSLO + "}"}
}

// toDebug links from a row of a table to what may be behind the trouble of its SLO.
func (v *view) toDebug() link {
	return link{"What is behind it", "/d/" + v.uidDebug() + "?${__url_time_range}&${datasource:queryparam}&var-slo=${__data.fields." + slo.LabelSLO + "}"}
}

// seriesToDetail links from a line that is labelled with an SLO to its dashboard.
func (v *view) seriesToDetail() link {
	return link{"SLO detail", "/d/" + v.uidDetail() + "?${__url_time_range}&${datasource:queryparam}&var-slo=${__field.labels." + slo.LabelSLO + "}"}
}

// toService links from a row of a table to the dashboard of its service, or,
// where the name of a service is too long for a uid, to a search for it.
func (v *view) toService() link {
	field := "${__data.fields." + slo.LabelService + "}"
	if v.longNames {
		return link{"Service", "/dashboards?tag=" + field}
	}
	return link{"Service", "/d/" + v.opts.UID + "-svc-" + field + "?${__url_time_range}&${datasource:queryparam}"}
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

// exhausted shows a time of 0 until a budget is spent in words.
func exhausted() []mapping {
	return []mapping{{from: new(0.0), to: new(0.0), text: "Exhausted", color: bad}}
}

// lowest is the least budget that pictures draw: one SLO far below 0 would leave
// no room for those between 0 and 100 %.
const lowest = -0.25

// tooLow says what pictures draw instead.
const tooLow = " Less than -25 % is drawn as -25 %."

// drawn returns budgets as pictures draw them.
func drawn(expr string) string { return "clamp_min(" + expr + ", " + number(lowest) + ")" }

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
