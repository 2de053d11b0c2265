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

// gitlabHookProject is the project of a delivery.
type gitlabHookProject struct {
	ID            int64  `json:"id"`
	WebURL        string `json:"web_url"`
	DefaultBranch string `json:"default_branch"`
}

// GitLab returns the events of one webhook delivery, as source.Decoder says. A pipeline hook gives the run and each of its
// jobs, a job hook the job, a deployment hook the deployment, a push hook the commits that came to the default branch;
// every other kind one event.Unused. A push hook has no time: commits arrived when it was observed.
func GitLab(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	switch kind := header.Get("X-Gitlab-Event"); kind {
	case "", "System Hook", "Pipeline Hook", "Job Hook", "Build Hook", "Deployment Hook", "Push Hook":
	default:
		return []event.Event{event.NewUnused("gitlab", observed)}, nil
	}
	var kind struct {
		Object string `json:"object_kind"`
		Event  string `json:"event_name"` // of members, groups and system hooks, which have no object_kind
	}
	exact, err := source.Unmarshal(body, &kind)
	if err != nil || !exact || kind.Object == "" && kind.Event == "" {
		return nil, errors.New("decode gitlab delivery: not a JSON object with an object_kind")
	}
	switch kind.Object {
	case "pipeline":
		return gitlabPipelineHook(body, observed)
	case "build":
		return gitlabJobHook(body, observed)
	case "deployment":
		return gitlabDeploymentHook(body, observed)
	case "push":
		return gitlabPushHook(body, observed)
	}
	return []event.Event{event.NewUnused("gitlab", observed)}, nil
}

func gitlabPipelineHook(body []byte, observed time.Time) ([]event.Event, error) {
	var hook struct {
		Pipeline gitlabPipeline    `json:"object_attributes"`
		Project  gitlabHookProject `json:"project"`
		Builds   []gitlabBuild     `json:"builds"`
	}
	exact, err := source.Unmarshal(body, &hook)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab pipeline hook: %w", err)
	}
	p := hook.Pipeline
	p.ProjectID, p.WebURL, p.defaultBranch = hook.Project.ID, hook.Project.WebURL, hook.Project.DefaultBranch
	p.builds = hook.Builds
	r, err := p.run(exact, observed)
	if err != nil {
		return nil, err
	}
	events := []event.Event{r.Event()}
	instance, _ := gitlabProject(p.WebURL)
	for _, b := range hook.Builds {
		if b.ID <= 0 {
			continue
		}
		t, err := b.task(instance, exact, observed)
		if err != nil {
			return nil, err
		}
		t.Pipeline, t.RunID = r.Pipeline, r.ID
		events = append(events, t.Event())
	}
	return events, nil
}

func gitlabJobHook(body []byte, observed time.Time) ([]event.Event, error) {
	var hook struct {
		ID           int64         `json:"build_id"`
		Name         string        `json:"build_name"`
		Status       string        `json:"build_status"`
		AllowFailure bool          `json:"build_allow_failure"`
		Reason       string        `json:"build_failure_reason"`
		Created      source.Stamp  `json:"build_created_at"`
		Started      source.Stamp  `json:"build_started_at"`
		Finished     source.Stamp  `json:"build_finished_at"`
		Duration     *float64      `json:"build_duration"`
		Queued       *float64      `json:"build_queued_duration"`
		Runner       *gitlabRunner `json:"runner"`
		PipelineID   int64         `json:"pipeline_id"`
		Pipeline     struct {
			Name string `json:"name"`
		} `json:"commit"` // sic
		Project    gitlabHookProject `json:"project"` // since GitLab 16
		Repository struct {
			Homepage string `json:"homepage"`
		} `json:"repository"`
	}
	exact, err := source.Unmarshal(body, &hook)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab job hook: %w", err)
	}
	b := gitlabBuild{
		ID: hook.ID, Name: hook.Name, Status: hook.Status, AllowFailure: hook.AllowFailure, Reason: hook.Reason,
		Created: hook.Created, Started: hook.Started, Finished: hook.Finished,
		Duration: hook.Duration, Queued: hook.Queued, Runner: hook.Runner,
	}
	instance, project := gitlabProject(cmp.Or(hook.Project.WebURL, hook.Repository.Homepage))
	t, err := b.task(instance, exact, observed)
	if err != nil {
		return nil, err
	}
	t.Pipeline, t.RunID = gitlabPipelineOf(project, hook.Pipeline.Name), number(hook.PipelineID)
	return []event.Event{t.Event()}, nil
}

// gitlabPush is the part that is read of a push hook. GitLab names the last 20 commits, oldest first.
type gitlabPush struct {
	Ref     string            `json:"ref"`
	Before  string            `json:"before"`
	After   string            `json:"after"`
	Total   int               `json:"total_commits_count"`
	Project gitlabHookProject `json:"project"`
	Commits []struct {
		ID   string       `json:"id"`
		Time source.Stamp `json:"timestamp"`
	} `json:"commits"`
}

func gitlabPushHook(body []byte, observed time.Time) ([]event.Event, error) {
	var push gitlabPush
	exact, err := source.Unmarshal(body, &push)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab push hook: %w", err)
	}
	instance, path := gitlabProject(push.Project.WebURL)
	if push.Project.ID <= 0 || instance == "" {
		return nil, errors.New("decode gitlab push hook: no id or web_url of the project")
	}
	branch, found := strings.CutPrefix(push.Ref, "refs/heads/")
	if !found || branch != push.Project.DefaultBranch {
		return []event.Event{event.NewUnused("gitlab", observed)}, nil
	}
	base := commitID(push.Before)
	if push.Total > len(push.Commits) { // the oldest are not named
		base = ""
	}
	var events []event.Event
	for _, named := range push.Commits {
		id := commitID(named.ID)
		if id == "" {
			base = ""
			continue
		}
		c := pipelines.Commit{Revision: id, Base: base}
		c.Origin = event.NewOrigin("gitlab", fmt.Sprintf("gl/%s/%d/commit/%s", instance, push.Project.ID, id), "pushed", observed, observed)
		c.Owner, c.Repository = pipelines.Split(path)
		c.Committed, found = event.Clamp(named.Time.Time, observed)
		if !found {
			c.Unmapped = "clock"
		}
		c.Unmapped = cmp.Or(c.Unmapped, source.Inexact(exact))
		events, base = append(events, c.Event()), id
	}
	if len(events) == 0 { // a branch that was deleted, or set back
		events = append(events, event.NewUnused("gitlab", observed))
	}
	return events, nil
}

// commitID returns a commit id, or "" for none; git writes zeros where there is no commit.
func commitID(s string) string {
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return event.Hex(s)
}
