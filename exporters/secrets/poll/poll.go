// Package poll asks secret stores how their secrets are: when each was last rotated and when it has to be. A store that
// rotates by itself tells nobody, not even its audit log, when it does, fails or stops; so the state is looked at.
//
// No poller asks for the value of a secret, and what an answer holds besides the fields that are named here is dropped
// before anything else sees it. What could not be asked for is neither good nor bad: the secrets counters wait until the
// grace is over.
package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
)

// Kind is a kind of what is polled.
type Kind string

// The kinds.
const (
	Vault       Kind = "vault"        // Vault or OpenBao
	CertManager Kind = "cert-manager" // Certificates of Kubernetes
	File        Kind = "file"         // a policy file
)

// Config says what is polled. Kind is required; of the rest a zero field has the default named beside it.
type Config struct {
	Kind Kind
	// Instance tells apart stores of one kind. Empty: there is one.
	Instance string
	// Naming says what is shown of names.
	Naming secrets.Naming
	// Interval is the least time between two rounds. 1 minute. It should be less than half the shortest time between two
	// rotations.
	Interval time.Duration

	// BaseURL is where the API begins, "https://vault.example.com:8200". It must be https unless the host is a loopback
	// address. Not for File.
	BaseURL string
	// TokenFile holds the token and is read for each round, so that it can be replaced. Not for File.
	TokenFile string
	// CAFile holds certificates of authorities that are trusted besides those of the system.
	CAFile string
	// Timeout of one request. 10 seconds.
	Timeout time.Duration

	// Grace is how long after it was due a secret of the store may still be rotated, where the store says nothing of it.
	// By default that of package secrets: a tenth of the interval, from a minute to a day.
	Grace time.Duration

	// Namespace is that of Vault, sent with each request.
	Namespace string
	// Mounts are those of Vault that are looked at. Empty: all that can have rotated secrets.
	Mounts []string
	// KV looks at key-value stores as well, for custom metadata with a policy.
	KV bool
	// Renew renews Vault's token each half hour.
	Renew bool

	// Path is that of the policy file.
	Path string

	// MaxSecrets bounds the secrets of one round. 20,000.
	MaxSecrets int
}

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = time.Minute
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxSecrets <= 0 {
		c.MaxSecrets = 20_000
	}
	return c
}

// Poller asks one store, round after round. It is not safe for concurrent use. A new one tells everything again, which
// changes nothing that is counted.
type Poller struct {
	cfg    Config
	client *client // nil for File
	look   func(*round) error
	next   time.Time // of the next round
	renew  time.Time // of the token
	told   map[string]*told
}

// told is what was told of one list of secrets.
type told struct {
	mount  string            // of Vault
	since  time.Time         // when it was first told in whole
	states map[string]string // fingerprint by Subject
	last   map[string]secrets.Secret
}

// New returns a poller, or an error that says what is wrong with cfg. It reads no file.
func New(cfg Config) (*Poller, error) {
	cfg = cfg.withDefaults()
	p := &Poller{cfg: cfg, told: map[string]*told{}}
	p.look = map[Kind]func(*round) error{Vault: (*round).vault, CertManager: (*round).certManager, File: (*round).file}[cfg.Kind]
	switch {
	case p.look == nil:
		return nil, fmt.Errorf("want kind %s, %s or %s, have %q", Vault, CertManager, File, cfg.Kind)
	case cfg.Kind == File && cfg.Path == "":
		return nil, errors.New("want the path of a policy file, have none")
	case cfg.Kind == File:
		return p, nil
	case cfg.TokenFile == "":
		return nil, errors.New("want a token file, have none")
	}
	var err error
	p.client, err = newClient(cfg)
	return p, err
}

// round is one call of Poll.
type round struct {
	*Poller
	ctx    context.Context
	now    time.Time
	token  string
	left   int // secrets that may still be told
	events []event.Event
	errs   []error
}

