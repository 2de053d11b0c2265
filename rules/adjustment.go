package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Adjustments come into the numbers in two ways, of which each SLO pays only for those that it needs.
//
// Ahead: slo.SeriesAdjusted is 1 at the ticks of maintenance. It masks the increments, before time slices are judged,
// so that every sum over any window is without them. What it masks goes into series of its own, from which the raw
// budget is put together. A tick tells of the past, so the mask lasts a scrape and a tick longer than the
// maintenance: nothing bad from inside counts, and up to that much before the start is left out too.
//
// Afterwards: what was recorded before the maintenance was declared is taken off the sums over windows, by the
// expressions in adjustment_past.go. Where the mask was in force there is nothing left to take off, so that an
// adjustment that is declared in its middle counts once.
//
// A composite reads the masked increments of its members, so a member in maintenance does not count in it, nor in its
// raw budget; what is taken off a member afterwards stays in it.
//
// A recurring adjustment works ahead only, and what was masked stays masked when an adjustment is changed or removed.
// Maintenance of deadlines and of spending only mutes: what is finished in the maintenance may have been started
// before it, and money that was spent is gone. Corrections work for all.

// Series of adjusted SLOs that only the rules themselves read.
const (
	seriesEventsExcluded       = "slo:events_excluded:inc" // masked events of one tick; none where there are none
	seriesBadExcluded          = "slo:bad_excluded:inc"
	seriesEventsExcludedRollup = slo.SeriesEventsExcludedRollup
	seriesBadExcludedRollup    = slo.SeriesBadExcludedRollup
	seriesEventsTaken          = "slo:events_taken:sum" // taken off afterwards in LabelWindow, for windows of increments
	seriesBadTaken             = "slo:bad_taken:sum"
)

// adjusted is what the adjustments of one SLO do. Spans are of ticks.
type adjusted struct {
	mask, mute schedule
	past       []slo.Interval // maintenance that may have been declared afterwards; sorted, apart
	taken      []takenBack
	notes      []string
}

// takenBack is a correction.
type takenBack struct {
	slo.Interval
	bad float64
}

// pair is the names of two series: of events and of bad events.
type pair struct{ events, bad string }

// unmasked are the names under which the increments are recorded before the mask.
func (p pair) unmasked() pair {
	f := func(s string) string { return strings.Replace(s, ":inc", "_unmasked:inc", 1) }
	return pair{f(p.events), f(p.bad)}
}

// readAdjustments works out what the adjustments do to the SLOs of b. The key of known is the name of an adjustment
// and how late its ticks are.
func (b *bundle) readAdjustments(known map[string]schedule) error {
	b.adjusted = map[string]*adjusted{}
	for i := range b.set.Adjustments {
		a := &b.set.Adjustments[i]
		for _, x := range b.slos {
			if _, ok := slices.BinarySearch(a.SLOs, x.Name); !ok {
				continue
			}
			late := b.late(x)
			key := fmt.Sprint(a.Name, " ", late)
			s, ok := known[key]
			if !ok {
				var err error
				if s, err = scheduleOf(a, late); err != nil {
					return err
				}
				known[key] = s
			}
			b.adjust(x, a, s)
		}
	}
	return nil
}

// late is how much later than an event the tick may be that tells of it.
func (b *bundle) late(x *slo.SLO) time.Duration {
	d := time.Duration(b.source.ScrapeInterval) + b.clock.tick
	if _, ok := x.SLI.SLI.(*slo.Composite); ok {
		d += b.clock.tick
	}
	return d
}

// adjust adds a, whose ticks are s, to what is done to x.
func (b *bundle) adjust(x *slo.SLO, a *slo.Adjustment, s schedule) {
	to := b.adjusted[x.Name]
	if to == nil {
		to = &adjusted{}
		b.adjusted[x.Name] = to
	}
	if a.Mute {
		to.mute = to.mute.union(s)
	}
	switch {
	case a.Type == "correction":
		for _, span := range b.delayed(s.spans) {
			to.taken = append(to.taken, takenBack{span, a.BadEvents.Float()})
		}
	case b.shape == counts:
		to.mask = to.mask.union(s)
		to.past = merge(append(to.past, b.delayed(s.spans)...))
	}
	if !s.until.IsZero() {
		to.notes = append(to.notes, fmt.Sprintf("The recurrence of adjustment %q is known until %s; move its start before.", a.Name, s.until.UTC().Format(time.DateOnly)))
	}
}

// delayed returns spans of ticks as those of the masked increments, which are one tick later without chaining.
func (b *bundle) delayed(spans []slo.Interval) []slo.Interval {
	out := slices.Clone(spans)
	for i := range out {
		if !b.chained() {
			out[i] = slo.Interval{From: out[i].From.Add(b.clock.tick), To: out[i].To.Add(b.clock.tick)}
		}
	}
	return out
}

// of returns what is done to x; never nil.
func (b *bundle) of(x *slo.SLO) *adjusted { return cmp.Or(b.adjusted[x.Name], &adjusted{}) }

// masked, corrected and muted return b with only those SLOs whose increments are masked, whose budget differs from
// the raw one, and whose alerts are muted at times.
func (b *bundle) masked() *bundle {
	return b.only(func(a *adjusted) bool { return !a.mask.never() })
}

