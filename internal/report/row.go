package report

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// takenOff is what is taken off the counts of a row afterwards.
type takenOff struct {
	counted
	slots map[int]float64 // bad events by fine slot
	lines []TakenOut
}

// takeOff works out what the spans in list take off g; the counts of each are in from. A correction takes its part of
// the bad events of all groups, which are given by bad.
func takeOff(g *gathered, list []off, from map[int]counted, slots map[int]map[int]float64, all func(i int) float64) takenOff {
	out := takenOff{slots: map[int]float64{}}
	for i, o := range list {
		c := from[i]
		if o.bad != "" {
			part := 0.0
			if sum := all(i); sum > 0 {
				part = min(o.bad.Float()/sum, 1)
			}
			c = counted{0, c.bad * part}
		}
		out.events, out.bad = out.events+c.events, out.bad+c.bad
		if c != (counted{}) {
			out.lines = append(out.lines, TakenOut{Adjustments: o.by, How: "afterwards", Events: c.events, Bad: c.bad})
		}
		sum := 0.0
		for _, k := range slices.Sorted(maps.Keys(slots[i])) {
			sum += slots[i][k]
		}
		for k, v := range slots[i] {
			if sum > 0 {
				out.slots[k] += v / sum * c.bad
			}
		}
	}
	return out
}

// row returns the row of g.
func (p *planner) row(f *facts, g *gathered) (Row, []Incident) {
	x := g.x
	r := Row{
		SLO: x.Name, Title: x.Title(), Group: g.group, Service: x.Service, Team: x.Owner.Team, Kind: x.SLI.Kind(), Unit: unitOf(x),
		Window: x.Window.String(), Objective: x.Objective, TakenOut: []TakenOut{}, Trend: []Mark{},
	}
	f.presence(g, &r)
	known := p.now.Period
	known.To = p.now.until
	list := offs(p.set, g.source, x, known)
	t := takeOff(g, list, g.taken, g.takenSlots, func(i int) float64 { return f.all(x, i, func(g *gathered) map[int]counted { return g.taken }) })
	r.TakenOut = append(r.TakenOut, t.lines...)
	var sum counted
	for i := range g.events {
		sum.events += g.events[i]
		sum.bad += g.bad[i]
	}
	if g.excluded != (counted{}) {
		r.TakenOut = append(r.TakenOut, TakenOut{Adjustments: p.maintenance(x, t.lines), How: "ahead", Events: g.excluded.events, Bad: g.excluded.bad})
	}
	net := sum.less(t.counted, x)
	r.Numbers = p.numbers(x, net, p.now.Period)
	if len(r.TakenOut) > 0 {
		raw := p.numbers(x, counted{sum.events + g.excluded.events, sum.bad + g.excluded.bad}.less(counted{}, x), p.now.Period)
		r.Raw = &raw
	}
	if g.beforeKnown {
		was := takeOff(g, offs(p.set, g.source, x, p.before), g.takenBefore, nil,
			func(i int) float64 { return f.all(x, i, func(g *gathered) map[int]counted { return g.takenBefore }) })
		previous := p.numbers(x, g.before.less(was.counted, x), p.before)
		r.Previous = &previous
		r.Before = min(f.earlier[x.Name]*float64(g.source.RollupEvery())/float64(p.before.length()), 1)
	}
	r.Verdict = r.Numbers.verdict
	if _, money := x.SLI.SLI.(*slo.Spend); net.events == 0 && (!money || r.Telemetry == 0) {
		r.Verdict = f.silent(g, r)
	}
	r.Trend = f.trend(g, t, r.Numbers)
	incidents := f.incidents(g, t, &r)
	return r, incidents
}

// all adds up the bad events of span i over the groups of x.
func (f *facts) all(x *slo.SLO, i int, of func(*gathered) map[int]counted) float64 {
	sum := 0.0
	for _, g := range f.bySLO[x.Name] { // in the order of the answers
		sum += of(g)[i].bad
	}
	return sum
}

// less takes o off c, as the rules do. Money may be below 0, counts may not.
func (c counted) less(o counted, x *slo.SLO) counted {
	c.events, c.bad = c.events-o.events, c.bad-o.bad
	if _, ok := x.SLI.SLI.(*slo.Spend); !ok {
		c.events, c.bad = max(c.events, 0), max(c.bad, 0)
	}
	return c
}

// presence says for how much of the time there was telemetry, and the rules ran. A composite has the telemetry of its
// members, which its rollups tell of.
func (f *facts) presence(g *gathered, r *Row) {
	ran := min(f.rollups[g.x.Name]*float64(g.source.RollupEvery())/float64(f.elapsed()), 1)
	slots := float64(f.elapsed() / unit)
	if _, ok := g.x.SLI.SLI.(*slo.Composite); ok {
		r.Telemetry, r.Evaluated = ran, ran
		return
	}
	r.Telemetry, r.Evaluated = min(f.there[g.x.Name]/slots, 1), min(f.looked[g.x.Name]/slots, 1)
}

