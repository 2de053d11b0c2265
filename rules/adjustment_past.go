package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// What is taken off a sum over a rolling window: of each span of maintenance that lies in the window as a whole, all
// that was counted in it, read at its end with the @ modifier; of one that the window is leaving, what was counted in
// its part that is still inside, in cells of one tick. Both are exact to one tick, or, for spans of more than maxCells
// ticks, to half of one of that many cells. Of a calendar period all that was counted in the part of the span that is
// in the period, exact as the turn of the period itself is.
//
// A correction takes off the given part of the bad events of its span in the same way, as if the bad events that
// were not bad were spread evenly over the bad ones, and never more than were counted.
//
// Windows shorter than minPast are left alone: what they hold of the time before a declaration is gone soon, and no
// tier fires without its long window.
const (
	minPast  = time.Hour
	maxCells = 1440
)

// pastReach is how long the sums that are taken off windows of increments are used after they were recorded.
const pastReach = 20 * time.Minute

// cut is one span whose counts are taken off, and which part of them: all, if factor is empty.
type cut struct {
	slo.Interval
	factor string
}

// cuts returns what is taken off the sums of an increment of x.
func (b *bundle) cuts(inc string, x *slo.SLO) []cut {
	a := b.of(x)
	var out []cut
	for _, span := range a.past {
		out = append(out, cut{Interval: span})
	}
	if inc == slo.SeriesBadIncrement {
		for _, t := range a.taken {
			out = append(out, cut{t.Interval, fmt.Sprintf("clamp_max(%s / (sum(%s) > 0), 1)", number(t.bad), whole(inc, x, t.Interval))})
		}
	}
	return out
}

// whole adds up the increments of a span.
func whole(inc string, x *slo.SLO, in slo.Interval) string {
	return "sum_over_time(" + one(inc, x) + span(in.To.Sub(in.From)) + " @ " + stamp(in.To) + ")"
}

// times multiplies expr, which is over a span of c, by its factor.
func (c cut) times(expr string) string {
	if c.factor == "" {
		return expr
	}
	return expr + " * on () group_left () " + c.factor
}

// pastIn returns what is taken off the sum of an increment over a rolling window w that ends lag ago: expressions
// with several labels each, to be added up.
func (b *bundle) pastIn(inc string, w, lag time.Duration) []string {
	if w < minPast {
		return nil
	}
	var out []string
	for _, x := range b.slos {
		for _, c := range b.cuts(inc, x) {
			reach := min(c.To.Sub(c.From), w)
			cell := (reach + maxCells*b.clock.tick - 1) / (maxCells * b.clock.tick) * b.clock.tick
			leaves := stamp(c.From.Add(w + lag))
			// Cells lie anywhere between ticks; half a cell later they take the first tick that is in the window.
			back := max(w+lag-reach-cell/2, 0)
			out = append(out,
				c.times(whole(inc, x, c.Interval)+" * (time() <= bool "+leaves+")"),
				c.times(fmt.Sprintf("sum_over_time((sum_over_time(%s%s) * (time() <= bool %s))[%s:%s] offset %s) * (time() > bool %s)",
					one(inc, x), span(cell), stamp(c.To.Add(cell/2)), duration(reach), duration(cell), duration(back), leaves)))
		}
	}
	return out
}

// pastPeriod returns what is taken off the sum of an increment over the budget's window.
func (b *bundle) pastPeriod(inc string) []string {
	if b.window.Calendar == "" {
		return b.pastIn(inc, b.window.Length(), b.clock.lag)
	}
	end := func(at time.Time) time.Time {
		_, to, err := b.window.Bounds(at)
		if err != nil {
			panic("rules: " + err.Error()) // the zone was checked
		}
		return to
	}
	var out []string
	for _, x := range b.slos {
		for _, c := range b.cuts(inc, x) {
			for from := c.From; from.Before(c.To); from = end(from) {
				part := whole(inc, x, slo.Interval{From: from, To: earliest(end(from), c.To)})
				out = append(out, c.times(part+" * (time() < bool "+stamp(end(from).Add(b.clock.lag+time.Second))+")"))
			}
		}
	}
	return out
}

// add adds up parts, each with tags of its own, and what is taken off: see pastIn.
func (b *bundle) add(parts []string, clamp bool, off ...string) string {
	for i, x := range off {
		parts = append(parts, tag("-1 * "+x, labelPiece, fmt.Sprint("taken-", i)))
	}
	s := union(parts)
	if strings.Contains(s, "\n") {
		s = "\n" + indent(s, 2) + "\n"
	}
	s = "sum by (" + b.identity() + ") (" + s + ")"
	if clamp || len(off) > 0 && b.shape != spend {
		return "clamp_min(" + s + ", 0)"
	}
	return s
}

// takenRules record what is taken off windows of increments. They are evaluated at every slow interval only, so that
// what a window is leaving is up to that much too old.
func (b *bundle) takenRules() []Rule {
	var out []Rule
	for _, s := range []pair{{slo.SeriesEventsIncrement, seriesEventsTaken}, {slo.SeriesBadIncrement, seriesBadTaken}} {
		var parts []string
		for _, w := range b.fastW {
			for i, x := range b.pastIn(s.events, w, 0) {
				parts = append(parts, tag(tag(x, labelPiece, fmt.Sprint(i)), slo.LabelWindow, duration(w)))
			}
		}
		if parts != nil {
			out = append(out, Rule{Record: s.bad, Expr: "sum by (" + b.identity() + ", " + slo.LabelWindow + ") (\n" + indent(union(parts), 2) + "\n)"})
		}
	}
	return out
}

// lessTaken returns, with a minus, what takenRules recorded for the sums of an increment over fast windows; nil if that
// is nothing.
func (b *bundle) lessTaken(inc string, fast []time.Duration) []string {
	series := map[string]string{slo.SeriesEventsIncrement: seriesEventsTaken, slo.SeriesBadIncrement: seriesBadTaken}[inc]
	some := b.only(func(a *adjusted) bool { return len(a.past) > 0 || len(a.taken) > 0 && series == seriesBadTaken })
	var windows []string
	for _, w := range fast {
		if w >= minPast {
			windows = append(windows, duration(w))
		}
	}
	if len(some.slos) == 0 || windows == nil {
		return nil
	}
	sel := some.match(series, "window=~\""+strings.Join(windows, "|")+"\"")
	return []string{tag("-1 * last_over_time("+sel+"["+duration(pastReach)+"])", labelPiece, "taken")}
}
