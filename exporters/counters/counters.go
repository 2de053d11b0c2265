// Package counters turns events into cumulative metrics, once each whatever way and however often they come, and keeps
// them over restarts. What an event means is known to the domains: pipelines, platform API, secrets.
package counters

import (
	"sync"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Domain follows the things of one kind of telemetry and counts what becomes of them. What it counts is a function of the
// events it was given, in their order, and of its options. Counters call it under their lock.
type Domain interface {
	// Name is the word by which its state is kept. It never changes.
	Name() string
	// Add works an event in and says what became of it; revision is that of the change. ok is false for an event that
	// it does not follow. The verdict is empty for an event that it made itself, see Settled.
	Add(revision uint64, e event.Event) (v Verdict, ok bool)
	// Settled returns events of what the passing of time alone has decided by now. They decide it when they are added,
	// and until then change nothing.
	Settled(now time.Time) []event.Event
	// Tables returns its metrics in the order in which they are read.
	Tables() []*metric.Table
	// Gauges returns what is the case at now, and is not kept. At the zero time they have no series.
	Gauges(now time.Time) []*metric.Table
	// Save returns its state, without tables, and with the options that count.
	Save() ([]byte, error)
	// Restore makes it, which is new, what was saved, possibly by an older version. Until Adopt the options that were
	// saved count.
	Restore(state []byte) error
	// Adopt makes the options it was made with count from now on, and tells whether others counted before.
	Adopt() bool
}

// Verdict is what became of an event.
type Verdict string

// The verdicts that domains have in common.
const (
	Counted   Verdict = "counted"
	Duplicate Verdict = "duplicate"
	Late      Verdict = "late" // a state that the subject has already left
	// Unused is the verdict for what no domain follows.
	Unused Verdict = "unused"
)

// Counters count in memory what becomes of the things that events are about. They are safe for concurrent use.
type Counters struct {
	start   time.Time
	journal Journal // nil if nothing is kept

	waiting sync.Mutex
	queue   []*addition // what is counted next

	writing sync.Mutex // held while events are journaled and counted; nothing else changes what is counted

	mu       sync.Mutex
	revision uint64
	rejected map[rejection]int64 // not journaled and counted yet
	domains  []Domain
	events   *metric.Table
}

// New returns counters of the domains that count since start, and are gone with the process. The domains are new, and
// belong to the counters.
func New(start time.Time, domains ...Domain) *Counters {
	return &Counters{
		start: start, rejected: map[rejection]int64{}, domains: domains,
		events: metric.NewTable(metric.Family{
			Name: "platform.events.received", Unit: "{event}", Kind: metric.Counter,
			From:       "every event",
			Help:       "Events received by what became of them.",
			Attributes: []string{event.EventSource, event.EventVerdict, event.Unmapped},
		}, maxReceived),
	}
}

// maxReceived is more than the words of its attributes can make.
const maxReceived = 2000

// Families returns every metric that counters of the domains can have, in the order of a snapshot and without points.
func Families(domains ...Domain) []metric.Family {
	c := New(time.Time{}, domains...)
	var families []metric.Family
	for _, t := range append(c.tables(), c.gauges(time.Time{})...) {
		families = append(families, t.Read(0))
	}
	return families
}

// Read settles what is due at now, and returns the points that changed after the given revision; 0 gives all of them,
// and the gauges at now as well, unless now is the zero time. The snapshot shares nothing with c that changes later.
// How often c is read makes no difference to what is counted as long as what changes an outcome is heard of before the
// outcome has settled. The error is the journal's: the snapshot is good, and what could not be settled is tried again by
// the next Read.
func (c *Counters) Read(now time.Time, after uint64) (metric.Snapshot, error) {
	err := c.advance(now)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := metric.Snapshot{Start: c.start, Revision: c.revision}
	tables := c.tables()
	if after == 0 && !now.IsZero() {
		tables = append(tables, c.gauges(now)...)
	}
	for _, t := range tables {
		if family := t.Read(after); len(family.Points) > 0 {
			s.Families = append(s.Families, family)
		}
	}
	return s, err
}

func (c *Counters) tables() (all []*metric.Table) {
	for _, d := range c.domains {
		all = append(all, d.Tables()...)
	}
	return append(all, c.events)
}

func (c *Counters) gauges(now time.Time) (all []*metric.Table) {
	for _, d := range c.domains {
		all = append(all, d.Gauges(now)...)
	}
	return all
}

// settled returns the events of what is due. c.mu is held.
func (c *Counters) settled(now time.Time) (events []event.Event) {
	for _, d := range c.domains {
		events = append(events, d.Settled(now)...)
	}
	for _, e := range events {
		if !event.Inner(e.Name) {
			panic("counters: settled by an event that may come from outside: " + e.Name)
		}
	}
	return events
}

// add counts one event. Every domain is offered it, and the first that follows it says what became of it. c.mu is held.
func (c *Counters) add(e event.Event) {
	c.revision++
	if e.Name == rejectedName {
		c.received(e.Source, e.Attrs.Text(event.EventVerdict), "", e.Attrs.Integer(rejections))
		return
	}
	verdict, followed := Unused, false
	for _, d := range c.domains {
		if v, ok := d.Add(c.revision, e); ok && !followed {
			verdict, followed = v, true
		}
	}
	if verdict != "" {
		c.received(e.Source, string(verdict), e.Attrs.Text(event.Unmapped), 1)
	}
}

func (c *Counters) received(source, verdict, unmapped string, n int64) {
	c.events.At(c.revision, nil, []event.Attr{
		event.String(event.EventSource, source), event.String(event.EventVerdict, verdict), event.String(event.Unmapped, unmapped),
	}).Add(c.revision, uint64(n))
}
