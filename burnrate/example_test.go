package burnrate_test

import (
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
)

const thirtyDays = 30 * 24 * time.Hour

func ExampleTier_Factor() {
	for _, tier := range burnrate.DefaultTiers() {
		fmt.Printf("%-6s %4v: %.4g times in 30 days, %.4g times in 7\n", tier.Severity, tier.Long.Hours(),
			tier.Factor(thirtyDays), tier.Factor(7*24*time.Hour))
	}
	// Output:
	// page      1: 14.4 times in 30 days, 6 times in 7
	// page      3: 7.2 times in 30 days, 4 times in 7
	// page      6: 6 times in 30 days, 3 times in 7
	// ticket   24: 3 times in 30 days, 1.5 times in 7
	// ticket   72: 1 times in 30 days, 1 times in 7
}

// The Workbook's example: at 90 % no outage is bad enough for its first tier. The cap mends that.
func ExampleTier_Reachable() {
	b := burnrate.ForObjective(0.9, thirtyDays)
	for _, tier := range []burnrate.Tier{burnrate.WorkbookTiers()[0], burnrate.DefaultTiers()[0]} {
		fmt.Printf("above %.0f %% errors, reachable: %v\n", 100*tier.Threshold(b), tier.Reachable(b))
	}
	// Output:
	// above 100 % errors, reachable: false
	// above 50 % errors, reachable: true
}

// Figure 5-6 of the Workbook: 15 % errors for ten minutes.
func ExampleTier_Detect() {
	b, tier := burnrate.ForObjective(0.999, thirtyDays), burnrate.WorkbookTiers()[0]
	detect, _ := tier.Detect(b, 0.15)
	reset, _ := tier.Reset(b, 0.15, 10*time.Minute)
	fmt.Printf("pages after %v, ends %v after recovery\n", detect, reset)
	_, fires := tier.Detect(b, 0.01)
	fmt.Println("fires at 1 % errors:", fires)
	// Output:
	// pages after 5m45.6s, ends 4m31.2s after recovery
	// fires at 1 % errors: false
}

func ExampleBudget_Exhaustion() {
	b := burnrate.ForObjective(0.999, thirtyDays)
	spent := b.Spent(burnrate.Count{Bad: 600, Total: 1_000_000})
	burn := b.Spent(burnrate.Count{Bad: 30, Total: 5_000}) // of the last hour
	rest, _ := b.Exhaustion(1-spent, burn)
	fmt.Printf("%.0f %% spent; burning %.1f times, the rest is gone in %v\n", 100*spent, burn, rest.Round(time.Minute))
	// Output: 60 % spent; burning 6.0 times, the rest is gone in 48h0m0s
}

// How many failures of ten requests an hour page somebody within the hour?
func ExampleNeeded() {
	b := burnrate.ForObjective(0.999, thirtyDays)
	for _, perHour := range []float64{10, 1000, 100_000} {
		n, _ := burnrate.Needed(burnrate.Poisson{P: 0.001}, b.Events(perHour))
		fmt.Printf("%v of %v\n", n, perHour)
	}
	// Output:
	// 2 of 10
	// 6 of 1000
	// 133 of 100000
}

func ExampleEvaluator() {
	b := burnrate.ForObjective(0.999, thirtyDays)
	e, err := burnrate.NewEvaluator(burnrate.DefaultPolicy(), b, time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	for minute := range 480 {
		var bad uint64
		if minute >= 360 {
			bad = 200 // of 1000: 20 % errors
		}
		if page, _ := e.Tick(bad, 1000); page {
			fmt.Printf("pages after %d minutes\n", minute-360+1)
			break
		}
	}
	// Output: pages after 5 minutes
}

func ExampleExpectedFalsePages() {
	b := burnrate.ForObjective(0.999, thirtyDays)
	traffic := burnrate.Traffic{PerHour: 30}
	for _, p := range []burnrate.Policy{burnrate.WorkbookPolicy(), burnrate.DefaultPolicy()} {
		e, err := burnrate.ExpectedFalsePages(p, b, traffic, 1)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%.1f false pages a month, at most %.1f\n", e.PerMonth, e.AtMost)
	}
	// Output:
	// 9.3 false pages a month, at most 10.9
	// 0.1 false pages a month, at most 0.4
}

// One total outage of half an hour, at a thousand requests a second.
func ExampleScenario_Run() {
	s := burnrate.Scenario{
		Budget:    burnrate.ForObjective(0.999, thirtyDays),
		Traffic:   burnrate.Traffic{PerHour: 3.6e6},
		Length:    7 * 24 * time.Hour,
		Incidents: []burnrate.Incident{{Start: 4 * 24 * time.Hour, Length: 30 * time.Minute, Ratio: 1}},
	}
	card, err := s.Run(burnrate.DefaultPolicy())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("recall %v, detected after %v, reset after %v\n", card.Recall(), card.DetectionMedian, card.ResetMedian)
	// Output: recall 1, detected after 1m0s, reset after 10m0s
}
