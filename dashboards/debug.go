package dashboards

import (
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// debug answers, for whoever looks for the cause: what exactly is bad about this
// SLO, and what on the platform changed or is ill at the same time. All rows but
// the first are closed, and ask nothing until they are opened.
func debug(v *view) page {
	d := v.frame(v.uidDebug(), "SLOs: debug", "debug")
	d.description = "One SLO, and everything of the platform that may be behind its trouble."
	d.from = "now-6h"
	d.variables = variables(true)
	d.annotations = v.annotations(onlyIt, ofServices, slo.Page, slo.Ticket)
	d.rows = []row{{id: 1, title: "$slo", panels: append(v.now(), v.allWindows(), v.windowTable(), v.errorRatio(), v.budget().sized(12, 8))}}
	v.section(&d, telemetry.Pipelines, row{id: 2, title: "Pipelines", collapsed: true, panels: v.steps()})
	v.section(&d, telemetry.Pipelines, row{id: 3, title: "Deployments and recent changes", collapsed: true, panels: v.changes()})
	if v.uses(telemetry.Kubernetes) {
		d.variables = append(d.variables, variable{
			name: "cluster", label: "Cluster", description: "Clusters in the row about them.",
			query: "label_values(" + sel(telemetry.NodeAllocatable) + ", cluster)",
		})
	}
	d.variables = append(d.variables, v.eventVariables(v.uses(telemetry.Logs), v.uses(telemetry.Traces))...)
	v.section(&d, telemetry.Traces, row{id: 14, title: "Traces of failed runs", collapsed: true, panels: failedTraces()})
	v.section(&d, telemetry.Logs, row{id: 15, title: "Events and audit trail", collapsed: true, panels: eventTrail()})
	v.section(&d, telemetry.Kubernetes, row{id: 4, title: "Clusters", collapsed: true, panels: clusters()})
	v.section(&d, telemetry.PlatformAPI, row{id: 5, title: "Platform API", collapsed: true, panels: append(apiSymptoms(), apiCauses()...)})
	v.section(&d, telemetry.Collector, row{id: 6, title: "Telemetry pipeline", collapsed: true, panels: flow()})
	v.section(&d, telemetry.Pipelines, row{id: 7, title: "Events of CI and CD systems", collapsed: true, panels: []panel{heard()}})
	v.section(&d, telemetry.Coverage, row{id: 8, title: "Telemetry coverage", collapsed: true, panels: v.covered()})
	v.section(&d, telemetry.Storage, row{id: 9, title: "Storage and rules", collapsed: true, panels: storeHealth()})
	v.section(&d, telemetry.Policy, row{id: 10, title: "Policy", collapsed: true, panels: v.decisions()})
	v.section(&d, telemetry.Secrets, row{id: 11, title: "Secrets", collapsed: true, panels: v.rotation()})
	v.section(&d, telemetry.Incidents, row{id: 12, title: "Incidents", collapsed: true, panels: v.incidentHistory()})
	v.section(&d, telemetry.Cost, row{id: 13, title: "Cost", collapsed: true, panels: v.costCauses()})
	leftOut(&d)
	return d
}
