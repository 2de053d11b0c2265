package pipelines

import (
	"container/list"
	"sync"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Options of Counters. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Settle is how long after the end of an attempt a rerun that began still changes the final outcome, and how long
	// after it was heard of that rerun is waited for. 30 minutes.
	Settle time.Duration
	// MaxAge is how long a run that does not end is waited for after its last sign. 35 days, GitHub's limit for a run.
	MaxAge time.Duration
	// Retain is how long a counted run is remembered after it was last heard of, to recognise copies, whatever delivery
	// they come with. 7 days; GitHub offers redelivery for 3.
	Retain time.Duration
	// MaxSeries bounds the series of each metric. 2,000, plus one overflow series for each outcome.
	MaxSeries int
	// MaxRuns bounds the runs in memory. 50,000, some 25 MB. The run not heard of for longest makes room.
	MaxRuns int
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	def(&o.Settle, 30*time.Minute)
	def(&o.MaxAge, 35*24*time.Hour)
	def(&o.Retain, 7*24*time.Hour)
	if o.MaxSeries <= 0 {
		o.MaxSeries = 2000
	}
	if o.MaxRuns <= 0 {
		o.MaxRuns = 50_000
	}
	return o
}

// Counters follow pipeline runs and count their outcomes in memory. They are safe for concurrent use.
type Counters struct {
	start   time.Time
	journal Journal // nil if nothing is kept

	waiting sync.Mutex
	queue   []*addition // what is counted next

	writing sync.Mutex // held while events are journaled and counted; nothing else changes what is counted

	mu        sync.Mutex
	options   Options
	revision  uint64
	rejected  map[rejection]int64 // not journaled and counted yet
	runs      map[string]*tracked
	open      *list.List // of *tracked without a final outcome, least recently heard of first
	done      *list.List // of *tracked with one, in the same order
	outcomes  *table
	durations *table
	events    *table
}

// New returns counters that count since start, and are gone with the process.
func New(start time.Time, options Options) *Counters {
	options = options.withDefaults()
	return &Counters{
		options: options, start: start, rejected: map[rejection]int64{},
		runs: map[string]*tracked{}, open: list.New(), done: list.New(),
		outcomes: newTable(Family{
			Name: "cicd.pipeline.run.outcomes", Unit: "{run}", Kind: Counter,
			Help: "Pipeline runs by outcome, of their first attempt and their final one.",
		}, options.MaxSeries),
		durations: newTable(Family{
			Name: "cicd.pipeline.run.duration", Unit: "s", Kind: Histogram,
			Help:   "Duration of each finished attempt of a pipeline run, without the time it was queued.",
			Bounds: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192},
		}, options.MaxSeries),
		events: newTable(Family{
			Name: "platform.events.received", Unit: "{event}", Kind: Counter,
			Help: "Events received from CI systems by what became of them.",
		}, options.MaxSeries),
	}
}

// Read settles the final outcomes that are due at now, and returns the points that changed after the given revision; 0
// gives all of them. The snapshot shares nothing with c that changes later. How often c is read makes no difference to
// the outcomes as long as a rerun is heard of before the attempt ahead of it has settled. The error is the journal's:
// the snapshot is good, and what could not be settled is tried again by the next Read.
func (c *Counters) Read(now time.Time, after uint64) (Snapshot, error) {
	err := c.advance(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Start: c.start, Revision: c.revision}
	for _, t := range c.tables() {
		if family := t.read(after); len(family.Points) > 0 {
			s.Families = append(s.Families, family)
		}
	}
	return s, err
}

func (c *Counters) tables() []*table { return []*table{c.outcomes, c.durations, c.events} }

// adopt makes the options those that count from now on.
func (c *Counters) adopt(options Options) {
	c.options = options
	for _, t := range c.tables() {
		t.max = options.MaxSeries
	}
}

// settled returns the events that settle the runs whose time has come. c.mu is held.
func (c *Counters) settled(now time.Time) []event.Event {
	var settled []event.Event
	for at := c.open.Front(); at != nil; at = at.Next() {
		t := at.Value.(*tracked)
		if result, ok := t.final(now, t.since(), c.options.Settle, c.options.MaxAge); ok {
			settled = append(settled, t.settledEvent(result, now))
		}
	}
	return settled
}

func (t *tracked) settledEvent(result string, now time.Time) event.Event {
	return Run{
		Origin:   Origin{Source: "plimsoll", Subject: t.subject, Key: t.subject + "/settled", Time: now, Observed: t.observed},
		Pipeline: t.identity, Result: result, settled: true,
	}.Event()
}

