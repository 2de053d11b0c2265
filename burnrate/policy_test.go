package burnrate

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The streaming evaluator is Tier.Fires on naively added windows, tick by tick.
func TestEvaluatorIsFires(t *testing.T) {
	const m = time.Minute
	policy := Policy{Evidence: Anscombe{AnscombeC}, Tiers: []Tier{
		{Severity: Page, Long: 12 * m, Short: 3 * m, Share: 0.02, Floor: 6},
		{Severity: Page, Long: 36 * m, Short: 9 * m, Recovery: 4 * m, Floor: 3},
		{Severity: Ticket, Long: 60 * m, Short: 20 * m, Recovery: m, Floor: 1.5},
	}}
	rapid.Check(t, func(t *rapid.T) {
		b := Budget{30 * day, rapid.SampledFrom([]float64{0, 0.001, 0.01, 0.1}).Draw(t, "budget")}
		p := policy
		p.Evidence = rapid.SampledFrom([]Evidence{nil, policy.Evidence, Poisson{0.01}}).Draw(t, "evidence")
		e, err := NewEvaluator(p, b, m)
		if err != nil {
			t.Fatal(err)
		}
		volume := rapid.SampledFrom([]uint64{0, 3, 100, 1e6}).Draw(t, "volume")
		var history [][2]uint64
		before := map[Severity]bool{}
		for range 12 {
			ratio := rapid.SampledFrom([]float64{0, 0, 0.001, 0.01, 0.1, 0.5, 1}).Draw(t, "ratio")
			for range rapid.IntRange(1, 20).Draw(t, "ticks") {
				total := rapid.Uint64Range(0, volume).Draw(t, "total")
				bad := uint64(math.Ceil(ratio * float64(total)))
				history = append(history, [2]uint64{bad, total})
				page, ticket := e.Tick(bad, total)
				want := map[Severity]bool{}
				for _, tier := range p.Tiers {
					sum := func(w time.Duration) Count { return naive(history, int(w/m)) }
					if tier.Fires(b, p.Evidence, sum(tier.Long), sum(tier.Short), sum(tier.Recovery), before[tier.Severity]) {
						want[tier.Severity] = true
					}
				}
				if page != want[Page] || ticket != want[Ticket] {
					t.Fatalf("tick %d: got page %v ticket %v, want %v", len(history), page, ticket, want)
				}
				before = want
			}
		}
	})
}

// steady feeds a quiet long window, an outage, and quiet again, at a constant number of events a tick,
// and returns when the policy began and ceased to page, from the start and the end of the outage.
func steady(e *Evaluator, tier Tier, tick time.Duration, events, bad uint64, outage int) (on, off time.Duration) {
	for range int(tier.Long / tick) {
		e.Tick(0, events)
	}
	on, off = -1, -1
	for i := 1; i <= outage+int(tier.Long/tick); i++ {
		if i == outage+1 {
			bad = 0
		}
		page, _ := e.Tick(bad, events)
		if page && on < 0 {
			on = time.Duration(i) * tick
		}
		if !page && on >= 0 && off < 0 && i >= outage {
			off = time.Duration(i-outage) * tick
		}
	}
	return on, off
}

