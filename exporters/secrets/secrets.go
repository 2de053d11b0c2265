package secrets

import (
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Secrets follow secrets through their rotations and count what became of each that was due. It is a domain of counters.
type Secrets struct {
	wanted    Options
	options   Options // those that count
	revision  uint64
	bySubject *counters.Remembered[string, tracked]
	seen      *counters.Remembered[string, struct{}] // keys of attempts and accesses
	familiar  familiar

	came, outcomes, attempts, propagation, accesses, principals, leaks *metric.Table

	// What follows only says when to look: it decides nothing, and is not kept.
	awake  time.Time // since when time is told without a gap
	looked time.Time // when it was last told
	wake   time.Time // when something is to be decided next; zero: look
}

var _ counters.Domain = (*Secrets)(nil)

// gap is how long nobody may tell the time before all sources are given the chance to speak first.
const gap = 10 * time.Minute

// New returns the domain with nothing counted.
func New(options Options) *Secrets {
	options = options.withDefaults()
	s := &Secrets{
		wanted: options, options: options,
		bySubject: counters.NewRemembered[string, tracked](options.MaxSecrets),
		seen:      counters.NewRemembered[string, struct{}](options.MaxEvents),
		familiar:  newFamiliar(options.MaxPrincipals),
	}
	table := func(name, unit, from, help string, attributes ...string) *metric.Table {
		return metric.NewTable(metric.Family{
			Name: name, Unit: unit, Kind: metric.Counter, From: from, Help: help, Attributes: append(group(), attributes...),
		}, options.MaxSeries)
	}
	s.came = table("secret.rotation.due", "{rotation}", "states", "Rotations that have become due.")
	s.outcomes = table("secret.rotation.outcomes", "{rotation}", "states, attempts",
		"Rotations that were due by whether they happened before window and grace were over.", event.Outcome, event.RotationReason)
	s.attempts = table("secret.rotation.attempts", "{attempt}", "states, attempts",
		"Attempts to rotate, whether something was due or not.", event.RotationResult, event.RotationTrigger)
	s.propagation = metric.NewTable(metric.Family{
		Name: "secret.rotation.propagation", Unit: "s", Kind: metric.Histogram, From: "states",
		Help:       "Time between a rotation and its consumers having loaded it.",
		Bounds:     []float64{1, 5, 15, 60, 300, 900, 3600, 21600, 86400},
		Attributes: group(),
	}, options.MaxSeries)
	s.accesses = metric.NewTable(metric.Family{
		Name: "secret.accesses", Unit: "{access}", Kind: metric.Counter, From: "audit logs",
		Help:       "Accesses to secrets by how they were answered.",
		Attributes: []string{event.SecretStore, event.SecretScope, event.AccessOperation, event.AccessOutcome, event.PrincipalKind},
	}, options.MaxSeries)
	s.principals = metric.NewTable(metric.Family{
		Name: "secret.principals", Unit: "{principal}", Kind: metric.Counter, From: "audit logs",
		Help:       "Principals that accessed a store for the first time in 90 days: learned in the first week of the store, new after it.",
		Attributes: []string{event.SecretStore, event.PrincipalKind, event.PrincipalNovelty},
	}, options.MaxSeries)
	s.leaks = metric.NewTable(metric.Family{
		Name: "secret.leaks", Unit: "{secret}", Kind: metric.Counter, From: "secret scanning",
		Help:       "Secrets that were found where they must not be.",
		Attributes: []string{event.SecretStore, event.SecretKind, event.RepositoryOwner, event.Repository},
	}, options.MaxSeries)
	return s
}

// group returns the attributes that metrics know of a secret: not its name.
func group() []string {
	return []string{event.SecretStore, event.SecretKind, event.SecretScope, event.SecretOwner}
}

func (s Secret) group() []event.Attr {
	return []event.Attr{
		event.String(event.SecretStore, s.Store), event.String(event.SecretKind, s.Kind),
		event.String(event.SecretScope, s.Scope), event.String(event.SecretOwner, s.Owner),
	}
}

// Name returns the word for the domain.
func (s *Secrets) Name() string { return "secrets" }

// Tables returns the metrics that are counted.
func (s *Secrets) Tables() []*metric.Table {
	return []*metric.Table{s.came, s.outcomes, s.attempts, s.propagation, s.accesses, s.principals, s.leaks}
}

// Adopt makes the options that New was given count from now on.
func (s *Secrets) Adopt() bool {
	if s.options == s.wanted {
		return false
	}
	s.adopt(s.wanted)
	return true
}

func (s *Secrets) adopt(options Options) {
	s.options = options
	s.bySubject.SetLimit(options.MaxSecrets)
	s.seen.SetLimit(options.MaxEvents)
	s.familiar.setLimit(options.MaxPrincipals)
	for _, t := range s.Tables() {
		t.SetLimit(options.MaxSeries)
	}
}

// Add counts an event about a secret.
func (s *Secrets) Add(revision uint64, e event.Event) (counters.Verdict, bool) {
	s.revision = revision
	switch e.Name {
	case event.SecretObserved:
		return s.observe(stateOf(e)), true
	case event.SecretsListed:
		return s.list(Listing{e.Origin(), e.Start}), true
	case event.SecretRemoved:
		return s.removeAt(e.Subject, e.Time), true
	case event.RotationStarted, event.RotationSucceeded, event.RotationFailed, event.RotationAbandoned:
		return s.attempt(attemptOf(e)), true
	case event.SecretAccessed:
		return s.access(e), true
	case event.SecretLeaked:
		return s.leak(e), true
	case event.RotationCame, event.RotationDecided:
		s.settle(e)
		return "", true
	}
	return "", false
}

// heard returns the secret of a fact, which is followed from now on if it is not yet.
func (s *Secrets) heard(subject string, secret Secret, at time.Time) (t *tracked, isNew bool) {
	s.wake = time.Time{}
	t, isNew = s.bySubject.Heard(subject, at)
	if isNew {
		t.secret, t.anchor, t.mode = secret, at, Active
	}
	if secret.Owner != "" && secret.Owner != t.secret.Owner {
		t.secret = secret
	}
	t.heard = event.Latest(t.heard, at)
	s.zeros(t.secret)
	return t, isNew
}

// zeros makes the series of a secret before anything is counted in them, so that their first increment shows.
func (s *Secrets) zeros(secret Secret) {
	s.came.At(s.revision, secret.group(), nil)
	s.outcomes.At(s.revision, secret.group(), outcome(good, ""))
	for _, reason := range badReasons() {
		s.outcomes.At(s.revision, secret.group(), outcome(bad, reason))
	}
}

func outcome(outcome, reason string) []event.Attr {
	return []event.Attr{event.String(event.Outcome, outcome), event.String(event.RotationReason, reason)}
}

// observe works in a state.
func (s *Secrets) observe(state State) counters.Verdict {
	t, isNew := s.heard(state.Subject, state.Secret, state.Observed)
	if !isNew && state.Time.Before(t.told) {
		return counters.Late
	}
	known := *t
	if at := state.Rotated; !at.IsZero() && !at.After(state.Observed.Add(event.MaxSkew)) {
		s.rotate(t, at, isNew || t.rotated.IsZero() && at.Before(t.anchor), "unknown")
	}
	t.told, t.confirmed = state.Time, event.Latest(t.confirmed, state.Observed)
	s.configure(t, state, isNew)
	s.spread(t, state.Refreshed)
	known.told, known.heard, known.confirmed = t.told, t.heard, t.confirmed
	if !isNew && known == *t {
		return counters.Duplicate
	}
	return counters.Counted
}

// configure makes policy and mode of a state count.
func (s *Secrets) configure(t *tracked, state State, isNew bool) {
	before := t.mode
	if state.Mode != "" {
		t.mode = state.Mode
	}
	if before == Paused && t.mode != Paused && !t.due.IsZero() && t.due.Before(state.Observed) {
		if t.came {
			s.decide(t, excluded, paused)
		}
		t.due, t.came = state.Observed, false // it can be rotated again from now on
	}
	if state.Policy == nil || *state.Policy == t.policy {
		return
	}
	was := t.policy
	t.policy = *state.Policy
	if t.policy.Interval <= 0 && t.policy.Due.IsZero() {
		t.overdue = time.Time{} // nobody asks for rotation any more
	}
	if t.came || !isNew && was.Interval == t.policy.Interval && was.Due.Equal(t.policy.Due) {
		return // what is due stays due, whatever is asked for from now on
	}
	t.due = t.next()
	if !isNew && was.Interval != t.policy.Interval && !t.due.IsZero() && t.due.Before(state.Observed) {
		t.due = state.Observed // nobody could know before
	}
}

// rotate works in that a secret was rotated at a time. One that is history is not counted: nobody looked then.
func (s *Secrets) rotate(t *tracked, at time.Time, history bool, trigger string) (isNew bool) {
	if !at.After(t.rotated) || t.same(at) {
		return false
	}
	if !history {
		if outcome, reason := t.judge(at); outcome != "" {
			s.decide(t, outcome, reason)
		}
		s.attempted(t.secret, Succeeded, trigger)
	}
	t.rotated, t.anchor, t.overdue, t.failed = at, at, time.Time{}, false
	t.watched, t.spread = !history, false
	if !t.policy.Due.After(at) {
		t.policy.Due = time.Time{} // was that of the last rotation
	}
	t.due, t.came = t.next(), false
	return true
}

// decide counts the outcome of what is due.
func (s *Secrets) decide(t *tracked, result, reason string) {
	if !t.came {
		t.came = true
		s.came.At(s.revision, t.secret.group(), nil).Add(s.revision, 1)
	}
	s.outcomes.At(s.revision, t.secret.group(), outcome(result, reason)).Add(s.revision, 1)
}

func (s *Secrets) attempted(secret Secret, result Result, trigger string) {
	if trigger != "automatic" && trigger != "manual" {
		trigger = "unknown"
	}
	s.attempts.At(s.revision, secret.group(), []event.Attr{
		event.String(event.RotationResult, string(result)), event.String(event.RotationTrigger, trigger),
	}).Add(s.revision, 1)
}

// spread counts once for each rotation how long its consumers took to load it.
func (s *Secrets) spread(t *tracked, at time.Time) {
	t.refreshed = event.Latest(t.refreshed, at)
	if t.watched && !t.spread && !t.refreshed.Before(t.rotated) {
		t.spread = true
		s.propagation.At(s.revision, t.secret.group(), nil).Observe(s.revision, t.refreshed.Sub(t.rotated).Seconds())
	}
}

// attempt works in an attempt that somebody reports.
func (s *Secrets) attempt(a Attempt) counters.Verdict {
	s.seen.Forget(a.Observed.Add(-s.options.Retain))
	if _, isNew := s.seen.Heard(a.Key, a.Observed); !isNew {
		return counters.Duplicate
	}
	if s.bySubject.Get(a.Subject) == nil {
		// There may be any number of secrets that nobody has to rotate, and they would make those forgotten that are.
		if slices.Contains([]Result{Succeeded, Failed, Abandoned}, a.Result) {
			s.attempted(a.Secret, a.Result, a.Trigger)
		}
		return counters.Counted
	}
	t, _ := s.heard(a.Subject, a.Secret, a.Observed)
	switch a.Result {
	case Started:
	case Succeeded:
		if !s.rotate(t, a.Time.Truncate(time.Second), false, a.Trigger) {
			return counters.Duplicate
		}
	case Abandoned, Failed:
		t.failed = t.failed || a.Time.After(t.rotated)
		s.attempted(t.secret, a.Result, a.Trigger)
	}
	return counters.Counted
}

func (s *Secrets) leak(e event.Event) counters.Verdict {
	s.seen.Forget(e.Observed.Add(-s.options.Retain))
	if _, isNew := s.seen.Heard(e.Key, e.Observed); !isNew {
		return counters.Duplicate
	}
	text := func(name string) event.Attr { return event.String(name, e.Attrs.Text(name)) }
	s.leaks.At(s.revision, []event.Attr{
		text(event.SecretStore), text(event.SecretKind), text(event.RepositoryOwner), text(event.Repository),
	}, nil).Add(s.revision, 1)
	return counters.Counted
}

func (s *Secrets) access(e event.Event) counters.Verdict {
	s.seen.Forget(e.Observed.Add(-s.options.Retain))
	if _, isNew := s.seen.Heard(e.Key, e.Observed); !isNew {
		return counters.Duplicate
	}
	text := func(name string) event.Attr { return event.String(name, e.Attrs.Text(name)) }
	kind := word(e, event.PrincipalKind, "root", "user", "role", "service", "batch")
	s.meet(e, kind)
	s.accesses.At(s.revision, []event.Attr{text(event.SecretStore), text(event.SecretScope)}, []event.Attr{
		word(e, event.AccessOperation, "read", "write", "delete", "list", "rotate"), word(e, event.AccessOutcome, "ok", "denied", "error"),
		kind,
	}).Add(s.revision, 1)
	return counters.Counted
}

// settle is how long a poller tells what there is before what it has not told is taken to be gone. Over a queue what it
// told may come after.
const settle = 5 * time.Minute

// list works in that a source was read to its end.
func (s *Secrets) list(l Listing) counters.Verdict {
	s.wake = time.Time{}
	var gone, there []string
	s.bySubject.All(func(subject string, _ time.Time, t *tracked) {
		switch {
		case !strings.HasPrefix(subject, l.Subject+"/"):
		case !t.heard.Before(l.Since):
			there = append(there, subject)
		case l.Observed.Sub(l.Since) >= settle:
			gone = append(gone, subject)
		}
	})
	for _, subject := range there {
		t, _ := s.bySubject.Heard(subject, l.Observed) // so that it is not what makes room
		t.confirmed, t.listed = event.Latest(t.confirmed, l.Observed), true
	}
	for _, subject := range gone {
		s.remove(subject)
	}
	return counters.Counted
}

// removeAt works in that somebody removed a secret, unless it was heard of since.
func (s *Secrets) removeAt(subject string, at time.Time) counters.Verdict {
	if t := s.bySubject.Get(subject); t != nil && at.Before(t.told) {
		return counters.Late
	}
	return s.remove(subject)
}

// remove ends that a secret is followed.
func (s *Secrets) remove(subject string) counters.Verdict {
	t := s.bySubject.Get(subject)
	if t == nil {
		return counters.Duplicate
	}
	if t.came {
		s.decide(t, excluded, removed)
	}
	s.bySubject.Drop(subject)
	return counters.Counted
}

// word returns an attribute whose words are bounded, whoever made the event.
func word(e event.Event, name string, words ...string) event.Attr {
	if text := e.Attrs.Text(name); slices.Contains(words, text) {
		return event.String(name, text)
	}
	return event.String(name, "other")
}
