package sources

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// githubRun is the part that is read of a workflow run, in a webhook and in the REST API alike.
type githubRun struct {
	ID         int64            `json:"id"`
	Name       string           `json:"name"`
	Path       string           `json:"path"`
	Event      string           `json:"event"`
	Status     string           `json:"status"`
	Conclusion string           `json:"conclusion"`
	Attempt    int64            `json:"run_attempt"`
	HeadBranch string           `json:"head_branch"`
	HeadSHA    string           `json:"head_sha"`
	Created    source.Stamp     `json:"created_at"`
	Started    source.Stamp     `json:"run_started_at"`
	Updated    source.Stamp     `json:"updated_at"`
	Repository GitHubRepository `json:"repository"`
}

// GitHubRepository is the part that is read of a repository (GET /repos/{owner}/{repo}). A webhook brings its own;
// records of the REST API leave all or some of it out.
type GitHubRepository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

// GitHub returns the events of one webhook delivery: header is the request's, body its raw body, JSON or a form
// with a payload field.
//
//	workflow_run       one run
//	workflow_job       one task and, once it is completed, its steps
//	deployment         one deployment
//	deployment_status  one deployment; event.Unused if the status is inactive, which says that another one took over
//	push               one commit each, oldest first, on the default branch and on release/ branches
//
// Every other event, and a push to another branch or of a tag, is one event.Unused. What is not understood is named in
// event.Unmapped; a job, a deployment or a push without the ids to follow it by is event.Unused with "id" there. The
// error is for a body that is not JSON or can not be a workflow_run; it does not quote the body. GitHub does not check
// the signature, see SignedByGitHub, and does not keep body.
func GitHub(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	kind := header.Get("X-GitHub-Event")
	decode, used := map[string]func([]byte, time.Time) ([]event.Event, error){
		"workflow_run": githubRunDelivery, "workflow_job": githubJobDelivery,
		"deployment": githubDeploymentDelivery, "deployment_status": githubDeploymentDelivery,
		"push": githubPushDelivery, "secret_scanning_alert": githubSecretDelivery,
	}[kind]
	if !used {
		return []event.Event{event.NewUnused("github", observed)}, nil
	}
	payload, err := githubPayload(header, body)
	if err != nil {
		return nil, err
	}
	events, err := decode(payload, observed)
	if err != nil {
		return nil, fmt.Errorf("decode github %s: %w", kind, err)
	}
	return events, nil
}

func githubRunDelivery(payload []byte, observed time.Time) ([]event.Event, error) {
	var delivery struct {
		Run        *githubRun       `json:"workflow_run"`
		Repository GitHubRepository `json:"repository"`
	}
	exact, err := source.Unmarshal(payload, &delivery)
	if err != nil {
		return nil, err
	}
	if delivery.Run == nil {
		return nil, errors.New("no workflow_run in it")
	}
	delivery.Run.Repository = delivery.Repository
	return delivery.Run.events(exact, observed)
}

// GitHubRun returns the event of one workflow run of the REST API (GET /repos/{owner}/{repo}/actions/runs).
// The same state of a run gives the same event.Key as its webhook. The record does not say which branch is the default
// one: without that, see GitHubRunIn, the run is on an "other" branch.
func GitHubRun(record []byte, observed time.Time) ([]event.Event, error) {
	return GitHubRunIn(GitHubRepository{}, record, observed)
}

// GitHubRunIn is GitHubRun for a repository of which more is known than the record says.
func GitHubRunIn(repository GitHubRepository, record []byte, observed time.Time) ([]event.Event, error) {
	var run githubRun
	exact, err := source.Unmarshal(record, &run)
	if err != nil {
		return nil, fmt.Errorf("decode github run: %w", err)
	}
	if run.Repository.ID == repository.ID {
		run.Repository = repository
	}
	return run.events(exact, observed)
}

// githubPayload returns the JSON of a delivery; GitHub sends it bare or in a form, as the hook is configured.
func githubPayload(header http.Header, body []byte) ([]byte, error) {
	kind, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("decode github delivery: not a form")
	}
	return []byte(form.Get("payload")), nil
}

