package slo

import (
	"math"

	"github.com/plimsoll-slo/plimsoll/burnrate"
)

// BurnPolicy returns p for the mathematics: what the generated rules do.
func (p *AlertProfile) BurnPolicy() burnrate.Policy {
	return burnrate.Policy{Tiers: p.BurnTiers(), Evidence: p.Evidence.test()}
}

// test returns the evidence test, nil for none.
func (e Evidence) test() burnrate.Evidence {
	switch e.Test {
	case "sqrt":
		return burnrate.Anscombe{C: e.Z() / 2}
	case "poisson":
		return burnrate.WilsonHilferty{Z: e.Z()}
	case "minBad":
		return burnrate.AtLeast{N: float64(e.MinBad)}
	}
	return nil
}

// Z returns the quantile of the standard normal distribution that is exceeded
// with probability Significance: 2.326 for 1%.
func (e Evidence) Z() float64 {
	return math.Sqrt2 * math.Erfinv(1-2*e.Significance.Float())
}
