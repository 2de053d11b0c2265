package ingest

import (
	"sync"
	"time"
)

// Limits of what is kept about sources.
const (
	maxSources = 1000
	otherName  = "(others)"
	generation = time.Hour // a series counts as active for one to two of these after its last sample
)

// source is a sender of samples. It is safe for concurrent use.
type source struct {
	mu             sync.Mutex
	present, past  map[uint64]struct{} // hashes of the series of this generation and of the one before
	turned         time.Time           // when present began
	newest, active time.Time           // time of the newest sample, and when something was stored last
	told           time.Time           // when the log said last that it is limited
}

func newSource(now time.Time) *source { return &source{present: map[uint64]struct{}{}, turned: now} }

// idle reports whether none of its series can be active any more.
func (s *source) idle(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.active) >= 2*generation
}

// tell reports whether it is time to log that the source is limited: once a generation.
func (s *source) tell(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told.IsZero() && now.Sub(s.told) < generation {
		return false
	}
	s.told = now
	return true
}

// source returns the sender called name. Beyond a thousand senders the rest count as one.
func (r *Receiver) source(name string) *source {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sources[name]
	if s == nil && len(r.sources) >= maxSources {
		name = otherName
		s = r.sources[name]
	}
	if s == nil {
		s = newSource(r.now())
		r.sources[name] = s
		r.metrics.sources.Set(float64(len(r.sources)))
	}
	return s
}

// admit counts a series of the source and reports whether it is within the limit.
func (s *source) admit(hash uint64, now time.Time, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.turned) >= generation {
		s.past, s.present, s.turned = s.present, map[uint64]struct{}{}, now
	}
	if _, ok := s.present[hash]; ok {
		return true
	}
	if _, known := s.past[hash]; known {
		delete(s.past, hash)
	} else if len(s.present)+len(s.past) >= limit {
		return false
	}
	s.present[hash] = struct{}{}
	return true
}

// stored notes that samples up to newest were stored.
func (s *source) stored(newest, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newest.After(s.newest) {
		s.newest = newest
	}
	s.active = now
}

// Lagging reports whether a sender that stored something within the last quiet has not come as far as t: it works off
// a backlog, and what is still to come would be missed.
func (r *Receiver) Lagging(t time.Time, quiet time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for _, s := range r.sources {
		s.mu.Lock()
		lags := now.Sub(s.active) < quiet && s.newest.Before(t)
		s.mu.Unlock()
		if lags {
			return true
		}
	}
	return false
}

// Newest returns the time of the newest sample that was pushed since the start, or zero.
func (r *Receiver) Newest() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out time.Time
	for _, s := range r.sources {
		s.mu.Lock()
		if s.newest.After(out) {
			out = s.newest
		}
		s.mu.Unlock()
	}
	return out
}

// Sources returns the number of senders seen since the start.
func (r *Receiver) Sources() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sources)
}
