package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// rollupPieces is how many slow intervals one rollup can catch up with: its own and 7 that were missed.
const rollupPieces = 8

// fastRules sum up the increments over the windows that pages need.
func (b *bundle) fastRules() []Rule {
	if len(b.fastW) == 0 {
		return nil
	}
	windows := "window=~\"" + strings.Join(labelsOf(b.fastW), "|") + "\""
	return []Rule{
		{Record: slo.SeriesEventsSum, Expr: b.fastSums(slo.SeriesEventsIncrement, false)},
		{Record: slo.SeriesBadSum, Expr: b.fastSums(slo.SeriesBadIncrement, b.shape == deadline)},
		{Record: slo.SeriesBurnRate, Expr: b.burn(windows)},
	}
}

func labelsOf(ws []time.Duration) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = duration(w)
	}
	return out
}

func (b *bundle) fastSums(series string, clamp bool) string {
	var parts []string
	for _, w := range b.fastW {
		parts = append(parts, tag("sum_over_time("+b.match(series)+span(w)+")", slo.LabelWindow, duration(w)))
	}
	sum := "sum by (" + b.identity() + ", " + slo.LabelWindow + ") (\n" + indent(union(parts), 2) + "\n)"
	if clamp {
		sum = "clamp_min(" + sum + ", 0)"
	}
	return b.describe(sum)
}

// sum adds up a recorded series over a range. It looks at the identity only, so that a changed label of an SLO does
// not split its history.
func (b *bundle) sum(series, over string, clamp bool) string {
	s := "sum by (" + b.identity() + ") (sum_over_time(" + b.match(series) + over + "))"
	if clamp {
		return "clamp_min(" + s + ", 0)"
	}
	return s
}

// burn divides bad events by events and by the budget, where there are events. Without a budget any bad event burns
// infinitely fast.
func (b *bundle) burn(window string) string {
	bad, events := b.match(slo.SeriesBadSum, window), b.match(slo.SeriesEventsSum, window)
	if b.zero {
		return "(" + bad + " > 0) * Inf\nor\n0 * (" + events + " > 0)"
	}
	return bad + "\n/ (" + events + " > 0)\n/ on (slo) group_left ()\n  " + b.match(slo.SeriesErrorBudget)
}

// slowRules record the rollups and the sums over long windows. Each long range has a rule of its own: a query opens
// the data of its whole range.
func (b *bundle) slowRules() []Rule {
	out := []Rule{
		{Record: seriesEventsRollup, Expr: b.rollup(slo.SeriesEventsIncrement, seriesEventsRollup)},
		{Record: seriesBadRollup, Expr: b.rollup(slo.SeriesBadIncrement, seriesBadRollup)},
	}
	add := func(window string, sum func(series string, clamp bool) string) {
		in := map[string]string{slo.LabelWindow: window}
		out = append(out,
			Rule{Record: slo.SeriesEventsSum, Labels: in, Expr: b.describe(sum(seriesEventsRollup, false))},
			Rule{Record: slo.SeriesBadSum, Labels: in, Expr: b.describe(sum(seriesBadRollup, b.shape == deadline))})
	}
	for _, w := range b.slowW {
		add(duration(w), func(series string, clamp bool) string { return b.sum(series, span(w), clamp) })
	}
	add(b.periodLabel(), b.periodSum)
	return out
}

// slowResults record the burn rates of the long windows and the budget left.
func (b *bundle) slowResults() []Rule {
	var out []Rule
	for _, w := range append(labelsOf(b.slowW), b.periodLabel()) {
		out = append(out, Rule{Record: slo.SeriesBurnRate, Labels: map[string]string{slo.LabelWindow: w}, Expr: b.burn(inWindow(w))})
	}
	return append(out, Rule{Record: slo.SeriesBudgetRemaining, Expr: b.remaining()})
}

// periodLabel is the value of LabelWindow for the budget's window: its length, or the name of the calendar period.
func (b *bundle) periodLabel() string {
	if b.window.Calendar != "" {
		return string(b.window.Calendar)
	}
	return b.window.Rolling.String()
}

// rollup adds up the increments of one slow interval, and those of earlier ones that no rollup holds. It records
// nothing if the last rollup is younger than a slow interval, so that nothing is counted twice.
func (b *bundle) rollup(series, into string) string {
	on := "on (" + b.identity() + ")"
	var parts []string
	for i := range time.Duration(rollupPieces) {
		piece := fmt.Sprintf("sum_over_time(%s%s offset %s)", b.match(series), span(b.clock.slow), duration(i*b.clock.slow+b.clock.lag))
		if i > 0 {
			piece += fmt.Sprintf(" unless %s last_over_time(%s[%s])", on, b.match(into), duration(i*b.clock.slow+b.clock.tick))
		}
		parts = append(parts, tag(piece, labelPiece, fmt.Sprint(int(i))))
	}
	expr := "sum by (" + b.identity() + ") (\n" + indent(union(parts), 2) + "\n)"
	if b.window.Calendar != "" {
		expr = "(\n" + indent(expr, 2) + "\n)\n* on () group_left (" + labelPeriod + ")\n  " + b.now
	}
	return expr + "\nunless " + on + " last_over_time(" + b.match(into) + span(b.clock.slow) + ")"
}

// periodSum adds up the rollups of the budget's window.
func (b *bundle) periodSum(series string, clamp bool) string {
	if b.window.Calendar == "" {
		return b.sum(series, span(b.window.Length()), clamp)
	}
	s := "sum by (" + b.identity() + ") (\n  sum_over_time(" + b.match(series) + "[" + duration(longestPeriod(b.window.Calendar)) + "])\n  and on (" +
		labelPeriod + ") " + b.now + "\n)"
	if clamp {
		return "clamp_min(" + s + ", 0)"
	}
	return s
}

// remaining is the part of the budget that is left: of the events so far in the window, or of the amount of money.
func (b *bundle) remaining() string {
	in := inWindow(b.periodLabel())
	if b.shape == spend {
		return "1 - sum without (window) (" + b.match(slo.SeriesBadSum, in) + ")\n/ on (slo) group_left ()\n  " + b.match(seriesAmount)
	}
	return "1 - sum without (window) (" + b.match(slo.SeriesBurnRate, in) + ")"
}
