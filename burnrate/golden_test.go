package burnrate

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"
	"time"
)

const day = 24 * time.Hour

// within returns the time of a (time, ok) result, and infinity for never.
func within(d time.Duration, ok bool) time.Duration {
	if !ok {
		return math.MaxInt64
	}
	return d
}

// failedRequests solves the OpenSLO occurrences example with the package's own Spent: 336,000 requests
// with 1 % errors, and then an outage with 99 % errors until the budget is spent.
func failedRequests() float64 {
	b, lo, hi := ForObjective(0.95, 14*day), 0.0, 1e6
	for range 60 {
		failed := (lo + hi) / 2
		if b.Spent(Count{Bad: 3360 + failed, Total: 336000 + failed/0.99}) < 1 {
			lo = failed
		} else {
			hi = failed
		}
	}
	return lo
}

// golden computes every row of testdata/golden.csv.
func golden() map[string]func() float64 {
	b, calculus := ForObjective(0.999, 30*day), ForObjective(0.9999, 365*day)
	dependencies := Budget{Period: 365 * day, Ratio: 5 * ForObjective(0.99999, day).Ratio}
	burn36 := Tier{Severity: Page, Long: time.Hour, Short: time.Hour, Share: 0.05}
	fast, threshold := WorkbookTiers()[0], WorkbookTiers()[0].Threshold(b)
	fig56 := Incident{Length: 10 * time.Minute, Ratio: 0.15}
	factor := func(share float64, w, period time.Duration) func() float64 {
		return func() float64 { return Factor(share, w, period) }
	}
	percent := func(burn float64, w, period time.Duration) func() float64 {
		return func() float64 { return 100 * Share(burn, w, period) }
	}
	exhaustion := func(burn float64) func() float64 {
		return func() float64 { return within(b.Exhaustion(1, burn)).Hours() }
	}
	return map[string]func() float64{
		"wb5.1.detect": func() float64 { return within(DetectionTime(10*time.Minute, b.Ratio, 1)).Seconds() },
		"wb5.1.spend":  percent(1, 10*time.Minute, b.Period),
		"wb5.1.maxalerts": func() float64 {
			const w = 10 * time.Minute
			return day.Minutes() / (within(DetectionTime(w, b.Ratio, 1)) + within(ResetTime(w, b.Ratio, 1, w))).Minutes()
		},
		"wb5.2.window":     func() float64 { return 0.05 * within(b.Exhaustion(1, 1)).Hours() },
		"wb5.2.detect":     func() float64 { return within(DetectionTime(36*time.Hour, b.Ratio, 1)).Seconds() },
		"wb5.2.reset":      func() float64 { return within(ResetTime(36*time.Hour, b.Ratio, 1, time.Hour)).Hours() },
		"wb5.3.spend1h":    percent(b.MaxBurn(), time.Hour, b.Period),
		"wb5.3.spike":      percent(b.Burn(1), 5*time.Minute, b.Period),
		"wb5.3.three":      percent(b.Burn(1), 3*5*time.Minute, b.Period),
		"wb5.4.exh.1":      exhaustion(1),
		"wb5.4.exh.2":      exhaustion(2),
		"wb5.4.exh.10":     exhaustion(10),
		"wb5.4.exh.1000":   exhaustion(1000),
		"wb5.4.b36":        func() float64 { return burn36.Factor(b.Period) },
		"wb5.4.reset":      func() float64 { return within(burn36.Reset(b, 1, time.Hour)).Minutes() },
		"wb5.4.detect100":  func() float64 { return within(burn36.Detect(b, 1)).Seconds() },
		"wb5.4.miss35":     exhaustion(35),
		"wb5.6.1h":         func() float64 { return WorkbookTiers()[0].Factor(b.Period) },
		"wb5.6.6h":         func() float64 { return WorkbookTiers()[1].Factor(b.Period) },
		"wb5.6.24h":        func() float64 { return WorkbookTiers()[2].Factor(b.Period) },
		"wb5.6.72h":        func() float64 { return WorkbookTiers()[3].Factor(b.Period) },
		"wb5.f56.long_on":  func() float64 { return within(fast.Detect(b, fig56.Ratio)).Minutes() },
		"wb5.f56.short_on": func() float64 { return within(DetectionTime(fast.Short, threshold, fig56.Ratio)).Seconds() },
		"wb5.f56.short_off": func() float64 {
			return within(fast.Reset(b, fig56.Ratio, fig56.Length)).Minutes()
		},
		"wb5.f56.long_off": func() float64 {
			return within(ResetTime(fast.Long, threshold, fig56.Ratio, fig56.Length)).Minutes()
		},
		"wb5.lt.rate":    func() float64 { return 100 * b.Spent(Count{1, 10}) * b.Ratio },
		"wb5.lt.burn":    func() float64 { return b.Spent(Count{1, 10}) }, // the Workbook says 1,000: its erratum
		"wb5.lt.spend":   func() float64 { return 100 * b.Spent(Count{1, 10 * b.Period.Hours()}) },
		"wb5.lt.allowed": func() float64 { return b.Events(10 * b.Period.Hours()) },
		"wb5.x.90":       percent(ForObjective(0.9, 30*day).MaxBurn(), time.Hour, 30*day),
		"wb5.x.99999":    func() float64 { return within(ForObjective(0.99999, 30*day).Outage(1, 0)).Seconds() },
		"wb5.x.1pct":     func() float64 { return within(ForObjective(0.99999, 30*day).Outage(0.01, 0)).Minutes() },
		"dd.7d.1h":       percent(16.8, time.Hour, 7*day),
		"dd.7d.6h":       percent(5.6, 6*time.Hour, 7*day),
		"dd.7d.24h":      percent(2.8, day, 7*day),
		"dd.30d.1h":      percent(14.4, time.Hour, 30*day),
		"dd.30d.6h":      percent(6, 6*time.Hour, 30*day),
		"dd.30d.24h":     percent(3, day, 30*day),
		"dd.90d.1h":      percent(21.6, time.Hour, 90*day),
		"dd.90d.6h":      percent(10.8, 6*time.Hour, 90*day),
		"dd.90d.24h":     percent(4.5, day, 90*day),
		"dd.max":         func() float64 { return ForObjective(0.96, 30*day).MaxBurn() },
		"sz.28d.1h":      factor(0.02, time.Hour, 28*day),
		"sz.28d.6h":      factor(0.05, 6*time.Hour, 28*day),
		"sz.28d.24h":     factor(0.10, day, 28*day),
		"sz.28d.3d":      percent(1, 3*day, 28*day),
		"calc.year":      func() float64 { return within(calculus.Outage(1, 0)).Minutes() },
		"calc.deps":      func() float64 { return within(dependencies.Outage(1, 0)).Minutes() },
		"calc.rest": func() float64 {
			return (within(calculus.Outage(1, 0)) - within(dependencies.Outage(1, 0))).Minutes()
		},
		"oslo.ts":  func() float64 { return within(ForObjective(0.95, 14*day).Outage(1, 0)).Hours() },
		"oslo.rts": func() float64 { return within(ForObjective(0.95, 14*day).Outage(0.99, 0.01)).Hours() },
		"oslo.occ": failedRequests,
		"oslo.lt":  func() float64 { return within(ForObjective(0.9995, 7*day).Outage(1, 0)).Seconds() },
	}
}

func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/golden.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	compute := golden()
	for _, row := range rows[1:] {
		id, claim := row[0], row[2]
		want, err := strconv.ParseFloat(row[4], 64)
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
		f, ok := compute[id]
		if !ok {
			t.Errorf("%s (%s): nothing computes this row", id, claim)
			continue
		}
		delete(compute, id)
		if got := f(); math.Abs(got-want) > 5e-6*want {
			t.Errorf("%s (%s): got %v %s, want %v", id, claim, got, row[5], want)
		}
	}
	for id := range compute {
		t.Errorf("%s: no such row", id)
	}
}
