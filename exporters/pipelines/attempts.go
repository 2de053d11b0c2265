package pipelines

import (
	"container/list"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
)

// maxAttempts is how many attempts of one run are followed; GitHub allows 50.
const maxAttempts = 100

// attempt is one execution of a run. Number and start identify it as far as the source tells attempts apart.
type attempt struct {
	number  int64
	start   time.Time
	began   time.Time // start, or the best guess; attempts are ordered by number and this
	state   State
	waiting bool
	time    time.Time // when it came to its state, by the source's clock
	heard   time.Time // when that was heard of, by ours
	key     string    // of the event that finished it
	result  string
	lost    bool // its end was never heard of
}

// tracked is a run that is being followed, or that is remembered so that late copies of its events are recognised.
type tracked struct {
	subject   string
	identity  Pipeline
	refKind   string // of event.RefKind
	trigger   string // of event.Trigger
	attempts  []attempt
	firstDone bool // its first outcome is counted
	finalDone bool // its final outcome is counted
	flakyDone bool // it is counted as flaky
	observed  time.Time
	element   *list.Element
}

func (t *tracked) last() *attempt { return &t.attempts[len(t.attempts)-1] }

// place works an event into the attempts. before is called with the moment a new last attempt began, just before it is
// appended. Rules beyond pending < executing < finished, each seen at a provider:
//   - a finished attempt that is heard of again, unfinished and later, was run again, even if its number did not grow
//   - an attempt that finishes again at another time is a new one, unless the event has the key of the first end
//   - an attempt that waited for an approval becomes the first one that really ran
func (t *tracked) place(r Run, before func(began time.Time)) counters.Verdict {
	same := -1
	for i, a := range t.attempts {
		if a.number == r.Attempt && a.start.Equal(r.Start) {
			same = i
		}
		if a.state == Finished && r.State == Finished && a.key == r.Key && a.time.Equal(r.Time) {
			return counters.Duplicate
		}
	}
	if same < 0 {
		return t.insert(r, r.Start, before)
	}
	switch a := &t.attempts[same]; {
	case a.state != Finished:
		return a.advance(r)
	case r.State == Finished && a.key == r.Key:
		return counters.Duplicate
	case !r.Time.After(a.time):
		return counters.Late
	}
	return t.insert(r, time.Time{}, before)
}

// advance brings an unfinished attempt forward.
func (a *attempt) advance(r Run) counters.Verdict {
	switch {
	case r.State < a.state:
		return counters.Late
	case r.State == a.state && r.Waiting == a.waiting:
		return counters.Duplicate
	}
	a.state, a.waiting, a.time, a.heard, a.key, a.result = r.State, r.Waiting, r.Time, r.Observed, r.Key, r.Result
	return counters.Counted
}

// insert adds an attempt that began at the given time, or if that is not known, about when the event happened.
func (t *tracked) insert(r Run, began time.Time, before func(time.Time)) counters.Verdict {
	if began.IsZero() {
		began = r.Time.Add(-r.Duration)
	}
	a := attempt{
		number: r.Attempt, start: r.Start, began: began,
		state: r.State, waiting: r.Waiting, time: r.Time, heard: r.Observed, key: r.Key, result: r.Result,
	}
	n := len(t.attempts)
	if n > 0 && t.last().waiting && t.last().number == a.number {
		*t.last() = a
		return counters.Counted
	}
	if n >= maxAttempts {
		return surplus
	}
	i := n
	for i > 0 && a.comesBefore(t.attempts[i-1]) {
		i--
	}
	if i == n && n > 0 {
		before(began)
	}
	t.attempts = slices.Insert(t.attempts, i, a)
	return counters.Counted
}

func (a attempt) comesBefore(b attempt) bool {
	if a.number != b.number {
		return a.number < b.number
	}
	return a.began.Before(b.began)
}

// first returns the first attempt's result once it has one. It is not known if only later attempts were heard of.
func (t *tracked) first() (result string, ok bool) {
	a := t.attempts[0]
	return a.result, a.state == Finished && a.number <= 1
}

// flaky tells whether the run failed at first and then succeeded, in time for its final outcome or not.
func (t *tracked) flaky() bool {
	result, ok := t.first()
	if !ok || outcome(result) != bad || t.attempts[0].lost {
		return false
	}
	return slices.ContainsFunc(t.attempts[1:], func(a attempt) bool { return a.state == Finished && outcome(a.result) == good })
}

// learn takes over what the event says of all attempts. Not every source knows what kind of branch it is.
func (t *tracked) learn(r Run) {
	if t.refKind == "" || t.refKind == "other" && r.RefKind != "" {
		t.refKind = r.RefKind
	}
	if t.trigger == "" {
		t.trigger = r.Trigger
	}
}

// final returns the run's result once that will not change any more: at once for a success, settle after any other end,
// and maxAge after the last sign of a run that does not end. Such a run is lost and counts as an error; one that waited
// for a person is nobody's error and has no result. now and since, when the last attempt came to its state, are on one
// clock.
func (t *tracked) final(now, since time.Time, settle, maxAge time.Duration) (result string, ok bool) {
	switch a := t.last(); {
	case a.state == Finished:
		return a.result, outcome(a.result) == good || !now.Before(since.Add(settle))
	case now.Before(since.Add(maxAge)):
		return "", false
	case a.waiting:
		return "", true
	}
	return Errored, true
}

// since is when the last attempt's state was both true and known. A run heard of late, from a backfill or a
// redelivery, has its rerun heard of late too, and waits for it as long as any other.
func (t *tracked) since() time.Time {
	if a := t.last(); a.time.Before(a.heard) {
		return a.heard
	}
	return t.last().time
}
