package pipelines

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Task is the state that one job of a pipeline run has come to.
type Task struct {
	event.Origin
	Pipeline Pipeline
	RunID    string // as Run.ID
	Attempt  int64  // of the run, 0 if the source does not count
	ID, Name string
	State    State
	Waiting  bool      // for a person
	Start    time.Time // zero if it did not begin
	Result   string    // of a finished task: one of the results, or empty
	Raw      string    // the provider's word where Result has none for it
	Error    string    // why it failed, a word of the provider's vocabulary
	Pool     string    // the label or tag that picked the runner
	Queued   time.Duration
	Waited   bool // Queued is known
	Duration time.Duration
	Timed    bool // Duration is known
}

// Event returns the task as an event.
func (t Task) Event() event.Event {
	attrs := append(t.Pipeline.attrs(),
		event.String(event.RunID, t.RunID),
		event.String(event.TaskID, t.ID),
		event.String(event.TaskName, t.Name),
		event.String(event.TaskResult, t.Result),
		event.String(event.ResultRaw, t.Raw),
		event.String(event.ErrorType, t.Error),
		event.String(event.RunnerPool, t.Pool),
	)
	if t.Attempt > 0 {
		attrs = append(attrs, event.Int(event.RunAttempt, t.Attempt))
	}
	if t.Waiting {
		attrs = append(attrs, event.Bool(event.Waiting, true))
	}
	if t.Waited {
		attrs = append(attrs, event.Float(event.QueueDuration, t.Queued.Seconds()))
	}
	if t.Timed {
		attrs = append(attrs, event.Float(event.RunDuration, t.Duration.Seconds()))
	}
	name := [...]string{event.TaskQueued, event.TaskStarted, event.TaskFinished}[t.State]
	return t.Origin.Event(name, t.Start, attrs...)
}

// taskOf reads back what Event wrote, as far as it is counted; ok is false if the event is not about a task.
func taskOf(e event.Event) (t Task, ok bool) {
	switch e.Name {
	case event.TaskQueued:
		t.State = Pending
	case event.TaskStarted:
		t.State = Executing
	case event.TaskFinished:
		t.State = Finished
	default:
		return Task{}, false
	}
	t.Origin = e.Origin()
	t.Waiting = e.Attrs.True(event.Waiting)
	t.Pool = e.Attrs.Text(event.RunnerPool)
	seconds, has := e.Attrs.Number(event.QueueDuration)
	t.Queued, t.Waited = time.Duration(seconds*float64(time.Second)), has
	return t, true
}

// Step is one finished step of a task, for traces; no metric counts it.
type Step struct {
	event.Origin
	Pipeline       Pipeline
	RunID, TaskID  string
	Attempt        int64
	TaskName, Name string
	Number         int64 // 1 is the first, 0 if the source does not count
	Start          time.Time
	Result         string
}

// Event returns the step as an event.
func (s Step) Event() event.Event {
	attrs := append(s.Pipeline.attrs(),
		event.String(event.RunID, s.RunID),
		event.String(event.TaskID, s.TaskID),
		event.String(event.TaskName, s.TaskName),
		event.String(event.StepName, s.Name),
		event.String(event.TaskResult, s.Result),
	)
	if s.Attempt > 0 {
		attrs = append(attrs, event.Int(event.RunAttempt, s.Attempt))
	}
	if s.Number > 0 {
		attrs = append(attrs, event.Int(event.StepNumber, s.Number))
	}
	return s.Origin.Event(event.StepFinished, s.Start, attrs...)
}
