package burnrate

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// HealthyBurn is the burn rate of the healthy service that false pages are counted on: it would end
// every period with half of its budget left.
const HealthyBurn = 0.5

const (
	month = 30 * 24 * time.Hour
	// falseTick and falseTicks set the length and so the cost of ExpectedFalsePages: 12 months of minutes.
	falseTick  = time.Minute
	falseTicks = int(12 * month / falseTick)
	// samePage is the time within which an alert that fires again is the same page.
	samePage = 10 * time.Minute
)

// Estimate is a simulated number of events in 30 days.
type Estimate struct {
	PerMonth float64 // mean
	AtMost   float64 // one-sided 95 % confidence bound of the mean, if the events are independent
}

// ExpectedFalsePages estimates how often the policy pages in 30 days on a healthy service, one that
// fails at HealthyBurn, by chance alone. It simulates a year of minutes (less for windows that are no
// multiple of a minute: the tick is then their common divisor, and as many ticks are simulated).
// Alerts within 10 minutes of each other are one page. Equal arguments give equal results.
// It takes 15 to 60 ms. It fails as Policy.Check, Budget.Check and Traffic.Check do, or if a window is
// no multiple of a second. A policy without page tiers never pages.
func ExpectedFalsePages(p Policy, b Budget, t Traffic, seed uint64) (Estimate, error) {
	if err := p.Check(); err != nil {
		return Estimate{}, err
	}
	if err := t.Check(); err != nil {
		return Estimate{}, err
	}
	p = p.only(Page)
	if len(p.Tiers) == 0 {
		return Estimate{}, b.Check()
	}
	tick := commonTick(p, falseTick)
	if tick < time.Second {
		return Estimate{}, fmt.Errorf("want windows of whole seconds, have a common divisor of %v", tick)
	}
	e, err := NewEvaluator(p, b, tick)
	if err != nil {
		return Estimate{}, err
	}
	pages := countPages(e, t.means(tick), b.Events(HealthyBurn), int(samePage/tick), rand.New(rand.NewPCG(seed, 1)))
	months := float64(tick) * float64(falseTicks) / float64(month)
	return Estimate{PerMonth: float64(pages) / months, AtMost: poissonUpper(pages) / months}, nil
}

// countPages runs falseTicks ticks through e and counts its pages. Bad and good events are independent
// Poisson streams, which is what independent failures of Poisson traffic are.
func countPages(e *Evaluator, means []float64, ratio float64, apart int, rng *rand.Rand) (pages int) {
	bad, good := poisson{Rand: rng}, poisson{Rand: rng}
	quiet := apart + 1
	for i := range falseTicks {
		mean := means[i%len(means)]
		n := bad.draw(mean * ratio)
		page, _ := e.Tick(n, n+good.draw(mean*(1-ratio)))
		if page && quiet > apart {
			pages++
		}
		if quiet++; page {
			quiet = 0
		}
	}
	return pages
}

// commonTick returns the greatest duration that divides tick and every window of the policy.
func commonTick(p Policy, tick time.Duration) time.Duration {
	for _, t := range p.Tiers {
		for _, w := range []time.Duration{t.Long, t.Short, t.Recovery} {
			for w != 0 {
				tick, w = w, tick%w
			}
		}
	}
	return tick
}

// poissonUpper returns the mean that would give n events or fewer in only 5 % of all cases.
func poissonUpper(n int) float64 {
	lo, hi := float64(n), 2*float64(n)+10
	for range 50 {
		if mid := (lo + hi) / 2; 1-PoissonTail(float64(n+1), mid) > 0.05 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}
