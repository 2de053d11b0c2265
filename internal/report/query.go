package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Query is one question to a server with Prometheus' query API. With a Step it is a range query from From to To; without
// one it is an instant query at To. The answer is wanted as it is: no cache may move its times.
type Query struct {
	ID         string        `json:"id"`
	DataSource string        `json:"dataSource"` // name of the slo.DataSource
	Expr       string        `json:"expr"`
	From       time.Time     `json:"from,omitzero"`
	To         time.Time     `json:"to"`
	Step       time.Duration `json:"-"`
	StepText   string        `json:"step,omitempty"` // Step in Prometheus notation

	role role
	batch
	index int // of the span, for roles about spans
}

// Series is one series of an answer, its points in the order of time.
type Series struct {
	Labels map[string]string
	Points []Point
}

// Point is a value at a time.
type Point struct {
	T time.Time
	V float64
}

// Facts is the answer to each query, by its ID. An answer without series is there and empty.
type Facts map[string][]Series

// role says what a query is for.
type role string

const (
	events         role = "events" // by coarse slots
	bad            role = "bad"
	eventsBefore   role = "events-before" // of the period before
	badBefore      role = "bad-before"
	there          role = "telemetry-there" // how often telemetry was there, and was looked for, of each unit of time
	looked         role = "telemetry-looked"
	rollups        role = "rollups" // how many there are
	rollupsBefore  role = "rollups-before"
	burning        role = "burning"  // bad events of the fine slots in which the budget burns or an alert fires
	burningOf      role = "of"       // all events of those slots
	alerts         role = "alerts"   // 1 in the fine slots in which one fires
	excluded       role = "excluded" // what was masked
	excludedBad    role = "excluded-bad"
	taken          role = "taken" // what was counted in a span that does not count
	takenBad       role = "taken-bad"
	takenSlots     role = "taken-slots" // bad events of a span by fine slots
	takenBefore    role = "taken-before"
	takenBadBefore role = "taken-bad-before"
	cost           role = "cost"
	costStart      role = "cost-start"
	costBefore     role = "cost-before"
	costBudget     role = "cost-budget"
)

// batchSize is how many SLOs share a query.
const batchSize = 50

// batch is SLOs that share queries: they have the same data source, group labels and budget.
type batch struct {
	source *slo.DataSource
	slos   []*slo.SLO
	ids    string // labels that tell series apart: slo and the group labels
}

// planner makes the queries of one report.
type planner struct {
	set    *slo.Set
	now    grid
	before Period
	slos   []*slo.SLO
	out    []Query
	counts map[string]int // queries by role
}

// Queries returns what a report needs to know, in an order that depends on the set and the options only.
//
// Error: the period or its zone is wrong, nothing is known of it yet, or o names an SLO that the set lacks.
func Queries(set *slo.Set, o Options) ([]Query, error) {
	p, err := newPlanner(set, o)
	if err != nil {
		return nil, err
	}
	if err := p.plan(); err != nil {
		return nil, err
	}
	return p.out, nil
}

func newPlanner(set *slo.Set, o Options) (*planner, error) {
	g, err := gridOf(o.Period, o.Now)
	if err != nil {
		return nil, err
	}
	before, err := g.Before()
	if err != nil {
		return nil, err
	}
	p := &planner{set: set, now: g, before: before, counts: map[string]int{}}
	names := o.SLOs
	if names == nil {
		for i := range set.SLOs {
			names = append(names, set.SLOs[i].Name)
		}
	}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(names))) {
		x, ok := set.SLO(n)
		if !ok {
			return nil, fmt.Errorf("there is no SLO %q", n)
		}
		p.slos = append(p.slos, x)
	}
	return p, nil
}

func (p *planner) plan() error {
	var sources []string
	for _, b := range p.batches() {
		p.totals(b)
		p.telemetry(b)
		p.stretches(b)
		if err := p.adjusted(b); err != nil {
			return err
		}
		sources = append(sources, b.source.Name)
	}
	for _, s := range slices.Compact(slices.Sorted(slices.Values(sources))) {
		p.costs(s)
	}
	return nil
}

// batches divides the SLOs.
func (p *planner) batches() []batch {
	groups := map[string][]*slo.SLO{}
	var keys []string
	for _, x := range p.slos {
		key := fmt.Sprintf("%q %q %q", x.DataSource, x.GroupBy, x.Budget)
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], x)
	}
	slices.Sort(keys)
	var out []batch
	for _, k := range keys {
		for some := range slices.Chunk(groups[k], batchSize) {
			out = append(out, batch{p.source(some[0]), some, strings.Join(append([]string{slo.LabelSLO}, slices.Sorted(slices.Values(some[0].GroupBy))...), ", ")})
		}
	}
	return out
}

// source returns the data source of x, or one with the usual intervals.
func (p *planner) source(x *slo.SLO) *slo.DataSource {
	if s, ok := p.set.DataSource(x.DataSource); ok {
		return s
	}
	return &slo.DataSource{
		Meta: slo.Meta{Name: x.DataSource}, ScrapeInterval: slo.Duration(30 * time.Second), EvaluationInterval: slo.Duration(30 * time.Second),
	}
}

// only returns b with the SLOs that are wanted.
func (b batch) only(wanted func(*slo.SLO) bool) batch {
	b.slos = slices.DeleteFunc(slices.Clone(b.slos), func(x *slo.SLO) bool { return !wanted(x) })
	return b
}

