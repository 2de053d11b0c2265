package report

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Percent writes a ratio as a percentage with so many decimal places, rounded down, or up if up is set; places is at
// least 0. The ratio is read as the shortest decimal that denotes it, so that 0.999 is 99.9 and not 99.89.
func Percent(ratio float64, places int, up bool) string {
	return round(new(big.Rat).Mul(decimal(ratio), big.NewRat(100, 1)), places, up) + "%"
}

// decimal returns the shortest decimal that denotes f, which is finite.
func decimal(f float64) *big.Rat {
	x, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	if !ok {
		panic("report: a number that is not finite")
	}
	return x
}

// round writes x with so many places, with thousands apart, down or up.
func round(x *big.Rat, places int, up bool) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(scale))
	n, rest := new(big.Int).DivMod(scaled.Num(), scaled.Denom(), new(big.Int)) // down, whatever the sign
	if up && rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
		n.Neg(n)
	}
	digits := n.String()
	for len(digits) <= places {
		digits = "0" + digits
	}
	whole, part := digits[:len(digits)-places], digits[len(digits)-places:]
	if part != "" {
		part = "." + part
	}
	return sign + thousands(whole) + part
}

func thousands(digits string) string {
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// number writes how many: whole numbers as they are, others with one place.
func number(f float64, up bool) string {
	x := decimal(f)
	if x.IsInt() {
		return round(x, 0, false)
	}
	return round(x, 1, up)
}

// reached writes the good part with two places more than the objective has, rounded down. It is never as much as the
// objective when that was missed.
func reached(sli float64, objective slo.Decimal, v Verdict) string {
	if sli == 1 {
		return "100%"
	}
	_, part, _ := strings.Cut(strings.TrimSuffix(objective.Percent(), "%"), ".")
	places := len(part) + 2
	x := new(big.Rat).Mul(decimal(sli), big.NewRat(100, 1))
	goal := new(big.Rat).Mul(objective.Rat(), big.NewRat(100, 1))
	if v == Missed && x.Cmp(goal) >= 0 {
		unit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
		x = goal.Sub(goal, unit.Inv(unit))
	}
	return round(x, places, false) + "%"
}

// Spent parts are rounded up and what is left down, so that together they make 100%.
func spent(f float64) string { return Percent(f, 1, true) }
func left(f float64) string  { return Percent(f, 1, false) }

// seconds writes a length of time in whole seconds, down or up.
func seconds(f float64, up bool) string {
	sign := ""
	n := round(decimal(f), 0, up)
	if rest, ok := strings.CutPrefix(n, "-"); ok {
		sign, n = "-", rest
	}
	s, err := strconv.ParseInt(strings.ReplaceAll(n, ",", ""), 10, 64)
	if err != nil || s > int64(longest/time.Second)*1000 {
		return sign + n + "s"
	}
	return sign + slo.Duration(time.Duration(s)*time.Second).String()
}

// points writes the change of a ratio in percentage points, up to one place, towards what is worse.
func points(change float64) string {
	s := strings.TrimSuffix(Percent(change, 1, true), "%")
	if change > 0 {
		s = "+" + s
	}
	return s + " points"
}

// groupText writes group labels: "tenant=a, zone=b".
func groupText(group map[string]string) string {
	var parts []string
	for k, v := range group {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// clock writes times in the zone of a report.
type clock struct{ zone *time.Location }

// at writes a minute; one that comes twice, as clocks are set back, with the name of its time.
func (c clock) at(t time.Time) string {
	s := t.In(c.zone).Format(minuteLayout)
	for _, d := range []time.Duration{-time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour} {
		if t.Add(d).In(c.zone).Format(minuteLayout) == s {
			return s + t.In(c.zone).Format(" MST")
		}
	}
	return s
}

// plural writes "1 SLO", "2 SLOs".
func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return thousands(strconv.Itoa(n)) + " " + word
}

// verdictWords are what people read.
func verdictWords(v Verdict) string {
	return map[Verdict]string{
		Met: "met", Missed: "missed", NoTraffic: "no traffic", NoTelemetry: "no telemetry", NotEvaluated: "not evaluated",
	}[v]
}

// blocks draws what was left over time with Unicode blocks, at most 31 of them; ! is where all was spent.
func blocks(trend []Mark) string {
	const most = 31
	steps := []rune("▁▂▃▄▅▆▇█")
	n := min(most, len(trend))
	var b strings.Builder
	for i := range n {
		low := 1.0
		for _, m := range trend[i*len(trend)/n : (i+1)*len(trend)/n] {
			low = min(low, m.Left)
		}
		if low < 0 {
			b.WriteByte('!')
			continue
		}
		b.WriteRune(steps[min(int(low*float64(len(steps))), len(steps)-1)])
	}
	return b.String()
}
