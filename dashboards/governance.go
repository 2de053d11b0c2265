package dashboards

import (
	"strconv"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

// Panels about policy, secrets, incidents, onboarding and coverage.

// denials is how often policy stops each team.
func (v *view) denials() panel {
	return chart("Policy denials by team", "Requests that a policy denied, a minute; the ten teams with the most. A rise for many teams at "+
		"once is a changed policy, for one team a changed deployment.", "No policy was evaluated in this time", perMin, query{
		expr: top("topk", most, "60 * "+agg("sum", labelPlatformTeam,
			perSecond(telemetry.PolicyEvaluations, `policy_outcome="deny"`, v.mine(telemetry.PolicyEvaluations)))), legend: "{{" + labelPlatformTeam + "}}",
	})
}

// denied is which policy denied whom.
func (v *view) denied() panel {
	return list("What was denied", "Denials in the time range of this page, by team and policy; the ten most.", "Nothing was denied",
		atMost(agg("sum", labelPlatformTeam+", policy_name",
			inRange(telemetry.PolicyEvaluations, `policy_outcome="deny"`, v.mine(telemetry.PolicyEvaluations)))),
		column{title: "Denials", unit: count, thresholds: above(1, warning)}, column{of: labelPlatformTeam, title: "Team"}, column{of: "policy_name", title: "Policy"})
}

// decisions answers, when deployments are refused, whether it is a policy or the
// engine that evaluates it.
func (v *view) decisions() []panel {
	return []panel{
		chart("Policy decisions", "By outcome, a minute. error is the engine and no policy.", "No policy was evaluated in this time", perMin, query{
			expr: "60 * " + agg("sum", "policy_outcome", perSecond(telemetry.PolicyEvaluations, v.mine(telemetry.PolicyEvaluations))), legend: "{{policy_outcome}}",
		}),
		v.denials(), v.denied().sized(width, 8),
	}
}

// rotation answers whether secrets are rotated when they are due, whether the
// new ones arrive, and who is turned away.
func (v *view) rotation() []panel {
	due := chart("Rotations due and done", "In the last day.", "No secret was due in this time", count,
		query{expr: "sum(" + grown("1d", telemetry.RotationDue, v.mine(telemetry.RotationDue)) + ")", legend: "due"},
		query{expr: agg("sum", "outcome", grown("1d", telemetry.RotationOutcomes, v.mine(telemetry.RotationOutcomes))), legend: "{{outcome}}"})
	overdue := list("Overdue secrets", "Secrets whose rotation is due and not done, by where they are kept and what they are; the ten most.", "No secret is overdue",
		atMost(agg("sum", "secret_store, secret_kind", sel(telemetry.RotationOverdue, v.mine(telemetry.RotationOverdue)))),
		column{title: "Secrets", unit: count, thresholds: above(1, bad)}, column{of: "secret_store", title: "Store"}, column{of: "secret_kind", title: "Kind"})
	arrives := chart("Time until a new secret is used", "Of the rotations of the last day.", "No secret was rotated in this time", latency)
	for _, q := range []float64{0.5, 0.95} {
		arrives.queries = append(arrives.queries, query{
			expr:   quantile(q, "le", grown("1d", telemetry.Propagation+"_bucket", v.mine(telemetry.Propagation))),
			legend: "p" + number(100*q),
		})
	}
	access := chart("Accesses that were denied", "By store and kind of principal, a minute; the ten most. What was read by whom stands in the audit log.",
		"No access was denied in this time", perMin, query{
			expr: top("topk", most, "60 * "+agg("sum", "secret_store, principal_kind", perSecond(telemetry.SecretAccesses, `outcome="denied"`))), legend: "{{secret_store}} {{principal_kind}}",
		})
	trail := list("Who accesses secrets", "Accesses in the time range of this page, by store, kind of principal and outcome; the ten most.", "No secret was accessed",
		atMost(agg("sum", "secret_store, principal_kind, outcome", inRange(telemetry.SecretAccesses))),
		column{title: "Accesses", unit: count}, column{of: "secret_store", title: "Store"}, column{of: "principal_kind", title: "Principal"}, column{of: "outcome", title: "Outcome"}).sized(width, 8)
	return []panel{due, overdue, arrives, access, trail}
}

// severityColors are the thresholds of a number of open incidents.
func severityColors() []threshold { return above(1, bad) }

// openIncidents is what is open at present.
func openIncidents() []panel {
	return []panel{
		bars("Open incidents by severity", "At present.", "No incident is known", count, query{
			expr: agg("sum", "severity", sel(telemetry.IncidentOpen)), legend: "{{severity}}",
		}).sized(12, 7).colored(severityColors()),
		list("Open incidents by service", "At present; the ten services with the most.", "No incident is open",
			atMost(agg("sum", "service_name, severity", sel(telemetry.IncidentOpen))),
			column{title: "Incidents", unit: count, thresholds: severityColors()}, column{of: "service_name", title: "Of"}, column{of: "severity", title: "Severity"}).sized(12, 7),
	}
}

// incidentHistory answers whether trouble comes back, and how long it lasts.
func incidentHistory() []panel {
	opened := chart("Incidents opened", "In the last day, by whether they are new.", "No incident was opened in this time", count, query{
		expr: agg("sum", "recurrence", grown("1d", telemetry.IncidentOpened)), legend: "{{recurrence}}",
	})
	restore := chart("Time to restore, median", "Of the incidents that were resolved in the last seven days, by severity.", "No incident was resolved in this time", latency, query{
		expr: quantile(0.5, "le, severity", grown("7d", telemetry.TimeToRestore+"_bucket")), legend: "{{severity}}",
	})
	return []panel{opened, restore}
}

// incidentsOf is the incidents of one service.
func incidentsOf(service string) []panel {
	it := "service_name=" + strconv.Quote(service)
	return []panel{
		figure("Open incidents", "Of a service of this name.", "No incident of a service of this name is known",
			"sum("+sel(telemetry.IncidentOpen, it)+")", count, severityColors()).sized(6, 7),
		chart("Incidents opened", "In the last seven days, by whether they are new.", "No incident of a service of this name is known", count, query{
			expr: agg("sum", "recurrence", grown("7d", telemetry.IncidentOpened, it)), legend: "{{recurrence}}",
		}).sized(18, 7),
	}
}

// onboarded answers how long the platform lets new teams wait, and where.
func onboarded() []panel {
	part := func(suffix string) string { return "sum(" + inRange(telemetry.OnboardingDuration+suffix) + ")" }
	return []panel{
		figure("Average onboarding", "From the request of a team to its first deployment to production, of those that finished in the time range of this page.",
			"No team finished", part("_sum")+" / ("+part("_count")+" > 0)", seconds,
			[]threshold{{nil, good}, {new(3 * 86400.0), notice}, {new(7 * 86400.0), bad}}).sized(8, 4),
		figure("Teams onboarded", "In the time range of this page.", "Nothing is known of onboarding", part("_count"), count, uncolored()).sized(8, 4),
		figure("Teams that wait", "Teams that asked for the platform and have not deployed to production yet.", "Nothing is known of onboarding",
			"sum("+sel(telemetry.OnboardingOpen)+")", count, uncolored()).sized(8, 4),
		bars("Where they wait", "Teams that wait, by the stage that they are in.", "No team waits", count, query{
			expr: agg("sum", "stage", sel(telemetry.OnboardingOpen)), legend: "{{stage}}",
		}).sized(12, 7),
		bars("Time in each stage, median", "Of the teams that left the stage in the time range of this page.", "No team left a stage", seconds, query{
			expr: quantile(0.5, "le, stage", inRange(telemetry.OnboardingStage+"_bucket")), legend: "{{stage}}",
		}).sized(12, 7),
	}
}

// covered answers whether what is silent is healthy or blind.
func covered() []panel {
	return []panel{
		bars("Services with telemetry", "Part of the services of the inventory that send each signal.", "No inventory is known", ratio, query{
			expr: agg("avg", "signal", sel(telemetry.ServiceCoverage)), legend: "{{signal}}",
		}).sized(12, 8).colored([]threshold{{nil, bad}, {new(0.9), notice}, {new(1.0), good}}),
		list("Silent services", "Services of the inventory that do not send a signal; at most ten.", "Every service sends every signal",
			atMost(agg("count", "service_name", sel(telemetry.ServiceCoverage)+" == 0")),
			column{title: "Signals missing", unit: count, thresholds: above(1, warning)}, column{of: "service_name", title: "Service"}),
	}
}
