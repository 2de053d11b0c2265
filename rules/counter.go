package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// query is an instant PromQL query of an SLI, taken apart.
type query struct {
	text     string // canonical
	parts    []part // its selectors in order
	additive bool   // it is nothing but a sum of its selectors
}

// part is one plain selector.
type part struct {
	off   int
	sel   string // text
	up    string // selector of the up series of its targets
	job   bool   // up is narrowed down to the job or instance
	plain bool   // it has no range, offset or @
	inSum bool   // the innermost thing around it is a sum
	named bool   // it selects one metric name
	name  string // the metric name if named
	conds []promql.Matcher
}

// parse takes q apart; what names it in errors.
func parse(what, q string) (query, error) {
	expr, problems := promql.Parse(q)
	if len(problems) > 0 {
		return query{}, fmt.Errorf("%s query %q: %s", what, q, problems[0].Msg)
	}
	if t := expr.Type(); t != promql.Vector && t != promql.Scalar {
		return query{}, fmt.Errorf("%s query %q: want an instant vector, have a %s", what, q, t)
	}
	out := query{text: q}
	if expr.Type() == promql.Scalar {
		out.text = "vector(" + q + ")"
	}
	for _, s := range expr.Selectors() {
		p := part{off: s.Off + strings.Index(out.text, q), sel: q[s.Off : s.Off+s.Len], plain: s.Range == 0 && s.Offset == 0 && !s.HasAt}
		p.named, p.name, p.conds = s.Name != "", s.Name, s.Matchers
		p.inSum = len(s.Under) > 0 && s.Under[len(s.Under)-1] == "sum"
		var ms []string
		for _, m := range s.Matchers {
			if m.Name == "job" || m.Name == "instance" {
				ms = append(ms, m.String())
			}
		}
		p.job = len(ms) > 0
		p.up = "up"
		if p.job {
			p.up += "{" + strings.Join(ms, ",") + "}"
		}
		out.parts = append(out.parts, p)
	}
	out.additive = additive(out.replace(func(part) string { return "S" }))
	return out, nil
}

// parseCounter takes a query of counters apart, into which windows will be put.
func parseCounter(what, q string) (query, error) {
	out, err := parse(what, q)
	if err != nil {
		return out, err
	}
	for _, p := range out.parts {
		if !p.named {
			return out, fmt.Errorf("%s query %q: want selectors of one metric name each", what, q)
		}
		if !p.plain {
			return out, fmt.Errorf("%s query %q: want selectors without range, offset and @", what, q)
		}
	}
	if len(out.parts) == 0 {
		return out, fmt.Errorf("%s query %q: want at least one selector", what, q)
	}
	return out, nil
}

// replace returns the text with each selector replaced.
func (q query) replace(f func(part) string) string {
	var b strings.Builder
	at := 0
	for _, p := range q.parts {
		b.WriteString(q.text[at:p.off])
		b.WriteString(f(p))
		at = p.off + len(p.sel)
	}
	return b.String() + q.text[at:]
}

// additive tells whether a canonical query whose selectors are all written S is a sum of them: made of +, sum with
// any grouping, and "or vector(0)" only.
func additive(skeleton string) bool {
	s := strings.ReplaceAll(skeleton, "or vector(0)", "")
	for {
		i := strings.Index(s, "sum")
		if i < 0 {
			break
		}
		rest := s[i+len("sum"):]
		for _, mod := range []string{" by (", " without ("} {
			if after, ok := strings.CutPrefix(rest, mod); ok {
				_, rest, _ = strings.Cut(after, ")")
			}
		}
		s = s[:i] + rest
	}
	return strings.Trim(s, "S()+ ") == "" && !strings.Contains(s, "S S")
}

// counting says how the value of a sample becomes a count.
type counting struct {
	of      func(sample string) string // from an instant vector; nil takes the value itself
	offset  time.Duration              // how long ago
	credits bool                       // the value may go down without having been reset
}

// value returns the count of a selector some time ago.
func (b *bundle) value(c counting, sel string, ago time.Duration) string {
	at := ""
	if ago += c.offset; ago > 0 {
		at = " offset " + duration(ago)
	}
	v := sel + at
	if s := b.clock.sight; s > 0 {
		v = "last_over_time(" + sel + "[" + duration(s) + "]" + at + ")"
	}
	return c.apply(v)
}

// latest returns the newest count of a selector. Where several scrapes fall into a tick, that is the last one of the
// tick even if the series has ended since: no later tick sees it.
func (b *bundle) latest(c counting, sel string) string {
	now := b.value(c, sel, 0)
	if time.Duration(b.source.ScrapeInterval) >= b.clock.tick || b.clock.sight > 0 {
		return now
	}
	at := ""
	if c.offset > 0 {
		at = " offset " + duration(c.offset)
	}
	return "(" + now + " or " + c.apply("last_over_time("+sel+"["+duration(b.clock.tick)+"]"+at+")") + ")"
}

func (c counting) apply(v string) string {
	if c.of == nil {
		return v
	}
	return c.of(v)
}

