package pipelines

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// runs follow each pipeline run through its attempts.
type runs struct {
	options   Options
	revision  uint64
	bySubject map[string]*tracked
	open      *list.List // of *tracked without a final outcome, least recently heard of first
	done      *list.List // of *tracked with one, in the same order

	outcomes, durations, flaky, errors *metric.Table

	words map[string]bool // error types that are kept apart
}

// maxErrorTypes is how many words for an error are kept apart.
const maxErrorTypes = 20

// otherError stands for all further words. Source: OpenTelemetry semantic conventions, error.type.
const otherError = "_OTHER"

func newRuns(options Options) *runs {
	pipeline := []string{event.RepositoryOwner, event.Repository, event.PipelineName}
	with := func(more ...string) []string { return slices.Concat(pipeline, more) }
	return &runs{
		options: options, bySubject: map[string]*tracked{}, open: list.New(), done: list.New(), words: map[string]bool{},
		outcomes: metric.NewTable(metric.Family{
			Name: "cicd.pipeline.run.outcomes", Unit: "{run}", Kind: metric.Counter,
			From:       "runs",
			Help:       "Pipeline runs by outcome, of their first attempt and their final one.",
			Attributes: with(event.RefKind, event.Trigger, event.Attempt, event.Outcome, event.Result),
		}, options.MaxSeries),
		durations: metric.NewTable(metric.Family{
			Name: "cicd.pipeline.run.duration", Unit: "s", Kind: metric.Histogram,
			From:       "runs",
			Help:       "Duration of each finished attempt of a pipeline run, without the time it was queued.",
			Bounds:     powersOfTwo(),
			Attributes: with(event.Result, event.RunState),
		}, options.MaxSeries),
		flaky: metric.NewTable(metric.Family{
			Name: "cicd.pipeline.run.flaky", Unit: "{run}", Kind: metric.Counter,
			From:       "runs",
			Help:       "Pipeline runs whose first attempt was bad and a later one good, whenever that was.",
			Attributes: pipeline,
		}, options.MaxSeries),
		errors: metric.NewTable(metric.Family{
			Name: "cicd.pipeline.run.errors", Unit: "{error}", Kind: metric.Counter,
			From:       "runs",
			Help:       "Attempts of pipeline runs that ended badly by why, and runs that were never heard of again.",
			Attributes: with(event.ErrorType),
		}, options.MaxSeries),
	}
}

// powersOfTwo returns the bounds of durations in seconds, up to two hours and a quarter.
func powersOfTwo() []float64 {
	return []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192}
}

func (f *runs) tables() []*metric.Table {
	return []*metric.Table{f.outcomes, f.durations, f.flaky, f.errors}
}

func (f *runs) adopt(options Options) {
	f.options = options
	for _, t := range f.tables() {
		t.SetLimit(options.MaxSeries)
	}
}

func (f *runs) add(revision uint64, e event.Event) (counters.Verdict, bool) {
	r, ok := runOf(e)
	if !ok {
		return "", false
	}
	f.revision = revision
	if r.settled {
		if t := f.bySubject[r.Subject]; t != nil && !t.finalDone {
			f.finish(t, r.Result, "lost")
		}
		return "", true
	}
	f.forget(r.Observed)
	return f.follow(r), true
}

// settled returns the events that settle the runs whose time has come.
func (f *runs) settled(now time.Time) (settled []event.Event) {
	for at := f.open.Front(); at != nil; at = at.Next() {
		t := at.Value.(*tracked)
		if result, ok := t.final(now, t.since(), f.options.Settle, f.options.MaxAge); ok {
			settled = append(settled, t.settledEvent(result, now))
		}
	}
	return settled
}

func (t *tracked) settledEvent(result string, now time.Time) event.Event {
	return Run{
		Origin:   event.Origin{Source: "plimsoll", Subject: t.subject, Key: t.subject + "/settled", Time: now, Observed: t.observed},
		Pipeline: t.identity, Result: result, settled: true,
	}.Event()
}

// follow brings the run of an event up to date and counts what that decides.
func (f *runs) follow(r Run) counters.Verdict {
	t := f.track(r)
	v := t.place(r, func(began time.Time) { f.settle(t, began) })
	if v != counters.Counted {
		return v
	}
	if r.Timed && r.State == Finished {
		f.duration(r)
	}
	if r.State == Finished && outcome(r.Result) == bad {
		f.failed(r.Pipeline, cmp.Or(r.Error, r.Result))
	}
	f.countFirst(t)
	if t.last().state == Finished && outcome(t.last().result) == good {
		f.settle(t, r.Time)
	}
	f.countFlaky(t)
	return counters.Counted
}

// settle counts the final outcome if it was decided by that moment, on the source's clock.
func (f *runs) settle(t *tracked, now time.Time) {
	if result, ok := t.final(now, t.last().time, f.options.Settle, f.options.MaxAge); ok && !t.finalDone {
		f.finish(t, result, "lost")
	}
}

// finish counts the final outcome. An attempt that never ended ends with it; why says why it is not followed on.
func (f *runs) finish(t *tracked, result, why string) {
	t.finalDone = true
	if last := t.last(); last.state != Finished {
		last.state, last.result, last.lost = Finished, result, true
		if outcome(result) == bad {
			f.failed(t.identity, why)
		}
	}
	f.countFirst(t)
	f.outcome(t, result, "final").Add(f.revision, 1)
	f.open.Remove(t.element)
	t.element = f.done.PushBack(t)
}

func (f *runs) countFirst(t *tracked) {
	if result, ok := t.first(); ok && !t.firstDone {
		t.firstDone = true
		f.outcome(t, result, "first").Add(f.revision, 1)
	}
}