func (g githubRun) events(exact bool, observed time.Time) ([]event.Event, error) {
	if g.ID <= 0 || g.Repository.ID <= 0 {
		return nil, errors.New("decode github run: no id of the run or the repository")
	}
	r := pipelines.Run{
		Origin:  event.Origin{Source: "github", Subject: fmt.Sprintf("gh/%d/run/%d", g.Repository.ID, g.ID), Observed: observed},
		ID:      strconv.FormatInt(g.ID, 10),
		Attempt: max(g.Attempt, 0), Start: g.Started.Time,
		Trigger: githubTrigger(g.Event), RefKind: g.refKind(), Revision: event.Hex(g.HeadSHA),
	}
	r.Pipeline.Owner, r.Pipeline.Repository = pipelines.Split(g.Repository.FullName)
	r.Pipeline.Name = g.pipeline()
	if !exact {
		r.Unmapped = "type"
	}
	g.setState(&r)
	var ok bool
	if r.Time, ok = event.Clamp(g.Updated.Time, observed); !ok {
		r.Unmapped = "clock"
	}
	r.Key = fmt.Sprintf("%s/%d/%s/%v", r.Subject, r.Attempt, g.Started.UTC().Format(time.RFC3339), r.State)
	if r.State == pipelines.Finished {
		// Not since created_at: a second attempt has the created_at of the first.
		if r.Duration, r.Timed = between(g.Started.Time, g.Updated.Time); !r.Timed {
			r.Unmapped = "clock"
		}
	}
	return []event.Event{r.Event()}, nil
}

// maxRunDuration is the longest run that is believed; GitHub ends workflow runs after 35 days.
const maxRunDuration = 365 * 24 * time.Hour

// pipeline returns the workflow's name, or its file if it has none; a file may carry an @ref.
func (g githubRun) pipeline() string {
	if name := event.Clean(g.Name); name != "" {
		return name
	}
	path, _, _ := strings.Cut(g.Path, "@")
	return event.Clean(path)
}

// setState maps status and conclusion. action_required is not an end: the run waits for an approval, and its first
// attempt is still to come. Source: GitHub REST API, "Workflow runs", status and conclusion.
func (g githubRun) setState(r *pipelines.Run) {
	status, conclusion := event.Word(g.Status), event.Word(g.Conclusion)
	switch status {
	case "completed":
		r.State = pipelines.Finished
		g.setResult(r, conclusion)
	case "in_progress":
		r.State = pipelines.Executing
	case "waiting": // for a deployment review
		r.State, r.Waiting = pipelines.Pending, true
	case "queued", "requested", "pending":
		r.State = pipelines.Pending
	default:
		r.State, r.Unmapped = pipelines.Pending, "status"
	}
}

func (g githubRun) setResult(r *pipelines.Run, conclusion string) {
	if conclusion == "action_required" {
		r.State, r.Waiting, r.Raw = pipelines.Pending, true, conclusion
		return
	}
	var ok bool
	if r.Result, r.Raw, ok = githubResult(conclusion); !ok {
		r.Unmapped = "conclusion"
	}
	if r.Result == pipelines.Errored {
		r.Error = conclusion
	}
}

// githubResult maps a conclusion to a result, or to GitHub's own word where there is none for it. ok is false for a
// conclusion that is not known, which null is for what is completed.
func githubResult(conclusion string) (result, raw string, ok bool) {
	switch conclusion {
	case "success":
		return pipelines.Success, "", true
	case "failure":
		return pipelines.Failure, "", true
	case "timed_out":
		return pipelines.Timeout, "", true
	case "cancelled":
		return pipelines.Cancellation, "", true
	case "skipped":
		return pipelines.Skip, "", true
	case "startup_failure":
		return pipelines.Errored, "", true
	case "neutral", "stale", "action_required":
		return "", conclusion, true
	}
	return "", "unknown", false
}

// githubTrigger maps the event that started a run to one of six words.
func githubTrigger(name string) string {
	switch event.Word(name) {
	case "push", "create", "release":
		return "push"
	case "pull_request", "pull_request_target", "pull_request_review", "merge_group":
		return "change"
	case "schedule":
		return "schedule"
	case "workflow_dispatch", "repository_dispatch":
		return "manual"
	case "workflow_run", "workflow_call", "dynamic":
		return "pipeline"
	}
	return "other"
}

// unusable is what becomes of an authentic delivery that has no ids.
func unusable(observed time.Time) []event.Event {
	e := event.NewUnused("github", observed)
	e.Attrs = event.NewSet(event.String(event.Unmapped, "id"))
	return []event.Event{e}
}

// releaseBranches begins the names of branches that releases are made from.
const releaseBranches = "release/"

// refKind maps the branch to a word of fixed vocabulary. Without a default branch, as in REST records, a push to any
// branch but release/* is "other".
func (g githubRun) refKind() string {
	switch {
	case githubTrigger(g.Event) == "change":
		return "change"
	case event.Word(g.Event) == "release":
		return "tag"
	case g.HeadBranch != "" && g.HeadBranch == g.Repository.DefaultBranch:
		return "default"
	case strings.HasPrefix(g.HeadBranch, releaseBranches):
		return "release"
	}
	return "other"
}
