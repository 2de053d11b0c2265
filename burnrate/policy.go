package burnrate

import (
	"fmt"
	"slices"
	"time"
)

// Policy is what alerts: it fires at a severity while any tier of that severity fires.
type Policy struct {
	Tiers    []Tier
	Evidence Evidence // asked of the long window of every tier; nil asks for nothing
}

// DefaultPolicy returns DefaultTiers with the Anscombe test, which is what Plimsoll's rules do.
func DefaultPolicy() Policy {
	return Policy{Tiers: DefaultTiers(), Evidence: Anscombe{C: AnscombeC}}
}

// WorkbookPolicy returns WorkbookTiers without an evidence test.
func WorkbookPolicy() Policy { return Policy{Tiers: WorkbookTiers()} }

// Check returns an error if a tier is out of range or there is none.
func (p Policy) Check() error {
	if len(p.Tiers) == 0 {
		return fmt.Errorf("want at least one tier, have none")
	}
	for i, t := range p.Tiers {
		if err := t.Check(); err != nil {
			return fmt.Errorf("tier %d: %w", i, err)
		}
	}
	return nil
}

// only returns the policy with the tiers of one severity.
func (p Policy) only(s Severity) Policy {
	p.Tiers = slices.DeleteFunc(slices.Clone(p.Tiers), func(t Tier) bool { return t.Severity != s })
	return p
}

// Evaluator runs a policy on a stream of ticks. It is not safe for concurrent use.
type Evaluator struct {
	tracker  *Tracker
	budget   Budget
	evidence Evidence
	legs     []leg
	// whether the alerts fired at the tick before
	page, ticket bool
}

// leg is a Tier with its threshold worked out and its windows in ticks.
type leg struct {
	page                  bool
	threshold             float64
	long, short, recovery int
	hold, held            int // ticks that the condition must go on holding, and for how many it has held
}

// NewEvaluator returns an evaluator of the policy. It keeps no part of p.Tiers. It fails if the policy
// or the budget is out of range or if a window is no multiple of tick.
func NewEvaluator(p Policy, b Budget, tick time.Duration) (*Evaluator, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	e := &Evaluator{budget: b, evidence: p.Evidence}
	var longest time.Duration
	for i, t := range p.Tiers {
		l, err := newLeg(t, b, tick)
		if err != nil {
			return nil, fmt.Errorf("tier %d: %w", i, err)
		}
		e.legs = append(e.legs, l)
		longest = max(longest, t.Long)
	}
	var err error
	e.tracker, err = NewTracker(tick, longest)
	return e, err
}

func newLeg(t Tier, b Budget, tick time.Duration) (l leg, err error) {
	l.page, l.threshold = t.Severity == Page, t.Threshold(b)
	if l.long, err = ticksOf(t.Long, tick); err != nil {
		return l, err
	}
	if l.short, err = ticksOf(t.Short, tick); err != nil {
		return l, err
	}
	if t.Recovery > 0 {
		if l.recovery, err = ticksOf(t.Recovery, tick); err != nil {
			return l, err
		}
	}
	if t.For > 0 {
		l.hold, err = ticksOf(t.For, tick)
	}
	return l, err
}

// Tick ends a tick in which bad of total events were bad, and tells whether the policy now pages and
// whether it opens a ticket. Windows that reach back before the first tick see no events there.
// It answers as Tier.Fires does on the counts of the windows, once that has held for Tier.For, and
// allocates nothing.
func (e *Evaluator) Tick(bad, total uint64) (page, ticket bool) {
	e.tracker.Tick(bad, total)
	for i := range e.legs {
		l := &e.legs[i]
		if l.hold == 0 && (l.page && page || !l.page && ticket) {
			continue
		}
		if l.holds(e.fires(l)) {
			page, ticket = page || l.page, ticket || !l.page
		}
	}
	e.page, e.ticket = page, ticket
	return page, ticket
}

// holds tells whether a condition that holds now, or not, has held long enough.
func (l *leg) holds(now bool) bool {
	if !now {
		l.held = 0
		return false
	}
	l.held++
	return l.held > l.hold
}

// fires is Tier.Fires on the tracker, cheapest refusal first.
func (e *Evaluator) fires(l *leg) bool {
	if !above(l.threshold, e.tracker.sum(l.short)) {
		return false
	}
	long := e.tracker.sum(l.long)
	return above(l.threshold, long) && enough(e.evidence, e.budget, long) &&
		(l.recovery == 0 || burning(l.threshold, e.tracker.sum(l.recovery), e.firing(l)))
}

// firing tells whether the alert of a leg fired at the tick before.
func (e *Evaluator) firing(l *leg) bool { return l.page && e.page || !l.page && e.ticket }
