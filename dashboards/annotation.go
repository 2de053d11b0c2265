package dashboards

import (
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// annotations marks the times of alerts of these severities, of maintenance, of
// budget policies that hold back releases, of incidents, and, where alerts of
// every severity are wanted, of deployments to production. filter chooses SLOs,
// and of the services that incidents and deployments are of.
func (v *view) annotations(filter, of string, severities ...string) []annotation {
	var out []annotation
	for _, s := range severities {
		a := annotation{
			off:   s == slo.Ticket && filter != onlyIt, // of many SLOs one nearly always has a ticket
			name:  strings.ToUpper(s[:1]) + s[1:] + " alerts",
			expr:  agg("max", "alertname, "+slo.LabelSeverity+", "+bySLO, alerts(severity(s), filter)),
			title: "{{alertname}}: {{" + slo.LabelSLO + "}}",
			text:  "{{" + slo.LabelSeverity + "}} for team {{" + slo.LabelTeam + "}}, service {{" + slo.LabelService + "}}",
			color: warning,
		}
		if s == slo.Page {
			a.color = bad
		}
		if filter == chosen { // one mark for all, else they cover the picture
			a.expr = agg("max", slo.LabelSeverity, alerts(severity(s), filter))
			a.title, a.text = "SLO alert: {{"+slo.LabelSeverity+"}}", "Of at least one of the chosen SLOs; the tables say which."
		}
		out = append(out, a)
	}
	if v.maintained() {
		out = append(out, annotation{
			name: "Maintenance", expr: agg("max", bySLO, sel(slo.SeriesAdjusted, filter)) + " == 1",
			title: "Maintenance: {{" + slo.LabelSLO + "}}", text: "The time does not count.", color: "purple",
		})
	}
	for _, action := range []string{"slow", "freeze"} {
		if parts := v.held(action); len(parts) > 0 {
			out = append(out, annotation{
				off: filter != onlyIt, name: "Releases: " + action, expr: or(parts, func(below slo.Decimal, match string) string {
					return agg("min", bySLO, sel(slo.SeriesBudgetRemaining, filter, match)) + " < " + number(below.Float())
				}),
				title: "Budget policy, " + action + ": {{" + slo.LabelSLO + "}}",
				text:  "Team {{" + slo.LabelTeam + "}}, service {{" + slo.LabelService + "}}", color: notice,
			})
		}
	}
	if v.uses(telemetry.Incidents) {
		out = append(out, annotation{
			name: "Incidents", expr: agg("sum", "incident_severity", sel(telemetry.IncidentOpen, of)) + " > 0",
			title: "Incident", text: "{{incident_severity}}", color: bad,
		})
	}
	if v.uses(telemetry.Pipelines) && len(severities) > 1 {
		out = append(out, annotation{
			off:  filter == chosen, // somebody always deploys something
			name: "Deployments",
			expr: agg("sum", "service_name, deployment_environment_name, platform_deployment_kind",
				"increase("+sel(telemetry.Deployments, of, `platform_environment_tier="production"`)+"[5m])") + " > 0",
			title: "{{platform_deployment_kind}}: {{service_name}}", text: "to {{deployment_environment_name}}", color: good,
		})
	}
	return out
}

// maintained tells whether any maintenance takes time out of budgets.
func (v *view) maintained() bool {
	for i := range v.set.Adjustments {
		a := &v.set.Adjustments[i]
		if a.Type != "maintenance" {
			continue
		}
		for _, name := range a.SLOs {
			if s, ok := v.set.SLO(name); ok && countsTime(s) {
				return true
			}
		}
	}
	return false
}

// adjusted tells whether any adjustment changes a budget.
func (v *view) adjusted() bool {
	for i := range v.set.Adjustments {
		if a := &v.set.Adjustments[i]; a.Type == "correction" && len(a.SLOs) > 0 {
			return true
		}
	}
	return v.maintained()
}

// countsTime tells whether maintenance takes time out of the budget of s.
func countsTime(s *slo.SLO) bool {
	switch s.SLI.SLI.(type) {
	case *slo.Deadline, *slo.Spend:
		return false
	}
	return true
}

// held returns, by the budget left below which the policy of an SLO wants this
// action, the SLOs.
func (v *view) held(action string) []part[slo.Decimal] {
	return partition(v.set.SLOs, func(i int) (slo.Decimal, bool) {
		p, ok := v.set.Policy(v.set.SLOs[i].Policy)
		if !ok {
			return "", false
		}
		for _, s := range p.States {
			if s.Action == action {
				return s.Below, true
			}
		}
		return "", false
	})
}
