package counters

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Journal makes counting durable: the counters are a function of the state and the events in it. ledger.Ledger is one.
type Journal interface {
	// Append keeps the events, all or none of them. The counters never call it twice at a time.
	Append(...event.Event) error
	// Compact keeps state in place of all events appended so far.
	Compact(state []byte) error
	// Replay calls state with the last state, if there is one, and then each with every event appended since, in order.
	Replay(state func([]byte) error, each func(event.Event) error) error
}

// rejectedName and rejections are the event that keeps deliveries which were not read, some at a time: its name and the
// attribute that says how many. Both are known here only.
const (
	rejectedName = event.Rejected
	rejections   = "platform.event.rejections"
)

type rejection struct{ source, reason string }

// addition is what one call of Add waits for.
type addition struct {
	events []event.Event
	done   bool
	err    error
}

// Open returns the counters of the domains that journal keeps, as they were; they count since they were first opened. If
// it keeps none, they count since start. The options of the domains count from now on: what is in the journal already is
// counted with those of its time. The counters own the journal, but do not close it.
func Open(journal Journal, start time.Time, domains ...Domain) (*Counters, error) {
	c := New(start, domains...)
	same := false
	err := journal.Replay(func(state []byte) (err error) {
		same, err = c.restore(state)
		return err
	}, func(e event.Event) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.add(e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open counters: %w", err)
	}
	c.journal = journal
	for _, d := range domains {
		if d.Adopt() {
			same = false
		}
	}
	if same {
		return c, nil
	}
	if err := c.Compact(); err != nil {
		return nil, fmt.Errorf("open counters: %w", err)
	}
	return c, nil
}

// Compact puts the state of the counters into the journal in place of the events so far; without a journal it does
// nothing. Readings after a replay are the same with and without. Adding waits meanwhile, reading hardly.
func (c *Counters) Compact() error {
	if c.journal == nil {
		return nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	state, err := c.save()
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.journal.Compact(state)
}

// Add counts events in the order given. Events it has seen before, in whatever form they came, change nothing but the
// number of duplicates. Steps of tasks are for traces, the audit trail is for logs, and both are passed over. With a journal it
// returns when the events are in it; calls that wait at the same time share one Append. The error is the journal's: then
// none of the events is counted.
func (c *Counters) Add(events ...event.Event) error {
	events = counting(events)
	if len(events) == 0 {
		return nil
	}
	a := &addition{events: events}
	c.waiting.Lock()
	c.queue = append(c.queue, a)
	c.waiting.Unlock()

	c.writing.Lock()
	defer c.writing.Unlock()
	if !a.done { // otherwise another call has taken these events along
		c.addQueued()
	}
	if a.err != nil {
		return fmt.Errorf("journal event %q: %w", events[0].Key, a.err)
	}
	return nil
}

// counting returns the events without those that nothing counts, which would fill the journal for nothing.
func counting(events []event.Event) []event.Event {
	isPassing := func(e event.Event) bool { return e.Name == event.StepFinished || e.Name == event.AccessAudited }
	if slices.ContainsFunc(events, isPassing) {
		events = slices.DeleteFunc(slices.Clone(events), isPassing)
	}
	return events
}

func (c *Counters) addQueued() {
	c.waiting.Lock()
	group := c.queue
	c.queue = nil
	c.waiting.Unlock()
	var events []event.Event
	for _, a := range group {
		events = append(events, a.events...)
	}
	err := c.commit(events)
	for _, a := range group {
		a.done, a.err = true, err
	}
}

// commit journals events and then counts them. c.writing is held.
func (c *Counters) commit(events []event.Event) error {
	if c.journal != nil {
		if err := c.journal.Append(events...); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		c.add(e)
	}
	return nil
}

// Reject counts a delivery that was not read; reason is one word of the caller's fixed vocabulary. It does not wait for
// the journal: the next Read journals and shows it, so that nobody can fill the journal with what nobody signed.
func (c *Counters) Reject(source, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected[rejection{source, reason}]++
}

// advance journals and counts what is due without a delivery: outcomes that settle, and rejections.
func (c *Counters) advance(now time.Time) error {
	if events, _ := c.due(now); len(events) == 0 {
		return nil
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	events, rejected := c.due(now) // as it is now that nothing else is counted
	if len(events) == 0 {
		return nil
	}
	if err := c.commit(events); err != nil {
		return fmt.Errorf("journal what is due: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for r, n := range rejected {
		if c.rejected[r] -= n; c.rejected[r] == 0 {
			delete(c.rejected, r)
		}
	}
	return nil
}

// due returns the events of what is due, and the rejections among them.
func (c *Counters) due(now time.Time) ([]event.Event, map[rejection]int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := c.settled(now)
	for _, r := range slices.SortedFunc(maps.Keys(c.rejected), func(a, b rejection) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.reason, b.reason))
	}) {
		events = append(events, event.Event{
			Name: rejectedName, Source: r.source, Time: now, Observed: now,
			Attrs: event.NewSet(event.String(event.EventVerdict, r.reason), event.Int(rejections, c.rejected[r])),
		})
	}
	return events, maps.Clone(c.rejected)
}
