package burnrate

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFactors(t *testing.T) {
	f := func(name string, tiers []Tier, days int, want ...float64) {
		t.Helper()
		for i, tier := range tiers {
			if err := tier.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := tier.Factor(time.Duration(days) * day); math.Abs(got-want[i]) > 1e-12 {
				t.Errorf("%s of %d days, %v: got %v, want %v", name, days, tier.Long, got, want[i])
			}
		}
	}
	f("workbook", WorkbookTiers(), 30, 14.4, 6, 3, 1)
	f("default", DefaultTiers(), 30, 14.4, 7.2, 6, 3, 1)
	f("default", DefaultTiers(), 28, 13.44, 6.72, 5.6, 2.8, 1)
	f("default", DefaultTiers(), 7, 6, 4, 3, 1.5, 1) // the floors
	f("default", DefaultTiers(), 90, 43.2, 21.6, 18, 9, 3)
}

func TestThreshold(t *testing.T) {
	f := func(tier Tier, objective, want float64, reachable bool) {
		t.Helper()
		b := ForObjective(objective, 30*day)
		if got := tier.Threshold(b); math.Abs(got-want) > 1e-12 {
			t.Errorf("threshold at %v: got %v, want %v", objective, got, want)
		}
		if got := tier.Reachable(b); got != reachable {
			t.Errorf("reachable at %v: got %v, want %v", objective, got, reachable)
		}
	}
	ours, workbook := DefaultTiers()[0], WorkbookTiers()[0]
	f(ours, 0.999, 0.0144, true)
	f(ours, 0.95, 0.5, true)
	f(ours, 0.9, 0.5, true)
	f(ours, 1, 0, true)
	f(workbook, 0.999, 0.0144, true)
	f(workbook, 0.95, 0.72, true)
	f(workbook, 0.9, 1, false) // Workbook ch. 5: this alert can never fire
}

// Datadog and the Workbook put it this way: a factor is reachable if it is below 1/(1-objective).
func TestReachableMeansBelowMaxBurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Budget{30 * day, rapid.Float64Range(0, 1).Draw(t, "budget")}
		tier := Tier{Severity: Page, Long: time.Hour, Short: time.Minute, Floor: rapid.Float64Range(0.1, 2000).Draw(t, "factor"), Cap: 1}
		if got, want := tier.Reachable(b), tier.Floor < b.MaxBurn(); got != want && math.Abs(tier.Floor*b.Ratio-1) > 1e-12 {
			t.Fatalf("got %v, want %v", got, want)
		}
		_, fires := tier.Detect(b, 1)
		if fires != tier.Reachable(b) {
			t.Fatalf("reachable %v, but a total outage fires: %v", tier.Reachable(b), fires)
		}
	})
}

func TestTierCheck(t *testing.T) {
	f := func(want bool, change func(*Tier)) {
		t.Helper()
		tier := DefaultTiers()[1]
		change(&tier)
		if err := tier.Check(); (err == nil) != want {
			t.Errorf("%+v: got %v, want fine %v", tier, err, want)
		}
	}
	f(true, func(*Tier) {})
	f(true, func(t *Tier) { t.Recovery = 0 })
	f(true, func(t *Tier) { t.Short = t.Long })
	f(true, func(t *Tier) { t.Share = 0 })
	f(true, func(t *Tier) { t.Floor = 0 })
	f(false, func(t *Tier) { t.Share, t.Floor = 0, 0 })
	f(false, func(t *Tier) { t.Severity = "warning" })
	f(false, func(t *Tier) { t.Short = t.Long + 1 })
	f(false, func(t *Tier) { t.Short = 0 })
	f(false, func(t *Tier) { t.Recovery = t.Short })
	f(false, func(t *Tier) { t.Recovery = -1 })
	f(false, func(t *Tier) { t.Share = 1.1 })
	f(false, func(t *Tier) { t.Share = math.NaN() })
	f(false, func(t *Tier) { t.Floor = math.Inf(1) })
	f(false, func(t *Tier) { t.Floor = math.NaN() })
	f(false, func(t *Tier) { t.Cap = 1.1 })
	f(false, func(t *Tier) { t.Cap = math.NaN() })
}

func TestNeverDetected(t *testing.T) {
	f := func(threshold, ratio float64) {
		t.Helper()
		if d, ok := DetectionTime(time.Hour, threshold, ratio); ok {
			t.Errorf("DetectionTime at threshold %v, ratio %v: got %v, want never", threshold, ratio, d)
		}
		if d, ok := ResetTime(time.Hour, threshold, ratio, time.Hour); ok {
			t.Errorf("ResetTime at threshold %v, ratio %v: got %v, want never", threshold, ratio, d)
		}
	}
	f(0.1, 0.1)
	f(0.1, 0)
	f(0, 0)
	f(-1, 0)
	f(math.NaN(), 1)
	f(0.1, math.NaN())
	if _, ok := ResetTime(time.Hour, 0.5, 1, 29*time.Minute); ok {
		t.Error("an outage shorter than its detection resets")
	}
	if _, ok := DefaultTiers()[1].Reset(ForObjective(0.999, 30*day), 0.1, time.Minute); ok {
		t.Error("an outage shorter than its detection resets the tier")
	}
}

func TestFiresIgnoresNaN(t *testing.T) {
	b, bad := ForObjective(0.999, 30*day), Count{100, 100}
	nan := Count{math.NaN(), 100}
	for _, tier := range DefaultTiers() {
		if !tier.Fires(b, nil, bad, bad, bad, false) || tier.Fires(b, nil, nan, bad, bad, false) || tier.Fires(b, nil, bad, nan, bad, false) {
			t.Errorf("%v: want a total outage to fire and NaN not to", tier.Long)
		}
	}
}

// FuzzTier: whatever the numbers, times are in range and "never" agrees with the threshold.
func FuzzTier(f *testing.F) {
	f.Add(0.02, 6.0, 0.0, 0.001, 0.5, int64(time.Hour), int64(5*time.Minute))
	f.Add(1.0, 0.0, 1.0, 1.0, 1.0, int64(1), int64(1))
	f.Add(math.Inf(1), math.NaN(), -1.0, 0.0, 0.0, int64(math.MaxInt64), int64(-1))
	f.Fuzz(func(t *testing.T, share, floor, limit, ratio, e float64, long, short int64) {
		tier := Tier{Severity: Page, Long: time.Duration(long), Short: time.Duration(short), Share: share, Floor: floor, Cap: limit}
		b := Budget{30 * day, ratio}
		if tier.Check() != nil || b.Check() != nil || !(e >= 0 && e <= 1) {
			_, _ = tier.Detect(b, e)
			_, _ = tier.Reset(b, e, time.Hour)
			return
		}
		threshold := tier.Threshold(b)
		if !(threshold >= 0 && threshold <= 1) {
			t.Fatalf("threshold %v of %+v, %+v", threshold, tier, b)
		}
		d, ok := tier.Detect(b, e)
		if ok != (e > threshold) || d < 0 || d > tier.Long {
			t.Fatalf("detection %v %v of %+v, %+v at %v", d, ok, tier, b, e)
		}
		if r, ok := tier.Reset(b, e, tier.Long); ok && (r < 0 || r > tier.Short) {
			t.Fatalf("reset %v of %+v, %+v at %v", r, tier, b, e)
		}
	})
}
