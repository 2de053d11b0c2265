package burnrate

import (
	"fmt"
	"time"
)

// maxTicks bounds the ring of a Tracker: 2^24 ticks are 256 MiB.
const maxTicks = 1 << 24

// Tracker keeps the counts of every trailing window up to a longest one, at a fixed tick.
// It stores running totals in a ring, so a window is one subtraction whatever its length, and the
// totals are integers modulo 2^64: nothing drifts, and totals may wrap as long as no single window
// holds 2^64 events. It takes 16 bytes a tick of the longest window. It is not safe for concurrent use.
type Tracker struct {
	tick  time.Duration
	ring  []totals // ring[at] is the newest; slots never written hold the zero of before the start
	at    int
	ticks uint64
}

type totals struct{ bad, total uint64 }

// NewTracker returns a tracker of windows that are multiples of tick, up to longest.
// It fails unless longest is a positive multiple of tick, at most 2^24 ticks.
func NewTracker(tick, longest time.Duration) (*Tracker, error) {
	n, err := ticksOf(longest, tick)
	if err != nil {
		return nil, err
	}
	return &Tracker{tick: tick, ring: make([]totals, n+1)}, nil
}

// ticksOf returns how many ticks a window has.
func ticksOf(window, tick time.Duration) (int, error) {
	if tick <= 0 || window < tick || window%tick != 0 || window/tick > maxTicks {
		return 0, fmt.Errorf("want a window of 1 to %d whole ticks, have window %v and tick %v", maxTicks, window, tick)
	}
	return int(window / tick), nil
}

// Tick ends a tick in which bad of total events were bad. It takes constant time and allocates nothing.
func (t *Tracker) Tick(bad, total uint64) {
	last := t.ring[t.at]
	if t.at++; t.at == len(t.ring) {
		t.at = 0
	}
	t.ring[t.at] = totals{last.bad + bad, last.total + total}
	t.ticks++
}

// Skip ends n ticks without events, as after a gap. It takes time up to the length of the ring.
func (t *Tracker) Skip(n uint64) {
	for range min(n, uint64(len(t.ring))) {
		t.Tick(0, 0)
	}
	t.ticks += n - min(n, uint64(len(t.ring)))
}

// Ticks returns how many ticks have ended; a window longer than that has only been seen in part.
func (t *Tracker) Ticks() uint64 { return t.ticks }

// Sum returns the counts of the trailing window, which is cut to whole ticks and to the longest window;
// time before the first tick counts as without events. A window below one tick is empty.
// Counts are exact up to 2^53 and the nearest float64 above. It takes constant time.
func (t *Tracker) Sum(window time.Duration) Count {
	n := max(0, min(window/t.tick, time.Duration(len(t.ring)-1)))
	return t.sum(int(n))
}

// sum returns the counts of the last n ticks, for 0 <= n < len(t.ring).
func (t *Tracker) sum(n int) Count {
	old := t.at - n
	if old < 0 {
		old += len(t.ring)
	}
	now, then := &t.ring[t.at], &t.ring[old]
	return Count{Bad: float64(now.bad - then.bad), Total: float64(now.total - then.total)}
}
