package pipelines

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
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

// DecodeGitLabPipeline returns the event of one pipeline of GitLab's REST API (GET /projects/:id/pipelines, or one of
// them). GitLab keeps the id of a pipeline whose jobs are retried and does not count attempts: event.Start and
// event.RunAttempt are not set, and a second end at another time is taken for a new attempt.
func DecodeGitLabPipeline(record []byte, observed time.Time) ([]event.Event, error) {
	var p gitlabPipeline
	exact, err := unmarshal(record, &p)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab pipeline: %w", err)
	}
	instance, project := p.project()
	if p.ID <= 0 || p.ProjectID <= 0 || instance == "" {
		return nil, errors.New("decode gitlab pipeline: no id, project_id or web_url")
	}
	r := run{
		source: "gitlab", subject: fmt.Sprintf("gl/%s/%d/pipeline/%d", instance, p.ProjectID, p.ID), id: p.ID, observed: observed,
		trigger: gitlabTrigger(p.Source), refKind: p.refKind(), revision: event.Hex(p.SHA),
	}
	r.identity.owner, r.identity.repository = split(project)
	if r.identity.pipeline = event.Clean(p.Name); r.identity.pipeline == "" {
		r.identity.pipeline = gitlabConfig
	}
	if !exact {
		r.unmapped = "type"
	}
	p.setState(&r)
	var ok bool
	if r.time, ok = event.Clamp(p.at(r.state), observed); !ok {
		r.unmapped = "clock"
	}
	if r.state == finished && p.Duration != nil {
		end := r.time
		r.setDuration(end.Add(-time.Duration(min(*p.Duration, 1e9)*float64(time.Second))), end)
	}
	r.key = fmt.Sprintf("%s/%s/%v", r.subject, p.at(r.state).Format(time.RFC3339Nano), r.state)
	return []event.Event{r.event()}, nil
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
func (p gitlabPipeline) at(s state) time.Time {
	switch {
	case s == finished && !p.Finished.IsZero():
		return p.Finished.Time
	case !p.Updated.IsZero():
		return p.Updated.Time
	}
	return p.Created.Time
}

// setState maps the status. Source: GitLab REST API, "Pipelines API", status.
func (p gitlabPipeline) setState(r *run) {
	switch event.Word(p.Status) {
	case "created", "waiting_for_resource", "preparing", "pending":
		r.state = pending
	case "manual", "scheduled":
		r.state, r.waiting = pending, true
	case "running", "canceling":
		r.state = executing
	case "success":
		r.state, r.result = finished, success
	case "failed":
		r.state, r.result = finished, failure
		if p.YAMLErrors != "" { // nothing ran
			r.result = errored
		}
	case "canceled":
		r.state, r.result = finished, cancellation
	case "skipped":
		r.state, r.result = finished, skip
	default:
		r.state, r.unmapped = pending, "status"
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
