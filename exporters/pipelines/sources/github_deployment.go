package sources

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// githubDeployment is the part that is read of a deployment, in a webhook and in the REST API alike.
type githubDeployment struct {
	ID          int64        `json:"id"`
	SHA         string       `json:"sha"`
	Task        string       `json:"task"`
	Environment string       `json:"environment"`
	Production  bool         `json:"production_environment"`
	Transient   bool         `json:"transient_environment"`
	Created     source.Stamp `json:"created_at"`
}

// githubDeploymentStatus is the part that is read of a status of a deployment; there are many of each.
type githubDeploymentStatus struct {
	ID          int64        `json:"id"`
	State       string       `json:"state"`
	Environment string       `json:"environment"`
	Created     source.Stamp `json:"created_at"`
}

func githubDeploymentDelivery(payload []byte, observed time.Time) ([]event.Event, error) {
	var delivery struct {
		Action     string                  `json:"action"`
		Deployment githubDeployment        `json:"deployment"`
		Status     *githubDeploymentStatus `json:"deployment_status"`
		Repository GitHubRepository        `json:"repository"`
	}
	exact, err := source.Unmarshal(payload, &delivery)
	if err != nil {
		return nil, err
	}
	return delivery.Deployment.events(delivery.Repository, delivery.Status, exact, delivery.Action == "created", observed), nil
}

// GitHubDeployment returns the event of one deployment of the REST API (GET /repos/{owner}/{repo}/deployments), with
// the same event.Key as its webhook.
func GitHubDeployment(repository GitHubRepository, record []byte, observed time.Time) ([]event.Event, error) {
	var deployment githubDeployment
	exact, err := source.Unmarshal(record, &deployment)
	if err != nil {
		return nil, fmt.Errorf("decode github deployment: %w", err)
	}
	return deployment.events(repository, nil, exact, true, observed), nil
}

// GitHubDeploymentStatus returns the event of one status of a deployment of the REST API (GET
// /repos/{owner}/{repo}/deployments/{id}/statuses), with the same event.Key as its webhook. record is the status,
// deployment the record that it belongs to.
func GitHubDeploymentStatus(repository GitHubRepository, deployment, record []byte, observed time.Time) ([]event.Event, error) {
	var d githubDeployment
	var status githubDeploymentStatus
	exact, err := source.Unmarshal(deployment, &d)
	if err != nil {
		return nil, fmt.Errorf("decode github deployment: %w", err)
	}
	exactly, err := source.Unmarshal(record, &status)
	if err != nil {
		return nil, fmt.Errorf("decode github deployment status: %w", err)
	}
	return d.events(repository, &status, exact && exactly, true, observed), nil
}

// events returns the event of the deployment, or of a status of it.
func (g githubDeployment) events(repository GitHubRepository, status *githubDeploymentStatus, exact, known bool, observed time.Time) []event.Event {
	if g.ID <= 0 || repository.ID <= 0 || status != nil && status.ID <= 0 {
		return unusable(observed)
	}
	d := pipelines.Deployment{
		Origin:      event.Origin{Source: "github", Subject: fmt.Sprintf("gh/%d/dep/%d", repository.ID, g.ID), Observed: observed},
		ID:          strconv.FormatInt(g.ID, 10),
		Environment: event.Clean(g.Environment), Revision: event.Hex(g.SHA), Rollback: event.Word(g.Task) == "rollback",
	}
	d.Owner, d.Repository = pipelines.Split(repository.FullName)
	d.Service = d.Repository
	if !exact {
		d.Unmapped = "type"
	}
	if !known {
		d.Unmapped = "action"
	}
	at := g.Created
	d.Key = d.Subject + "/created"
	if status != nil {
		if !status.setState(&d) {
			return []event.Event{event.NewUnused("github", observed)}
		}
		at = status.Created
		d.Key = fmt.Sprintf("%s/%d", d.Subject, status.ID)
		if name := event.Clean(status.Environment); name != "" {
			d.Environment = name
		}
	}
	d.Tier = g.tier(d.Environment)
	var ok bool
	if d.Time, ok = event.Clamp(at.Time, observed); !ok {
		d.Unmapped = "clock"
	}
	if start, ok := event.Clamp(g.Created.Time, observed); ok {
		d.Start = start
	}
	return []event.Event{d.Event()}
}

// setState maps the state of a status; used is false for inactive, which GitHub sets by itself when a later deployment
// takes the place of this one. Source: GitHub REST API, "Deployment statuses", state.
func (s githubDeploymentStatus) setState(d *pipelines.Deployment) (used bool) {
	switch event.Word(s.State) {
	case "inactive":
		return false
	case "success":
		d.State, d.Succeeded = pipelines.Finished, true
	case "failure", "error":
		d.State = pipelines.Finished
	case "in_progress":
		d.State = pipelines.Executing
	case "queued", "pending", "waiting":
		d.State = pipelines.Pending
	default:
		d.State, d.Unmapped = pipelines.Pending, "status"
	}
	return true
}

// tier says what the environment is for. GitHub knows only whether it is production, and knows that only if somebody
// said so, so the words of its name count as well.
func (g githubDeployment) tier(environment string) string {
	words := strings.FieldsFunc(strings.ToLower(environment), func(r rune) bool { return r < 'a' || r > 'z' })
	has := func(any ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(any, word) })
	}
	switch {
	case g.Production:
		return pipelines.Production
	case g.Transient, has("dev", "devel", "development", "review", "preview", "previews", "sandbox", "pr"):
		return pipelines.Development
	case has("test", "testing", "qa", "uat", "ci", "integration", "acceptance", "e2e"):
		return pipelines.Testing
	case has("stage", "staging", "stg", "preprod", "pre", "preproduction", "nonprod", "non", "demo"):
		return pipelines.Staging
	case has("prod", "production", "prd", "live"):
		return pipelines.Production
	}
	return "other"
}
