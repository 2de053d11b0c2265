// Package secrets counts whether secrets are rotated when they have to be.
//
// What is counted is what was due, not what happened: a rotation that silently never comes is as bad as one that fails.
// A secret is due at a time its source names, or an interval after its last rotation. A rotation that was due is good if it
// happens before window and grace are over, and bad if not, even if nobody ever says anything again.
//
// Pollers and decoders turn what Vault, AWS, cert-manager or a policy file say into the facts of this package (State,
// Listing, Removal, Attempt, Access), which travel as events. Secrets is the domain of package counters that counts them.
// No fact has a place for the value of a secret.
package secrets

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Secret says which secret a fact is about. Each text is what event.Clean returns; none is what is in the secret.
type Secret struct {
	Store string // the kind of system: vault, aws, kubernetes, file
	Kind  string // what of it: static-role, kv, secret, certificate
	Scope string // mount, account and region, or namespace
	Name  string // what Naming shows of its name
	Owner string // who has to see to the rotation, empty if not known
}

func (s Secret) attrs() []event.Attr {
	return []event.Attr{
		event.String(event.SecretStore, s.Store),
		event.String(event.SecretKind, s.Kind),
		event.String(event.SecretScope, s.Scope),
		event.String(event.SecretName, s.Name),
		event.String(event.SecretOwner, s.Owner),
	}
}

func secretOf(e event.Event) Secret {
	return Secret{
		e.Attrs.Text(event.SecretStore), e.Attrs.Text(event.SecretKind), e.Attrs.Text(event.SecretScope),
		e.Attrs.Text(event.SecretName), e.Attrs.Text(event.SecretOwner),
	}
}

// Naming says what is shown of the names of secrets, which may themselves say too much. The zero value shows a hash that
// who knows all names can find out; with a key nobody can who does not have it.
type Naming struct {
	Plain bool   // show names as they are
	Key   string // of the hash
}

