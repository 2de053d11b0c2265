package burnrate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Traffic is the rate of events of a service, as an average and a daily swing.
type Traffic struct {
	PerHour float64 // average events an hour, above 0 and finite
	Swing   float64 // in [0, 1]: the rate is PerHour * (1 - Swing*cos(2 pi time/day)); 0 is flat
}

// Check returns an error that says which field is out of its range.
func (t Traffic) Check() error {
	if !(t.PerHour > 0 && t.PerHour <= 1e15) {
		return fmt.Errorf("want above 0 and at most 1e15 events an hour, have %v", t.PerHour)
	}
	if !(t.Swing >= 0 && t.Swing <= 1) {
		return fmt.Errorf("want a swing in [0, 1], have %v", t.Swing)
	}
	return nil
}

// means returns the expected events of each tick of a day, or a single one if traffic is flat.
func (t Traffic) means(tick time.Duration) []float64 {
	mean := t.PerHour * tick.Hours()
	if t.Swing == 0 {
		return []float64{mean}
	}
	day := make([]float64, max(1, 24*time.Hour/tick))
	for i := range day {
		day[i] = mean * (1 - t.Swing*math.Cos(2*math.Pi*float64(i)/float64(len(day))))
	}
	return day
}

// poisson draws from Poisson distributions; it remembers exp(-mean) of the last small mean.
type poisson struct {
	*rand.Rand
	mean, exp float64
}

// draw returns a count with the given finite mean >= 0, exactly distributed.
func (p *poisson) draw(mean float64) uint64 {
	if mean <= 0 {
		return 0
	}
	if mean >= 12 {
		return p.reject(mean)
	}
	if mean != p.mean {
		p.mean, p.exp = mean, math.Exp(-mean)
	}
	u, k := p.Float64(), uint64(0)
	for term := p.exp; u >= term && term > 0; {
		u -= term
		k++
		term *= mean / float64(k)
	}
	return k
}

// reject draws by transformed rejection.
// Source: algorithm PTRS of W. Hörmann, The transformed rejection method for generating Poisson random
// variables, Insurance: Mathematics and Economics 12 (1993) 39.
func (p *poisson) reject(mean float64) uint64 {
	root := math.Sqrt(mean)
	b := 0.931 + 2.53*root
	a := -0.059 + 0.02483*b
	inverse := 1.1239 + 1.1328/(b-3.4)
	for {
		u, v := p.Float64()-0.5, p.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + mean + 0.43)
		if us >= 0.07 && v <= 0.9277-3.6224/(b-2) {
			return uint64(k)
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		lg, _ := math.Lgamma(k + 1)
		if math.Log(v*inverse/(a/(us*us)+b)) <= k*math.Log(mean)-mean-lg {
			return uint64(k)
		}
	}
}
