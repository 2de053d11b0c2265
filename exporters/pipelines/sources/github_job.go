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

// githubJob is the part that is read of a job, in a webhook and in the REST API alike.
type githubJob struct {
	ID         int64        `json:"id"`
	RunID      int64        `json:"run_id"`
	Attempt    int64        `json:"run_attempt"`
	Workflow   string       `json:"workflow_name"`
	Name       string       `json:"name"`
	Status     string       `json:"status"`
	Conclusion string       `json:"conclusion"`
	Labels     []string     `json:"labels"`
	RunnerID   int64        `json:"runner_id"` // 0 or null until a runner took it
	Created    source.Stamp `json:"created_at"`
	Started    source.Stamp `json:"started_at"` // created_at until it begins
	Completed  source.Stamp `json:"completed_at"`
	Steps      []githubStep `json:"steps"`
}

type githubStep struct {
	Name       string       `json:"name"`
	Number     int64        `json:"number"`
	Status     string       `json:"status"`
	Conclusion string       `json:"conclusion"`
	Started    source.Stamp `json:"started_at"`
	Completed  source.Stamp `json:"completed_at"`
}

const (
	// maxSteps is how many steps of a job are read.
	maxSteps = 1000
	// maxQueue is the longest wait for a runner that is believed: a run is ended after 35 days.
	maxQueue = 35 * 24 * time.Hour
	// queueRounding is how far a job may begin before it was made, on GitHub's two clocks, and count as at once.
	queueRounding = 5 * time.Second
)

func githubJobDelivery(payload []byte, observed time.Time) ([]event.Event, error) {
	var delivery struct {
		Action     string           `json:"action"`
		Job        githubJob        `json:"workflow_job"`
		Repository GitHubRepository `json:"repository"`
	}
	exact, err := source.Unmarshal(payload, &delivery)
	if err != nil {
		return nil, err
	}
	return delivery.Job.events(delivery.Repository, exact, githubJobAction(delivery.Action), observed), nil
}

func githubJobAction(action string) (known bool) {
	switch action {
	case "queued", "waiting", "in_progress", "completed":
		return true
	}
	return false
}

// GitHubJob returns the events of one job of the REST API (GET /repos/{owner}/{repo}/actions/runs/{id}/jobs). The same
// state of a job gives the same event.Key as its webhook.
func GitHubJob(repository GitHubRepository, record []byte, observed time.Time) ([]event.Event, error) {
	var job githubJob
	exact, err := source.Unmarshal(record, &job)
	if err != nil {
		return nil, fmt.Errorf("decode github job: %w", err)
	}
	return job.events(repository, exact, true, observed), nil
}

func (g githubJob) events(repository GitHubRepository, exact, known bool, observed time.Time) []event.Event {
	if g.ID <= 0 || g.RunID <= 0 || repository.ID <= 0 {
		return unusable(observed)
	}
	t := pipelines.Task{
		Origin: event.Origin{Source: "github", Subject: fmt.Sprintf("gh/%d/job/%d", repository.ID, g.ID), Observed: observed},
		RunID:  strconv.FormatInt(g.RunID, 10), Attempt: max(g.Attempt, 0),
		ID: strconv.FormatInt(g.ID, 10), Name: event.Clean(g.Name), Pool: githubPool(g.Labels),
	}
	t.Pipeline.Owner, t.Pipeline.Repository = pipelines.Split(repository.FullName)
	t.Pipeline.Name = event.Clean(g.Workflow)
	if !exact {
		t.Unmapped = "type"
	}
	if !known {
		t.Unmapped = "action"
	}
	g.setState(&t)
	g.setTimes(&t)
	t.Key = t.Subject + "/" + t.State.String()
	if t.Waiting {
		t.Key = t.Subject + "/waiting"
	}
	events := []event.Event{}
	if t.State == pipelines.Finished {
		events = g.steps(&t)
	}
	return append([]event.Event{t.Event()}, events...)
}

