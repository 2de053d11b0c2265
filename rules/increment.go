package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// increments is what the SLI of one SLO records at every tick. The expressions have the group labels only, and may
// be empty where there is nothing.
type increments struct {
	all          query  // what shows that there is telemetry; no parts: nothing can be said
	events       string // events of the tick
	bad          string // bad events of the tick, or
	good         string // good events of the tick; with neither, labelOutcome tells which of events are bad
	fill         string // one element for each group that exists; for SLOs that are grouped
	signed       bool   // bad = events - good may be negative
	eventsPeriod bool   // a tick is one event
	shows        bool   // events is there if and only if telemetry was there at this tick and before
}

// sliIncrements returns the increments of x.
func (b *bundle) sliIncrements(x *slo.SLO) (increments, error) {
	switch sli := x.SLI.SLI.(type) {
	case *slo.Events:
		return b.eventIncrements(x, sli)
	case *slo.Latency:
		return b.latencyIncrements(x, sli)
	case *slo.Deadline:
		return b.deadlineIncrements(x, sli)
	case *slo.Spend:
		return b.spendIncrements(x, sli)
	case *slo.Threshold:
		return b.slice("metric", sli.Metric, func(q string) string { return q + " " + opposite(sli.Op) + " " + literal(sli.Value) })
	case *slo.Freshness:
		age := number(time.Duration(sli.MaxAge).Seconds())
		return b.slice("timestamp", sli.Timestamp, func(q string) string { return "(time() - " + q + ") > " + age })
	case *slo.Availability:
		return b.slice("probe", sli.Probe, func(q string) string { return "(" + q + " >= -Inf) != 1" })
	case *slo.Coverage:
		return b.coverageIncrements(sli)
	case *slo.Raw:
		return b.rawIncrements(sli)
	case *slo.Composite:
		return b.compositeIncrements(x, sli)
	}
	return increments{}, fmt.Errorf("an SLI of kind %T is not known", x.SLI.SLI)
}

func opposite(op string) string {
	return map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[op]
}

func (b *bundle) eventIncrements(x *slo.SLO, sli *slo.Events) (increments, error) {
	total, err := parseCounter("total", sli.Total)
	if err != nil {
		return increments{}, err
	}
	out := increments{all: total, events: b.increment(x, counting{}, total), fill: b.presence(total), shows: total.additive}
	what, text, to := "bad", sli.Bad, &out.bad
	if sli.Good != "" {
		what, text, to = "good", sli.Good, &out.good
	}
	q, err := parseCounter(what, text)
	if err != nil {
		return increments{}, err
	}
	if m, ok := narrowed(total, q, sli.Good != ""); ok && b.chained() {
		out.events = b.marked(x, counting{}, total, m)
		return out, nil
	}
	*to = b.increment(x, counting{}, q)
	return out, nil
}

// latencyIncrements counts observations. Of a classic histogram the bucket of the threshold is exact. Of a native
// one the good observations are interpolated within the bucket that contains the threshold, the way
// histogram_fraction does it: exact only if the threshold is a boundary, else off by at most that bucket's count.
func (b *bundle) latencyIncrements(x *slo.SLO, sli *slo.Latency) (increments, error) {
	base, err := parseCounter("histogram", sli.Histogram)
	if err != nil {
		return increments{}, err
	}
	if len(base.parts) != 1 || base.parts[0].sel != base.text {
		return increments{}, fmt.Errorf("histogram query %q: want one selector", sli.Histogram)
	}
	if sli.Native {
		if b.target == VictoriaMetrics || b.target == VictoriaMetricsOperator {
			return increments{}, fmt.Errorf("VictoriaMetrics has no native histograms")
		}
		total := counting{of: func(v string) string { return "histogram_count(" + v + ")" }}
		under := number(time.Duration(sli.Threshold).Seconds())
		good := counting{of: func(v string) string {
			return "(histogram_fraction(-Inf, " + under + ", " + v + ") * (histogram_count(" + v + ") > 0))"
		}}
		return increments{
			all: base, events: b.increment(x, total, base), good: b.increment(x, good, base), fill: b.presence(base),
			shows: true,
		}, nil
	}
	total, good := latencyCounters(sli)
	count, err := parseCounter("histogram", total)
	if err != nil {
		return increments{}, err
	}
	bucket, err := parseCounter("histogram", good)
	if err != nil {
		return increments{}, err
	}
	return increments{
		all: count, events: b.increment(x, counting{}, count), good: b.increment(x, counting{}, bucket),
		fill: b.presence(count), shows: true,
	}, nil
}

