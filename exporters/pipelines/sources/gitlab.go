package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// gitlabPipeline is the part that is read of a pipeline, in GitLab's REST API and as object_attributes of a hook. The
// REST list leaves out the end and the duration, hooks leave out the address and the time of the last change.
type gitlabPipeline struct {
	ID         int64        `json:"id"`
	ProjectID  int64        `json:"project_id"`
	Name       string       `json:"name"`
	Status     string       `json:"status"`
	Detail     gitlabDetail `json:"detailed_status"`
	Source     string       `json:"source"`
	Ref        string       `json:"ref"`
	Tag        bool         `json:"tag"`
	SHA        string       `json:"sha"`
	WebURL     string       `json:"web_url"`
	YAMLErrors string       `json:"yaml_errors"`
	Created    source.Stamp `json:"created_at"`
	Updated    source.Stamp `json:"updated_at"`
	Finished   source.Stamp `json:"finished_at"`
	Duration   *float64     `json:"duration"` // seconds, without the pause before a retry

	defaultBranch string        // of the project, if known
	builds        []gitlabBuild // if known
}

// gitlabConfig names a pipeline that has no name: the file nearly all of them come from.
const gitlabConfig = ".gitlab-ci.yml"

// GitLabPipeline returns the event of one pipeline of GitLab's REST API (GET /projects/:id/pipelines, or better one
// of them: only a single one says when it ended, and so has the event.Key of its webhook). GitLab keeps the id of a
// pipeline whose jobs are retried and does not count attempts: event.Start and event.RunAttempt are not set, and a
// second end at another time is taken for a new attempt. Times are in whole seconds, as webhooks have them.
func GitLabPipeline(record []byte, observed time.Time) ([]event.Event, error) {
	var p gitlabPipeline
	exact, err := source.Unmarshal(record, &p)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab pipeline: %w", err)
	}
	r, err := p.run(exact, observed)
	if err != nil {
		return nil, err
	}
	return []event.Event{r.Event()}, nil
}

func (p gitlabPipeline) run(exact bool, observed time.Time) (r pipelines.Run, err error) {
	instance, project := gitlabProject(p.WebURL)
	if p.ID <= 0 || p.ProjectID <= 0 || instance == "" {
		return r, errors.New("decode gitlab pipeline: no id, project_id or web_url")
	}
	p.setState(&r)
	at := p.at(r.State).Truncate(time.Second)
	subject := fmt.Sprintf("gl/%s/%d/pipeline/%d", instance, p.ProjectID, p.ID)
	unmapped := r.Unmapped
	r.Origin = event.NewOrigin("gitlab", subject, fmt.Sprintf("%s/%v", at.Format(time.RFC3339), r.State), at, observed)
	r.ID = strconv.FormatInt(p.ID, 10)
	r.Trigger, r.RefKind, r.Revision = gitlabTrigger(p.Source), p.refKind(), event.Hex(p.SHA)
	r.Pipeline = gitlabPipelineOf(project, p.Name)
	if r.State == pipelines.Finished && p.Duration != nil {
		if r.Duration, r.Timed = seconds(p.Duration); !r.Timed {
			r.Unmapped = "clock"
		}
	}
	r.Unmapped = cmp.Or(r.Unmapped, unmapped, source.Inexact(exact))
	return r, nil
}

// gitlabPipelineOf returns what metrics know of a pipeline, from the path of its project and its name.
func gitlabPipelineOf(project, name string) pipelines.Pipeline {
	p := pipelines.Pipeline{Name: cmp.Or(event.Clean(name), gitlabConfig)}
	p.Owner, p.Repository = pipelines.Split(project)
	return p
}

// gitlabProject returns host and path of the project, from its page or from one below it.
func gitlabProject(page string) (instance, path string) {
	u, err := url.Parse(page)
	if err != nil {
		return "", ""
	}
	path, _, _ = strings.Cut(strings.Trim(u.Path, "/"), "/-/")
	return source.Ident(u.Host), path
}

// at returns when the pipeline came to its state. A hook does not say when a pipeline began to run; the last change of
// a job is next to it, and is new when jobs are retried.
func (p gitlabPipeline) at(s pipelines.State) time.Time {
	switch {
	case s == pipelines.Finished && !p.Finished.IsZero():
		return p.Finished.Time
	case !p.Updated.IsZero():
		return p.Updated.Time
	}
	last := p.Created.Time
	for _, b := range p.builds {
		if at := latest(b.Created, b.Started, b.Finished); at.After(last) {
			last = at
		}
	}
	return last
}

// setState maps the status. Source: GitLab REST API, "Pipelines API", status.
func (p gitlabPipeline) setState(r *pipelines.Run) {
	switch event.Word(p.Status) {
	case "created", "waiting_for_resource", "waiting_for_callback", "preparing", "pending":
		r.State = pipelines.Pending
	case "manual", "scheduled":
		r.State, r.Waiting = pipelines.Pending, true
	case "running", "canceling":
		r.State = pipelines.Executing
	case "success":
		r.State, r.Result = pipelines.Finished, pipelines.Success
		if p.Detail == "success-with-warnings" || p.Detail == "passed with warnings" {
			r.Raw = "success-with-warnings" // a job failed that is allowed to
		}
	case "failed":
		r.State, r.Result = pipelines.Finished, p.failure()
	case "canceled":
		r.State, r.Result = pipelines.Finished, pipelines.Cancellation
	case "skipped":
		r.State, r.Result = pipelines.Finished, pipelines.Skip
	default:
		r.State, r.Unmapped = pipelines.Pending, "status"
		if !p.Finished.IsZero() {
			r.State, r.Raw, r.Unmapped = pipelines.Finished, "unknown", "conclusion"
		}
	}
}

// failure returns the result of a failed pipeline. If nothing ran, or every job that failed it did so by the fault of
// the CI system or of time, that is the result.
func (p gitlabPipeline) failure() string {
	if p.YAMLErrors != "" {
		return pipelines.Errored
	}
	failed, timeouts, errored := 0, 0, 0
	for _, b := range p.builds {
		if event.Word(b.Status) != "failed" || b.AllowFailure {
			continue
		}
		failed++
		switch gitlabFailure(b.Reason) {
		case pipelines.Timeout:
			timeouts++
		case pipelines.Errored:
			errored++
		}
	}
	switch {
	case failed == 0 || timeouts+errored < failed:
		return pipelines.Failure
	case timeouts == failed:
		return pipelines.Timeout
	}
	return pipelines.Errored
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
	case p.Ref != "" && p.Ref == p.defaultBranch:
		return "default"
	case strings.HasPrefix(p.Ref, "release/"):
		return "release"
	}
	return "other"
}