func (g githubJob) setState(t *pipelines.Task) {
	switch event.Word(g.Status) {
	case "completed":
		t.State = pipelines.Finished
		var ok bool
		if t.Result, t.Raw, ok = githubResult(event.Word(g.Conclusion)); !ok {
			t.Unmapped = "conclusion"
		}
		if t.Result == pipelines.Timeout || t.Result == pipelines.Errored {
			t.Error = event.Word(g.Conclusion)
		}
	case "in_progress":
		t.State = pipelines.Executing
	case "waiting": // for a deployment review
		t.State, t.Waiting = pipelines.Pending, true
	case "queued", "requested", "pending":
		t.State = pipelines.Pending
	default:
		t.State, t.Unmapped = pipelines.Pending, "status"
	}
}

// setTimes notes when the job came to its state, how long it waited for a runner and how long it took. A job that no
// runner took, skipped or cancelled before, has neither.
func (g githubJob) setTimes(t *pipelines.Task) {
	at := [...]source.Stamp{g.Created, g.Started, g.Completed}[t.State]
	var ok bool
	if t.Time, ok = event.Clamp(at.Time, t.Observed); !ok {
		t.Unmapped = "clock"
	}
	ran := t.State != pipelines.Pending && t.Result != pipelines.Skip && (t.Result != pipelines.Cancellation || g.RunnerID > 0)
	if !ran {
		return
	}
	t.Start = g.Started.Time
	if queued, ok := elapsed(g.Created, g.Started, maxQueue); ok {
		t.Queued, t.Waited = queued, true
	} else {
		t.Unmapped = "clock"
	}
	if t.State != pipelines.Finished {
		return
	}
	if t.Duration, t.Timed = elapsed(g.Started, g.Completed, maxRunDuration); !t.Timed {
		t.Unmapped = "clock"
	}
}

// elapsed returns how long it was from one moment to another; ok is false if one is missing, the clocks contradict
// each other by more than a rounding, or it was longer than limit.
func elapsed(from, to source.Stamp, limit time.Duration) (d time.Duration, ok bool) {
	if from.IsZero() || to.IsZero() {
		return 0, false
	}
	if d = to.Sub(from.Time); d < -queueRounding || d > limit {
		return 0, false
	}
	return max(d, 0), true
}

// steps returns the steps of a finished job. GitHub may send a job as completed before the last of its steps are.
func (g githubJob) steps(t *pipelines.Task) []event.Event {
	var events []event.Event
	for i, s := range g.Steps {
		if i == maxSteps {
			t.Unmapped = "steps"
			break
		}
		if event.Word(s.Status) != "completed" || s.Number <= 0 {
			continue
		}
		step := pipelines.Step{
			Origin: event.Origin{
				Source: t.Source, Subject: t.Subject, Key: fmt.Sprintf("%s/step/%d", t.Subject, s.Number), Observed: t.Observed,
			},
			Pipeline: t.Pipeline, RunID: t.RunID, TaskID: t.ID, Attempt: t.Attempt, TaskName: t.Name,
			Name: event.Clean(s.Name), Number: s.Number, Start: s.Started.Time,
		}
		var ok bool
		if step.Result, _, ok = githubResult(event.Word(s.Conclusion)); !ok {
			step.Unmapped = "conclusion"
		}
		if step.Time, ok = event.Clamp(s.Completed.Time, t.Observed); !ok {
			step.Unmapped = "clock"
		}
		events = append(events, step.Event())
	}
	return events
}

// githubPool returns what picks the runner of a job: its labels in order, without case and with long numbers as #,
// since some runners are asked for with the id of the run in a label.
func githubPool(labels []string) string {
	if len(labels) > 20 {
		labels = labels[:20]
	}
	var pool []string
	for _, label := range labels {
		if label = maskNumbers(strings.ToLower(event.Clean(label))); label != "" {
			pool = append(pool, label)
		}
	}
	slices.Sort(pool)
	return event.Clean(strings.Join(slices.Compact(pool), ","))
}

// maskNumbers replaces each run of five digits or more by #.
func maskNumbers(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n >= 5 {
			b.WriteByte('#')
		} else {
			b.WriteString(s[:n])
		}
		if s = s[n:]; len(s) > 0 {
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String()
}
