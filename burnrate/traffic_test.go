package burnrate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The sampler's tail is PoissonTail, on both sides of the change of algorithm.
func TestPoissonDraw(t *testing.T) {
	const n = 200_000
	for _, mean := range []float64{1e-3, 0.2, 3, 11.9, 12, 13, 60, 1e4, 1e7} {
		p := poisson{Rand: rand.New(rand.NewPCG(1, 2))}
		draws := make([]float64, n)
		for i := range draws {
			draws[i] = float64(p.draw(mean))
		}
		for _, z := range []float64{-2, -1, 0, 1, 2, 3} {
			k := math.Ceil(mean + z*math.Sqrt(mean))
			var got float64
			for _, x := range draws {
				if x >= k {
					got += 1. / n
				}
			}
			want := PoissonTail(k, mean)
			if math.Abs(got-want) > 4.5*math.Sqrt(want*(1-want)/n)+1e-9 {
				t.Errorf("mean %v: P(X >= %v): got %v, want %v", mean, k, got, want)
			}
		}
	}
}

func TestMeans(t *testing.T) {
	day := Traffic{PerHour: 600, Swing: 0.5}.means(time.Minute)
	if len(day) != 1440 || math.Abs(day[0]-5) > 1e-9 || math.Abs(day[720]-15) > 1e-9 {
		t.Errorf("got %d ticks, %v at midnight and %v at noon, want 1440, 5 and 15", len(day), day[0], day[720])
	}
	var sum float64
	for _, x := range day {
		sum += x
	}
	if math.Abs(sum-24*600) > 1e-6 {
		t.Errorf("got %v events a day, want %v", sum, 24*600)
	}
}
