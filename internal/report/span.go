package report

import (
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// What adjustments do to the numbers is what package rules says and does: maintenance that was declared ahead masks
// increments, so that the rollups are without them and the excluded rollups have them; maintenance that was declared
// afterwards, and corrections, are taken off what was counted in their spans, which are those of the ticks that tell
// of them. Where a mask was in force, nothing is left to be taken off. A recurring adjustment only masks.

// off is a span of one SLO of which something is taken off.
type off struct {
	x    *slo.SLO
	span slo.Interval // (From, To] of ticks, cut to the period
	bad  slo.Decimal  // of a correction: bad events that were not bad; empty if all is taken off
	by   []string     // names of the adjustments
}

// counts tells whether maintenance takes something out of the budget of x.
func counts(x *slo.SLO) bool {
	switch x.SLI.SLI.(type) {
	case *slo.Deadline, *slo.Spend:
		return false
	}
	return true
}

// adjustmentsOf returns the adjustments of a type that name x.
func adjustmentsOf(set *slo.Set, x *slo.SLO, kind string) []*slo.Adjustment {
	var out []*slo.Adjustment
	for i := range set.Adjustments {
		a := &set.Adjustments[i]
		if _, ok := slices.BinarySearch(a.SLOs, x.Name); ok && a.Type == kind {
			out = append(out, a)
		}
	}
	return out
}

// offs returns what is taken off x in a period, maintenance first.
func offs(set *slo.Set, source *slo.DataSource, x *slo.SLO, p Period) []off {
	var out []off
	add := func(a *slo.Adjustment) bool {
		in := ticks(a, source, x)
		if in.From.Before(p.From) {
			in.From = p.From
		}
		if in.To.After(p.To) {
			in.To = p.To
		}
		if in.From.Before(in.To) {
			out = append(out, off{x, in, a.BadEvents, []string{a.Name}})
			return true
		}
		return false
	}
	once := func(kind string) []*slo.Adjustment {
		return slices.DeleteFunc(adjustmentsOf(set, x, kind), func(a *slo.Adjustment) bool { return a.Recurrence != "" })
	}
	if counts(x) {
		list := once("maintenance")
		slices.SortStableFunc(list, func(a, b *slo.Adjustment) int { return a.Start.Compare(b.Start) })
		for _, a := range list {
			n := len(out)
			if !add(a) || n == 0 || out[n].span.From.After(out[n-1].span.To) {
				continue
			}
			last := &out[n-1] // they overlap: the shared time counts once
			last.by = append(last.by, a.Name)
			if out[n].span.To.After(last.span.To) {
				last.span.To = out[n].span.To
			}
			out = out[:n]
		}
	}
	for _, a := range once("correction") {
		add(a)
	}
	return out
}

// ticks returns the ticks that tell of a, which does not recur: they are up to a scrape and a tick late, those of
// composites a tick more, and those of vmalert, which reads at the next tick only what it recorded at this one, too.
func ticks(a *slo.Adjustment, source *slo.DataSource, x *slo.SLO) slo.Interval {
	tick := time.Duration(source.EvaluationInterval)
	late := time.Duration(source.ScrapeInterval) + tick
	if _, ok := x.SLI.SLI.(*slo.Composite); ok {
		late += tick
	}
	out := slo.Interval{From: a.Start, To: a.Start.Add(time.Duration(a.Duration) + late)}
	if source.Type == "victoriametrics" {
		out = slo.Interval{From: out.From.Add(tick), To: out.To.Add(tick)}
	}
	return out
}

// adjusted asks for what adjustments take out, in the period and in the one before.
func (p *planner) adjusted(b batch) error {
	d := b.tell()
	masked := b.only(func(x *slo.SLO) bool { return counts(x) && len(adjustmentsOf(p.set, x, "maintenance")) > 0 })
	if len(masked.slos) > 0 {
		p.instant(excluded, masked, masked.sum(slo.SeriesEventsExcludedRollup, p.now.elapsed()), p.now.until.Add(d))
		p.instant(excludedBad, masked, masked.sum(slo.SeriesBadExcludedRollup, p.now.elapsed()), p.now.until.Add(d))
	}
	for _, x := range b.slos {
		one := b.only(func(y *slo.SLO) bool { return x == y })
		known := p.now.Period
		known.To = p.now.until
		for i, o := range offs(p.set, b.source, x, known) {
			p.off(one, i, o, taken, takenBad)
			first := p.now.From.Add(o.span.From.Sub(p.now.From).Truncate(p.now.fine))
			last := p.now.From.Add((o.span.To.Sub(p.now.From) + p.now.fine - 1).Truncate(p.now.fine))
			n := len(p.out)
			p.ask(takenSlots, one, one.sum(slo.SeriesBadIncrement, p.now.fine), first.Add(p.now.fine), last, p.now.fine)
			for k := range p.out[n:] {
				p.out[n+k].index = i
			}
		}
		for i, o := range offs(p.set, b.source, x, p.before) {
			p.off(one, i, o, takenBefore, takenBadBefore)
		}
	}
	return nil
}

// off asks for what was counted in a span.
func (p *planner) off(b batch, i int, o off, all, bad role) {
	over := o.span.To.Sub(o.span.From)
	p.instant(all, b, b.sum(slo.SeriesEventsIncrement, over), o.span.To)
	p.out[len(p.out)-1].index = i
	p.instant(bad, b, b.sum(slo.SeriesBadIncrement, over), o.span.To)
	p.out[len(p.out)-1].index = i
}