// latencyCounters returns the counters of all observations of a classic histogram, and of those within the threshold.
func latencyCounters(sli *slo.Latency) (total, good string) {
	name, braces, _ := strings.Cut(sli.Histogram, "{")
	with := "{" + boundary(sli.Boundary) + "}"
	if braces != "" {
		with = "{" + boundary(sli.Boundary) + "," + braces
	}
	return name + "_count" + prefixed("{", braces), name + "_bucket" + with
}

// boundary matches the le label of a boundary. A whole number is 1 in what clients expose, and 1.0 in what a Prometheus of
// version 3 stores of it: both are meant, whichever of them the spec has.
func boundary(le string) string {
	whole := strings.TrimSuffix(le, ".0")
	if strings.Trim(whole, "0123456789") != "" {
		return equals("le", le)
	}
	return fmt.Sprintf("le=~%q", whole+"|"+whole+"[.]0")
}

// prefixed returns p+s unless s is empty.
func prefixed(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}

// deadlineIncrements counts as events the things that are due: started Within ago. Bad is what is due less what was
// finished. A thing that is finished early makes the increment negative at that tick and positive when it is due,
// so only sums over windows mean something.
func (b *bundle) deadlineIncrements(x *slo.SLO, sli *slo.Deadline) (increments, error) {
	started, err := parseCounter("started", sli.Started)
	if err != nil {
		return increments{}, err
	}
	finished, err := parseCounter("finished", sli.Finished)
	if err != nil {
		return increments{}, err
	}
	return increments{
		all:    started,
		events: b.increment(x, counting{offset: time.Duration(sli.Within)}, started),
		good:   b.increment(x, counting{}, finished),
		fill:   b.presence(started), signed: true,
	}, nil
}

// spendIncrements counts money: bad is what was spent, and events are what may be spent in the time of a tick,
// divided by the budget ratio, so that the burn rate is the money spent over the money planned.
func (b *bundle) spendIncrements(x *slo.SLO, sli *slo.Spend) (increments, error) {
	cost, err := parseCounter("cost", sli.Cost)
	if err != nil {
		return increments{}, err
	}
	plan := sli.Amount.Float() / x.Budget.Float() * float64(b.clock.tick) / float64(b.window.Length())
	return increments{
		all: cost, events: number(plan) + " * " + b.presence(cost), bad: b.increment(x, counting{credits: true}, cost),
		fill: b.presence(cost), signed: true,
	}, nil
}

// slice makes every tick one event of each series of q, bad where the comparison finds it so. Series without a
// sample, and NaN, count as neither.
func (b *bundle) slice(what, q string, bad func(string) string) (increments, error) {
	p, err := parse(what, q)
	if err != nil {
		return increments{}, err
	}
	text := b.operand(p)
	events := b.by("count") + "(" + text + " >= -Inf)"
	return increments{all: p, events: events, bad: b.by("count") + "(" + bad(text) + ")", fill: events, eventsPeriod: true}, nil
}

// present returns q in a form that sees rarely scraped series.
func (b *bundle) present(q query) string {
	return q.replace(func(p part) string {
		if !p.plain {
			return p.sel
		}
		return b.value(counting{}, p.sel, 0)
	})
}

// operand returns present in a form that can be an operand.
func (b *bundle) operand(q query) string {
	if len(q.parts) == 1 && q.parts[0].sel == q.text {
		return b.present(q)
	}
	return "(" + b.present(q) + ")"
}

