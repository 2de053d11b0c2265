package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// circleWorkflow is the part that is read of a workflow, in a webhook and in the REST API.
type circleWorkflow struct {
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	Status     string       `json:"status"`
	PipelineID string       `json:"pipeline_id"`  // REST only
	Slug       string       `json:"project_slug"` // REST only
	Created    source.Stamp `json:"created_at"`
	Stopped    source.Stamp `json:"stopped_at"`
}

// circleJob is the part that is read of a job, in a webhook and in the REST API.
type circleJob struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Status  string       `json:"status"`
	Slug    string       `json:"project_slug"` // REST only
	Created source.Stamp `json:"created_at"`
	Started source.Stamp `json:"started_at"`
	Stopped source.Stamp `json:"stopped_at"`
}

// circleDelivery is a webhook.
type circleDelivery struct {
	Type     string         `json:"type"`
	Happened source.Stamp   `json:"happened_at"`
	Workflow circleWorkflow `json:"workflow"`
	Job      circleJob      `json:"job"`
	Project  struct {
		Slug string `json:"slug"`
		Name string `json:"name"`
	} `json:"project"`
	Organization struct {
		Name string `json:"name"`
	} `json:"organization"`
	Pipeline struct {
		ID      string `json:"id"`
		Trigger struct {
			Type string `json:"type"`
		} `json:"trigger"`
		VCS struct {
			Revision string `json:"revision"`
			Branch   string `json:"branch"`
			Tag      string `json:"tag"`
		} `json:"vcs"`
	} `json:"pipeline"`
}

// CircleCI returns the events of one webhook delivery, as source.Decoder says: workflow-completed gives a run, job-completed a
// task, everything else one event.Unused. A workflow that is run again is a new one with the same pipeline and name; it
// is another attempt of the same run here, told apart by when it was created.
func CircleCI(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	var d circleDelivery
	exact, err := source.Unmarshal(body, &d)
	if err != nil {
		return nil, fmt.Errorf("decode circleci delivery: %w", err)
	}
	owner, repository := circleProject(d.Project.Slug)
	if repository == "" {
		owner, repository = event.Clean(d.Organization.Name), event.Clean(d.Project.Name)
	}
	switch d.Type {
	case "workflow-completed":
		w := d.Workflow
		w.PipelineID = d.Pipeline.ID
		r, err := w.run(exact, observed)
		if err != nil {
			return nil, err
		}
		r.Pipeline.Owner, r.Pipeline.Repository = owner, repository
		r.Trigger, r.Revision = circleTrigger(d.Pipeline.Trigger.Type), commitID(d.Pipeline.VCS.Revision)
		r.RefKind = circleRef(d.Pipeline.VCS.Branch, d.Pipeline.VCS.Tag)
		return []event.Event{r.Event()}, nil
	case "job-completed":
		t, err := d.Job.task(exact, observed)
		if err != nil {
			return nil, err
		}
		t.RunID, t.Pipeline = event.Clean(d.Workflow.ID), pipelines.Pipeline{Owner: owner, Repository: repository, Name: event.Clean(d.Workflow.Name)}
		return []event.Event{t.Event()}, nil
	case "":
		return nil, errors.New("decode circleci delivery: no type")
	}
	return []event.Event{event.NewUnused("circleci", observed)}, nil
}

// CircleCIWorkflow returns the event of one workflow of CircleCI's REST API (GET /pipeline/{id}/workflow). The same state
// gives the same event.Key as its webhook.
func CircleCIWorkflow(record []byte, observed time.Time) ([]event.Event, error) {
	var w circleWorkflow
	exact, err := source.Unmarshal(record, &w)
	if err != nil {
		return nil, fmt.Errorf("decode circleci workflow: %w", err)
	}
	r, err := w.run(exact, observed)
	if err != nil {
		return nil, err
	}
	r.Pipeline.Owner, r.Pipeline.Repository = circleProject(w.Slug)
	return []event.Event{r.Event()}, nil
}

// CircleCIJob returns the event of one job of CircleCI's REST API (GET /workflow/{id}/job), which does not name its
// workflow.
func CircleCIJob(record []byte, observed time.Time) ([]event.Event, error) {
	var j circleJob
	exact, err := source.Unmarshal(record, &j)
	if err != nil {
		return nil, fmt.Errorf("decode circleci job: %w", err)
	}
	t, err := j.task(exact, observed)
	if err != nil {
		return nil, err
	}
	t.Pipeline.Owner, t.Pipeline.Repository = circleProject(j.Slug)
	return []event.Event{t.Event()}, nil
}

