package burnrate

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// exactTail returns P(X >= k) for X ~ Poisson(mean) with 300 bits, as a quotient of sums of
// mean^i/i!, so without any exponential.
func exactTail(k, mean float64) float64 {
	const bits = 300
	m := new(big.Float).SetPrec(bits).SetFloat64(mean)
	term := new(big.Float).SetPrec(bits).SetInt64(1)
	all, upper := new(big.Float).SetPrec(bits), new(big.Float).SetPrec(bits)
	for i := 0.0; i < mean+k+60*math.Sqrt(mean)+400; i++ {
		all.Add(all, term)
		if i >= k {
			upper.Add(upper, term)
		}
		term.Mul(term, m)
		term.Quo(term, new(big.Float).SetFloat64(i+1))
	}
	p, _ := upper.Quo(upper, all).Float64()
	return p
}

func TestPoissonTailExact(t *testing.T) {
	worst := 0.0
	for _, mean := range []float64{1e-150, 1e-9, 0.01, 0.3, 1, 2.5, 10, 15.9, 100, 777.7, 5000} {
		for _, z := range []float64{-6, -3, -1, -0.1, 0, 0.1, 1, 2, 3, 6, 12, 20} {
			k := math.Max(0, math.Round(mean+z*math.Sqrt(mean)))
			got, want := PoissonTail(k, mean), exactTail(k, mean)
			if want > 1e-200 {
				worst = math.Max(worst, math.Abs(got/want-1))
			}
		}
	}
	t.Logf("largest relative error %.2g", worst)
	if worst > 1e-12 {
		t.Errorf("largest relative error: got %v, want below 1e-12", worst)
	}
}

func TestPoissonTailEdges(t *testing.T) {
	f := func(k, mean, want float64) {
		t.Helper()
		if got := PoissonTail(k, mean); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("PoissonTail(%v, %v): got %v, want %v", k, mean, got, want)
		}
	}
	nan, inf := math.NaN(), math.Inf(1)
	f(0, 0, 1)
	f(1, 0, 0)
	f(-5, 3, 1)
	f(-inf, 3, 1)
	f(inf, 3, 0)
	f(1.2, 3, PoissonTail(2, 3))
	f(nan, 1, nan)
	f(1, nan, nan)
	f(1, -1, nan)
	f(1, inf, nan)
	f(1e6, 1, 0)
	f(1, 1e300, 1)
	f(2, 5e-324, 0)
}

// Above 1e9 the approximation takes over; at the border both must agree.
func TestPoissonTailLarge(t *testing.T) {
	const mean = 1e9
	for _, z := range []float64{-4, -1, 0, 1, 2, 3, 4, 4.7} {
		k := mean + math.Round(z*math.Sqrt(mean))
		exact, approximate := PoissonTail(k, mean), PoissonTail(k, math.Nextafter(mean, 2*mean))
		if math.Abs(approximate/exact-1) > 1e-4 {
			t.Errorf("z %v: exact %v, approximate %v", z, exact, approximate)
		}
	}
}

func FuzzPoissonTail(f *testing.F) {
	f.Add(1.0, 0.5)
	f.Add(1000.0, 1001.5)
	f.Add(1e12, 1e12)
	f.Fuzz(func(t *testing.T, k, mean float64) {
		p := PoissonTail(k, mean)
		if math.IsNaN(k) || !(mean >= 0) || math.IsInf(mean, 1) {
			return
		}
		if !(p >= 0 && p <= 1) || PoissonTail(k+1, mean) > p+1e-12 {
			t.Fatalf("PoissonTail(%v, %v) is %v, of one more %v", k, mean, p, PoissonTail(k+1, mean))
		}
	})
}

// gridMeans are the 180 expected counts, evenly spaced on a log scale from 0.01 to 1000, on which the
// approximate tests are compared with the exact one.
func gridMeans() []float64 {
	means := make([]float64, 180)
	for i := range means {
		means[i] = 0.01 * math.Pow(1e5, float64(i)/179)
	}
	return means
}