// coverageIncrements makes every tick one event, bad to the part of what is expected that is not observed.
func (b *bundle) coverageIncrements(sli *slo.Coverage) (increments, error) {
	observed, err := parse("observed", sli.Observed)
	if err != nil {
		return increments{}, err
	}
	expected, err := parse("expected", sli.Expected)
	if err != nil {
		return increments{}, err
	}
	want := b.by("sum") + "(" + b.present(expected) + ")"
	have := b.by("sum") + "(" + b.present(observed) + ")"
	return increments{
		all: expected, events: "(" + want + " > bool 0)", eventsPeriod: true, fill: "(" + want + " >= -Inf)",
		bad: fmt.Sprintf("clamp_min(1 - (%s or %s 0 * %s) / (%s > 0), 0)", have, b.onGroups(), want, want),
	}, nil
}

func (b *bundle) onGroups() string { return "on (" + strings.Join(b.groupBy, ", ") + ")" }

// rawIncrements makes every tick at which the query has a value one event, bad to the part that the query says.
func (b *bundle) rawIncrements(sli *slo.Raw) (increments, error) {
	q, err := parse("errorRatio", sli.ErrorRatio)
	if err != nil {
		return increments{}, err
	}
	ratio := b.operand(q) + " >= 0"
	return increments{
		all: q, events: b.by("group") + "(" + ratio + ")", bad: "clamp_max(" + b.by("avg") + "(" + ratio + "), 1)",
		fill: b.by("group") + "(" + ratio + ")", eventsPeriod: true,
	}, nil
}

// compositeIncrements combines the increments that the members recorded one tick before. The good ratio r of each
// member that had events in the tick goes into the formula of the method; as many events count as the busiest
// member had, and a part 1-r of them is bad.
func (b *bundle) compositeIncrements(x *slo.SLO, sli *slo.Composite) (increments, error) {
	var names, weights []string
	for _, m := range sli.Members {
		member, ok := b.set.SLO(m.SLO)
		switch {
		case !ok:
			return increments{}, fmt.Errorf("member %q is not in the set", m.SLO)
		case member.DataSource != x.DataSource:
			return increments{}, fmt.Errorf("member %q is in data source %q, but a rule reads one data source only, here %q", m.SLO, member.DataSource, x.DataSource)
		}
		for _, l := range b.groupBy {
			if !slices.Contains(member.GroupBy, l) {
				return increments{}, fmt.Errorf("member %q is not grouped by %q", m.SLO, l)
			}
		}
		names = append(names, m.SLO)
		weights = append(weights, tag("vector("+literal(m.Weight)+")", slo.LabelSLO, m.SLO))
	}
	of := func(series string) string {
		return fmt.Sprintf("sum by (%s) (sum_over_time(%s{%s=~%q}%s offset %s))",
			b.identity(), series, slo.LabelSLO, strings.Join(names, "|"), span(b.clock.tick), duration(b.clock.tick))
	}
	events := of(slo.SeriesEventsIncrement)
	r := fmt.Sprintf("clamp(1 - %s / (%s > 0), 0, 1)", of(slo.SeriesBadIncrement), events)
	switch sli.Method {
	case slo.Serial:
		r = "exp(" + b.by("sum") + "(ln(" + r + ")))"
	case slo.Worst:
		r = b.by("min") + "(" + r + ")"
	case slo.Weighted:
		w := " * on (slo) group_left () (" + strings.Join(weights, " or ") + ")"
		r = b.by("sum") + "(" + r + w + ")\n/ " + b.by("sum") + "((" + r + " >= bool 0)" + w + ")"
	default:
		return increments{}, fmt.Errorf("composite method %q is not known", sli.Method)
	}
	busiest := b.by("max") + "(" + events + ")"
	return increments{events: busiest, bad: busiest + "\n* (1 - (" + r + "))", fill: busiest}, nil
}
