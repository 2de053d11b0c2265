// Package pipelines turns what CI systems say about their runs into counters an SLO can be written on.
//
// There are three steps. The decoders in package sources are pure functions from a delivery or a history record to the
// facts of this package (Run, Task, Step, Deployment, Commit), which travel as events. Pipelines, a domain of package
// counters, has one follower for each kind of fact, which counts what becomes of a subject once, however often an event
// is delivered. A metric.Snapshot is what the counters read, as plain data; the Prometheus face (metric.Collector) and the
// OTLP face (the collector's platform_events receiver) both print it and add nothing.
//
// Two outcomes of a run are counted: of its first attempt, which shows flakiness, and its final one, which is what the
// developer was left with. No run number, commit or branch is ever part of a metric.
package pipelines

import (
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// State is how far an attempt, a task or a deployment has come. Order matters: none ever goes back.
type State int

// The states.
const (
	Pending State = iota
	Executing
	Finished
)

// String returns the word that stands for the state in idempotence keys.
func (s State) String() string { return [...]string{"pending", "executing", "finished"}[s] }

// Values of a result. A conclusion that has no semconv word is the empty result.
const (
	Success      = "success"
	Failure      = "failure"
	Errored      = "error"
	Timeout      = "timeout"
	Cancellation = "cancellation"
	Skip         = "skip"
)

// Values of event.Outcome.
const (
	good     = "good"
	bad      = "bad"
	excluded = "excluded"
)

// outcome says how a result counts: what nobody wanted to run to its end, or has no semconv result, is excluded.
func outcome(result string) string {
	switch result {
	case Success:
		return good
	case Failure, Errored, Timeout:
		return bad
	}
	return excluded
}

// Pipeline is what the runs of one pipeline share, and all that metrics know of them. Each text is what event.Clean
// returns.
type Pipeline struct {
	Owner, Repository, Name string
}

// Split returns owner and name of a repository path such as "octo-org/octo-repo" or "group/subgroup/project", cleaned.
func Split(path string) (owner, name string) {
	path = event.Clean(path)
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// Run is the state that one attempt of a pipeline run has come to.
type Run struct {
	event.Origin
	Pipeline Pipeline
	ID       string // the provider's, empty if it has none that is fit to be shown
	State    State
	Waiting  bool      // for a person
	Attempt  int64     // 0 if the source does not count
	Start    time.Time // of the attempt, zero if the source does not say
	Result   string    // of a finished attempt: one of the results, or empty
	Raw      string    // the provider's word where Result has none for it
	Error    string    // why it failed if the source says more than Result, a word of the provider's vocabulary
	Duration time.Duration
	Timed    bool   // Duration is known
	Trigger  string // event.Trigger
	RefKind  string // event.RefKind
	Revision string // event.Revision
	settled  bool   // the event is RunSettled
}

// Event returns the run as an event.
func (r Run) Event() event.Event {
	attrs := append(r.Pipeline.attrs(),
		event.String(event.Result, r.Result),
		event.String(event.ResultRaw, r.Raw),
		event.String(event.ErrorType, r.Error),
		event.String(event.Trigger, r.Trigger),
		event.String(event.RefKind, r.RefKind),
		event.String(event.Revision, r.Revision),
		event.String(event.RunID, r.ID),
	)
	if r.Attempt > 0 {
		attrs = append(attrs, event.Int(event.RunAttempt, r.Attempt))
	}
	if r.Timed {
		attrs = append(attrs, event.Float(event.RunDuration, r.Duration.Seconds()))
	}
	if r.Waiting {
		attrs = append(attrs, event.Bool(event.Waiting, true))
	}
	name := [...]string{event.RunQueued, event.RunStarted, event.RunFinished}[r.State]
	if r.settled {
		name = event.RunSettled
	}
	return r.Origin.Event(name, r.Start, attrs...)
}

// runOf reads an event back; ok is false if it is not about a pipeline run.
func runOf(e event.Event) (r Run, ok bool) {
	switch e.Name {
	case event.RunQueued:
		r.State = Pending
	case event.RunStarted:
		r.State = Executing
	case event.RunFinished:
		r.State = Finished
	case event.RunSettled:
		r.State, r.settled = Finished, true
	default:
		return Run{}, false
	}
	r.Origin = e.Origin()
	r.Start = e.Start.Round(0)
	r.Pipeline = Pipeline{e.Attrs.Text(event.RepositoryOwner), e.Attrs.Text(event.Repository), e.Attrs.Text(event.PipelineName)}
	r.ID = e.Attrs.Text(event.RunID)
	r.Attempt = e.Attrs.Integer(event.RunAttempt)
	r.Result, r.Raw = e.Attrs.Text(event.Result), e.Attrs.Text(event.ResultRaw)
	r.Error = e.Attrs.Text(event.ErrorType)
	r.Trigger, r.RefKind, r.Revision = e.Attrs.Text(event.Trigger), e.Attrs.Text(event.RefKind), e.Attrs.Text(event.Revision)
	r.Waiting = e.Attrs.True(event.Waiting)
	seconds, has := e.Attrs.Number(event.RunDuration)
	r.Duration, r.Timed = time.Duration(seconds*float64(time.Second)), has
	return r, true
}