func (f *runs) countFlaky(t *tracked) {
	if !t.flakyDone && t.flaky() {
		t.flakyDone = true
		f.flaky.At(f.revision, t.identity.attrs(), nil).Add(f.revision, 1)
	}
}

// track returns the run of the event, the most recently heard of now. For a new run it makes the zero series from
// which a rate of the first success and the first failure can be seen.
func (f *runs) track(r Run) *tracked {
	t := f.bySubject[r.Subject]
	if t != nil {
		t.identity, t.observed = r.Pipeline, r.Observed
		t.learn(r)
		if t.finalDone {
			f.done.MoveToBack(t.element)
		} else {
			f.open.MoveToBack(t.element)
		}
		return t
	}
	f.makeRoom()
	t = &tracked{subject: r.Subject, identity: r.Pipeline, observed: r.Observed}
	t.learn(r)
	t.element = f.open.PushBack(t)
	f.bySubject[r.Subject] = t
	for _, which := range []string{"first", "final"} {
		f.outcome(t, Success, which)
		f.outcome(t, Failure, which)
	}
	f.flaky.At(f.revision, t.identity.attrs(), nil)
	return t
}

// makeRoom drops a run if there are too many; if it was still open its outcome is what is known by now.
func (f *runs) makeRoom() {
	for len(f.bySubject) >= f.options.MaxRuns {
		if f.done.Len() == 0 {
			t := f.open.Front().Value.(*tracked)
			result, _ := t.final(t.last().time, t.last().time, 0, 0)
			f.finish(t, result, "evicted")
		}
		f.drop(f.done.Front())
	}
}

// forget drops the counted runs that were last heard of more than Retain ago.
func (f *runs) forget(now time.Time) {
	for at := f.done.Front(); at != nil; at = f.done.Front() {
		if !at.Value.(*tracked).observed.Add(f.options.Retain).Before(now) {
			return
		}
		f.drop(at)
	}
}

func (f *runs) drop(at *list.Element) {
	delete(f.bySubject, f.done.Remove(at).(*tracked).subject)
}

func (f *runs) outcome(t *tracked, result, which string) *metric.Series {
	return f.outcomes.At(f.revision, t.identity.attrs(), []event.Attr{
		event.String(event.RefKind, cmp.Or(t.refKind, "other")), event.String(event.Trigger, cmp.Or(t.trigger, "other")),
		event.String(event.Result, result), event.String(event.Outcome, outcome(result)), event.String(event.Attempt, which),
	})
}

func (f *runs) duration(r Run) {
	f.durations.At(f.revision, r.Pipeline.attrs(), []event.Attr{
		event.String(event.Result, r.Result), event.String(event.RunState, Executing.String()),
	}).Observe(f.revision, r.Duration.Seconds())
}

// failed counts an error by a word for it, of which it keeps maxErrorTypes apart.
func (f *runs) failed(p Pipeline, word string) {
	if !f.words[word] && len(f.words) >= maxErrorTypes {
		word = otherError
	}
	f.words[word] = true
	f.errors.At(f.revision, p.attrs(), []event.Attr{event.String(event.ErrorType, word)}).Add(f.revision, 1)
}

// gauges returns the active runs of every pipeline that ever had an outcome, by state, and since when the one that
// stands still for longest has done so. A run that waits for a person has a state of its own.
func (f *runs) gauges(now time.Time) []*metric.Table {
	attributes := []string{event.RepositoryOwner, event.Repository, event.PipelineName, event.RunState}
	active := metric.NewTable(metric.Family{
		Name: "cicd.pipeline.run.active", Unit: "{run}", Kind: metric.Gauge, Attributes: attributes,
		From: "runs",
		Help: "Pipeline runs that are pending, executing or waiting for a person.",
	}, f.options.MaxSeries)
	oldest := metric.NewTable(metric.Family{
		Name: "cicd.pipeline.run.oldest", Unit: "s", Kind: metric.Gauge, Attributes: attributes,
		From: "runs",
		Help: "Age of the state of the pipeline run that has been in this state for longest, 0 if there is none.",
	}, f.options.MaxSeries)
	states := []string{Pending.String(), Executing.String(), "waiting"}
	for _, p := range f.pipelines() {
		for _, state := range states {
			active.At(1, p.attrs(), []event.Attr{event.String(event.RunState, state)})
			oldest.At(1, p.attrs(), []event.Attr{event.String(event.RunState, state)})
		}
	}
	for at := f.open.Front(); at != nil; at = at.Next() {
		t := at.Value.(*tracked)
		if t.last().state == Finished {
			continue
		}
		state := []event.Attr{event.String(event.RunState, states[t.last().state])}
		if t.last().waiting {
			state = []event.Attr{event.String(event.RunState, "waiting")}
		}
		active.At(1, t.identity.attrs(), state).Value++
		age := oldest.At(1, t.identity.attrs(), state)
		age.Value = max(age.Value, now.Sub(t.since()).Seconds())
	}
	return []*metric.Table{active, oldest}
}

// pipelines returns those that have outcomes under their own name, sorted.
func (f *runs) pipelines() []Pipeline {
	found := map[Pipeline]bool{}
	for r := range f.outcomes.All() {
		if !r.Attrs.True(event.Overflow) {
			found[Pipeline{r.Attrs.Text(event.RepositoryOwner), r.Attrs.Text(event.Repository), r.Attrs.Text(event.PipelineName)}] = true
		}
	}
	all := make([]Pipeline, 0, len(found))
	for p := range found {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Pipeline) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (p Pipeline) attrs() []event.Attr {
	return []event.Attr{
		event.String(event.RepositoryOwner, p.Owner), event.String(event.Repository, p.Repository),
		event.String(event.PipelineName, p.Name),
	}
}