// grown returns the increments of the counters of p since the last tick, one element a series.
//
// The previous value is the one a tick ago, or the last one within the memory of the clock if the target was not
// scraped then. A value that is lower than before, and that of a new series, counts from zero. A new series does so
// only if that is not its past: its target was not out of reach, the rules were being evaluated, and, for series that
// are pushed and have no up, others of the SLO were there a tick ago.
func (b *bundle) grown(x *slo.SLO, c counting, p part) string {
	tick, ago := b.clock.tick, b.clock.tick+c.offset
	now := b.latest(c, p.sel)
	last := c.apply(fmt.Sprintf("last_over_time(%s[%s] offset %s)", p.sel, duration(b.clock.memory), duration(ago)))
	known := "  (" + now + " - (" + b.value(c, p.sel, tick) + "\n" +
		"      or " + last + "\n" +
		"        unless on (job, instance) (" + p.up + " offset " + duration(ago) + " == 1)))"
	if !c.credits {
		known += " >= 0"
	}
	fresh := "  " + now + "\n" +
		"  unless on (job, instance) (max_over_time(" + p.up + "[" + duration(b.clock.memory) + "] offset " + duration(ago) + ") == 0)\n" +
		"  and on () "
	warm := one(slo.SeriesTelemetry, x) + " offset " + duration(b.warmup()+c.offset)
	if p.job {
		there := p.up
		if c.offset > 0 {
			there += " offset " + duration(c.offset)
		}
		warm = fmt.Sprintf("(%s and on () (%s or %s offset %s == %d))", warm, there, one(slo.SeriesTelemetry, x), duration(ago), slo.TelemetryThere)
	}
	fresh += warm
	return union([]string{known, fresh})
}

// warmup is how long the rules must have been evaluated before a new series counts from zero. The first
// slo:telemetry:state lies a query offset before the start, and a series that was there before takes up to a scrape to be seen and another to
// be seen twice.
func (b *bundle) warmup() time.Duration {
	return max(4*b.clock.tick, b.opts.QueryOffset+2*time.Duration(b.source.ScrapeInterval)+b.clock.tick)
}

// increment returns the events that the counters of q counted since the last tick, one element for each group.
// It is empty where no series is.
func (b *bundle) increment(x *slo.SLO, c counting, q query) string {
	sum := func(p part) string {
		return b.by("sum") + "(\n" + indent(b.grown(x, c, p), 2) + "\n)"
	}
	if len(q.parts) == 1 && q.additive {
		return sum(q.parts[0])
	}
	if !q.additive {
		text := q.replace(func(p part) string {
			grown := b.grown(x, c, p)
			if p.inSum && len(b.groupBy) == 0 {
				grown += "\nor vector(0)" // or the whole expression is empty where this part is
			}
			return "(\n" + indent(grown, 2) + "\n)"
		})
		return b.by("sum") + "(" + text + ")"
	}
	var parts []string
	for i, p := range q.parts {
		parts = append(parts, tag(sum(p), labelPiece, fmt.Sprint(i)))
	}
	return b.by("sum") + "(\n" + indent(union(parts), 2) + "\n)"
}

// marked returns the increments of q as increment does, but one element for the series on which mark holds, and one for
// the others: labelOutcome tells the bad ones.
func (b *bundle) marked(x *slo.SLO, c counting, q query, m mark) string {
	grown := "sum by (" + b.groupedWith(m.label) + ") (\n" + indent(b.grown(x, c, q.parts[0]), 2) + "\n)"
	on := outcomeBad
	if m.good { // all are bad but those on which it holds
		grown, on = tag(grown, labelOutcome, outcomeBad), ""
	}
	grown = fmt.Sprintf("label_replace(%s, %q, %q, %q, %q)", grown, labelOutcome, on, m.label, m.pattern)
	return "sum by (" + b.groupedWith(labelOutcome) + ") (\n" + indent(grown, 2) + "\n)"
}

// groupedWith returns the group labels and one more.
func (b *bundle) groupedWith(label string) string {
	if slices.Contains(b.groupBy, label) {
		return strings.Join(b.groupBy, ", ")
	}
	return strings.Join(append(slices.Clone(b.groupBy), label), ", ")
}

// mark is a condition on one label of a series.
type mark struct {
	label, pattern string
	good           bool // it holds on the good ones, not on the bad ones
}

// narrowed returns the condition by which part, the good or the bad events, selects among the series of all; ok is
// false if there is more than one, or if they do not select from the same series.
func narrowed(all, part query, good bool) (m mark, ok bool) {
	if !all.additive || !part.additive || len(all.parts) != 1 || len(part.parts) != 1 || all.parts[0].up != part.parts[0].up ||
		all.parts[0].name != part.parts[0].name {
		return mark{}, false
	}
	extra := slices.Clone(part.parts[0].conds)
	for _, cond := range all.parts[0].conds {
		i := slices.IndexFunc(extra, func(c promql.Matcher) bool { return c.String() == cond.String() })
		if i < 0 {
			return mark{}, false
		}
		extra = slices.Delete(extra, i, i+1)
	}
	if len(extra) != 1 || !identifier(extra[0].Name) {
		return mark{}, false
	}
	op := extra[0].Op
	not := op == promql.NotEqual || op == promql.NotRegexp
	m = mark{label: extra[0].Name, pattern: extra[0].Value, good: good != not}
	if op == promql.Equal || op == promql.NotEqual {
		m.pattern = regexp.QuoteMeta(m.pattern)
	}
	return m, true
}

// presence returns one element for each group that has a series of q.
func (b *bundle) presence(q query) string {
	var parts []string
	for _, p := range q.parts {
		parts = append(parts, b.value(counting{}, p.sel, 0))
	}
	return b.by("group") + "(" + strings.Join(parts, " or ") + ")"
}