func (b *bundle) corrected() *bundle {
	return b.only(func(a *adjusted) bool { return !a.mask.never() || len(a.taken) > 0 })
}

func (b *bundle) muted() *bundle {
	return b.only(func(a *adjusted) bool { return !a.mute.never() })
}

func (b *bundle) only(wanted func(*adjusted) bool) *bundle {
	out := *b
	out.slos = slices.DeleteFunc(slices.Clone(b.slos), func(x *slo.SLO) bool { return !wanted(b.of(x)) })
	return &out
}

// scheduleRules record when x is adjusted and muted.
func (b *bundle) scheduleRules(x *slo.SLO, labels map[string]string) []Rule {
	var out []Rule
	a := b.of(x)
	if !a.mask.never() {
		out = append(out, Rule{Record: slo.SeriesAdjusted, Expr: a.mask.expr(), Labels: labels})
	}
	if !a.mute.never() {
		expr := a.mute.expr()
		if b.chained() && len(out) > 0 && out[0].Expr == expr {
			expr = one(slo.SeriesAdjusted, x)
		}
		out = append(out, Rule{Record: slo.SeriesMuted, Expr: expr, Labels: labels})
	}
	return out
}

// earlier returns what was recorded under a name for x at this tick, or, without chaining, that many ticks ago.
func (b *bundle) earlier(series string, x *slo.SLO, ticks int) string {
	if b.chained() {
		return one(series, x)
	}
	return "sum_over_time(" + one(series, x) + span(b.clock.tick) + " offset " + duration(time.Duration(ticks)*b.clock.tick) + ")"
}

// maskRules record increments without those of maintenance.
func (b *bundle) maskRules(x *slo.SLO, inc pair, labels map[string]string) []Rule {
	rule := func(from, to string) Rule {
		return Rule{Record: to, Labels: labels, Expr: b.earlier(from, x, 1) + "\n* on () group_left ()\n  (1 - " + b.earlier(slo.SeriesAdjusted, x, 1) + ")"}
	}
	raw := inc.unmasked()
	return []Rule{rule(raw.events, inc.events), rule(raw.bad, inc.bad)}
}

// excludedRules record what the mask took away, at the ticks at which it took something. Without chaining they read
// increments a tick older than their own masked twins, unless both are verdicts on time slices.
func (b *bundle) excludedRules(x *slo.SLO, sliced bool, labels map[string]string) []Rule {
	ticks := 2
	if sliced {
		ticks = 1
	}
	rule := func(inc, unmasked, to string) Rule {
		return Rule{Record: to, Labels: labels, Expr: "(" + b.earlier(unmasked, x, ticks) + "\n - " + b.earlier(inc, x, 1) + ") != 0"}
	}
	inc := pair{slo.SeriesEventsIncrement, slo.SeriesBadIncrement}
	raw := inc.unmasked()
	return []Rule{rule(inc.events, raw.events, seriesEventsExcluded), rule(inc.bad, raw.bad, seriesBadExcluded)}
}

// excludedRollups record the rollups of what was masked.
func (b *bundle) excludedRollups() []Rule {
	if len(b.slos) == 0 {
		return nil
	}
	return []Rule{
		{Record: seriesEventsExcludedRollup, Expr: b.rollup(b.match(seriesEventsExcluded), seriesEventsExcludedRollup)},
		{Record: seriesBadExcludedRollup, Expr: b.rollup(b.match(seriesBadExcluded), seriesBadExcludedRollup)},
	}
}

// rawSums record the sums over the budget's window without any adjustment; b has adjusted SLOs only.
func (b *bundle) rawSums() []Rule {
	if len(b.slos) == 0 {
		return nil
	}
	rule := func(record, rollup, excluded string, clamp bool) Rule {
		parts := []string{tag(b.overPeriod(rollup), labelPiece, "counted")}
		if m := b.masked(); len(m.slos) > 0 {
			parts = append(parts, tag(m.overPeriod(excluded), labelPiece, "excluded"))
		}
		return Rule{Record: record, Labels: map[string]string{slo.LabelWindow: b.periodLabel()}, Expr: b.describe(b.add(parts, clamp))}
	}
	return []Rule{
		rule(slo.SeriesEventsRawSum, seriesEventsRollup, seriesEventsExcludedRollup, false),
		rule(slo.SeriesBadRawSum, seriesBadRollup, seriesBadExcludedRollup, b.shape == deadline),
	}
}

// rawResults record the budget left without any adjustment; b has adjusted SLOs only.
func (b *bundle) rawResults() []Rule {
	if len(b.slos) == 0 {
		return nil
	}
	return []Rule{{Record: slo.SeriesBudgetRemainingRaw, Expr: b.remaining(slo.SeriesBadRawSum, b.burn(slo.SeriesBadRawSum, slo.SeriesEventsRawSum, inWindow(b.periodLabel())))}}
}

// unlessMuted keeps the elements of expr whose SLO is not muted.
func (b *bundle) unlessMuted(expr string) string {
	m := b.muted()
	if len(m.slos) == 0 {
		return expr
	}
	return expr + "\nunless on (slo)\n  " + m.match(slo.SeriesMuted) + " == 1"
}
