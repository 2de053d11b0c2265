package burnrate

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestForObjective(t *testing.T) {
	f := func(objective, want float64) {
		t.Helper()
		if got := ForObjective(objective, day).Ratio; got != want {
			t.Errorf("ForObjective(%v): got %v, want %v", objective, got, want)
		}
	}
	f(0.999, 0.001)
	f(0.99999, 0.00001)
	f(0.9995, 0.0005)
	f(0.29, 0.71)
	f(1, 0)
	f(0, 1)
	f(1e-300, 1)
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := ForObjective(x, day).Ratio; !math.IsNaN(got) {
			t.Errorf("ForObjective(%v): got %v, want NaN", x, got)
		}
	}
}

func TestBudgetCheck(t *testing.T) {
	f := func(b Budget, want bool) {
		t.Helper()
		if err := b.Check(); (err == nil) != want {
			t.Errorf("Check of %+v: got %v, want fine %v", b, err, want)
		}
	}
	f(Budget{day, 0}, true)
	f(Budget{day, 1}, true)
	f(Budget{day, 1.1}, false)
	f(Budget{day, -0.1}, false)
	f(Budget{day, math.NaN()}, false)
	f(Budget{0, 0.1}, false)
}

// Objective 100 %: no budget, no division by zero.
func TestZeroBudget(t *testing.T) {
	b := ForObjective(1, 30*day)
	f := func(name string, got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("no events", b.Spent(Count{0, 0}), 0)
	f("no bad events", b.Spent(Count{0, 100}), 0)
	f("one bad event", b.Spent(Count{1, 100}), math.Inf(1))
	f("burn of no errors", b.Burn(0), 0)
	f("burn of errors", b.Burn(0.1), math.Inf(1))
	f("max burn", b.MaxBurn(), math.Inf(1))
	f("allowed events", b.Events(1e6), 0)
	f("outage", within(b.Outage(1, 0)).Seconds(), 0)
	f("exhaustion at +Inf", within(b.Exhaustion(1, math.Inf(1))).Seconds(), 0)
	for _, tier := range DefaultTiers() {
		f("threshold", tier.Threshold(b), 0)
		f("detection", within(tier.Detect(b, 0.5)).Seconds(), 0)
		f("reset", within(tier.Reset(b, 0.5, time.Minute)).Seconds(), tier.Short.Seconds())
		one, none := Count{1, 1000}, Count{0, 1000}
		for _, e := range []Evidence{nil, Poisson{0.001}, WilsonHilferty{3.09}, Anscombe{AnscombeC}} {
			if !tier.Fires(b, e, one, one, one, false) {
				t.Errorf("%v, evidence %v: one bad event does not fire", tier.Long, e)
			}
			if tier.Fires(b, e, none, none, none, false) {
				t.Errorf("%v, evidence %v: no bad event fires", tier.Long, e)
			}
		}
	}
}

func TestSpentWithoutEvents(t *testing.T) {
	b := ForObjective(0.999, 30*day)
	if got := b.Spent(Count{}); got != 0 {
		t.Errorf("got %v of no events, want 0", got)
	}
	if got := b.Spent(Count{1, 0}); !math.IsInf(got, 1) {
		t.Errorf("got %v of a bad event of none, want +Inf", got)
	}
	if got := b.Spent(Count{math.NaN(), 5}); !math.IsNaN(got) {
		t.Errorf("got %v of NaN, want NaN", got)
	}
}

func TestExhaustion(t *testing.T) {
	b := ForObjective(0.999, 30*day)
	f := func(left, burn float64, want time.Duration, wantOK bool) {
		t.Helper()
		if got, ok := b.Exhaustion(left, burn); got != want || ok != wantOK {
			t.Errorf("Exhaustion(%v, %v): got %v %v, want %v %v", left, burn, got, ok, want, wantOK)
		}
	}
	f(1, 1, 30*day, true)
	f(0.5, 10, 36*time.Hour, true)
	f(0, 0, 0, true)
	f(-3, 2, 0, true)
	f(0.1, 0, 0, false)
	f(0.1, -1, 0, false)
	f(0.1, math.NaN(), 0, false)
	f(math.NaN(), 1, 0, false)
	f(1, 1e-9, 0, false) // 82 million years are no time.Duration
}

func TestOutage(t *testing.T) {
	b := ForObjective(0.99, 10*day)
	f := func(ratio, baseline float64, want time.Duration, wantOK bool) {
		t.Helper()
		if got, ok := b.Outage(ratio, baseline); got != want || ok != wantOK {
			t.Errorf("Outage(%v, %v): got %v %v, want %v %v", ratio, baseline, got, ok, want, wantOK)
		}
	}
	f(1, 0, 144*time.Minute, true)
	f(0.1, 0, day, true)
	f(0.01, 0, 0, false)
	f(0.005, 0, 0, false)
	f(1, 0.01, 0, true)
	f(1, 0.02, 0, true)
	f(math.NaN(), 0, 0, false)
	f(1, math.NaN(), 0, false)
}

// Spending for as long as Outage says, and the baseline otherwise, spends the budget exactly.
func TestOutageSpendsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Budget{30 * day, rapid.Float64Range(1e-5, 0.5).Draw(t, "budget")}
		ratio := rapid.Float64Range(b.Ratio*1.01, 1).Draw(t, "ratio")
		baseline := rapid.Float64Range(0, b.Ratio).Draw(t, "baseline")
		d, ok := b.Outage(ratio, baseline)
		if !ok {
			t.Fatal("never")
		}
		got := Share(b.Burn(ratio), d, b.Period) + Share(b.Burn(baseline), b.Period-d, b.Period)
		if math.Abs(got-1) > 1e-9 {
			t.Fatalf("spent %v, want 1", got)
		}
	})
}

func TestFactorInvertsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		w := time.Duration(rapid.Int64Range(1, int64(90*day)).Draw(t, "window"))
		period := time.Duration(rapid.Int64Range(int64(day), int64(366*day)).Draw(t, "period"))
		if got := Share(Factor(share, w, period), w, period); math.Abs(got-share) > 1e-14*share {
			t.Fatalf("got %v, want %v", got, share)
		}
	})
}