// Poll asks how all secrets are and returns what is new as events, observed at now. Before the interval is over it does
// nothing. With an error the events that were found nevertheless are good. The error names addresses, mounts and files,
// never a token, nor the name or the content of a secret, unless names may be shown.
func (p *Poller) Poll(ctx context.Context, now time.Time) ([]event.Event, error) {
	if now.Before(p.next) {
		return nil, nil
	}
	p.next = now.Add(p.cfg.Interval)
	r := &round{Poller: p, ctx: ctx, now: now.UTC().Round(0), left: p.cfg.MaxSecrets}
	if p.client != nil {
		if r.token, r.errs = p.client.token(); r.errs != nil {
			return nil, errors.Join(r.errs...)
		}
	}
	if err := p.look(r); err != nil {
		r.errs = append(r.errs, err)
	}
	return r.events, errors.Join(r.errs...)
}

// found is what a round found of one secret.
type found struct {
	state   secrets.State // without Origin
	subject string
	failure time.Time // of the last attempt that failed, if the store says
}

// source is the word that events of a store carry.
func (p *Poller) source() string { return string(p.cfg.Kind) }

// tell makes events of a list of secrets: what is new or changed and, if the list is complete, what is gone and that this
// is all there is.
func (r *round) tell(below string, all []found, complete bool) {
	known := r.told[below]
	if known == nil {
		known = &told{since: r.now, states: map[string]string{}, last: map[string]secrets.Secret{}}
		r.told[below] = known
	}
	now := map[string]string{}
	secretsNow := map[string]secrets.Secret{}
	for _, f := range all {
		print := fingerprint(f)
		now[f.subject], secretsNow[f.subject] = print, f.state.Secret
		if known.states[f.subject] == print {
			continue
		}
		if !f.failure.IsZero() {
			r.events = append(r.events, secrets.Attempt{
				Origin: event.NewOrigin(r.source(), f.subject, fmt.Sprintf("failure/%d", f.failure.Unix()), f.failure, r.now),
				Secret: f.state.Secret, Result: secrets.Failed, Trigger: "automatic",
			}.Event())
		}
		f.state.Origin = event.NewOrigin(r.source(), f.subject, fmt.Sprintf("state/%d", r.now.UnixNano()), r.now, r.now)
		if f.state.Rotated.After(r.now.Add(event.MaxSkew)) {
			f.state.Unmapped, now[f.subject] = "clock", "" // not believed, so it is told again until it is
		}
		r.events = append(r.events, f.state.Event())
	}
	if !complete {
		for subject, print := range now {
			known.states[subject], known.last[subject] = print, secretsNow[subject]
		}
		return
	}
	for _, subject := range missing(known.states, now) {
		r.events = append(r.events, secrets.Removal{
			Origin: event.NewOrigin(r.source(), subject, fmt.Sprintf("removal/%d", r.now.UnixNano()), r.now, r.now), Secret: known.last[subject],
		}.Event())
	}
	known.states, known.last = now, secretsNow
	r.events = append(r.events, secrets.Listing{
		Origin: event.NewOrigin(r.source(), below, fmt.Sprintf("listed/%d", r.now.UnixNano()), r.now, r.now), Since: known.since,
	}.Event())
}

// missing returns the subjects that are gone, sorted.
func missing(before, now map[string]string) (gone []string) {
	for subject := range before {
		if _, ok := now[subject]; !ok {
			gone = append(gone, subject)
		}
	}
	slices.Sort(gone)
	return gone
}

func fingerprint(f found) string {
	policy := ""
	if f.state.Policy != nil {
		policy = fmt.Sprint(*f.state.Policy)
	}
	return fmt.Sprint(f.state.Secret, f.state.Rotated.Unix(), f.state.Refreshed.Unix(), f.state.Mode, policy, f.failure.Unix())
}

// spend takes one of the secrets that the round may tell, and reports whether there was one.
func (r *round) spend() bool {
	r.left--
	return r.left >= 0
}

var errTooMany = errors.New("more secrets than may be followed")