// add counts one event. c.mu is held.
func (c *Counters) add(e event.Event) {
	c.revision++
	if e.Name == rejectedName {
		c.received(e.Source, e.Attrs.Text(event.EventVerdict), "", e.Attrs.Integer(rejections))
		return
	}
	r, ok := runOf(e)
	switch {
	case !ok:
		c.received(e.Source, "unused", "", 1)
	case r.settled:
		if t := c.runs[r.Subject]; t != nil && !t.finalDone {
			c.finish(t, r.Result)
		}
	default:
		c.forget(r.Observed)
		c.received(r.Source, string(c.follow(r)), r.Unmapped, 1)
	}
}

// follow brings the run of an event up to date and counts what that decides.
func (c *Counters) follow(r Run) verdict {
	t := c.track(r)
	v := t.place(r, func(began time.Time) { c.settle(t, began) })
	if v != counted {
		return v
	}
	if r.Timed && r.State == Finished {
		c.duration(r)
	}
	c.countFirst(t)
	if t.last().state == Finished && outcome(t.last().result) == good {
		c.settle(t, r.Time)
	}
	return counted
}

// settle counts the final outcome if it was decided by that moment, on the source's clock.
func (c *Counters) settle(t *tracked, now time.Time) {
	if result, ok := t.final(now, t.last().time, c.options.Settle, c.options.MaxAge); ok && !t.finalDone {
		c.finish(t, result)
	}
}

// finish counts the final outcome. An attempt that never ended ends with it.
func (c *Counters) finish(t *tracked, result string) {
	t.finalDone = true
	if last := t.last(); last.state != Finished {
		last.state, last.result = Finished, result
	}
	c.countFirst(t)
	c.outcome(t.identity, result, "final").add(c.revision, 1)
	c.open.Remove(t.element)
	t.element = c.done.PushBack(t)
}

func (c *Counters) countFirst(t *tracked) {
	if result, ok := t.first(); ok && !t.firstDone {
		t.firstDone = true
		c.outcome(t.identity, result, "first").add(c.revision, 1)
	}
}

// track returns the run of the event, the most recently heard of now. For a new run it makes the zero series from
// which a rate of the first success and the first failure can be seen.
func (c *Counters) track(r Run) *tracked {
	if t := c.runs[r.Subject]; t != nil {
		t.identity, t.observed = r.Pipeline, r.Observed
		if t.finalDone {
			c.done.MoveToBack(t.element)
		} else {
			c.open.MoveToBack(t.element)
		}
		return t
	}
	c.makeRoom()
	t := &tracked{subject: r.Subject, identity: r.Pipeline, observed: r.Observed}
	t.element = c.open.PushBack(t)
	c.runs[r.Subject] = t
	for _, which := range []string{"first", "final"} {
		c.outcome(r.Pipeline, Success, which)
		c.outcome(r.Pipeline, Failure, which)
	}
	return t
}

// makeRoom drops a run if there are too many; if it was still open its outcome is what is known by now.
func (c *Counters) makeRoom() {
	for len(c.runs) >= c.options.MaxRuns {
		if c.done.Len() == 0 {
			t := c.open.Front().Value.(*tracked)
			result, _ := t.final(t.last().time, t.last().time, 0, 0)
			c.finish(t, result)
		}
		c.drop(c.done.Front())
	}
}

// forget drops the counted runs that were last heard of more than Retain ago.
func (c *Counters) forget(now time.Time) {
	for at := c.done.Front(); at != nil; at = c.done.Front() {
		if !at.Value.(*tracked).observed.Add(c.options.Retain).Before(now) {
			return
		}
		c.drop(at)
	}
}

func (c *Counters) drop(at *list.Element) {
	delete(c.runs, c.done.Remove(at).(*tracked).subject)
}

func (c *Counters) outcome(id Pipeline, result, which string) *row {
	return c.outcomes.at(c.revision, id.attrs(), []event.Attr{
		event.String(event.Result, result), event.String(event.Outcome, outcome(result)), event.String(event.Attempt, which),
	})
}

func (c *Counters) duration(r Run) {
	c.durations.at(c.revision, r.Pipeline.attrs(), []event.Attr{
		event.String(event.Result, r.Result), event.String(event.RunState, Executing.String()),
	}).observe(c.revision, c.durations.family.Bounds, r.Duration.Seconds())
}

func (c *Counters) received(source, verdict, unmapped string, n int64) {
	c.events.at(c.revision, nil, []event.Attr{
		event.String(event.EventSource, source), event.String(event.EventVerdict, verdict), event.String(event.Unmapped, unmapped),
	}).add(c.revision, uint64(n))
}

func (p Pipeline) attrs() []event.Attr {
	return []event.Attr{
		event.String(event.RepositoryOwner, p.Owner), event.String(event.Repository, p.Repository),
		event.String(event.PipelineName, p.Name),
	}
}
