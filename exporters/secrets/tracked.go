package secrets

import "time"

// Values of event.Outcome.
const (
	good     = "good"
	bad      = "bad"
	excluded = "excluded"
)

// Values of event.RotationReason.
const (
	missed   = "missed"   // the source says that it was not rotated
	late     = "late"     // the source says that it was rotated too late
	failed   = "failed"   // not rotated, and an attempt failed
	disabled = "disabled" // not rotated, and rotation is switched off
	unheard  = "unheard"  // nobody said anything
	paused   = "paused"   // rotation was suspended on purpose
	removed  = "removed"  // the secret went while it was due
	early    = "early"    // rotated so early that nothing was due, but that was heard of later
	unseen   = "unseen"   // rotated since, but whether in time was not observed
)

// badReasons are those of bad outcomes.
func badReasons() []string { return []string{missed, late, failed, disabled, unheard} }

// tracked is a secret that is followed through its rotations.
type tracked struct {
	secret    Secret
	policy    Policy
	mode      Mode
	told      time.Time // of the newest state, by the clock of the source
	heard     time.Time // when the source last said something about it
	confirmed time.Time // when the source last said how it is, or that nothing has changed
	listed    bool      // its source tells the last rotation only, when it is asked
	rotated   time.Time // last rotation, zero if not known
	anchor    time.Time // from which on the interval counts
	refreshed time.Time // when consumers last loaded it
	due       time.Time // of the rotation that comes next; zero if none is due ever
	came      bool      // it has become due, and that is counted
	failed    bool      // an attempt failed since the last rotation
	overdue   time.Time // the deadline that was not met, since when no rotation was heard of; zero if all is well
	watched   bool      // the last rotation was heard of when it was new
	spread    bool      // the time until consumers loaded the last rotation is counted
}

// deadline returns when the rotation that is due must have happened.
func (t *tracked) deadline() time.Time { return t.due.Add(t.policy.Window + t.policy.grace()) }

// same tells whether a rotation at a time is the last one, told by somebody else.
func (t *tracked) same(at time.Time) bool {
	tolerance := time.Minute
	if t.policy.Interval > 0 {
		tolerance = min(tolerance, t.policy.Interval/2)
	}
	return !t.rotated.IsZero() && at.Sub(t.rotated).Abs() <= tolerance
}

// next returns what is due next by the policy, zero if nothing is.
func (t *tracked) next() time.Time {
	due := t.policy.Due
	switch {
	case !due.IsZero() && due.After(t.rotated):
		return due
	case t.policy.Interval > 0:
		return t.anchor.Add(t.policy.Interval)
	}
	return time.Time{} // or the source has not said yet
}

// skip goes on to what is due after now and the deadline that has passed.
func (t *tracked) skip(now time.Time) {
	deadline := t.deadline()
	if deadline.After(now) {
		now = deadline
	}
	if t.policy.Interval <= 0 {
		t.due, t.came = time.Time{}, false
		return
	}
	n := now.Sub(t.due)/t.policy.Interval + 1
	t.due, t.came = t.due.Add(n*t.policy.Interval), false
}

// judge says what a rotation at a time means for what is due; outcome is empty if it means nothing.
func (t *tracked) judge(at time.Time) (outcome, reason string) {
	switch {
	case t.due.IsZero():
		return "", ""
	case at.Before(t.due.Add(-t.policy.early())):
		if t.came {
			return excluded, early
		}
		return "", ""
	case t.mode == Paused:
		return excluded, paused
	case !at.After(t.deadline()):
		return good, ""
	case t.listed && t.policy.Interval > 0 && !at.Before(t.confirmed.Add(t.policy.Interval-t.policy.early())):
		return excluded, unseen // there is room for another rotation before it, that may have been in time
	}
	return bad, late
}

// verdict says what is decided at now about what is due, if nothing was rotated; ok is false before that.
func (t *tracked) verdict(now, awake time.Time, silence time.Duration) (outcome, reason string, ok bool) {
	if t.due.IsZero() || !now.After(t.deadline()) {
		return "", "", false
	}
	told := t.confirmed.After(t.deadline())
	if !told && now.Before(t.latest(awake, silence)) {
		return "", "", false
	}
	switch {
	case t.mode == Paused:
		return excluded, paused, true
	case t.failed:
		return bad, failed, true
	case t.mode == Disabled:
		return bad, disabled, true
	case told:
		return bad, missed, true
	}
	return bad, unheard, true
}

// latest returns when silence is taken for an answer.
func (t *tracked) latest(awake time.Time, silence time.Duration) time.Time {
	from := t.deadline()
	if awake.After(from) {
		from = awake
	}
	return from.Add(silence)
}

// wake returns when something is decided about t without a word of its source; zero if never.
func (t *tracked) wake(awake time.Time, silence time.Duration) time.Time {
	switch {
	case t.due.IsZero():
		return time.Time{}
	case !t.came:
		return t.due
	case t.confirmed.After(t.deadline()):
		return t.deadline()
	}
	return t.latest(awake, silence)
}
