package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// What an SLI counts is read from the raw series once, and recorded as slo:events:seen. The state of telemetry and the
// increments follow from that. Most SLOs need nothing else, and share the rules that record these: a group holds what
// was seen of several SLOs, and then one rule each for the state, the events and the bad events of all of them.

// seen returns the expression of seriesEventsSeen; with reach, it also tells whether a target can be reached.
func (b *bundle) seen(inc increments, reach bool) string {
	parts := []string{inc.events}
	if inc.bad != "" {
		parts = append(parts, tag(inc.bad, labelOutcome, outcomeBadApart))
	}
	if inc.good != "" {
		parts = append(parts, tag("-1 * "+inc.good, labelOutcome, outcomeGoodApart))
	}
	if up := inc.all.reachable(); up != "" && reach {
		parts = append(parts, tag("0 * "+up, labelOutcome, outcomeUp))
	}
	return union(parts)
}

// reachable returns one element if a target of the series of q can be reached, or "" if q does not say which these are.
func (q query) reachable() string {
	for _, p := range q.parts {
		if p.job {
			return "group(" + p.up + " == 1)"
		}
	}
	return ""
}

// readSeen makes inc read what x has seen instead of the raw series.
func (b *bundle) readSeen(x *slo.SLO, inc *increments) {
	read := func(outcome string) string {
		return b.by("sum") + "(" + b.thisTick(seriesEventsSeen, equals(slo.LabelSLO, x.Name), outcome) + ")"
	}
	inc.events = read(ofEvents)
	inc.fill = inc.events
	if inc.good != "" {
		inc.good, inc.bad = "", "clamp_min("+read(ofLessGood)+", 0)"
		return
	}
	inc.bad = read(ofBad)
}

// sharedRulesAGroup is how many rules all SLOs of a group share.
const sharedRulesAGroup = 3

// sharedGroups returns the groups of the plain ledgers, each with as many as rulesAGroup allows. With one group more,
// only the SLOs that go to the new one move.
func (b *bundle) sharedGroups(plain []ledger) []Group {
	if len(plain) == 0 {
		return nil
	}
	const most = rulesAGroup - sharedRulesAGroup
	var shards [][]ledger
	for n := (rulesOf(plain) + most - 1) / most; shards == nil; n++ {
		shards = make([][]ledger, n)
		for _, l := range plain {
			i := shardOf("events", l.Name, n)
			shards[i] = append(shards[i], l)
		}
		tooMany := func(shard []ledger) bool { return len(shard) > 1 && rulesOf(shard) > most }
		if slices.ContainsFunc(shards, tooMany) {
			shards = nil
		}
	}
	var out []Group
	for i, shard := range shards {
		if len(shard) == 0 {
			continue
		}
		var rules []Rule
		for _, l := range shard {
			rules = append(rules, l.rules...)
		}
		out = append(out, b.group(numbered(b.name+"-events", i), b.clock.tick, append(rules, b.sharedRules(shard)...)))
	}
	return out
}

// rulesOf returns how many rules ledgers have.
func rulesOf(all []ledger) int {
	n := 0
	for _, l := range all {
		n += len(l.rules)
	}
	return n
}

// sharedRules record the state of telemetry, the events and the bad events of ledgers, out of what they have seen. The
// elements take their labels from there; where nothing was seen, the state takes them from slo:info.
func (b *bundle) sharedRules(all []ledger) []Rule {
	some := func(wanted func(ledger) bool) *bundle {
		out := *b
		out.slos = nil
		for _, l := range all {
			if wanted(l) {
				out.slos = append(out.slos, l.SLO)
			}
		}
		return &out
	}
	whole := some(func(ledger) bool { return true })
	read := func(of *bundle, op, outcome string, without ...string) string {
		return op + " without (" + strings.Join(append([]string{labelOutcome}, without...), ", ") + ") (" +
			b.thisTick(seriesEventsSeen, of.slosMatcher(), outcome) + ")"
	}
	state := union([]string{
		"2 * " + read(whole, "group", ofEvents, b.groupBy...),
		read(whole, "group", equals(labelOutcome, outcomeUp)),
		fmt.Sprintf("0 * group by (%s) (%s)", strings.Join(append([]string{slo.LabelSLO}, b.extra...), ", "), whole.match(slo.SeriesInfo)),
	})
	events := []string{read(whole, "sum", ofEvents)}
	none := "0 * " + whole.match(slo.SeriesTelemetry)
	if len(b.groupBy) > 0 {
		none = "0 * " + whole.match(slo.SeriesEventsIncrement)
	} else {
		events = append(events, none)
	}
	var bad []string
	if of := some(func(l ledger) bool { return !l.good }); len(of.slos) > 0 {
		bad = append(bad, read(of, "sum", ofBad))
	}
	if of := some(func(l ledger) bool { return l.good }); len(of.slos) > 0 {
		bad = append(bad, "clamp_min("+read(of, "sum", ofLessGood)+", 0)")
	}
	return []Rule{
		{Record: slo.SeriesTelemetry, Expr: state},
		{Record: slo.SeriesEventsIncrement, Expr: union(events)},
		{Record: slo.SeriesBadIncrement, Expr: union(append(bad, none))},
	}
}
