package pipelines

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// tasks follow each task and count how long it waited for a runner, once.
type tasks struct {
	options   Options
	revision  uint64
	bySubject *remembered[string, task]
	queues    *table
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
		options: options, bySubject: newRemembered[string, task](options.MaxTasks),
		queues: newTable(Family{
			Name: "cicd.pipeline.task.queue.duration", Unit: "s", Kind: Histogram,
			From:       "tasks",
			Help:       "Time between a task being asked for and a runner taking it, without tasks that waited for a person.",
			Bounds:     powersOfTwo(),
			Attributes: []string{event.RunnerPool},
		}, options.MaxPools),
	}
}

func (f *tasks) tables() []*table { return []*table{f.queues} }

func (f *tasks) gauges(time.Time) []*table { return nil }

func (f *tasks) settled(time.Time) []event.Event { return nil }

func (f *tasks) adopt(options Options) {
	f.options, f.queues.max, f.bySubject.max = options, options.MaxPools, options.MaxTasks
}

func (f *tasks) add(revision uint64, e event.Event) (verdict, bool) {
	t, ok := taskOf(e)
	if !ok {
		return "", false
	}
	f.revision = revision
	f.bySubject.forget(t.Observed.Add(-f.options.Retain))
	return f.follow(t), true
}

// follow brings the task of an event up to date. It can not tell a wait for an approval from a wait for a runner if it
// hears of the approval after the task began.
func (f *tasks) follow(t Task) verdict {
	known, isNew := f.bySubject.heard(t.Subject, t.Observed)
	known.waited = known.waited || t.Waiting
	queue := f.queues.at(f.revision, []event.Attr{event.String(event.RunnerPool, t.Pool)}, nil)
	switch {
	case isNew:
	case t.State < known.state:
		return late
	case t.State == known.state && t.Waiting == known.waiting:
		return duplicate
	}
	known.state, known.waiting = t.State, t.Waiting
	if t.Waited && !known.waited && !known.measured {
		known.measured = true
		queue.observe(f.revision, f.queues.family.Bounds, t.Queued.Seconds())
	}
	return counted
}
