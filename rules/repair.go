package rules

import (
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// When repairs are made.
const repairEvery = time.Hour

// repairReaches are how far back a repair looks. The farther, the longer a gap may be; the nearer, the fewer counters
// were reset meanwhile.
func repairReaches() []time.Duration { return []time.Duration{time.Hour, 3 * time.Hour, 7 * time.Hour} }

// Series of events that were not counted in time. Rollups add them up like increments.
const (
	seriesEventsRepair = "slo:events:repair"
	seriesBadRepair    = "slo:bad:repair"
)

// labelRepair tells repairs from increments where both are selected at once.
const labelRepair = "repair"

// repairRules returns the rules that find the events of evaluations that were missed, and of the time in which the
// server was down: what the counters grew by, less what was counted tick by tick. An hour in which every tick was
// counted is left alone. What a counter had when it was reset or ended, and the counters of a new target, are not
// known, so that a repair adds too little rather than too much. Windows up to longestFast do not have repairs: nobody is
// paged for the past.
func (b *bundle) repairRules() ([]Rule, error) {
	var out []Rule
	for _, x := range b.slos {
		c, err := b.repairable(x)
		if err != nil {
			return nil, fmt.Errorf("rules of SLO %q: %w", x.Name, err)
		}
		if c == nil {
			continue
		}
		labels := b.seriesLabels(x)
		labels[labelRepair] = duration(repairEvery)
		out = append(out,
			Rule{Record: seriesEventsRepair, Labels: labels, Expr: b.missed(x, c.total, query{}, slo.SeriesEventsIncrement, seriesEventsRepair)},
			Rule{Record: seriesBadRepair, Labels: labels, Expr: b.missed(x, c.bad, c.good, slo.SeriesBadIncrement, seriesBadRepair)})
	}
	return out, nil
}

// counters are the queries of an SLI that counts events: bad ones, or all of them less good.
type counters struct{ total, bad, good query }

// repairable returns the counters of x, or nil if they do not tell how many events there were: if they are more than
// sums, or if time is left out of the budget or judged in slices.
func (b *bundle) repairable(x *slo.SLO) (*counters, error) {
	if x.Budgeting.Sliced() || !b.of(x).mask.never() || b.clock.sight > 0 || repairEvery%b.clock.slow != 0 {
		return nil, nil
	}
	var total, bad, good string
	switch sli := x.SLI.SLI.(type) {
	case *slo.Events:
		total, bad, good = sli.Total, sli.Bad, sli.Good
	case *slo.Latency:
		if sli.Native {
			return nil, nil
		}
		total, good = latencyCounters(sli)
	default:
		return nil, nil
	}
	var c counters
	var err error
	if c.total, err = parseCounter("total", total); err != nil {
		return nil, err
	}
	if good == "" {
		c.bad, err = parseCounter("bad", bad)
	} else {
		c.bad = c.total
		c.good, err = parseCounter("good", good)
	}
	if err != nil || !c.total.additive || !c.bad.additive || good != "" && !c.good.additive {
		return nil, err
	}
	return &c, nil
}

// missed is what the counters of plus, less those of minus, grew by without being counted as increments or repairs, if
// a tick of the last hour was missed: the most of what is seen from the times that the repair looks back to, each of
// which may see too little.
func (b *bundle) missed(x *slo.SLO, plus, minus query, increment, repair string) string {
	var parts []string
	for i, reach := range repairReaches() {
		parts = append(parts, tag("(\n"+indent(b.uncounted(x, plus, minus, increment, repair, reach), 2)+"\n)", labelPiece, fmt.Sprint(i)))
	}
	// One tick more on each side: with it a gap that ends where the hour begins is seen.
	more := 2 * b.clock.tick
	complete := fmt.Sprintf("(%s(count_over_time(%s%s offset %s)) >= %d)", b.by("max"),
		one(increment, x), span(repairEvery+more), duration(b.clock.lag), int((repairEvery+more)/b.clock.tick))
	none := "vector(0)"
	if len(b.groupBy) > 0 {
		none = b.onGroups() + " 0 * " + b.by("sum") + "(last_over_time(" + one(slo.SeriesEventsIncrement, x) + "[" + duration(repairEvery) + "]))"
	}
	return "(" + b.by("max") + "(\n" + indent(union(parts), 2) + "\n) > 0)\nunless " + b.onGroups() + " " + complete + "\nor " + none
}

// uncounted is what the counters grew by since some time ago, less what was counted of that. It is empty if the SLO
// was not counted in the hour before that. A counter that was reset, or that a target which was there then has had since,
// counts from zero.
func (b *bundle) uncounted(x *slo.SLO, plus, minus query, increment, repair string, reach time.Duration) string {
	var parts []string
	add := func(sign, sum string) {
		parts = append(parts, tag(sign+b.by("sum")+sum, labelPiece, fmt.Sprint(len(parts))))
	}
	now, then := " offset "+duration(b.clock.lag), " offset "+duration(b.clock.lag+reach)
	grown := func(q query, sign string) {
		for _, p := range q.parts {
			known := "  (" + p.sel + now + " - " + p.sel + then + ") >= 0"
			fresh := "  " + p.sel + now + " and on (job, instance) " + p.up + then
			add(sign, "(\n"+union([]string{known, fresh})+"\n)")
		}
	}
	grown(plus, "")
	grown(minus, "-1 * ")
	add("-1 * ", "(sum_over_time("+one(increment, x)+span(reach)+now+"))")
	add("-1 * ", "(sum_over_time("+one(repair, x)+span(reach)+"))")
	return b.by("sum") + "(\n" + indent(union(parts), 2) + "\n)\n" +
		fmt.Sprintf("and on () last_over_time(%s[%s]%s)", one(seriesEventsRollup, x), duration(repairEvery), then)
}
