package ingest

import (
	"errors"
	"io"
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
	used           time.Time           // when it sent something last
	told           time.Time           // when the log said last that it is limited

	pending int64 // bytes of its requests in memory; Receiver.mu guards it
}

func newSource(now time.Time) *source { return &source{present: map[uint64]struct{}{}, turned: now} }

// idle reports whether none of its series can be active any more.
func (s *source) idle(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Sub(s.active) >= 2*generation && now.Sub(s.used) >= 2*generation
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

// source returns the sender called name. Those that are gone are forgotten. Beyond a thousand senders the rest count as
// one.
func (r *Receiver) source(name string) *source {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.sweep(now)
	s := r.sources[name]
	if s == nil && len(r.sources) >= maxSources {
		name = otherName
		s = r.sources[name]
	}
	if s == nil {
		s = newSource(now)
		r.sources[name] = s
		r.metrics.sources.Set(float64(len(r.sources)))
	}
	s.mu.Lock()
	s.used = now
	s.mu.Unlock()
	return s
}

// sweep forgets, once a generation, the sources of which no series can be active.
func (r *Receiver) sweep(now time.Time) {
	if now.Sub(r.swept) < generation {
		return
	}
	r.swept = now
	for name, s := range r.sources {
		if !s.idle(now) {
			continue
		}
		s.mu.Lock()
		if s.newest.After(r.newest) {
			r.newest = s.newest
		}
		s.mu.Unlock()
		delete(r.sources, name)
	}
	r.metrics.sources.Set(float64(len(r.sources)))
}

// errPending says that a request finds no room in memory.
var errPending = errors.New("too many bytes at the same time")

// metered reads a request of a source, as far as there is room.
type metered struct {
	io.Reader
	to   *Receiver
	from *source
	n    int64
}

// Read implements io.Reader.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	l := m.to.limits
	if m.to.pending+int64(n) > l.PendingBytes || m.from.pending+int64(n) > max(l.PendingBytes/4, l.RequestBytes) {
		return 0, errPending
	}
	m.n += int64(n)
	m.to.pending += int64(n)
	m.from.pending += int64(n)
	return n, err
}

// release gives the room back.
func (m *metered) release() {
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	m.to.pending -= m.n
	m.from.pending -= m.n
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
	out := r.newest
	for _, s := range r.sources {
		s.mu.Lock()
		if s.newest.After(out) {
			out = s.newest
		}
		s.mu.Unlock()
	}
	return out
}

// Sources returns the number of senders of the last hours.
func (r *Receiver) Sources() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sources)
}
