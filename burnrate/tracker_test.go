package burnrate

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newTracker(t interface{ Fatal(...any) }, tick, longest time.Duration) *Tracker {
	tracker, err := NewTracker(tick, longest)
	if err != nil {
		t.Fatal(err)
	}
	return tracker
}

// naive adds up the last n increments.
func naive(history [][2]uint64, n int) (c Count) {
	var bad, total uint64
	for _, x := range history[max(0, len(history)-n):] {
		bad, total = bad+x[0], total+x[1]
	}
	return Count{float64(bad), float64(total)}
}

func TestTrackerIsNaiveSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		longest := rapid.IntRange(1, 50).Draw(t, "longest")
		tick := time.Duration(rapid.IntRange(1, 60).Draw(t, "tick")) * time.Second
		tracker := newTracker(t, tick, time.Duration(longest)*tick)
		var history [][2]uint64
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
				gap := rapid.IntRange(0, 120).Draw(t, "gap")
				tracker.Skip(uint64(gap))
				history = append(history, make([][2]uint64, gap)...)
			} else {
				total := rapid.Uint64Range(0, 1<<45).Draw(t, "total")
				bad := rapid.Uint64Range(0, total).Draw(t, "bad")
				tracker.Tick(bad, total)
				history = append(history, [2]uint64{bad, total})
			}
			n := rapid.IntRange(0, longest).Draw(t, "window")
			if got, want := tracker.Sum(time.Duration(n)*tick), naive(history, n); got != want {
				t.Fatalf("window of %d ticks: got %v, want %v", n, got, want)
			}
		}
		if got := tracker.Ticks(); got != uint64(len(history)) {
			t.Fatalf("got %d ticks, want %d", got, len(history))
		}
	})
}

// The running totals pass 2^64 many times; the windows stay exact.
func TestTrackerWraps(t *testing.T) {
	tracker := newTracker(t, time.Second, 10*time.Second)
	const big = 1 << 60
	for range 1000 {
		tracker.Tick(big, big+1<<10)
	}
	if got, want := tracker.Sum(4*time.Second), (Count{4 * big, 4*big + 4<<10}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTrackerSumLimits(t *testing.T) {
	tracker := newTracker(t, time.Minute, 5*time.Minute)
	for range 9 {
		tracker.Tick(1, 2)
	}
	f := func(w time.Duration, want float64) {
		t.Helper()
		if got := tracker.Sum(w); got != (Count{want, 2 * want}) {
			t.Errorf("Sum(%v): got %v, want %v bad", w, got, want)
		}
	}
	f(-time.Hour, 0)
	f(0, 0)
	f(59*time.Second, 0)
	f(time.Minute, 1)
	f(119*time.Second, 1)
	f(5*time.Minute, 5)
	f(time.Hour, 5)
	tracker.Skip(math.MaxUint64 / 2)
	f(time.Hour, 0)
}

func TestNewTrackerErrors(t *testing.T) {
	f := func(tick, longest time.Duration) {
		t.Helper()
		if _, err := NewTracker(tick, longest); err == nil {
			t.Errorf("tick %v, longest %v: got no error", tick, longest)
		}
	}
	f(0, time.Hour)
	f(-1, time.Hour)
	f(time.Minute, 0)
	f(time.Minute, time.Second)
	f(time.Minute, 90*time.Second)
	f(1, time.Hour)
}

func TestTickAllocatesNothing(t *testing.T) {
	tracker := newTracker(t, time.Second, time.Hour)
	e, err := NewEvaluator(DefaultPolicy(), ForObjective(0.999, 30*day), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(1000, func() {
		tracker.Tick(1, 10)
		tracker.Sum(time.Minute)
		e.Tick(10, 10)
	})
	if got != 0 {
		t.Errorf("got %v allocations a tick, want 0", got)
	}
}

func BenchmarkTrackerTick(b *testing.B) {
	tracker := newTracker(b, 30*time.Second, 72*time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		tracker.Tick(1, 1000)
	}
}

func BenchmarkTrackerSum(b *testing.B) {
	tracker := newTracker(b, 30*time.Second, 72*time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		tracker.Sum(6 * time.Hour)
	}
}
