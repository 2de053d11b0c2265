package dashboards

import (
	"strconv"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

// Panels about policy, secrets, incidents, onboarding and coverage.

// denials is how often policy stops each team, or each namespace where series do
// not say whose they are.
func (v *view) denials() panel {
	by, whom := v.stopped()
	return chart("Policy denials by "+whom, "Decisions to deny, a minute; the ten with the most. A rise for many at once is a changed policy, "+
		"for one a changed deployment.", "No policy decided in this time", perMin, query{
		expr: top("topk", most, "60 * "+agg("sum", by,
			perSecond(telemetry.PolicyDecisions, `policy_decision="deny"`, v.mine(telemetry.PolicyDecisions)))), legend: "{{" + by + "}}",
	})
}

// stopped returns the label that says whom a policy stopped, and what that is.
func (v *view) stopped() (label, name string) {
	if v.teamLabel {
		return labelPlatformTeam, "team"
	}
	return "k8s_namespace_name", "namespace"
}

// denied is which policy denied whom.
func (v *view) denied() panel {
	by, whom := v.stopped()
	return list("What was denied", "Denials in the time range of this page, by "+whom+" and policy; the ten most.", "Nothing was denied",
		atMost(agg("sum", by+", policy_name",
			inRange(telemetry.PolicyDecisions, `policy_decision="deny"`, v.mine(telemetry.PolicyDecisions)))),
		column{title: "Denials", unit: count, thresholds: above(1, warning)}, column{of: by, title: strings.ToUpper(whom[:1]) + whom[1:]}, column{of: "policy_name", title: "Policy"})
}

// decisions answers, when deployments are refused, whether it is a policy or the
// engine that evaluates it.
func (v *view) decisions() []panel {
	return []panel{
		chart("Policy decisions", "What the policy engines say they decided, a minute. error is the engine and no policy.", "No policy decided in this time", perMin, query{
			expr: "60 * " + agg("sum", "policy_engine, policy_decision", perSecond(telemetry.PolicyDecisions, v.mine(telemetry.PolicyDecisions))), legend: "{{policy_engine}} {{policy_decision}}",
		}),
		v.denials(), v.denied().sized(width, 8),
	}
}

// rotation answers whether secrets are rotated when they are due, whether the
// new ones arrive, and who is turned away.
func (v *view) rotation() []panel {
	due := chart("Rotations due and done", "In the last day.", "No secret was due in this time", count,
		query{expr: "sum(" + grown("1d", telemetry.RotationDue, v.mine(telemetry.RotationDue)) + ")", legend: "due"},
		query{expr: agg("sum", "platform_outcome", grown("1d", telemetry.RotationOutcomes, v.mine(telemetry.RotationOutcomes))), legend: "{{platform_outcome}}"})
	attempts := chart("Attempts to rotate", "In the last day, whether something was due or not.", "Nobody tried to rotate a secret in this time", count, query{
		expr:   agg("sum", "secret_rotation_result, secret_rotation_trigger", grown("1d", telemetry.RotationAttempts, v.mine(telemetry.RotationAttempts))),
		legend: "{{secret_rotation_trigger}} {{secret_rotation_result}}",
	})
	why := list("Rotations missed or late", "Of those that came due in the time range of this page, by why; the ten most.", "Every rotation that was due was done in time",
		atMost(agg("sum", "secret_store, secret_kind, secret_rotation_reason", inRange(telemetry.RotationOutcomes, `platform_outcome="bad"`, v.mine(telemetry.RotationOutcomes)))),
		column{title: "Rotations", unit: count, thresholds: above(1, bad)},
		column{of: "secret_store", title: "Store"}, column{of: "secret_kind", title: "Kind"}, column{of: "secret_rotation_reason", title: "Why"})
	overdue := list("Overdue secrets", "How long each has been overdue; its name is a hash unless the receiver shows names. The ten that are for longest.", "No secret is overdue",
		atMost(agg("max", "secret_store, secret_kind, secret_scope, secret_name", sel(telemetry.RotationOverdueAge, v.mine(telemetry.RotationOverdueAge)))),
		column{title: "Overdue for", unit: seconds, thresholds: above(0, bad)},
		column{of: "secret_store", title: "Store"}, column{of: "secret_kind", title: "Kind"}, column{of: "secret_scope", title: "Scope"}, column{of: "secret_name", title: "Secret"})
	oldest := bars("Oldest secrets", "Time since the last rotation of the secret that was not rotated for longest, by store and kind; the ten oldest.",
		"No secret that has to be rotated is known", seconds, query{
			expr: "topk(10, " + agg("max", "secret_store, secret_kind", sel(telemetry.RotationAge, v.mine(telemetry.RotationAge))) + ")", legend: "{{secret_store}} {{secret_kind}}",
		}).sized(12, 8)
	arrives := chart("Time until a new secret is used", "Of the rotations of the last day.", "No consumer told in this time that it uses a new secret", latency)
	for _, q := range []float64{0.5, 0.95} {
		arrives.queries = append(arrives.queries, query{
			expr:   quantile(q, "le", grown("1d", telemetry.Propagation+"_bucket", v.mine(telemetry.Propagation))),
			legend: "p" + number(100*q),
		})
	}
	access := chart("Accesses that were denied", "By store and kind of principal, a minute; the ten most. What was read by whom stands in the audit log.",
		"No access was denied in this time", perMin, query{
			expr:   top("topk", most, "60 * "+agg("sum", "secret_store, secret_principal_kind", perSecond(telemetry.SecretAccesses, `secret_access_outcome="denied"`))),
			legend: "{{secret_store}} {{secret_principal_kind}}",
		})
	trail := list("Who accesses secrets", "Accesses in the time range of this page, by store, kind of principal, operation and outcome; the ten most.", "No secret was accessed",
		atMost(agg("sum", "secret_store, secret_principal_kind, secret_access_operation, secret_access_outcome", inRange(telemetry.SecretAccesses))),
		column{title: "Accesses", unit: count}, column{of: "secret_store", title: "Store"}, column{of: "secret_principal_kind", title: "Principal"},
		column{of: "secret_access_operation", title: "Operation"}, column{of: "secret_access_outcome", title: "Outcome"})
	return []panel{due, attempts, why, oldest, overdue.sized(width, 8), arrives, access, trail.sized(width, 8)}
}

// severityColors are the thresholds of a number of open incidents.
func severityColors() []threshold { return above(1, bad) }

// incident returns the series of a metric of incidents of the chosen teams.
func (v *view) incident(metric string) string { return sel(metric, v.mine(telemetry.IncidentOpen)) }

// twice says how incidents are counted that more than one system tells of.
const twice = " An incident that two systems tell of counts for each."

// openIncidents is what is open at present.
func (v *view) openIncidents() []panel {
	open := v.incident(telemetry.IncidentOpen)
	return []panel{
		bars("Open incidents by severity", "At present, by the system that tells of them."+twice, "No incident is known", count, query{
			expr: agg("sum", "incident_severity, platform_event_source", open), legend: "{{incident_severity}} {{platform_event_source}}",
		}).sized(8, 7).colored(severityColors()),
		list("Open incidents by service", "At present; the ten services with the most."+twice, "No incident is open",
			atMost(agg("sum", "service_name, incident_severity, incident_state, platform_event_source", open)),
			column{title: "Incidents", unit: count, thresholds: severityColors()}, column{of: "service_name", title: "Of"}, column{of: "incident_severity", title: "Severity"},
			column{of: "incident_state", title: "State"}, column{of: "platform_event_source", title: "Told by"}).sized(16, 7),
	}
}

// incidentHistory answers whether trouble comes back, and how long it lasts.
func (v *view) incidentHistory() []panel {
	mine := v.mine(telemetry.IncidentOpened)
	opened := chart("Incidents opened", "In the last day, by whether they are new."+twice, "No incident was opened in this time", count, query{
		expr: agg("sum", "incident_recurrence", grown("1d", telemetry.IncidentOpened, mine)), legend: "{{incident_recurrence}}",
	})
	restore := chart("Time to restore, median", "Of the incidents that were resolved in the last seven days, by severity.", "No incident was resolved in this time", latency, query{
		expr: quantile(0.5, "le, incident_severity", grown("7d", telemetry.TimeToRestore+"_bucket", mine)), legend: "{{incident_severity}}",
	})
	ack := chart("Time to acknowledge, median", "Of the incidents that somebody acknowledged in the last seven days, by severity.", "No incident was acknowledged in this time", latency, query{
		expr: quantile(0.5, "le, incident_severity", grown("7d", telemetry.TimeToAck+"_bucket", mine)), legend: "{{incident_severity}}",
	})
	oldest := bars("Longest open", "Time since the first sign of the incident that has been open for longest, by severity.", "No incident is known", seconds, query{
		expr: agg("max", "incident_severity", v.incident(telemetry.IncidentOldest)), legend: "{{incident_severity}}",
	}).sized(12, 8)
	return []panel{opened, restore, ack, oldest}
}

// incidentsOf is the incidents of one service.
func incidentsOf(service string) []panel {
	it := "service_name=" + strconv.Quote(service)
	return []panel{
		figure("Open incidents", "Of a service of this name."+twice, "No incident of a service of this name is known",
			"sum("+sel(telemetry.IncidentOpen, it)+")", count, severityColors()).sized(6, 7),
		chart("Incidents opened", "In the last seven days, by whether they are new."+twice, "No incident of a service of this name is known", count, query{
			expr: agg("sum", "incident_recurrence", grown("7d", telemetry.IncidentOpened, it)), legend: "{{incident_recurrence}}",
		}).sized(18, 7),
	}
}

// onboarded answers how long the platform lets new services wait.
func (v *view) onboarded() []panel {
	mine := v.mine(telemetry.OnboardingDuration)
	part := func(suffix string) string { return "sum(" + inRange(telemetry.OnboardingDuration+suffix, mine) + ")" }
	of := func(metric string) string { return sel(metric, mine) }
	return []panel{
		figure("Average onboarding", "From the request for a service to its first deployment to production, of those that finished in the time range of this page.",
			"No service got there", part("_sum")+" / ("+part("_count")+" > 0)", seconds,
			[]threshold{{nil, good}, {new(3 * 86400.0), notice}, {new(7 * 86400.0), bad}}).sized(8, 4),
		figure("Services onboarded", "In the time range of this page.", "Nothing is known of onboarding", part("_count"), count, uncolored()).sized(8, 4),
		figure("Services that wait", "Services that were asked for and are not in production yet.", "Nothing is known of onboarding",
			"sum("+of(telemetry.OnboardingOpen)+")", count, uncolored()).sized(8, 4),
		bars("Who waits for longest", "Time since the service was asked for that is waited for since longest, by the team that asked; the ten longest.", "No team waits", seconds, query{
			expr: atMost(agg("max", labelPlatformTeam, of(telemetry.OnboardingOldest))), legend: "{{" + labelPlatformTeam + "}}",
		}).sized(12, 7).colored([]threshold{{nil, good}, {new(3 * 86400.0), notice}, {new(7 * 86400.0), bad}}),
		bars("What became of requests", "Requests that ended in the time range of this page. Abandoned ones were taken back or came to nothing.", "No request ended", count, query{
			expr: agg("sum", "platform_onboarding_outcome", inRange(telemetry.OnboardingOutcomes, mine)), legend: "{{platform_onboarding_outcome}}",
		}).sized(12, 7),
	}
}

// covered answers whether what is silent is healthy or blind.
func (v *view) covered() []panel {
	const signal = "platform_telemetry_signal"
	return []panel{
		bars("Services with telemetry", "Part of the services of the inventory that send each signal that they should; all is those that send everything.", "No inventory is known", ratio, query{
			expr: agg("sum", signal, sel(telemetry.CoverageCovered)) + " / (" + agg("sum", signal, sel(telemetry.CoverageExpected)) + " > 0)", legend: "{{" + signal + "}}",
		}).sized(8, 8).colored([]threshold{{nil, bad}, {new(0.9), notice}, {new(1.0), good}}),
		list("Silent services", "Services of the inventory that do not send a signal; at most ten.", "Every service sends every signal",
			atMost(agg("count", "service_name", sel(telemetry.ServiceCoverage, v.mine(telemetry.ServiceCoverage))+" == 0")),
			column{title: "Signals missing", unit: count, thresholds: above(1, warning)}, column{of: "service_name", title: "Service"}).sized(10, 8),
		figure("Not in the inventory", "Services that send telemetry and that nobody has written down.", "No inventory is known",
			"sum("+sel(telemetry.CoverageUnlisted)+")", count, above(1, notice)).sized(6, 8),
	}
}
