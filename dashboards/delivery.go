package dashboards

import (
	"fmt"
	"strconv"

	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

// Panels about pipelines and deployments.

// Labels of pipelines, and of deployments.
const (
	byPipeline = "vcs_repository_name, cicd_pipeline_name"
	byDeployed = "service_name, deployment_environment_name"
)

// pipelineColumns name a pipeline in a table.
func pipelineColumns() []column {
	return []column{{of: "vcs_repository_name", title: "Repository"}, {of: "cicd_pipeline_name", title: "Pipeline"}}
}

// deployedColumns name what is deployed where in a table.
func deployedColumns() []column {
	return []column{{of: "service_name", title: "Deployed service"}, {of: "deployment_environment_name", title: "Environment"}}
}

// atMost keeps the ten highest values above 0.
func atMost(expr string) string { return fmt.Sprintf("topk(%d, %s > 0)", most, expr) }

// blocked answers for whoever is on call: what cannot be delivered at present,
// and why.
func (v *view) blocked() []panel {
	failing := list("Failing pipelines", "Attempts that ended badly in the time range of this page, by why; the ten with the most.",
		"No attempt of a pipeline ended badly", atMost(agg("sum", byPipeline+", error_type", inRange(telemetry.RunErrors, v.mine(telemetry.RunErrors)))),
		column{title: "Failures", unit: count, thresholds: above(1, warning)}, append(pipelineColumns(), column{of: "error_type", title: "Why"})...)
	waiting := list("Blocked runs", "How long the longest waiting run has been pending (for a runner) or waiting (for a person); the ten longest.",
		"No run waits for a runner or a person", atMost(agg("max", byPipeline+", cicd_pipeline_run_state",
			sel(telemetry.RunOldest, `cicd_pipeline_run_state=~"pending|waiting"`, v.mine(telemetry.RunOldest)))),
		column{title: "Waits for", unit: seconds, thresholds: []threshold{{nil, good}, {new(900.0), notice}, {new(3600.0), warning}}},
		append(pipelineColumns(), column{of: "cicd_pipeline_run_state", title: "State"})...)
	return []panel{failing, waiting, v.failedDeployments()}
}

// failedDeployments is the deployments that failed, by what and where.
func (v *view) failedDeployments() panel {
	return list("Failed deployments", "Deployments that ended badly in the time range of this page; the ten with the most.", "No deployment failed",
		atMost(agg("sum", byDeployed+", platform_deployment_kind",
			inRange(telemetry.Deployments, `platform_outcome="bad"`, v.mine(telemetry.Deployments)))),
		column{title: "Failures", unit: count, thresholds: above(1, bad)},
		append(deployedColumns(), column{of: "platform_deployment_kind", title: "Kind"})...).sized(width, 7)
}

// steps answers when a pipeline is the suspect: what is slow, what waits, what
// fails, and would it have passed a second time.
func (v *view) steps() []panel {
	mine := v.mine(telemetry.RunDuration)
	slow := chart("Duration of runs, p95", "Time from start to end of the attempts of each pipeline; the ten longest.", "No run ended in this time", latency, query{
		expr: top("topk", most, quantile(0.95, "le, "+byPipeline, perSecond(telemetry.RunDuration+"_bucket", mine))), legend: "{{vcs_repository_name}} {{cicd_pipeline_name}}",
	})
	queue := chart("Time in the queue, p95", "Time until a runner takes a job, by pool of runners; the ten longest.", "No job was taken in this time", latency, query{
		expr: top("topk", most, quantile(0.95, "le, platform_runner_pool", perSecond(telemetry.TaskQueue+"_bucket"))), legend: "{{platform_runner_pool}}",
	})
	why := chart("Failures by why", "Attempts that end badly, an hour.", "No attempt ended badly in this time", count, query{
		expr: top("topk", most, "3600 * "+agg("sum", "error_type", perSecond(telemetry.RunErrors, v.mine(telemetry.RunErrors)))), legend: "{{error_type}}",
	})
	active := chart("Runs under way", "Runs that are pending, executing, or waiting for a person.", "Nothing is known of runs under way", count, query{
		expr: agg("sum", "cicd_pipeline_run_state", sel(telemetry.RunActive, v.mine(telemetry.RunActive))), legend: "{{cicd_pipeline_run_state}}",
	})
	flaky := list("Flaky pipelines", "Runs that failed first and passed later without a change, in the time range of this page; the ten with the most.", "No run was flaky",
		atMost(agg("sum", byPipeline, inRange(telemetry.RunFlaky, v.mine(telemetry.RunFlaky)))),
		column{title: "Flaky runs", unit: count, thresholds: above(1, notice)}, pipelineColumns()...)
	return []panel{slow, queue, why, active, flaky, v.waiting()}
}

// waiting is how long runs have been in their states.
func (v *view) waiting() panel {
	return bars("Longest in its state", "How long the run that has been in each state for longest has been in it.", "Nothing is known of runs under way", seconds, query{
		expr: agg("max", "cicd_pipeline_run_state", sel(telemetry.RunOldest, v.mine(telemetry.RunOldest))), legend: "{{cicd_pipeline_run_state}}",
	}).sized(12, 8)
}

// changes answers what was deployed, whether it worked, and how long a change
// takes to arrive.
func (v *view) changes() []panel {
	mine := v.mine(telemetry.Deployments)
	recent := list("Recent deployments", "Deployments in the time range of this page, by how they ended; the ten with the most.", "Nothing was deployed",
		atMost(agg("sum", byDeployed+", deployment_status", inRange(telemetry.Deployments, mine))),
		column{title: "Deployments", unit: count}, append(deployedColumns(), column{of: "deployment_status", title: "Ended"})...)
	how := chart("Deployments by how they ended", "An hour, in every environment.", "Nothing was deployed in this time", count, query{
		expr: "3600 * " + agg("sum", "deployment_status", perSecond(telemetry.Deployments, mine)), legend: "{{deployment_status}}",
	})
	kinds := chart("Rollbacks and redeployments", "An hour. A rollback brings back what ran before.", "Nothing was deployed in this time", count, query{
		expr: "3600 * " + agg("sum", "platform_deployment_kind", perSecond(telemetry.Deployments, mine)), legend: "{{platform_deployment_kind}}",
	})
	lead := chart("Lead time of changes", "Time from a commit to production, of the changes of the last day.", "No change reached production in this time", latency)
	for _, q := range []float64{0.5, 0.9} {
		lead.queries = append(lead.queries, query{
			expr:   quantile(q, "le", grown("1d", telemetry.LeadTime+"_bucket", v.mine(telemetry.LeadTime))),
			legend: "p" + number(100*q),
		})
	}
	return []panel{recent, how, kinds, lead, v.failedDeployments()}
}

// deploymentsOf is the deployments of one service.
func deploymentsOf(service string) []panel {
	it := "service_name=" + strconv.Quote(service)
	none := "No deployment of a service of this name is known"
	return []panel{
		chart("Deployments", "An hour, by how they ended.", none, count, query{
			expr: "3600 * " + agg("sum", "deployment_environment_name, deployment_status", perSecond(telemetry.Deployments, it)), legend: "{{deployment_environment_name}} {{deployment_status}}",
		}),
		list("Deployments in the time range", "By environment and how they ended.", none,
			atMost(agg("sum", "deployment_environment_name, deployment_status", inRange(telemetry.Deployments, it))),
			column{title: "Deployments", unit: count}, column{of: "deployment_environment_name", title: "Environment"}, column{of: "deployment_status", title: "Ended"}),
	}
}
