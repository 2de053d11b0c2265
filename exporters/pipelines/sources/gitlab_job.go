package sources

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// gitlabBuild is the part that is read of a job, in GitLab's REST API and in the builds of a pipeline hook.
type gitlabBuild struct {
	ID           int64         `json:"id"`
	Name         string        `json:"name"`
	Status       string        `json:"status"`
	AllowFailure bool          `json:"allow_failure"`
	Reason       string        `json:"failure_reason"`
	Created      source.Stamp  `json:"created_at"`
	Started      source.Stamp  `json:"started_at"`
	Finished     source.Stamp  `json:"finished_at"`
	Duration     *float64      `json:"duration"`        // seconds
	Queued       *float64      `json:"queued_duration"` // seconds
	Tags         []string      `json:"tag_list"`        // that the job asks for; REST only
	Runner       *gitlabRunner `json:"runner"`
}

type gitlabRunner struct {
	Type string   `json:"runner_type"`
	Tags []string `json:"tags"` // that the runner has; hooks only
}

// gitlabDetail is the label of a detailed status: bare in a hook, part of an object in the REST API.
type gitlabDetail string

// UnmarshalJSON never fails; what has another form is no detail.
func (d *gitlabDetail) UnmarshalJSON(b []byte) error {
	var label string
	var object struct {
		Group string `json:"group"`
	}
	if json.Unmarshal(b, &label) == nil {
		*d = gitlabDetail(label)
	} else if json.Unmarshal(b, &object) == nil {
		*d = gitlabDetail(object.Group)
	}
	return nil
}

// GitLabJob returns the event of one job of GitLab's REST API (GET /projects/:id/jobs, /pipelines/:id/jobs or
// /pipelines/:id/bridges). The same state of a job gives the same event.Key as its webhook. A retried job has a new id.
func GitLabJob(record []byte, observed time.Time) ([]event.Event, error) {
	var job struct {
		gitlabBuild
		WebURL   string         `json:"web_url"`
		Pipeline gitlabPipeline `json:"pipeline"`
	}
	exact, err := source.Unmarshal(record, &job)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab job: %w", err)
	}
	instance, project := gitlabProject(job.WebURL)
	t, err := job.task(instance, exact, observed)
	if err != nil {
		return nil, err
	}
	t.Pipeline = gitlabPipelineOf(project, job.Pipeline.Name)
	t.RunID = number(job.Pipeline.ID)
	return []event.Event{t.Event()}, nil
}

// task returns the job as a task that lacks its pipeline. A GitLab instance numbers all its jobs in one row.
func (b gitlabBuild) task(instance string, exact bool, observed time.Time) (t pipelines.Task, err error) {
	if b.ID <= 0 || instance == "" {
		return t, errors.New("decode gitlab job: no id or web_url")
	}
	b.setState(&t)
	unmapped := t.Unmapped
	t.Origin = event.NewOrigin("gitlab", fmt.Sprintf("gl/%s/job/%d", instance, b.ID), t.State.String(), b.at(t.State).Truncate(time.Second), observed)
	t.ID, t.Name, t.Pool = number(b.ID), event.Clean(b.Name), b.pool()
	t.Start = source.Began(b.Started.Truncate(time.Second), observed)
	if !t.Start.IsZero() {
		t.Queued, t.Waited = seconds(b.Queued)
	}
	if t.State == pipelines.Finished && !t.Start.IsZero() {
		t.Duration, t.Timed = seconds(b.Duration)
	}
	t.Unmapped = cmp.Or(t.Unmapped, unmapped, source.Inexact(exact))
	return t, nil
}

// at returns when the job came to its state; one that was skipped has no end.
func (b gitlabBuild) at(s pipelines.State) time.Time {
	switch {
	case s == pipelines.Pending:
		return b.Created.Time
	case s == pipelines.Executing && !b.Started.IsZero():
		return b.Started.Time
	case s == pipelines.Finished && !b.Finished.IsZero():
		return b.Finished.Time
	}
	return latest(b.Created, b.Started, b.Finished)
}

// pool returns the tags the job asks for, or those of its runner, or the runner's type.
func (b gitlabBuild) pool() string {
	tags := slices.Clone(b.Tags)
	kind := ""
	if b.Runner != nil {
		kind = event.Word(b.Runner.Type)
		if len(tags) == 0 {
			tags = slices.Clone(b.Runner.Tags)
		}
	}
	slices.Sort(tags)
	return cmp.Or(event.Clean(strings.Join(tags, ",")), kind)
}

// setState maps the status. Source: GitLab REST API, "Jobs API", scope.
func (b gitlabBuild) setState(t *pipelines.Task) {
	switch event.Word(b.Status) {
	case "created", "waiting_for_resource", "waiting_for_callback", "preparing", "pending", "manual", "scheduled":
		t.State = pipelines.Pending
	case "running", "canceling":
		t.State = pipelines.Executing
	case "success":
		t.State, t.Result = pipelines.Finished, pipelines.Success
	case "failed":
		t.State, t.Result, t.Error = pipelines.Finished, gitlabFailure(b.Reason), event.Word(b.Reason)
	case "canceled":
		t.State, t.Result = pipelines.Finished, pipelines.Cancellation
	case "skipped":
		t.State, t.Result = pipelines.Finished, pipelines.Skip
	default:
		t.State, t.Unmapped = pipelines.Pending, "status"
		if !b.Finished.IsZero() {
			t.State, t.Raw, t.Unmapped = pipelines.Finished, "unknown", "conclusion"
		}
	}
}

// gitlabFailure maps why a job failed: by its script, by time, or by the fault of the CI system.
// Source: GitLab, enumeration of CI job failure reasons in its GraphQL and webhook documentation.
func gitlabFailure(reason string) string {
	switch event.Word(reason) {
	case "job_execution_timeout", "stuck_or_timeout_failure":
		return pipelines.Timeout
	case "api_failure", "runner_system_failure", "missing_dependency_failure", "runner_unsupported", "stale_schedule",
		"archived_failure", "unmet_prerequisites", "scheduler_failure", "data_integrity_failure", "forward_deployment_failure",
		"user_blocked", "project_deleted", "insufficient_bridge_permissions", "downstream_bridge_project_not_found",
		"invalid_bridge_trigger", "bridge_pipeline_is_child_pipeline", "downstream_pipeline_creation_failed",
		"secrets_provider_not_found", "reached_max_descendant_pipelines_depth", "ip_restriction_failure",
		"ci_quota_exceeded", "no_matching_runner", "trace_size_exceeded", "builds_disabled",
		"environment_creation_failure", "deployment_rejected", "failed_outdated_deployment_job",
		"protected_environment_failure", "image_pull_failure":
		return pipelines.Errored
	}
	return pipelines.Failure
}

// number returns an id as text, empty if there is none.
func number(id int64) string {
	if id <= 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