// tell is how much later than an instant the rollups that hold what was before it have all been recorded, and none yet
// of what came after: see slo.SeriesEventsRollup.
func (b batch) tell() time.Duration { return b.source.RollupLag() + time.Second - time.Millisecond }

// sel selects a series of the SLOs of b.
func (b batch) sel(series string, more ...string) string {
	names := make([]string, len(b.slos))
	for i, x := range b.slos {
		names[i] = regexp.QuoteMeta(x.Name)
	}
	m := slo.LabelSLO + "=~" + strconv.Quote(strings.Join(names, "|"))
	if len(b.slos) == 1 {
		m = slo.LabelSLO + "=" + strconv.Quote(b.slos[0].Name)
	}
	return series + "{" + strings.Join(append([]string{m}, more...), ",") + "}"
}

// span writes a range that means the same whether or not a server counts its left end.
func span(d time.Duration) string { return "[" + promql.FormatDuration(d-time.Millisecond) + "]" }

// sum adds up what was recorded in a range.
func (b batch) sum(series string, over time.Duration) string {
	return "sum by (" + b.ids + ") (sum_over_time(" + b.sel(series) + span(over) + "))"
}

// ask adds a query; the zero from makes it an instant one. Those of many steps are cut.
func (p *planner) ask(r role, b batch, expr string, from, to time.Time, step time.Duration) {
	if len(b.slos) == 0 && b.ids != "" {
		return
	}
	for {
		p.counts[string(r)]++
		q := Query{
			ID: fmt.Sprintf("%s/%d", r, p.counts[string(r)]), DataSource: b.source.Name, Expr: expr,
			From: from.UTC(), To: to.UTC(), Step: step, role: r, batch: b,
		}
		if step == 0 {
			q.From = time.Time{}
			p.out = append(p.out, q)
			return
		}
		q.StepText = promql.FormatDuration(step)
		if last := from.Add((maxSteps - 1) * step); last.Before(to) {
			q.To = last.UTC()
		}
		p.out = append(p.out, q)
		if from = q.To.Add(step); from.After(to) {
			return
		}
	}
}

// instant asks for one moment.
func (p *planner) instant(r role, b batch, expr string, at time.Time) {
	p.ask(r, b, expr, time.Time{}, at, 0)
}

// slots asks for each slot of a length in the period, at its end and so much later.
func (p *planner) slots(r role, b batch, expr string, of, later time.Duration) {
	p.ask(r, b, expr, p.now.From.Add(of+later), p.now.until.Add(later), of)
}

// totals asks for events and bad events.
func (p *planner) totals(b batch) {
	d := b.tell()
	p.slots(events, b, b.sum(slo.SeriesEventsRollup, p.now.coarse), p.now.coarse, d)
	p.slots(bad, b, b.sum(slo.SeriesBadRollup, p.now.coarse), p.now.coarse, d)
	p.instant(eventsBefore, b, b.sum(slo.SeriesEventsRollup, p.before.length()), p.before.To.Add(d))
	p.instant(badBefore, b, b.sum(slo.SeriesBadRollup, p.before.length()), p.before.To.Add(d))
	count := func(over time.Duration) string {
		return "max by (" + slo.LabelSLO + ") (count_over_time(" + b.sel(slo.SeriesEventsRollup) + span(over) + "))"
	}
	p.instant(rollups, b, count(p.now.elapsed()), p.now.until.Add(d))
	p.instant(rollupsBefore, b, count(p.before.length()), p.before.To.Add(d))
}

// telemetry asks for how much of the time there was telemetry. Composites have none of their own.
func (p *planner) telemetry(b batch) {
	b = b.only(func(x *slo.SLO) bool { return x.SLI.Kind() != (*slo.Composite)(nil).Kind() })
	over := "[" + promql.FormatDuration(p.now.elapsed()-time.Millisecond) + ":" + promql.FormatDuration(unit) + "]"
	state := "sum by (" + slo.LabelSLO + ") (" + b.sel(slo.SeriesTelemetry) + ")"
	p.instant(there, b, fmt.Sprintf("sum_over_time((%s == bool %d)%s)", state, slo.TelemetryThere, over), p.now.until)
	p.instant(looked, b, fmt.Sprintf("count_over_time(%s%s)", state, over), p.now.until)
}

// stretches asks for the slots in which the budget burned faster than it may or an alert fired, with events.
func (p *planner) stretches(b batch) {
	// Money is spent when a bill comes, which is no incident.
	b = b.only(func(x *slo.SLO) bool { return x.SLI.Kind() != (*slo.Spend)(nil).Kind() })
	if len(b.slos) == 0 {
		return
	}
	d, s := b.tell(), p.now.fine
	firing := b.sel("ALERTS", "alertname="+strconv.Quote(slo.AlertBudgetBurn), `alertstate="firing"`)
	e, n := b.sum(slo.SeriesEventsRollup, s), b.sum(slo.SeriesBadRollup, s)
	lag := " offset " + promql.FormatDuration(b.source.RollupLag())
	hot := n + " > " + cmp.Or(string(b.slos[0].Budget), "0") + " * " + e + "\nor\n" +
		n + " > 0 and on (" + b.ids + ") max_over_time(" + firing + span(s) + lag + ")"
	p.slots(burning, b, hot, s, d)
	p.slots(burningOf, b, e+"\nand on ("+b.ids+") (\n"+hot+"\n)", s, d)
	p.slots(alerts, b, "max by ("+b.ids+", "+slo.LabelSeverity+") (max_over_time("+firing+span(s)+"))", s, 0)
}