// The closed forms agree with the evaluator to one evaluation interval, for any tier and outage.
func TestClosedFormsAgainstEvaluator(t *testing.T) {
	const tick, events = 10 * time.Second, 1_000_000
	rapid.Check(t, func(t *rapid.T) {
		short := rapid.IntRange(2, 60).Draw(t, "short")
		long := short * rapid.IntRange(1, 12).Draw(t, "times")
		recovery := rapid.IntRange(0, short-1).Draw(t, "recovery")
		tier := Tier{
			Severity: Page, Long: time.Duration(long) * tick, Short: time.Duration(short) * tick,
			Recovery: time.Duration(recovery) * tick, Floor: rapid.Float64Range(2, 20).Draw(t, "factor"),
		}
		b := ForObjective(0.999, 30*day)
		bad := rapid.Uint64Range(events/100, events).Draw(t, "bad")
		outage := rapid.IntRange(1, 2*long).Draw(t, "outage")
		e, err := NewEvaluator(Policy{Tiers: []Tier{tier}}, b, tick)
		if err != nil {
			t.Fatal(err)
		}
		on, off := steady(e, tier, tick, events, bad, outage)
		ratio := float64(bad) / events
		detect, reachable := tier.Detect(b, ratio)
		lasted := time.Duration(outage) * tick
		switch {
		case !reachable || lasted < detect:
			if on >= 0 {
				t.Fatalf("paged after %v, want never", on)
			}
		case lasted > detect:
			reset, ok := tier.Reset(b, ratio, lasted)
			if !ok || on < detect || on > detect+tick {
				t.Fatalf("detected after %v, want %v", on, detect)
			}
			// The recovery test needs a handful of events more than the closed form's limit.
			if off < reset || off > reset+2*tick {
				t.Fatalf("reset after %v, want %v", off, reset)
			}
		}
	})
}

func TestNewEvaluatorErrors(t *testing.T) {
	b := ForObjective(0.999, 30*day)
	f := func(name string, p Policy, b Budget, tick time.Duration) {
		t.Helper()
		if _, err := NewEvaluator(p, b, tick); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	f("no tiers", Policy{}, b, time.Minute)
	f("bad tier", Policy{Tiers: []Tier{{}}}, b, time.Minute)
	f("bad budget", DefaultPolicy(), Budget{}, time.Minute)
	f("no tick", DefaultPolicy(), b, 0)
	f("tick too long", DefaultPolicy(), b, 10*time.Minute)
	f("tick does not divide", DefaultPolicy(), b, 7*time.Second)
}

func BenchmarkEvaluatorTick(b *testing.B) {
	e, err := NewEvaluator(DefaultPolicy(), ForObjective(0.999, 30*day), 30*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Tick(1, 1000)
	}
}

// TestStrayErrorsDoNotPageAgain checks the gap between beginning and ending:
// after an outage and its recovery a single error pages nobody, although the
// long windows still hold.
func TestStrayErrorsDoNotPageAgain(t *testing.T) {
	e, err := NewEvaluator(DefaultPolicy(), ForObjective(0.999, 30*day), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	pages, on := 0, false
	for minute := range 12 * 60 {
		bad := uint64(0)
		switch {
		case minute >= 360 && minute < 400:
			bad = 60 // an outage of 40 minutes at one request a second
		case minute == 415:
			bad = 1
		}
		page, _ := e.Tick(bad, 60)
		if page && !on {
			pages++
		}
		on = page
	}
	if pages != 1 {
		t.Errorf("paged %d times for one outage, want once", pages)
	}
}

// TestFor checks that a tier with For fires that much later than one without,
// and forgets when the condition breaks.
func TestFor(t *testing.T) {
	b := ForObjective(0.999, 30*day)
	tier := Tier{Severity: Page, Long: 10 * time.Minute, Short: 10 * time.Minute, Floor: 1, For: 5 * time.Minute}
	e, err := NewEvaluator(Policy{Tiers: []Tier{tier}}, b, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	firstPage := func(bad func(minute int) uint64) int {
		for i := range 100 {
			if page, _ := e.Tick(bad(i), 1000); page {
				return i
			}
		}
		return -1
	}
	if got := firstPage(func(int) uint64 { return 1000 }); got != 5 {
		t.Errorf("total outage pages at tick %d, want 5", got)
	}
	if d, ok := tier.Detect(b, 1); !ok || d != 5*time.Minute+600*time.Millisecond {
		t.Errorf("Detect is %v, %v, want 5m0.6s", d, ok)
	}
	e, err = NewEvaluator(Policy{Tiers: []Tier{{Severity: Page, Long: time.Minute, Short: time.Minute, Floor: 1, For: 5 * time.Minute}}}, b, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if got := firstPage(func(i int) uint64 { return uint64(min(i%5, 1)) * 1000 }); got != -1 {
		t.Errorf("four bad minutes in five page at tick %d, want never", got)
	}
}
