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
	Created    stamp            `json:"created_at"`
	Started    stamp            `json:"run_started_at"`
	Updated    stamp            `json:"updated_at"`
	Repository githubRepository `json:"repository"`
}

type githubRepository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

// GitHub returns the events of one webhook delivery: header is the request's, body its raw body, JSON or a form
// with a payload field. workflow_run gives one run event, every other event one event.Unused. What is not understood
// inside a run is named in its event.Unmapped attribute. The error is for a body that can not be a workflow_run; it
// does not quote the body. It does not check the signature, see SignedByGitHub, and does not keep body.
func GitHub(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	if header.Get("X-GitHub-Event") != "workflow_run" {
		return []event.Event{pipelines.Unused("github", observed)}, nil
	}
	var delivery struct {
		Run        *githubRun       `json:"workflow_run"`
		Repository githubRepository `json:"repository"`
	}
	payload, err := githubPayload(header, body)
	if err != nil {
		return nil, err
	}
	exact, err := unmarshal(payload, &delivery)
	if err != nil {
		return nil, fmt.Errorf("decode github workflow_run: %w", err)
	}
	if delivery.Run == nil {
		return nil, errors.New("decode github workflow_run: no workflow_run in it")
	}
	delivery.Run.Repository = delivery.Repository
	return delivery.Run.events(exact, observed)
}

// GitHubRun returns the event of one workflow run of the REST API (GET /repos/{owner}/{repo}/actions/runs).
// The same state of a run gives the same event.Key as its webhook.
func GitHubRun(record []byte, observed time.Time) ([]event.Event, error) {
	var run githubRun
	exact, err := unmarshal(record, &run)
	if err != nil {
		return nil, fmt.Errorf("decode github run: %w", err)
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
		Origin:  pipelines.Origin{Source: "github", Subject: fmt.Sprintf("gh/%d/run/%d", g.Repository.ID, g.ID), Observed: observed},
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
		setDuration(&r, g.Started.Time, g.Updated.Time)
	}
	return []event.Event{r.Event()}, nil
}

// maxRunDuration is the longest run that is believed; GitHub ends workflow runs after 35 days.
const maxRunDuration = 365 * 24 * time.Hour

// setDuration notes how long the attempt took, unless the clocks contradict each other.
func setDuration(r *pipelines.Run, start, end time.Time) {
	d := end.Sub(start)
	if start.IsZero() || end.IsZero() || d < 0 || d > maxRunDuration {
		r.Unmapped = "clock"
		return
	}
	r.Duration, r.Timed = d, true
}

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
	switch conclusion {
	case "success":
		r.Result = pipelines.Success
	case "failure":
		r.Result = pipelines.Failure
	case "timed_out":
		r.Result = pipelines.Timeout
	case "cancelled":
		r.Result = pipelines.Cancellation
	case "skipped":
		r.Result = pipelines.Skip
	case "startup_failure":
		r.Result = pipelines.Errored
	case "neutral", "stale":
		r.Raw = conclusion
	case "action_required":
		r.State, r.Waiting, r.Raw = pipelines.Pending, true, conclusion
	default: // also a completed run without a conclusion
		r.Raw, r.Unmapped = "unknown", "conclusion"
	}
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
	case strings.HasPrefix(g.HeadBranch, "release/"):
		return "release"
	}
	return "other"
}