// circleProject returns owner and repository of a slug such as gh/owner/name; that of a project without a repository of
// GitHub or Bitbucket has only ids.
func circleProject(slug string) (owner, repository string) {
	provider, path, _ := strings.Cut(slug, "/")
	switch provider {
	case "gh", "github", "bb", "bitbucket":
		return pipelines.Split(path)
	}
	return "", ""
}

func (w circleWorkflow) run(exact bool, observed time.Time) (r pipelines.Run, err error) {
	if w.ID == "" || w.PipelineID == "" {
		return r, errors.New("decode circleci workflow: no id of the workflow or the pipeline")
	}
	state, result, unmapped := circleStatus(w.Status, w.Stopped)
	created, stopped := w.Created.Truncate(time.Second), w.Stopped.Truncate(time.Second)
	at := created
	if state == pipelines.Finished && !stopped.IsZero() {
		at = stopped
	}
	subject := fmt.Sprintf("cc/%s/%s", source.Ident(w.PipelineID), source.Ident(w.Name))
	r = pipelines.Run{
		Origin: event.NewOrigin("circleci", subject, source.Ident(w.ID)+"/"+state.String(), at, observed),
		ID:     event.Clean(w.ID), State: state, Result: result, Start: source.Began(created, observed), Waiting: event.Word(w.Status) == "on_hold",
	}
	r.Pipeline.Name = event.Clean(w.Name)
	if unmapped == "conclusion" {
		r.Raw = "unknown"
	}
	if state == pipelines.Finished {
		r.Duration, r.Timed = between(created, stopped)
	}
	r.Unmapped = cmp.Or(r.Unmapped, unmapped, source.Inexact(exact))
	return r, nil
}

func (j circleJob) task(exact bool, observed time.Time) (t pipelines.Task, err error) {
	if j.ID == "" {
		return t, errors.New("decode circleci job: no id")
	}
	state, result, unmapped := circleStatus(j.Status, j.Stopped)
	at := cmp.Or(j.Started.Time, j.Created.Time)
	if state == pipelines.Finished {
		at = cmp.Or(j.Stopped.Time, at)
	}
	t = pipelines.Task{
		Origin: event.NewOrigin("circleci", "cc/job/"+source.Ident(j.ID), state.String(), at.Truncate(time.Second), observed),
		ID:     event.Clean(j.ID), Name: event.Clean(j.Name), State: state, Result: result, Start: source.Began(j.Started.Truncate(time.Second), observed),
	}
	if word := event.Word(j.Status); result != "" && result != pipelines.Success && word != "failed" {
		t.Error = word
	}
	if state == pipelines.Finished {
		t.Duration, t.Timed = between(j.Started.Time, j.Stopped.Time)
	}
	if unmapped == "conclusion" {
		t.Raw = "unknown"
	}
	t.Unmapped = cmp.Or(t.Unmapped, unmapped, source.Inexact(exact))
	return t, nil
}

// circleStatus maps the status of a workflow or a job that stopped then, if it did. Source: CircleCI API v2.
func circleStatus(status string, stopped source.Stamp) (s pipelines.State, result, unmapped string) {
	switch event.Word(status) {
	case "queued", "not_running", "on_hold", "blocked":
		return pipelines.Pending, "", ""
	case "running", "failing":
		return pipelines.Executing, "", ""
	case "success":
		return pipelines.Finished, pipelines.Success, ""
	case "failed":
		return pipelines.Finished, pipelines.Failure, ""
	case "error", "unauthorized", "infrastructure_fail", "terminated-unknown":
		return pipelines.Finished, pipelines.Errored, ""
	case "timedout":
		return pipelines.Finished, pipelines.Timeout, ""
	case "canceled":
		return pipelines.Finished, pipelines.Cancellation, ""
	case "not_run":
		return pipelines.Finished, pipelines.Skip, ""
	}
	if !stopped.IsZero() {
		return pipelines.Finished, "", "conclusion"
	}
	return pipelines.Pending, "", "status"
}

func circleTrigger(kind string) string {
	switch event.Word(kind) {
	case "webhook":
		return "push"
	case "api", "explicit":
		return "manual"
	case "schedule", "scheduled_pipeline":
		return "schedule"
	}
	return "other"
}

// circleRef maps branch and tag; changes from forks are on branches pull/.
func circleRef(branch, tag string) string {
	switch {
	case tag != "":
		return "tag"
	case strings.HasPrefix(branch, "pull/"):
		return "change"
	case strings.HasPrefix(branch, "release/"):
		return "release"
	}
	return "other"
}
