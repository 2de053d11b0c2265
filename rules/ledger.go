package rules

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// ledger is what one SLO has recorded at every tick: the state of its telemetry, its increments, and, without chaining,
// the constants.
type ledger struct {
	*slo.SLO
	rules []Rule
	// plain is set if rules record no more than what was seen: the rest is the same for many SLOs, which share the rules
	// that record it.
	plain bool
	good  bool // with plain: good events are counted, not bad ones
}

// ledgerOf returns the ledger of x.
func (b *bundle) ledgerOf(x *slo.SLO) (ledger, error) {
	out := ledger{SLO: x}
	inc, err := b.sliIncrements(x)
	if err != nil {
		return out, err
	}
	if x.NoData.Counts() && len(b.groupBy) > 0 {
		return out, fmt.Errorf("missing telemetry of a grouped SLO cannot be treated as %s: which groups are missing is not known", x.NoData.TreatAs)
	}
	labels := b.seriesLabels(x)
	for _, k := range append(slices.Sorted(maps.Keys(labels)), b.groupBy...) {
		if !identifier(k) {
			return out, fmt.Errorf("label %q: want letters, digits and _ only", k)
		}
	}
	record := func(series, expr string) {
		out.rules = append(out.rules, Rule{Record: series, Expr: expr, Labels: labels})
	}
	if !b.chained() {
		out.rules = b.constants(x)
	}
	if inc.shows && b.chained() {
		out.plain, out.good = b.plain(x), inc.good != ""
		record(seriesEventsSeen, b.seen(inc, out.plain))
		if !out.plain {
			b.readSeen(x, &inc)
		}
	}
	if len(inc.all.parts) > 0 && !out.plain {
		record(slo.SeriesTelemetry, b.telemetry(x, inc))
	}
	if x.Alerting.Page && x.Alerting.PageWhen != "" {
		record(seriesPageHeld, "vector(1) unless on () (\n"+indent(x.Alerting.PageWhen, 2)+"\n)")
	}
	if !out.plain {
		out.rules = append(out.rules, b.incrementRules(x, inc, labels)...)
	}
	return out, nil
}

// plain tells whether nothing but the SLI decides what x counts.
func (b *bundle) plain(x *slo.SLO) bool {
	return b.adjusted[x.Name] == nil && !x.Budgeting.Sliced() && !x.NoData.Counts()
}

// incrementRules record the increments of x and what is done to them: maintenance and time slices.
func (b *bundle) incrementRules(x *slo.SLO, inc increments, labels map[string]string) []Rule {
	record := func(series, expr string) Rule { return Rule{Record: series, Expr: expr, Labels: labels} }
	out := b.scheduleRules(x, labels)
	verdict := pair{slo.SeriesEventsIncrement, slo.SeriesBadIncrement}
	counted := verdict
	sliced := x.Budgeting.Sliced()
	if sliced {
		counted = pair{seriesRawEvents, seriesRawBad}
	}
	masked := !b.of(x).mask.never()
	events, bad := counted.events, counted.bad
	if masked {
		events, bad = counted.unmasked().events, counted.unmasked().bad
	}
	out = append(out, record(events, b.withMissing(x, inc, b.filled(inc.events, inc), "good", "bad")))
	switch {
	case inc.bad != "":
		out = append(out, record(bad, b.withMissing(x, inc, b.filled(inc.bad, inc), "bad")))
	case b.chained():
		out = append(out, record(seriesGoodIncrement, b.withMissing(x, inc, b.filled(inc.good, inc), "good")))
		out = append(out, record(bad, floor(inc, one(events, x)+" - "+one(seriesGoodIncrement, x))))
	default:
		expr := "(\n" + indent(b.filled(inc.events, inc), 2) + "\n)\n-\n(\n" + indent(b.filled(inc.good, inc), 2) + "\n)"
		out = append(out, record(bad, b.withMissing(x, inc, floor(inc, expr), "bad")))
	}
	if masked {
		out = append(out, b.maskRules(x, counted, labels)...)
	}
	if sliced {
		out = append(out, b.sliceRules(x, counted, verdict, labels)...)
	}
	if sliced && masked {
		out = append(out, b.sliceRules(x, counted.unmasked(), verdict.unmasked(), labels)...)
	}
	if masked {
		out = append(out, b.excludedRules(x, sliced, labels)...)
	}
	return out
}

// constants returns the rules of what the spec of x says.
func (b *bundle) constants(x *slo.SLO) []Rule {
	labels := b.seriesLabels(x)
	out := []Rule{
		{Record: slo.SeriesObjective, Expr: "vector(" + literal(x.Objective) + ")", Labels: b.withSloth(x, labels)},
		{Record: slo.SeriesErrorBudget, Expr: "vector(" + literal(x.Budget) + ")", Labels: b.withSloth(x, labels)},
		{Record: slo.SeriesInfo, Expr: "vector(1)", Labels: b.infoLabels(x)},
	}
	if sli, ok := x.SLI.SLI.(*slo.Spend); ok {
		out = append(out, Rule{Record: seriesAmount, Expr: "vector(" + literal(sli.Amount) + ")", Labels: labels})
	}
	return out
}

