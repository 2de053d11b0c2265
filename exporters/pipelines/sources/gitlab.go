package sources

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// gitlabPipeline is the part that is read of a pipeline of GitLab's REST API; the list leaves out the times.
type gitlabPipeline struct {
	ID         int64    `json:"id"`
	ProjectID  int64    `json:"project_id"`
	Name       string   `json:"name"`
	Status     string   `json:"status"`
	Source     string   `json:"source"`
	Ref        string   `json:"ref"`
	Tag        bool     `json:"tag"`
	SHA        string   `json:"sha"`
	WebURL     string   `json:"web_url"`
	YAMLErrors string   `json:"yaml_errors"`
	Created    stamp    `json:"created_at"`
	Updated    stamp    `json:"updated_at"`
	Finished   stamp    `json:"finished_at"`
	Duration   *float64 `json:"duration"` // seconds, without the pause before a retry
}

// gitlabConfig names a pipeline that has no name: the file nearly all of them come from.
const gitlabConfig = ".gitlab-ci.yml"

// GitLabPipeline returns the event of one pipeline of GitLab's REST API (GET /projects/:id/pipelines, or one of
// them). GitLab keeps the id of a pipeline whose jobs are retried and does not count attempts: event.Start and
// event.RunAttempt are not set, and a second end at another time is taken for a new attempt.
func GitLabPipeline(record []byte, observed time.Time) ([]event.Event, error) {
	var p gitlabPipeline
	exact, err := unmarshal(record, &p)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab pipeline: %w", err)
	}
	instance, project := p.project()
	if p.ID <= 0 || p.ProjectID <= 0 || instance == "" {
		return nil, errors.New("decode gitlab pipeline: no id, project_id or web_url")
	}
	r := pipelines.Run{
		Origin: pipelines.Origin{
			Source: "gitlab", Subject: fmt.Sprintf("gl/%s/%d/pipeline/%d", instance, p.ProjectID, p.ID), Observed: observed,
		},
		ID:      strconv.FormatInt(p.ID, 10),
		Trigger: gitlabTrigger(p.Source), RefKind: p.refKind(), Revision: event.Hex(p.SHA),
	}
	r.Pipeline.Owner, r.Pipeline.Repository = pipelines.Split(project)
	if r.Pipeline.Name = event.Clean(p.Name); r.Pipeline.Name == "" {
		r.Pipeline.Name = gitlabConfig
	}
	if !exact {
		r.Unmapped = "type"
	}
	p.setState(&r)
	var ok bool
	if r.Time, ok = event.Clamp(p.at(r.State), observed); !ok {
		r.Unmapped = "clock"
	}
	if r.State == pipelines.Finished && p.Duration != nil {
		end := r.Time
		setDuration(&r, end.Add(-time.Duration(min(*p.Duration, 1e9)*float64(time.Second))), end)
	}
	r.Key = fmt.Sprintf("%s/%s/%v", r.Subject, p.at(r.State).Format(time.RFC3339Nano), r.State)
	return []event.Event{r.Event()}, nil
}

// project returns host and path of the project, from the page of the pipeline.
func (p gitlabPipeline) project() (instance, path string) {
	u, err := url.Parse(p.WebURL)
	if err != nil {
		return "", ""
	}
	path, _, _ = strings.Cut(strings.Trim(u.Path, "/"), "/-/")
	return event.Clean(u.Host), path
}

// at returns when the pipeline came to its state.
func (p gitlabPipeline) at(s pipelines.State) time.Time {
	switch {
	case s == pipelines.Finished && !p.Finished.IsZero():
		return p.Finished.Time
	case !p.Updated.IsZero():
		return p.Updated.Time
	}
	return p.Created.Time
}

// setState maps the status. Source: GitLab REST API, "Pipelines API", status.
func (p gitlabPipeline) setState(r *pipelines.Run) {
	switch event.Word(p.Status) {
	case "created", "waiting_for_resource", "preparing", "pending":
		r.State = pipelines.Pending
	case "manual", "scheduled":
		r.State, r.Waiting = pipelines.Pending, true
	case "running", "canceling":
		r.State = pipelines.Executing
	case "success":
		r.State, r.Result = pipelines.Finished, pipelines.Success
	case "failed":
		r.State, r.Result = pipelines.Finished, pipelines.Failure
		if p.YAMLErrors != "" { // nothing ran
			r.Result = pipelines.Errored
		}
	case "canceled":
		r.State, r.Result = pipelines.Finished, pipelines.Cancellation
	case "skipped":
		r.State, r.Result = pipelines.Finished, pipelines.Skip
	default:
		r.State, r.Unmapped = pipelines.Pending, "status"
	}
}

// gitlabTrigger maps the source of a pipeline to one of six words.
func gitlabTrigger(source string) string {
	switch event.Word(source) {
	case "push":
		return "push"
	case "merge_request_event", "external_pull_request_event":
		return "change"
	case "schedule":
		return "schedule"
	case "web", "api", "trigger", "chat", "webide":
		return "manual"
	case "pipeline", "parent_pipeline":
		return "pipeline"
	}
	return "other"
}

// refKind maps the ref to a word of fixed vocabulary. The default branch is not known from a pipeline record.
func (p gitlabPipeline) refKind() string {
	switch {
	case strings.HasPrefix(p.Ref, "refs/merge-requests/") || gitlabTrigger(p.Source) == "change":
		return "change"
	case p.Tag:
		return "tag"
	case strings.HasPrefix(p.Ref, "release/"):
		return "release"
	}
	return "other"
}
