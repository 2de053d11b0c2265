package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// gitlabDeployment is what a hook and a REST record say of a deployment.
type gitlabDeployment struct {
	id                int64
	page              string // of the project, or below it
	status            string
	environment, tier string
	revision          string
	start, at         time.Time
}

// GitLabDeployment returns the event of one deployment of GitLab's REST API (GET /projects/:id/deployments). The same
// state of a deployment gives the same event.Key as its webhook.
func GitLabDeployment(record []byte, observed time.Time) ([]event.Event, error) {
	var d struct {
		ID          int64        `json:"id"`
		SHA         string       `json:"sha"`
		Status      string       `json:"status"`
		Created     source.Stamp `json:"created_at"`
		Updated     source.Stamp `json:"updated_at"`
		Environment struct {
			Name string `json:"name"`
			Tier string `json:"tier"`
		} `json:"environment"`
		Job struct {
			Started  source.Stamp `json:"started_at"`
			Finished source.Stamp `json:"finished_at"`
			WebURL   string       `json:"web_url"`
		} `json:"deployable"`
	}
	exact, err := source.Unmarshal(record, &d)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab deployment: %w", err)
	}
	g := gitlabDeployment{
		id: d.ID, page: d.Job.WebURL, status: d.Status, environment: d.Environment.Name, tier: d.Environment.Tier,
		revision: commitID(d.SHA), start: d.Job.Started.Time, at: cmp.Or(d.Job.Finished.Time, d.Updated.Time, d.Created.Time),
	}
	return g.events(exact, observed)
}

func gitlabDeploymentHook(body []byte, observed time.Time) ([]event.Event, error) {
	var hook struct {
		ID          int64             `json:"deployment_id"`
		Status      string            `json:"status"`
		Changed     source.Stamp      `json:"status_changed_at"`
		Environment string            `json:"environment"`
		Tier        string            `json:"environment_tier"`
		Project     gitlabHookProject `json:"project"`
		CommitURL   string            `json:"commit_url"`
	}
	exact, err := source.Unmarshal(body, &hook)
	if err != nil {
		return nil, fmt.Errorf("decode gitlab deployment hook: %w", err)
	}
	g := gitlabDeployment{
		id: hook.ID, page: hook.Project.WebURL, status: hook.Status, environment: hook.Environment, tier: hook.Tier,
		revision: gitlabCommitOf(hook.CommitURL), at: hook.Changed.Time,
	}
	return g.events(exact, observed)
}

// gitlabCommitOf returns the commit whose page it is; the hook itself has only the first digits.
func gitlabCommitOf(page string) string {
	u, err := url.Parse(page)
	if err != nil || path.Base(path.Dir(u.Path)) != "commit" {
		return ""
	}
	return commitID(path.Base(u.Path))
}

func (g gitlabDeployment) events(exact bool, observed time.Time) ([]event.Event, error) {
	instance, project := gitlabProject(g.page)
	if g.id <= 0 || instance == "" {
		return nil, errors.New("decode gitlab deployment: no id or address of the project")
	}
	var d pipelines.Deployment
	g.setState(&d)
	unmapped := d.Unmapped
	d.Origin = event.NewOrigin("gitlab", fmt.Sprintf("gl/%s/deployment/%d", instance, g.id), d.State.String(), g.at.Truncate(time.Second), observed)
	d.Owner, d.Repository = pipelines.Split(project)
	d.Service, d.ID, d.Revision = d.Repository, number(g.id), g.revision
	d.Environment, d.Tier = event.Clean(g.environment), gitlabTier(g.tier, g.environment)
	d.Start = source.Began(g.start.Truncate(time.Second), observed)
	d.Unmapped = cmp.Or(d.Unmapped, unmapped, source.Inexact(exact))
	return []event.Event{d.Event()}, nil
}

// gitlabTier returns the tier GitLab gives the environment, or a guess if it gives none.
func gitlabTier(tier, environment string) string {
	switch tier = strings.ToLower(tier); tier {
	case pipelines.Production, pipelines.Staging, pipelines.Testing, pipelines.Development, "other":
		return tier
	}
	return tierByName(environment)
}

// setState maps the status. Source: GitLab REST API, "Deployments API", status.
func (g gitlabDeployment) setState(d *pipelines.Deployment) {
	switch event.Word(g.status) {
	case "created", "blocked":
		d.State = pipelines.Pending
	case "running":
		d.State = pipelines.Executing
	case "success":
		d.State, d.Succeeded = pipelines.Finished, true
	case "failed":
		d.State = pipelines.Finished
	case "canceled", "skipped":
		d.State, d.Cancelled = pipelines.Finished, true
	default:
		d.State, d.Unmapped = pipelines.Pending, "status"
	}
}