func TestApproximationsAgainstExact(t *testing.T) {
	f := func(p float64, approximate Evidence, wantSame int, wantOff float64) {
		t.Helper()
		same, off := 0, 0.0
		for _, mean := range gridMeans() {
			exact, _ := Needed(Poisson{p}, mean)
			other, ok := Needed(approximate, mean)
			if exact == other && ok {
				same++
			}
			off = math.Max(off, math.Abs(exact-other))
		}
		if same != wantSame || off != wantOff {
			t.Errorf("p %v, %T: got %d of 180 equal and at most %v off, want %d and %v", p, approximate, same, off, wantSame, wantOff)
		}
	}
	f(0.001, WilsonHilferty{3.0902}, 156, 1)
	f(0.01, WilsonHilferty{2.3263}, 175, 1)
	f(0.001, Anscombe{3.0902 / 2}, 59, 2)
	f(0.01, Anscombe{AnscombeC}, 152, 1)
}

// Needed agrees with counting up, and every test keeps what Evidence promises.
func TestEvidenceLaws(t *testing.T) {
	tests := []Evidence{Poisson{0.001}, Poisson{0.05}, WilsonHilferty{3.0902}, Anscombe{AnscombeC}, AtLeast{3}, AtLeast{0}}
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(tests).Draw(t, "evidence")
		expected := rapid.Float64Range(0, 300).Draw(t, "expected")
		want := 0.0
		for !e.Enough(want, expected) {
			want++
		}
		if got, ok := Needed(e, expected); got != want || !ok {
			t.Fatalf("Needed: got %v %v, want %v", got, ok, want)
		}
		more := want + float64(rapid.IntRange(0, 1000).Draw(t, "more"))
		if !e.Enough(more, expected) || e.Enough(0, expected) {
			t.Fatalf("%v is enough, but %v is not, or 0 is", want, more)
		}
		if e.Enough(math.NaN(), expected) || e.Enough(1e9, math.NaN()) {
			t.Fatal("NaN is evidence")
		}
	})
}

// The cases that decide in practice: Workbook ch. 5, "low-traffic services", at 99.9 %.
func TestEvidenceCases(t *testing.T) {
	f := func(e Evidence, bad, total float64, want bool) {
		t.Helper()
		if got := e.Enough(bad, 0.001*total); got != want {
			t.Errorf("%T: %v of %v: got %v, want %v", e, bad, total, got, want)
		}
	}
	for _, e := range []Evidence{Poisson{0.001}, WilsonHilferty{3.0902}} {
		f(e, 1, 10, false)
		f(e, 3, 10, true)
		f(e, 5, 1000, false)
		f(e, 6, 1000, true)
	}
	f(Anscombe{AnscombeC}, 1, 10, false)
	f(Anscombe{AnscombeC}, 2, 10, true)
}

func TestNeededNever(t *testing.T) {
	for _, e := range []Evidence{Poisson{0}, Poisson{math.NaN()}, AtLeast{math.Inf(1)}, Anscombe{math.NaN()}} {
		if got, ok := Needed(e, 1); ok {
			t.Errorf("%#v: got %v, want never", e, got)
		}
	}
	if got, ok := Needed(Anscombe{1}, math.NaN()); ok {
		t.Errorf("expected NaN: got %v, want never", got)
	}
}

// The exact test's smallest sufficient count, checked against 300-bit arithmetic.
func TestNeededExact(t *testing.T) {
	for _, p := range []float64{0.001, 0.01} {
		for _, mean := range gridMeans() {
			k, ok := Needed(Poisson{p}, mean)
			if !ok || exactTail(k, mean) >= p || exactTail(k-1, mean) < p {
				t.Errorf("p %v, expected %v: got %v, but the tails of it and one less are %v and %v",
					p, mean, k, exactTail(k, mean), exactTail(k-1, mean))
			}
		}
	}
}

func BenchmarkPoisson(b *testing.B)  { benchmarkEvidence(b, Poisson{0.001}) }
func BenchmarkAnscombe(b *testing.B) { benchmarkEvidence(b, Anscombe{AnscombeC}) }

func benchmarkEvidence(b *testing.B, e Evidence) {
	b.ReportAllocs()
	bad, found := 100.0, 0
	for b.Loop() {
		if bad++; bad > 150 {
			bad = 100
		}
		if e.Enough(bad, 100) {
			found++
		}
	}
	b.ReportMetric(float64(found)/float64(b.N), "found/op")
}
