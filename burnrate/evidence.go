package burnrate

import "math"

// AnscombeC is the constant of the default evidence test and of Recovered, half the normal quantile of
// p = 0.01 (2.3263/2 = 1.163): under the budget rate about one window in a hundred passes by chance.
const AnscombeC = 1.16

// Evidence decides whether bad events are too many to be chance: whether a service that fails exactly
// at the budget rate would rarely show so many. Without such a test a service with ten requests an
// hour pages on its first failure.
//
// expected is b.Ratio times the events of the window. Every implementation here is monotone (more bad
// events never weaken the evidence), takes any bad event as evidence when expected is 0, takes no bad
// events as none, and answers false for NaN.
type Evidence interface {
	Enough(bad, expected float64) bool
}

// Poisson is the exact one-sided test: P(X >= bad) < P for X ~ Poisson(expected).
// Fractions of bad are rounded to the nearest count.
type Poisson struct{ P float64 }

// Enough implements Evidence.
func (t Poisson) Enough(bad, expected float64) bool {
	bad = math.RoundToEven(bad)
	if !(bad > expected) {
		return false
	}
	return expected == 0 || PoissonTail(bad, expected) < t.P
}

// WilsonHilferty is the Poisson test in a form that PromQL can compute: the approximate lower
// confidence bound of a Poisson mean, max(1 - 1/(9*bad) - Z/(3*sqrt(bad)), 0)^3 * bad, is above expected.
// Z is the normal quantile of P: 3.0902 for 0.001, 2.3263 for 0.01.
// Its smallest sufficient count differs from that of Poisson by at most 1; see the tests for how often.
// Source: Wilson and Hilferty, The distribution of chi-square, PNAS 17 (1931) 684.
type WilsonHilferty struct{ Z float64 }

// Enough implements Evidence.
func (t WilsonHilferty) Enough(bad, expected float64) bool {
	if !(bad > expected) {
		return false
	}
	root := math.Max(1-1/(9*bad)-t.Z/(3*math.Sqrt(bad)), 0)
	return expected == 0 || root*root*root*bad > expected
}

// Anscombe is the variance-stabilised test sqrt(bad) - sqrt(expected) > C, the cheapest in PromQL.
// C is half a normal quantile: AnscombeC for p of about 0.01, 1.55 for about 0.001. With little
// traffic it is the more lenient: at C 1.16 and almost nothing expected, two bad events are enough.
// Source: Anscombe, The transformation of Poisson, binomial and negative-binomial data, Biometrika 35 (1948) 246.
type Anscombe struct{ C float64 }

// Enough implements Evidence.
func (t Anscombe) Enough(bad, expected float64) bool {
	if !(bad > expected) {
		return false
	}
	return expected == 0 || math.Sqrt(bad)-math.Sqrt(expected) > t.C
}

// AtLeast is the crude test that asks for N bad events in the long window, whatever is expected.
// Only here expected 0 does not make every bad event count.
type AtLeast struct{ N float64 }

// Enough implements Evidence.
func (t AtLeast) Enough(bad, expected float64) bool { return bad > 0 && bad >= t.N && expected >= 0 }

// maxCount is the largest count up to which every integer is a float64.
const maxCount = 1 << 53

// Needed returns the smallest count of bad events that is evidence when expected are expected, and
// false if there is none up to 2^53. e must be monotone.
func Needed(e Evidence, expected float64) (float64, bool) {
	lo, step := math.Floor(math.Max(expected, 0)), 1.0 // lo is never evidence
	if e.Enough(lo, expected) {
		lo = 0 // AtLeast may ask for fewer than expected
	}
	for !e.Enough(lo+step, expected) {
		lo, step = lo+step, 2*step
		if !(lo+step <= maxCount) {
			return 0, false
		}
	}
	hi := lo + step
	for hi-lo > 1 {
		if mid := math.Floor(lo + (hi-lo)/2); e.Enough(mid, expected) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi, true
}

// exactMean is the mean up to which PoissonTail adds up terms.
const exactMean = 1e9

// PoissonTail returns P(X >= k) for X ~ Poisson(mean); k is rounded up, since X is an integer.
// Relative error: below 1e-12 for means up to 1e6 and 1e-10 up to 1e9, unless the result is below 1e-200.
// It adds about 9*sqrt(mean) terms; above 1e9 it uses the Wilson-Hilferty approximation instead,
// whose relative error is below 1e-4 while the result is above 1e-6.
// It is 1 for k <= 0, 0 for mean 0 and k > 0, and NaN for a NaN or a negative or infinite mean.
func PoissonTail(k, mean float64) float64 {
	k = math.Ceil(k)
	switch {
	case math.IsNaN(k) || !(mean >= 0) || math.IsInf(mean, 1):
		return math.NaN()
	case k <= 0:
		return 1
	case mean == 0 || math.IsInf(k, 1):
		return 0
	case mean > exactMean:
		z := 3 * math.Sqrt(k) * (math.Cbrt(mean/k) - 1 + 1/(9*k))
		return math.Erfc(-z/math.Sqrt2) / 2
	case k > mean:
		return upperSum(k, mean)
	}
	return 1 - lowerSum(k-1, mean)
}

// upperSum returns P(X >= k) for k > mean: the terms fall from the first one on.
func upperSum(k, mean float64) float64 {
	sum, term := 0.0, 1.0
	for i := k; term > sum*1e-17; i++ {
		sum += term
		term *= mean / (i + 1)
	}
	return sum * poissonMass(k, mean)
}

// lowerSum returns P(X <= k) for 0 <= k <= mean: the terms fall from k down.
func lowerSum(k, mean float64) float64 {
	sum, term := 0.0, 1.0
	for i := k; i >= 0 && term > sum*1e-17; i-- {
		sum += term
		term *= i / mean
	}
	return sum * poissonMass(k, mean)
}

// poissonMass returns P(X = k) in the saddle-point form, which loses no digits to cancelling logarithms.
// Source: C. Loader, Fast and accurate computation of binomial probabilities (2000).
func poissonMass(k, mean float64) float64 {
	if k == 0 {
		return math.Exp(-mean)
	}
	deviance := k*(math.Log(k)-math.Log(mean)) + mean - k
	if d := (k - mean) / mean; math.Abs(d) < 1 {
		deviance = mean * ((1+d)*math.Log1p(d) - d)
	}
	return math.Exp(-deviance-stirlingError(k)) / math.Sqrt(2*math.Pi*k)
}

// stirlingError returns log(k!) minus Stirling's formula, for k >= 1, to about 1e-15.
func stirlingError(k float64) float64 {
	if k < 16 {
		lg, _ := math.Lgamma(k + 1)
		return lg - (k+0.5)*math.Log(k) + k - math.Log(2*math.Pi)/2
	}
	q := 1 / (k * k)
	return (1./12 - (1./360-(1./1260-(1./1680-q/1188)*q)*q)*q) / k
}
