package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// rollupReach is how far back a rollup catches up with increments if rollups were missed.
const rollupReach = 8 * time.Hour

// inMemory is how much of the past Prometheus always has in memory. A query that reaches farther back looks into the
// index of a block for every one of its selectors, so that longer ranges have rules of their own.
const inMemory = time.Hour

// fastRules sum up the increments over the windows that pages need.
func (b *bundle) fastRules() []Rule {
	if len(b.fastW) == 0 {
		return nil
	}
	n, _ := slices.BinarySearch(b.fastW, inMemory+1)
	var out []Rule
	add := func(ws []time.Duration, labels map[string]string) {
		out = append(out,
			Rule{Record: slo.SeriesEventsSum, Labels: labels, Expr: b.fastSums(ws, slo.SeriesEventsIncrement, false)},
			Rule{Record: slo.SeriesBadSum, Labels: labels, Expr: b.fastSums(ws, slo.SeriesBadIncrement, b.shape == deadline)})
	}
	if n > 0 {
		add(b.fastW[:n], nil)
	}
	for _, w := range b.fastW[n:] {
		add([]time.Duration{w}, map[string]string{slo.LabelWindow: duration(w)})
	}
	windows := "window=~\"" + strings.Join(labelsOf(b.fastW), "|") + "\""
	return append(out, Rule{Record: slo.SeriesBurnRate, Expr: b.burn(slo.SeriesBadSum, slo.SeriesEventsSum, windows)})
}

func labelsOf(ws []time.Duration) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = duration(w)
	}
	return out
}

// fastSums sums up an increment over windows.
func (b *bundle) fastSums(windows []time.Duration, series string, clamp bool) string {
	var parts []string
	for _, w := range windows {
		parts = append(parts, tag("sum_over_time("+b.match(series)+span(w)+")", slo.LabelWindow, duration(w)))
	}
	taken := b.lessTaken(series, windows)
	sum := "sum by (" + b.identity() + ", " + slo.LabelWindow + ") (\n" + indent(union(append(parts, taken...)), 2) + "\n)"
	if clamp || taken != nil && b.shape != spend {
		sum = "clamp_min(" + sum + ", 0)"
	}
	return b.describe(sum)
}

// burn divides sums of bad events by those of events and by the budget, where there are events. Without a budget any
// bad event burns infinitely fast.
func (b *bundle) burn(badSum, eventsSum, window string) string {
	bad, events := b.match(badSum, window), b.match(eventsSum, window)
	if b.zero {
		return "(" + bad + " > 0) * Inf\nor\n0 * (" + events + " > 0)"
	}
	return bad + "\n/ (" + events + " > 0)\n/ on (slo) group_left ()\n  " + b.match(slo.SeriesErrorBudget)
}

// slowRules record the rollups and the sums over long windows. Each long range has a rule of its own: a query opens
// the data of its whole range.
func (b *bundle) slowRules() []Rule {
	out := []Rule{
		{Record: seriesEventsRollup, Expr: b.rollup(b.either(slo.SeriesEventsIncrement, seriesEventsRepair), seriesEventsRollup)},
		{Record: seriesBadRollup, Expr: b.rollup(b.either(slo.SeriesBadIncrement, seriesBadRepair), seriesBadRollup)},
	}
	out = append(out, b.masked().excludedRollups()...)
	add := func(window string, over func(rollup string) string, past func(inc string) []string) {
		in := map[string]string{slo.LabelWindow: window}
		sum := func(rollup, inc string, clamp bool) string {
			return b.describe(b.add([]string{over(rollup)}, clamp, past(inc)...))
		}
		out = append(out,
			Rule{Record: slo.SeriesEventsSum, Labels: in, Expr: sum(seriesEventsRollup, slo.SeriesEventsIncrement, false)},
			Rule{Record: slo.SeriesBadSum, Labels: in, Expr: sum(seriesBadRollup, slo.SeriesBadIncrement, b.shape == deadline)})
	}
	for _, w := range b.slowW {
		add(duration(w), func(rollup string) string { return "sum_over_time(" + b.match(rollup) + span(w) + ")" },
			func(inc string) []string { return b.pastIn(inc, w, b.clock.lag) })
	}
	add(b.periodLabel(), b.overPeriod, b.pastPeriod)
	return slices.Concat(out, b.takenRules(), b.corrected().rawSums())
}

