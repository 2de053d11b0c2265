package dashboards

// Panels about single events, which no metric keeps: the collector passes them on
// as logs, and runs of pipelines as traces. Their attributes are those of package
// event; Loki writes them with underscores.

// eventLogs selects the events that Plimsoll's collectors pass on.
const eventLogs = `{service_name=~"plimsoll.*"} | platform_event_source!=""`

// eventVariables are the choices of the data sources that keep events.
func (v *view) eventVariables(logs, traces bool) []variable {
	var out []variable
	if logs {
		out = append(out, variable{name: "logs", label: "Logs", plugin: "loki", description: "Where the collectors send events as logs."})
	}
	if traces {
		out = append(out, variable{name: "traces", label: "Traces", plugin: "tempo", description: "Where the collectors send runs as traces."})
	}
	return out
}

// failedTraces is the runs that failed, each with its steps.
func failedTraces() []panel {
	return []panel{{
		kind: tracesKind, title: "Failed runs and deployments", w: width, h: 9,
		description: "The last twenty runs of pipelines that failed, deployments among them; a row opens the steps of its run.",
		noValue:     "No run failed", queries: []query{{expr: `{ span.platform.event.source != "" && status = error }`}},
	}}
}

// eventTrail is the events themselves, those that failed and those about secrets.
func eventTrail() []panel {
	return []panel{
		{
			kind: logsKind, title: "Deployments that failed", w: 12, h: 10,
			description: "Each deployment that failed, the last first; the details of a line have the run and the commit.",
			noValue:     "No deployment failed", queries: []query{{expr: eventLogs + ` | deployment_status="failed"`}},
		},
		{
			kind: logsKind, title: "Audit trail of secrets", w: 12, h: 10,
			description: "Each rotation of a secret and each access that the audit logs tell of, the last first.",
			noValue:     "Nothing happened to a secret", queries: []query{{expr: eventLogs + ` | secret_store!=""`}},
		},
	}
}