// constantGroups returns the groups of the constants of all SLOs. They are evaluated more rarely than the others. How
// long VictoriaMetrics sees what was recorded depends on how often that is done: there, the constants are recorded with
// the increments.
func (b *bundle) constantGroups() (out []Group) {
	if !b.chained() {
		return nil
	}
	var all []Rule
	for _, x := range b.slos {
		all = append(all, b.constants(x)...)
	}
	for part := range slices.Chunk(all, rulesAGroup) {
		out = append(out, b.group(numbered(b.name+"-constants", len(out)), b.clock.rare, part))
	}
	return out
}

// identifier tells whether a label can be written without quotes.
func identifier(label string) bool {
	for i, r := range label {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return label != ""
}

// chained tells whether a rule sees what the rule before it in its group recorded at the same time. vmalert writes
// in the background.
func (b *bundle) chained() bool {
	return b.target != VictoriaMetrics && b.target != VictoriaMetricsOperator
}

func floor(inc increments, expr string) string {
	if inc.signed {
		return expr
	}
	return "clamp_min(" + expr + ", 0)"
}

// filled returns expr with 0 where there is nothing: for the SLO, or for each group that exists.
func (b *bundle) filled(expr string, inc increments) string {
	if len(b.groupBy) == 0 {
		return expr + "\nor vector(0)"
	}
	if expr == inc.fill {
		return expr
	}
	return expr + "\nor " + b.onGroups() + " 0 * " + inc.fill
}

// withMissing adds to expr, which counts events, good or bad ones, as many as usual while telemetry is missing and
// the SLO treats that in one of the ways.
func (b *bundle) withMissing(x *slo.SLO, inc increments, expr string, ways ...string) string {
	if len(inc.all.parts) == 0 || b.shape == spend || !slices.Contains(ways, x.NoData.TreatAs) {
		return expr
	}
	seen := pair{events: slo.SeriesEventsIncrement}
	if !b.of(x).mask.never() {
		seen = seen.unmasked()
	}
	usual := fmt.Sprintf("sum(avg_over_time(%s[1d]))", one(seen.events, x))
	switch {
	case inc.eventsPeriod:
		usual = "1"
	case x.EventsPerHour != "":
		usual = number(x.EventsPerHour.Float() * b.clock.tick.Hours())
	}
	return fmt.Sprintf("(\n%s\n)\n+ on () (\n  %s * (max(max_over_time(%s[%s])) == bool 0)\n  or vector(0)\n)",
		indent(expr, 2), usual, one(slo.SeriesTelemetry, x), x.NoData.After)
}

// telemetry is 2 while there are series of the SLI, 1 while there are none but their targets are scraped, else 0.
func (b *bundle) telemetry(x *slo.SLO, inc increments) string {
	whole, q := *b, inc.all
	whole.groupBy = nil
	expr := "2 * " + whole.presence(q)
	switch {
	case inc.shows && b.chained():
		expr = "2 * group(" + b.thisTick(seriesEventsSeen, equals(slo.LabelSLO, x.Name), ofEvents) + ")"
	case !q.parts[0].plain || q.parts[0].sel != q.text && !q.additive:
		expr = "2 * group(" + q.text + ")"
	}
	if up := q.reachable(); up != "" {
		expr += "\nor " + up
	}
	return expr + "\nor vector(0)"
}

// sliceRules judge each slice of some increments when it ends: it is one event, bad as a whole or, with
// ratioTimeslices, in part.
func (b *bundle) sliceRules(x *slo.SLO, from, to pair, labels map[string]string) []Rule {
	length := time.Duration(x.Budgeting.Slice)
	over := span(length)
	if !b.chained() {
		over += " offset " + duration(b.clock.tick)
	}
	events := "sum_over_time(" + one(from.events, x) + over + ")"
	bad := "sum_over_time(" + one(from.bad, x) + over + ")"
	ends := fmt.Sprintf("(time() %% %s < bool %s)", number(length.Seconds()), number(b.clock.tick.Seconds()))
	verdict := fmt.Sprintf("(%s > bool %s * %s)", bad, literal(x.Budgeting.SliceTarget.Complement()), events)
	if x.Budgeting.Method == slo.RatioTimeslices {
		verdict = fmt.Sprintf("clamp(%s / (%s > 0) or 0 * %s, 0, 1)", bad, events, events)
	}
	return []Rule{
		{Record: to.events, Expr: "(" + events + " > bool 0) * " + ends, Labels: labels},
		{Record: to.bad, Expr: verdict + " * " + ends, Labels: labels},
	}
}

// infoLabels returns the labels of slo:info.
func (b *bundle) infoLabels(x *slo.SLO) map[string]string {
	out := b.seriesLabels(x)
	add := func(k, v string) {
		if _, taken := out[k]; !taken && v != "" {
			out[k] = v
		}
	}
	add(slo.LabelTitle, x.Title())
	add(slo.LabelObjective, x.Objective.Percent())
	add(slo.LabelBudgetWindow, x.Window.String())
	add(slo.LabelSLI, x.SLI.Kind())
	add(slo.LabelRunbook, x.Runbook)
	add(slo.LabelDashboard, b.source.DashboardURL(x))
	return b.withSloth(x, out)
}