// Show returns what is shown of a name: the name itself, cleaned, or 16 hexadecimal digits, the beginning of its
// HMAC-SHA256 under Key. Equal names are shown equally.
func (n Naming) Show(name string) string {
	if n.Plain {
		return event.Clean(name)
	}
	mac := hmac.New(sha256.New, []byte(n.Key))
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// Digest returns 16 hexadecimal digits for who accessed a secret, the beginning of an HMAC-SHA256 under Key, or nothing for
// nobody: persons are not shown, even where names of secrets are.
func (n Naming) Digest(who string) string {
	if who == "" {
		return ""
	}
	return Naming{Key: n.Key}.Show("principal\x00" + who)
}

// Mode says whether a secret is being rotated.
type Mode string

// The modes.
const (
	Active Mode = "active"
	// Paused is on purpose, by who wrote the policy: what is due meanwhile is excluded.
	Paused Mode = "paused"
	// Disabled is switched off in the store although a policy asks for rotation: what is due meanwhile is bad.
	Disabled Mode = "disabled"
)

// Policy says when a secret has to be rotated.
type Policy struct {
	Interval time.Duration // between two rotations; 0: only Due counts
	Due      time.Time     // of the next rotation if the source says; zero: an interval after the last one
	Window   time.Duration // after it is due, in which the rotation is planned
	Grace    time.Duration // after that; 0: the default of Secrets
}

// State is what a source says of a secret. Times have whole seconds.
type State struct {
	event.Origin
	Secret
	Rotated   time.Time // last rotation; zero if the source does not say or there was none
	Refreshed time.Time // when consumers last loaded it; zero if the source does not say
	Mode      Mode      // empty: as it was
	Policy    *Policy   // nil: as it was
}

// Event returns the state as an event.
func (s State) Event() event.Event {
	attrs := append(s.attrs(), event.String(event.RotationMode, string(s.Mode)))
	attrs = append(attrs, when(event.RotationTime, s.Rotated)...)
	attrs = append(attrs, when(event.RotationRefreshed, s.Refreshed)...)
	if p := s.Policy; p != nil {
		attrs = append(attrs,
			event.Float(event.RotationInterval, p.Interval.Seconds()),
			event.Float(event.RotationWindow, p.Window.Seconds()),
			event.Float(event.RotationGrace, p.Grace.Seconds()))
		attrs = append(attrs, when(event.RotationDue, p.Due)...)
	}
	return s.Origin.Event(event.SecretObserved, time.Time{}, attrs...)
}

func stateOf(e event.Event) State {
	s := State{
		Origin: e.Origin(), Secret: secretOf(e), Mode: Mode(e.Attrs.Text(event.RotationMode)),
		Rotated: moment(e, event.RotationTime), Refreshed: moment(e, event.RotationRefreshed),
	}
	if interval, ok := e.Attrs.Number(event.RotationInterval); ok {
		window, _ := e.Attrs.Number(event.RotationWindow)
		grace, _ := e.Attrs.Number(event.RotationGrace)
		s.Policy = &Policy{seconds(interval), moment(e, event.RotationDue), seconds(window), seconds(grace)}
	}
	return s
}

// maxSpan bounds what is believed of intervals, windows and graces: ten years.
const maxSpan = 3653 * 24 * time.Hour

// seconds returns a span as an event has it: what is not believed is none.
func seconds(n float64) time.Duration {
	if !(n > 0) || n > maxSpan.Seconds() {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// when returns an attribute with a time in it, or none for the zero time.
func when(name string, at time.Time) []event.Attr {
	if at.IsZero() {
		return nil
	}
	return []event.Attr{event.Int(name, at.Unix())}
}

func moment(e event.Event, name string) time.Time {
	n := e.Attrs.Integer(name)
	if n <= 0 || n > 253402300799 { // the end of year 9999
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// Result is how an attempt to rotate went.
type Result string

// The results. Started is none yet.
const (
	Started   Result = ""
	Succeeded Result = "success"
	Failed    Result = "failure"
	Abandoned Result = "abandoned"
)

// Attempt is one attempt to rotate a secret. Origin.Time is when it began or ended.
type Attempt struct {
	event.Origin
	Secret
	Result  Result
	Trigger string // automatic, manual or unknown
}

// Event returns the attempt as an event.
func (a Attempt) Event() event.Event {
	name := map[Result]string{
		Started: event.RotationStarted, Succeeded: event.RotationSucceeded, Failed: event.RotationFailed, Abandoned: event.RotationAbandoned,
	}[a.Result]
	return a.Origin.Event(name, time.Time{}, append(a.attrs(),
		event.String(event.RotationTrigger, a.Trigger), event.String(event.RotationResult, string(a.Result)))...)
}

func attemptOf(e event.Event) Attempt {
	return Attempt{
		Origin: e.Origin(), Secret: secretOf(e),
		Result: Result(e.Attrs.Text(event.RotationResult)), Trigger: e.Attrs.Text(event.RotationTrigger),
	}
}

// Removal says that a secret is no more. Subject is that of its states.
type Removal struct {
	event.Origin
	Secret
}

// Event returns the removal as an event.
func (r Removal) Event() event.Event {
	return r.Origin.Event(event.SecretRemoved, time.Time{}, r.attrs()...)
}

// Listing says that every secret whose Subject begins with Origin.Subject and / was told since Since, and is at
// Origin.Time as it was last told. What was not told since then is no more.
type Listing struct {
	event.Origin
	Since time.Time
}

// Event returns the listing as an event.
func (l Listing) Event() event.Event { return l.Origin.Event(event.SecretsListed, l.Since) }

// Access is one access to a secret.
type Access struct {
	event.Origin
	Secret
	Operation string // read, write, delete, list or rotate
	Outcome   string // ok, denied or error
	Principal string // service, batch, root, role, user or other
	Who       string // what Naming's Digest makes of who it was, or empty
}

// Event returns the access as an event.
func (a Access) Event() event.Event {
	return a.Origin.Event(event.SecretAccessed, time.Time{}, append(a.attrs(),
		event.String(event.AccessOperation, a.Operation), event.String(event.AccessOutcome, a.Outcome),
		event.String(event.PrincipalKind, a.Principal), event.String(event.Principal, a.Who))...)
}

// Leak is a secret that somebody found where it must not be, such as in a repository.
type Leak struct {
	event.Origin
	Store             string // who found it
	Kind              string // of secret, a word of who found it, or empty
	Owner, Repository string // in which it is, or empty
}

// Event returns the leak as an event.
func (l Leak) Event() event.Event {
	return l.Origin.Event(event.SecretLeaked, time.Time{},
		event.String(event.SecretStore, l.Store), event.String(event.SecretKind, l.Kind),
		event.String(event.RepositoryOwner, l.Owner), event.String(event.Repository, l.Repository))
}
