package pipelines

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// tasks follow each task and count how long it waited for a runner, once.
type tasks struct {
	options   Options
	revision  uint64
	bySubject *counters.Remembered[string, task]
	queues    *metric.Table
}

// task is what is remembered of one.
type task struct {
	state    State
	waiting  bool // for a person, the last time it was pending
	waited   bool // for a person at any time, which is nobody's queue
	measured bool // its time in the queue is counted
}

func newTasks(options Options) *tasks {
	return &tasks{
		options: options, bySubject: counters.NewRemembered[string, task](options.MaxTasks),
		queues: metric.NewTable(metric.Family{
			Name: "cicd.pipeline.task.queue.duration", Unit: "s", Kind: metric.Histogram,
			From:       "tasks",
			Help:       "Time between a task being asked for and a runner taking it, without tasks that waited for a person.",
			Bounds:     powersOfTwo(),
			Attributes: []string{event.RunnerPool},
		}, options.MaxPools),
	}
}

func (f *tasks) tables() []*metric.Table { return []*metric.Table{f.queues} }

func (f *tasks) gauges(time.Time) []*metric.Table { return nil }

func (f *tasks) settled(time.Time) []event.Event { return nil }

func (f *tasks) adopt(options Options) {
	f.options = options
	f.queues.SetLimit(options.MaxPools)
	f.bySubject.SetLimit(options.MaxTasks)
}

func (f *tasks) add(revision uint64, e event.Event) (counters.Verdict, bool) {
	t, ok := taskOf(e)
	if !ok {
		return "", false
	}
	f.revision = revision
	f.bySubject.Forget(t.Observed.Add(-f.options.Retain))
	return f.follow(t), true
}

// follow brings the task of an event up to date. It can not tell a wait for an approval from a wait for a runner if it
// hears of the approval after the task began.
func (f *tasks) follow(t Task) counters.Verdict {
	known, isNew := f.bySubject.Heard(t.Subject, t.Observed)
	known.waited = known.waited || t.Waiting
	queue := f.queues.At(f.revision, []event.Attr{event.String(event.RunnerPool, t.Pool)}, nil)
	switch {
	case isNew:
	case t.State < known.state:
		return counters.Late
	case t.State == known.state && t.Waiting == known.waiting:
		return counters.Duplicate
	}
	known.state, known.waiting = t.State, t.Waiting
	if t.Waited && !known.waited && !known.measured {
		known.measured = true
		queue.Observe(f.revision, t.Queued.Seconds())
	}
	return counters.Counted
}