// slowResults record the burn rates of the long windows and the budget left.
func (b *bundle) slowResults() []Rule {
	var out []Rule
	for _, w := range append(labelsOf(b.slowW), b.periodLabel()) {
		out = append(out, Rule{Record: slo.SeriesBurnRate, Labels: map[string]string{slo.LabelWindow: w}, Expr: b.burn(slo.SeriesBadSum, slo.SeriesEventsSum, inWindow(w))})
	}
	out = append(out, Rule{Record: slo.SeriesBudgetRemaining, Expr: b.remaining(slo.SeriesBadSum, b.match(slo.SeriesBurnRate, inWindow(b.periodLabel())))})
	return append(out, b.corrected().rawResults()...)
}

// periodLabel is the value of LabelWindow for the budget's window: its length, or the name of the calendar period.
func (b *bundle) periodLabel() string {
	if b.window.Calendar != "" {
		return string(b.window.Calendar)
	}
	return b.window.Rolling.String()
}

// either selects two series of the SLOs of b.
func (b *bundle) either(one, other string) string {
	return fmt.Sprintf("{__name__=~%q,%s}", one+"|"+other, b.slosMatcher())
}

// rollup adds up what is selected in one slow interval, and, if the rollup before was missed, what no rollup holds of
// the time before. It records nothing if the last rollup is younger than a slow interval, so that nothing is counted
// twice. A rollup holds what is selected from a lag and a slow interval before it to a lag before it.
func (b *bundle) rollup(selected, into string) string {
	on, slow := "on ("+b.identity()+")", b.clock.slow
	before := rollupReach / slow * slow
	near := "sum_over_time(" + selected + span(slow) + " offset " + duration(b.clock.lag) + ")"
	far := "sum by (" + b.identity() + ") (\n" + indent(union([]string{
		tag("sum_over_time("+selected+span(before)+" offset "+duration(slow+b.clock.lag)+")", labelPiece, "held"),
		tag("-1 * sum_over_time("+b.match(into)+span(before)+" offset "+duration(slow)+")", labelPiece, "rolled up"),
	}), 2) + "\n)"
	if b.shape == counts {
		far = "(" + far + " > 0)"
	}
	far += "\nunless " + on + " last_over_time(" + b.match(into) + "[" + duration(slow+b.clock.tick) + "])"
	expr := "sum by (" + b.identity() + ") (\n" + indent(union([]string{tag(near, labelPiece, "near"), tag("(\n"+indent(far, 2)+"\n)", labelPiece, "far")}), 2) + "\n)"
	if b.window.Calendar != "" {
		expr = "(\n" + indent(expr, 2) + "\n)\n* on () group_left (" + labelPeriod + ")\n  " + b.now
	}
	return expr + "\nunless " + on + " last_over_time(" + b.match(into) + span(b.clock.slow) + ")"
}

// overPeriod adds up, for each series apart, the rollups of the budget's window.
func (b *bundle) overPeriod(rollup string) string {
	if b.window.Calendar == "" {
		return "sum_over_time(" + b.match(rollup) + span(b.window.Length()) + ")"
	}
	return "sum_over_time(" + b.match(rollup) + "[" + duration(longestPeriod(b.window.Calendar)) + "])\nand on (" + labelPeriod + ") " + b.now
}

// remaining is the part of the budget that is left: of the events so far in the window, given how fast they burn, or
// of the amount of money.
func (b *bundle) remaining(badSum, burn string) string {
	if b.shape == spend {
		return "1 - sum without (window) (" + b.match(badSum, inWindow(b.periodLabel())) + ")\n/ on (slo) group_left ()\n  " + b.match(seriesAmount)
	}
	return "1 - sum without (window) (" + burn + ")"
}
