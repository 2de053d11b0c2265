package burnrate

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"
)

// Budget is the error ratio that an objective allows over a period.
type Budget struct {
	Period time.Duration // above 0
	Ratio  float64       // 1 - objective, in [0, 1]; 0 means that no bad event is allowed
}

// Count is a number of events and how many of them were bad, both at least 0.
// Fractions are allowed, since some sources weight or extrapolate their counts.
type Count struct {
	Bad, Total float64
}

// ForObjective returns the budget of an objective in [0, 1], for example 0.999, over the period.
// The objective is read as the shortest decimal that denotes it, and subtracted as a decimal: Ratio is
// the float64 nearest to 0.001, where 1-0.999 is off by 9e-19. NaN and Inf give a NaN Ratio.
func ForObjective(objective float64, period time.Duration) Budget {
	if math.IsNaN(objective) || math.IsInf(objective, 0) {
		return Budget{Period: period, Ratio: math.NaN()}
	}
	decimal, ok := new(big.Rat).SetString(strconv.FormatFloat(objective, 'g', -1, 64))
	if !ok {
		panic("burnrate: a finite float64 that is no decimal")
	}
	ratio, _ := decimal.Sub(big.NewRat(1, 1), decimal).Float64()
	return Budget{Period: period, Ratio: ratio}
}

// Check returns an error unless Period is positive and Ratio is in [0, 1].
func (b Budget) Check() error {
	if b.Period <= 0 {
		return fmt.Errorf("want a period above 0, have %v", b.Period)
	}
	if !(b.Ratio >= 0 && b.Ratio <= 1) {
		return fmt.Errorf("want a budget ratio in [0, 1], have %v", b.Ratio)
	}
	return nil
}

// Burn returns the burn rate of an error ratio: ratio / b.Ratio. Source: Workbook ch. 5.
// Without a budget it is 0 for ratio 0 and +Inf above.
func (b Budget) Burn(ratio float64) float64 {
	if ratio == 0 {
		return 0
	}
	return ratio / b.Ratio
}

// Spent returns bad events per allowed bad event: c.Bad / (b.Ratio * c.Total).
// For the counts of a shorter window this is the burn rate of that window; for the counts of the period
// it is the share of the budget spent, and 1 minus it is the share left, negative when overspent.
// No bad events spend 0, even of no events; bad events without an allowance spend +Inf.
func (b Budget) Spent(c Count) float64 {
	if c.Bad == 0 {
		return 0
	}
	return c.Bad / b.Events(c.Total)
}

// Events returns how many of total events may be bad: b.Ratio * total. It is not rounded.
func (b Budget) Events(total float64) float64 { return b.Ratio * total }

// MaxBurn returns the burn rate of a total outage, 1 / b.Ratio; +Inf without a budget.
func (b Budget) MaxBurn() float64 { return 1 / b.Ratio }

// Outage returns the longest time for which the error ratio may be ratio without overspending, when it
// is baseline during the rest of the period: Period * (b.Ratio-baseline) / (ratio-baseline).
// Outage(1, 0) is the budget as time of total outage. It is 0 if baseline alone overspends, and false
// if not even a whole period at ratio overspends.
// Source: OpenSLO, budgeting-method examples (baseline 1 %, outage 99 %: 13 h 42 min of two weeks).
func (b Budget) Outage(ratio, baseline float64) (time.Duration, bool) {
	switch {
	case math.IsNaN(ratio + baseline + b.Ratio):
		return 0, false
	case baseline > b.Ratio:
		return 0, true
	case ratio <= b.Ratio:
		return 0, false
	}
	return scale(b.Period, (b.Ratio-baseline)/(ratio-baseline))
}

// Exhaustion forecasts when the budget is spent if it goes on burning at the rate burn and nothing is
// credited: left * Period / burn, where left is the share of the budget that remains. It is 0 if
// nothing is left, and false (never) for a burn rate of 0 or below while something is.
// Exhaustion(1, burn) is the time to exhaustion of Workbook ch. 5, table 5-4.
func (b Budget) Exhaustion(left, burn float64) (time.Duration, bool) {
	if left <= 0 {
		return 0, true
	}
	if burn <= 0 {
		return 0, false
	}
	return scale(b.Period, left/burn)
}

// Factor returns the burn rate that spends the share of a period's budget within the window:
// share * period / window. Source: Workbook ch. 5, table 5-6. The inverse is Share.
// A window of 0 gives +Inf, or NaN for a share of 0.
func Factor(share float64, window, period time.Duration) float64 {
	return share * float64(period) / float64(window)
}

// Share returns the share of a period's budget that a burn rate spends within the window:
// burn * window / period. Source: Workbook ch. 5. The inverse is Factor.
func Share(burn float64, window, period time.Duration) float64 {
	return burn * float64(window) / float64(period)
}

// scale returns d*by rounded to the nanosecond, or false if that is negative, NaN or no time.Duration.
func scale(d time.Duration, by float64) (time.Duration, bool) {
	x := math.Round(float64(d) * by)
	if !(x >= 0 && x < math.MaxInt64) {
		return 0, false
	}
	return time.Duration(x), true
}
