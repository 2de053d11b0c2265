package pipelines

import (
	"sync"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Options of Counters. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Settle is how long after the end of an attempt a rerun that began still changes the final outcome, and how long
	// after it was heard of that rerun is waited for; and how long the commits of a deployment are waited for.
	// 30 minutes.
	Settle time.Duration
	// MaxAge is how long a run that does not end is waited for after its last sign. 35 days, GitHub's limit for a run.
	MaxAge time.Duration
	// Retain is how long a counted run, a task or a deployment is remembered after it was last heard of, to recognise
	// copies, whatever delivery they come with. 7 days; GitHub offers redelivery for 3.
	Retain time.Duration
	// RetainCommits is how long a commit waits for its deployment after it was heard of. 90 days.
	RetainCommits time.Duration
	// MaxSeries bounds the series of each metric. 2,000, plus one overflow series for each outcome.
	MaxSeries int
	// MaxPools bounds the runner pools that have a series of their own. 50, plus one overflow series.
	MaxPools int
	// MaxRuns bounds the runs in memory. 50,000, some 25 MB. The run not heard of for longest makes room.
	MaxRuns int
	// MaxTasks bounds the tasks in memory. 100,000, some 20 MB. The task not heard of for longest makes room.
	MaxTasks int
	// MaxDeployments bounds the deployments in memory. 20,000, some 5 MB. That not heard of for longest makes room.
	MaxDeployments int
	// MaxTargets bounds the pairs of a service and an environment in memory. 5,000, some 30 MB at worst.
	MaxTargets int
	// MaxCommits bounds the commits in memory. 100,000, some 30 MB. The oldest makes room.
	MaxCommits int
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Settle, 30 * time.Minute},
		{&o.MaxAge, 35 * 24 * time.Hour},
		{&o.Retain, 7 * 24 * time.Hour},
		{&o.RetainCommits, 90 * 24 * time.Hour},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{
		{&o.MaxSeries, 2000},
		{&o.MaxPools, 50},
		{&o.MaxRuns, 50_000},
		{&o.MaxTasks, 100_000},
		{&o.MaxDeployments, 20_000},
		{&o.MaxTargets, 5000},
		{&o.MaxCommits, 100_000},
	} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	return o
}

// Counters count in memory what becomes of pipeline runs, their tasks and deployments. They are safe for concurrent
// use.
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
	followers []follower
	events    *table
}

// follower follows the subjects of one kind of event and counts what becomes of them. What it counts is a function of
// the events it was given, in their order, and of the options. Counters call it under their lock.
type follower interface {
	// add works an event in and says what became of it; revision is that of the change. ok is false for an event that it
	// does not follow. The verdict is empty for an event that it made itself, see settled.
	add(revision uint64, e event.Event) (v verdict, ok bool)
	// settled returns events of what the passing of time alone has decided by now. They decide it when they are added,
	// and until then change nothing.
	settled(now time.Time) []event.Event
	// tables returns its metrics in the order in which they are read.
	tables() []*table
	// gauges returns what is the case at now, and is not kept.
	gauges(now time.Time) []*table
	// adopt makes the options those that count from now on.
	adopt(Options)
	// save puts its state, without tables, into s, and restore takes it from there, possibly from a state of an older
	// version where its part is missing.
	save(s *savedCounters)
	restore(s *savedCounters)
}

// verdict is what became of an event.
type verdict string

const (
	counted   verdict = "counted"
	duplicate verdict = "duplicate"
	late      verdict = "late"    // a state that the subject has already left
	surplus   verdict = "surplus" // of a run with more than maxAttempts attempts
)

// New returns counters that count since start, and are gone with the process.
func New(start time.Time, options Options) *Counters {
	options = options.withDefaults()
	return &Counters{
		options: options, start: start, rejected: map[rejection]int64{},
		followers: []follower{newRuns(options), newTasks(options), newDeployments(options)},
		events: newTable(Family{
			Name: "platform.events.received", Unit: "{event}", Kind: Counter,
			From:       "every event",
			Help:       "Events received from CI and CD systems by what became of them.",
			Attributes: []string{event.EventSource, event.EventVerdict, event.Unmapped},
		}, options.MaxSeries),
	}
}

// Families returns every metric that counters can have, in the order of a snapshot and without points.
func Families() []Family {
	c := New(time.Time{}, Options{})
	var families []Family
	for _, t := range append(c.tables(), c.gauges(time.Time{})...) {
		families = append(families, t.read(0))
	}
	return families
}

// Read settles what is due at now, and returns the points that changed after the given revision; 0 gives all of them,
// and the gauges at now as well, unless now is the zero time. The snapshot shares nothing with c that changes later.
// How often c is read makes no difference to the outcomes as long as a rerun is heard of before the attempt ahead of it
// has settled. The error is the journal's: the snapshot is good, and what could not be settled is tried again by the
// next Read.
func (c *Counters) Read(now time.Time, after uint64) (Snapshot, error) {
	err := c.advance(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{Start: c.start, Revision: c.revision}
	tables := c.tables()
	if after == 0 && !now.IsZero() {
		tables = append(tables, c.gauges(now)...)
	}
	for _, t := range tables {
		if family := t.read(after); len(family.Points) > 0 {
			s.Families = append(s.Families, family)
		}
	}
	return s, err
}

func (c *Counters) tables() (all []*table) {
	for _, f := range c.followers {
		all = append(all, f.tables()...)
	}
	return append(all, c.events)
}

func (c *Counters) gauges(now time.Time) (all []*table) {
	for _, f := range c.followers {
		all = append(all, f.gauges(now)...)
	}
	return all
}

// adopt makes the options those that count from now on.
func (c *Counters) adopt(options Options) {
	c.options = options
	for _, f := range c.followers {
		f.adopt(options)
	}
}

// settled returns the events of what is due. c.mu is held.
func (c *Counters) settled(now time.Time) (events []event.Event) {
	for _, f := range c.followers {
		events = append(events, f.settled(now)...)
	}
	return events
}

// add counts one event. c.mu is held.
func (c *Counters) add(e event.Event) {
	c.revision++
	if e.Name == rejectedName {
		c.received(e.Source, e.Attrs.Text(event.EventVerdict), "", e.Attrs.Integer(rejections))
		return
	}
	for _, f := range c.followers {
		if v, ok := f.add(c.revision, e); ok {
			if v != "" {
				c.received(e.Source, string(v), e.Attrs.Text(event.Unmapped), 1)
			}
			return
		}
	}
	c.received(e.Source, "unused", e.Attrs.Text(event.Unmapped), 1)
}

func (c *Counters) received(source, verdict, unmapped string, n int64) {
	c.events.at(c.revision, nil, []event.Attr{
		event.String(event.EventSource, source), event.String(event.EventVerdict, verdict), event.String(event.Unmapped, unmapped),
	}).add(c.revision, uint64(n))
}
