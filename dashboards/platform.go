package dashboards

import (
	"fmt"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Panels about the platform API, the clusters, and the telemetry itself.

// apiSymptoms is what users of the platform API feel.
func apiSymptoms() []panel {
	rate := func(matchers ...string) string {
		return agg("sum", "service_name", perSecond(telemetry.APIRequests, matchers...))
	}
	all := rate(`platform_outcome=~"good|bad"`)
	errors := chart("Error rate of the platform API", "Part of the requests that failed by the platform, by service; the ten highest. "+
		"Watches, health checks, dry runs and the like do not count.", "No request was made in this time", ratio, query{
		expr:   top("topk", most, fmt.Sprintf("(%s or 0 * %s) / (%s > 0)", rate(`platform_outcome="bad"`), all, all)),
		legend: "{{service_name}}",
	})
	slow := chart("Latency of the platform API", "Of all requests that count.", "No request was made in this time", latency,
		quantiles(telemetry.APILatency, nil, 0.5, 0.95, 0.99)...)
	return []panel{errors, slow}
}

// apiCauses answers why requests fail, what is refused, and what goes around the
// platform.
func apiCauses() []panel {
	why := chart("Requests that failed by why", "A minute.", "No request failed in this time", perMin, query{
		expr: "60 * " + agg("sum", "platform_request_reason", perSecond(telemetry.APIRequests, `platform_outcome="bad"`)), legend: "{{platform_request_reason}}",
	})
	decided := chart("Decisions about requests", "By the engine that decided and how, without those that let a request pass; a minute, the ten most. One decision for each request, by the audit log.",
		"Every request was let through in this time", perMin, query{
			expr:   top("topk", most, "60 * "+agg("sum", "policy_engine, policy_decision", perSecond(telemetry.PolicyEvaluations, `policy_decision!="allow"`))),
			legend: "{{policy_engine}} {{policy_decision}}",
		})
	ways := chart("Changes by their way", "Changes to the platform an hour, by whether they went through it, around it, or were an emergency.", "Nobody changed anything in this time", count, query{
		expr: "3600 * " + agg("sum", "platform_channel", perSecond(telemetry.Actions)), legend: "{{platform_channel}}",
	})
	around := list("Changed by hand", "Changes around the platform in the time range of this page, by what was changed; the ten most.", "Nothing was changed by hand",
		atMost(agg("sum", "service_name, platform_target_kind, platform_channel", inRange(telemetry.Actions, `platform_channel!="platform"`))),
		column{title: "Changes", unit: count, thresholds: above(1, notice)}, column{of: "service_name", title: "Where"},
		column{of: "platform_target_kind", title: "What"}, column{of: "platform_channel", title: "Way"})
	return []panel{why, decided, ways, around}
}

// recordingLag is how old the newest recorded increment is.
func recordingLag() panel {
	return chart("Lag of what the rules record", "Age of the newest recorded increment. All budgets and alerts are this late; where it grows, nothing is "+
		"evaluated.", "Nothing was recorded in this time", latency,
		query{expr: "time() - max(timestamp(" + sel(slo.SeriesEventsIncrement, chosen) + "))", legend: "lag"}).
		sized(width, 6).colored([]threshold{{nil, good}, {new(120.0), notice}, {new(300.0), bad}})
}

// lostTelemetry is what collectors refuse or fail to send, of each signal.
func lostTelemetry() panel {
	p := chart("Telemetry refused or not sent", "What collectors turned away or could not pass on, a second.", "No collector took in anything in this time", perSec)
	for _, s := range telemetry.Signals() {
		none := "0 * sum(" + perSecond(telemetry.ReceiverAccepted+s) + ")"
		p.queries = append(p.queries, query{
			expr: fmt.Sprintf("(sum(%s) or %s) + (sum(%s) or %s)", perSecond(telemetry.ReceiverRefused+s), none,
				perSecond(telemetry.ExporterFailed+s), none),
			legend: strings.ReplaceAll(s, "_", " "),
		})
	}
	return p.colored(above(1, warning))
}

// queues is how full the queues of the collectors are.
func queues() panel {
	p := chart("Queues of the collectors", "Part of the queue of each exporter that is full; the ten fullest. A full queue refuses.",
		"No collector has a queue", ratio, query{
			expr:   top("topk", most, agg("max", "exporter", sel(telemetry.QueueSize)+" / "+sel(telemetry.QueueCapacity))),
			legend: "{{exporter}}",
		}).colored([]threshold{{nil, good}, {new(0.5), notice}, {new(0.8), bad}})
	p.max = new(1.0)
	return p
}

// flow is what comes into the collectors and leaves them.
func flow() []panel {
	in := chart("Telemetry taken in", "By signal, a second.", "No collector took in anything in this time", perSec)
	out := chart("Telemetry sent", "By signal, a second.", "No collector sent anything in this time", perSec)
	for _, s := range telemetry.Signals() {
		name := strings.ReplaceAll(s, "_", " ")
		in.queries = append(in.queries, query{expr: "sum(" + perSecond(telemetry.ReceiverAccepted+s) + ")", legend: name})
		out.queries = append(out.queries, query{expr: "sum(" + perSecond(telemetry.ExporterSent+s) + ")", legend: name})
	}
	return []panel{in, out, lostTelemetry(), queues()}
}

// heard is what became of the events of CI and CD systems.
func heard() panel {
	return chart("Events of CI and CD systems", "By the system and what became of them, a minute; the ten most.", "No event came in this time", perMin, query{
		expr: top("topk", most, "60 * "+agg("sum", "platform_event_source, platform_event_verdict", perSecond(telemetry.EventsReceived))), legend: "{{platform_event_source}} {{platform_event_verdict}}",
	}).sized(width, 7)
}

// brokenRules is the rules that fail or come late.
func brokenRules() panel {
	return list("Rules that fail or are missed", "Failed and missed evaluations in the time range of this page, by group of rules; the ten with the most.",
		"Every evaluation of every rule came and worked", atMost(agg("sum", "rule_group", inRange(telemetry.RuleFailures)+" + "+inRange(telemetry.RuleMissed))),
		column{title: "Evaluations", unit: count, thresholds: above(1, warning)}, column{of: "rule_group", title: "Group"})
}

// stored is how much the server stores.
func stored() panel {
	return chart("Samples stored", "A second, by type.", "The server stored nothing in this time", perSec, query{
		expr: agg("sum", "type", perSecond(telemetry.SamplesAppended)), legend: "{{type}}",
	})
}

// health of the store, for debugging.
func storeHealth() []panel {
	return []panel{
		chart("Series in memory", "What a server holds in memory grows with them.", "No server says how many series it has", count,
			query{expr: "sum(" + sel(telemetry.HeadSeries) + ")", legend: "series"}),
		stored(),
		chart("Slow groups of rules", "Time of the last evaluation as a part of the interval; the ten highest. Above 1 evaluations are missed.",
			"No group of rules was evaluated", ratio, query{
				expr:   top("topk", most, agg("max", "rule_group", sel(telemetry.RuleDuration)+" / "+sel(telemetry.RuleInterval))),
				legend: "{{rule_group}}",
			}).colored([]threshold{{nil, good}, {new(0.5), notice}, {new(1.0), bad}}),
		brokenRules(),
		figure("Failed compactions", "In the time range of this page.", "No server says whether compactions fail",
			"sum("+inRange(telemetry.CompactionsFailed)+")", count, above(1, bad)).sized(width, 4),
	}
}

// clusters answers, by cluster, whether there is room, and what dies.
func clusters() []panel {
	const here = `cluster=~"$cluster"`
	used := func(title, what, resource, use string) panel {
		p := chart(title, "Part of what the nodes of each cluster have to give; the ten fullest.", "No cluster says how much "+what+" it uses", ratio, query{
			expr:   top("topk", most, use+" / "+agg("sum", "cluster", sel(telemetry.NodeAllocatable, here, `resource="`+resource+`"`))),
			legend: "{{cluster}}",
		}).colored([]threshold{{nil, good}, {new(0.8), notice}, {new(0.95), bad}})
		p.max = new(1.0)
		return p
	}
	byPod := "cluster, namespace, pod"
	pods := []column{{of: "cluster", title: "Cluster"}, {of: "namespace", title: "Namespace"}, {of: "pod", title: "Pod"}}
	return []panel{
		used("Processors in use", "processor time", "cpu", agg("sum", "cluster", perSecond(telemetry.ContainerCPU, here, `container!=""`))),
		used("Memory in use", "memory", "memory", agg("sum", "cluster", sel(telemetry.ContainerMemory, here, `container!=""`))),
		list("Restarting pods", "Restarts of containers in the time range of this page; the ten pods with the most.", "No container restarted",
			atMost(agg("sum", byPod, inRange(telemetry.Restarts, here))), column{title: "Restarts", unit: count, thresholds: above(1, warning)}, pods...),
		list("Killed for memory", "Containers whose last end was that they used too much memory; at most ten pods.", "No container was killed for its memory",
			atMost(agg("sum", byPod, sel(telemetry.LastTerminated, here, `reason="OOMKilled"`))), column{title: "Containers", unit: count, thresholds: above(1, bad)}, pods...),
		chart("Pods that wait for a node", "By cluster; the ten with the most.", "No cluster says how many pods are pending", count, query{
			expr: top("topk", most, agg("sum", "cluster", sel(telemetry.PodPhase, here, `phase="Pending"`))), legend: "{{cluster}}",
		}).sized(width, 7),
	}
}
