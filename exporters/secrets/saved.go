package secrets

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
)

// savedSecrets is the state of Secrets in a form that encoding/gob can write. Fields may be added; old ones keep their
// name and meaning.
type savedSecrets struct {
	Options    Options
	Secrets    []savedSecret // least recently heard of first, as what follows
	Seen       []savedKey
	Stores     []savedStore
	Principals []savedKey
}

type savedSecret struct {
	Subject                         string
	Observed                        time.Time
	Secret                          Secret
	Policy                          Policy
	Mode                            string
	Told, Heard, Confirmed          time.Time
	Listed                          bool
	Rotated, Anchor, Refreshed, Due time.Time
	Came, Failed                    bool
	Overdue                         time.Time
	Watched, Spread                 bool
}

type savedKey struct {
	Key   string
	Heard time.Time
}

type savedStore struct {
	Store        string
	Heard, Since time.Time
}

// Save returns the state.
func (s *Secrets) Save() ([]byte, error) {
	saved := savedSecrets{Options: s.options}
	s.bySubject.All(func(subject string, observed time.Time, t *tracked) {
		saved.Secrets = append(saved.Secrets, savedSecret{
			Subject: subject, Observed: observed, Secret: t.secret, Policy: t.policy, Mode: string(t.mode),
			Told: t.told, Heard: t.heard, Confirmed: t.confirmed, Listed: t.listed,
			Rotated: t.rotated, Anchor: t.anchor, Refreshed: t.refreshed, Due: t.due,
			Came: t.came, Failed: t.failed, Overdue: t.overdue, Watched: t.watched, Spread: t.spread,
		})
	})
	s.seen.All(func(key string, heard time.Time, _ *struct{}) {
		saved.Seen = append(saved.Seen, savedKey{key, heard})
	})
	s.familiar.stores.All(func(store string, heard time.Time, since *time.Time) {
		saved.Stores = append(saved.Stores, savedStore{store, heard, *since})
	})
	s.familiar.principals.All(func(key string, heard time.Time, _ *struct{}) {
		saved.Principals = append(saved.Principals, savedKey{key, heard})
	})
	return counters.Encode(saved)
}

// Restore takes the state up.
func (s *Secrets) Restore(state []byte) error {
	var saved savedSecrets
	if err := counters.Decode(state, &saved); err != nil {
		return err
	}
	s.adopt(saved.Options.withDefaults())
	for _, x := range saved.Secrets {
		t, _ := s.bySubject.Heard(x.Subject, x.Observed)
		*t = tracked{
			secret: x.Secret, policy: x.Policy, mode: Mode(x.Mode),
			told: x.Told, heard: x.Heard, confirmed: x.Confirmed, listed: x.Listed,
			rotated: x.Rotated, anchor: x.Anchor, refreshed: x.Refreshed, due: x.Due,
			came: x.Came, failed: x.Failed, overdue: x.Overdue, watched: x.Watched, spread: x.Spread,
		}
	}
	for _, x := range saved.Seen {
		s.seen.Heard(x.Key, x.Heard)
	}
	for _, x := range saved.Stores {
		since, _ := s.familiar.stores.Heard(x.Store, x.Heard)
		*since = x.Since
	}
	for _, x := range saved.Principals {
		s.familiar.principals.Heard(x.Key, x.Heard)
	}
	return nil
}