// silent says why there was no event.
func (f *facts) silent(g *gathered, r Row) Verdict {
	switch {
	case !slices.Contains(g.known, true) && r.Evaluated == 0:
		return NotEvaluated
	case r.Telemetry == 0:
		return NoTelemetry
	}
	return NoTraffic
}

// unitOf says what is counted.
func unitOf(x *slo.SLO) string {
	switch sli := x.SLI.SLI.(type) {
	case *slo.Spend:
		return sli.Currency
	case *slo.Events, *slo.Latency, *slo.Deadline, *slo.Composite:
		if x.Budgeting.Method == slo.Occurrences {
			return "events"
		}
	}
	if x.Budgeting.Method == slo.Occurrences {
		return "checks"
	}
	return "slices"
}

// numbers works out a budget exactly, in fractions.
func (p *planner) numbers(x *slo.SLO, c counted, over Period) Numbers {
	bad, all := rat(c.bad), rat(c.events)
	allowed := new(big.Rat).Mul(x.Budget.Rat(), all)
	out := Numbers{Events: c.events, Bad: c.bad}
	if sli, ok := x.SLI.SLI.(*slo.Spend); ok {
		out.timeless = true
		allowed = sli.Amount.Rat()
		if x.Window.Calendar != over.Kind || over.Kind == "" {
			allowed.Mul(allowed, big.NewRat(int64(over.length()), int64(x.Window.Length())))
		}
	} else if all.Sign() > 0 {
		out.SLI = float(new(big.Rat).Sub(big.NewRat(1, 1), new(big.Rat).Quo(bad, all)))
	}
	out.Allowed = *float(allowed)
	out.verdict = Met
	if bad.Cmp(allowed) > 0 {
		out.verdict = Missed
	}
	if allowed.Sign() <= 0 {
		return out
	}
	spent := new(big.Rat).Quo(bad, allowed)
	out.Spent = float(spent)
	out.Left = float(new(big.Rat).Sub(big.NewRat(1, 1), spent))
	if !out.timeless {
		length := over.length()
		if over == p.now.Period {
			length = p.now.elapsed()
		}
		whole := new(big.Rat).Mul(x.Budget.Rat(), big.NewRat(int64(length), int64(time.Second)))
		used := new(big.Rat).Mul(whole, spent)
		out.Minutes = &Minutes{*float(whole), *float(used), *float(new(big.Rat).Sub(whole, used))}
	}
	return out
}

// rat returns the fraction that f is; f is finite.
func rat(f float64) *big.Rat { return new(big.Rat).SetFloat64(f) }

// float returns the float64 nearest to x.
func float(x *big.Rat) *float64 {
	f, _ := x.Float64()
	return &f
}

// trend is what was left of the budget of the whole period at the end of each slot. It ends with what is left.
func (f *facts) trend(g *gathered, t takenOff, n Numbers) []Mark {
	out := []Mark{}
	if n.Spent == nil {
		return out
	}
	off := make([]float64, len(g.bad))
	for _, k := range slices.Sorted(maps.Keys(t.slots)) {
		off[min(int(time.Duration(k)*f.fine/f.coarse), len(off)-1)] += t.slots[k]
	}
	sum := 0.0
	for i := range g.bad {
		sum += g.bad[i] - off[i]
		out = append(out, Mark{f.From.Add(time.Duration(i+1) * f.coarse).UTC(), 1 - sum/n.Allowed})
	}
	out[len(out)-1].Left = *n.Left
	return out
}

// maintenance returns the names of the maintenance of x that overlaps the period and may have been declared ahead: not
// of what was taken off afterwards, if there is other maintenance.
func (p *planner) maintenance(x *slo.SLO, afterwards []TakenOut) []string {
	all, ahead := []string{}, []string{}
	for _, a := range adjustmentsOf(p.set, x, "maintenance") {
		if list, err := a.Occurrences(p.now.From, p.now.until); err != nil || len(list) == 0 {
			continue
		}
		all = append(all, a.Name)
		if !slices.ContainsFunc(afterwards, func(t TakenOut) bool { return slices.Contains(t.Adjustments, a.Name) }) {
			ahead = append(ahead, a.Name)
		}
	}
	if len(ahead) == 0 {
		return all
	}
	return ahead
}

// worse orders verdicts, the worst first.
func worse(a, b Verdict) int {
	order := []Verdict{Missed, NotEvaluated, NoTelemetry, NoTraffic, Met}
	return cmp.Compare(slices.Index(order, a), slices.Index(order, b))
}
