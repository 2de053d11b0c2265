package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// With Options.Raw the series are in two places: what the rules record is in the store of the engine, and what they read
// besides is in another database. An expression over the one or the other is evaluated where its series are. Of one over
// both, the parts over recorded series are evaluated first, in the store, and then stand as constants in what the other
// database is asked. So a rule sees what the rule before it recorded, however long the other database takes to show
// what is written to it.

// maxLiteral is how many elements a part of an expression may have that is sent as a constant.
const maxLiteral = 1000

// Raw is the database of the series that the rules read and do not record.
type Raw interface {
	// Query evaluates a PromQL expression at ts. A scalar is one sample without labels. An error that wraps store.ErrAway
	// says that the database could not be asked; others are about the expression.
	Query(ctx context.Context, expr string, ts time.Time) ([]store.Sample, error)
}

// side says where the series of an expression are.
type side int

const (
	nowhere  side = 0 // it selects none
	recorded side = 1
	raw      side = 2
	mixed    side = recorded | raw
)

// division is how an expression is evaluated.
type division struct {
	at   side
	text string
	cuts []cut            // of a mixed expression, in order
	of   *map[string]bool // the names that it is by
}

// cut is a part of an expression over recorded series.
type cut struct {
	from, to int // in the text
	expr     string
	scalar   bool
	project  bool     // only whether there is an element with these labels counts
	keep     []string // the labels
}

// divider divides expressions.
type divider struct {
	parser parser.Parser
	names  map[string]bool // see recordedBy
	sides  map[parser.Node]side
	text   string
	cuts   []cut
	err    error
}

// divide says how an expression is evaluated when the rules record the metrics called names.
func divide(p parser.Parser, names map[string]bool, text string) (division, error) {
	expr, err := p.ParseExpr(text)
	if err != nil {
		return division{}, err
	}
	d := &divider{parser: p, names: names, sides: map[parser.Node]side{}, text: text}
	at := d.side(expr)
	if at == mixed {
		d.collect(expr, false, nil)
	}
	return division{at: at, text: text, cuts: d.cuts}, d.err
}

// side finds out where the series of a node are, and of all below it.
func (d *divider) side(n parser.Node) side {
	var s side
	if v, ok := n.(*parser.VectorSelector); ok {
		s = d.of(v)
	}
	for child := range parser.ChildrenIter(n) {
		s |= d.side(child)
	}
	d.sides[n] = s
	return s
}

// of says where the series of a selector are, by the metrics that it names. Alerts of others are raw.
func (d *divider) of(v *parser.VectorSelector) side {
	for _, m := range v.LabelMatchers {
		if m.Name == labels.AlertName && m.Type == labels.MatchEqual && !d.names[alertKey+m.Value] {
			return raw
		}
	}
	for _, name := range metricsOf(v) {
		if d.names[name] {
			return recorded
		}
	}
	return raw
}

// metricsOf returns the metrics that a selector names, if it names them one by one.
func metricsOf(v *parser.VectorSelector) []string {
	for _, m := range v.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			continue
		}
		switch m.Type {
		case labels.MatchEqual:
			return []string{m.Value}
		case labels.MatchRegexp:
			return m.SetMatches()
		}
	}
	return nil
}

// collect cuts the largest parts over recorded series out of n, which is mixed. exists says that only whether elements
// with the labels keep exist counts.
func (d *divider) collect(n parser.Node, exists bool, keep []string) {
	switch d.sides[n] {
	case recorded:
		d.cut(n, exists, keep)
		return
	case nowhere, raw:
		return
	}
	if _, ok := n.(*parser.SubqueryExpr); ok {
		d.fail(n, "a subquery mixes recorded series with others")
		return
	}
	b, binary := n.(*parser.BinaryExpr)
	if !binary {
		exists = exists && isParen(n)
		for child := range parser.ChildrenIter(n) {
			d.collect(child, exists, keep)
		}
		return
	}
	// Of what stands behind "and" and "unless" only the labels that are compared count.
	if (b.Op == parser.LAND || b.Op == parser.LUNLESS) && b.VectorMatching.On {
		d.collect(b.LHS, exists && within(keep, b.VectorMatching.MatchingLabels), keep)
		d.collect(b.RHS, true, b.VectorMatching.MatchingLabels)
		return
	}
	d.collect(b.LHS, false, nil)
	d.collect(b.RHS, false, nil)
}

func isParen(n parser.Node) bool {
	_, ok := n.(*parser.ParenExpr)
	return ok
}

// within reports whether all of some are among all.
func within(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

func (d *divider) cut(n parser.Node, exists bool, keep []string) {
	expr, ok := n.(parser.Expr)
	if !ok || expr.Type() != parser.ValueTypeVector && expr.Type() != parser.ValueTypeScalar {
		d.fail(n, "a function takes a range of recorded series together with others")
		return
	}
	at := n.PositionRange()
	if same, err := d.parser.ParseExpr(d.text[at.Start:at.End]); err != nil || same.String() != expr.String() {
		d.fail(n, "a part has no place of its own")
		return
	}
	d.cuts = append(d.cuts, cut{
		from: int(at.Start), to: int(at.End), expr: expr.String(), scalar: expr.Type() == parser.ValueTypeScalar, project: exists, keep: keep,
	})
}

func (d *divider) fail(n parser.Node, why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s, which cannot be evaluated over two databases: %s", why, n)
	}
}

// divided returns the division of an expression by what the present rules record, which is kept.
func (e *Engine) divided(text string) (division, error) {
	of := e.recorded.Load()
	if d, ok := e.divisions.Load(text); ok && d.(division).of == of {
		return d.(division), nil
	}
	d, err := divide(e.parser, e.names(), text)
	if err == nil {
		d.of = of
		e.divisions.Store(text, d)
	}
	return d, err
}

// names returns the metrics that the rules record.
func (e *Engine) names() map[string]bool {
	if p := e.recorded.Load(); p != nil {
		return *p
	}
	return recordedBy(e.opts.Own, nil)
}

// anywhere evaluates an expression that needs raw series.
func (e *Engine) anywhere(ctx context.Context, d division, ts time.Time) (promql.Vector, error) {
	text, err := e.constants(ctx, d, ts)
	if err != nil {
		return nil, err
	}
	found, err := e.opts.Raw.Query(ctx, text, ts)
	if err != nil {
		return nil, err
	}
	out := make(promql.Vector, 0, len(found))
	for _, p := range found {
		out = append(out, promql.Sample{T: ts.UnixMilli(), F: p.V, Metric: labels.FromMap(p.Labels)})
	}
	return out, nil
}

// constants returns the text of d with the values of its cuts.
func (e *Engine) constants(ctx context.Context, d division, ts time.Time) (string, error) {
	var b strings.Builder
	done := 0
	for _, c := range d.cuts {
		vec, _, err := e.local(ctx, c.expr, ts)
		if err != nil {
			return "", err
		}
		text, err := c.literal(vec)
		if err != nil {
			return "", fmt.Errorf("put in the value of %s: %w", c.expr, err)
		}
		b.WriteString(d.text[done:c.from])
		b.WriteString(text)
		done = c.to
	}
	b.WriteString(d.text[done:])
	return b.String(), nil
}

// literal writes the value of a cut as an expression.
func (c cut) literal(vec promql.Vector) (string, error) {
	if c.scalar {
		return "(" + numeral(vec[0].F) + ")", nil
	}
	if len(vec) == 0 {
		return "(vector(0) > 1)", nil
	}
	seen := map[string]bool{}
	var parts []string
	for _, s := range vec {
		l := s.Metric.DropReserved(func(n string) bool { return n == model.MetricNameLabel })
		v := s.F
		if c.project {
			l, v = labels.NewBuilder(l).Keep(c.keep...).Labels(), 1
		}
		key := l.String()
		if seen[key] && !c.project {
			return "", fmt.Errorf("it has two elements %s", key)
		}
		if !seen[key] {
			parts = append(parts, element(l, v))
		}
		seen[key] = true
	}
	if len(parts) > maxLiteral {
		return "", fmt.Errorf("it has %d elements, more than %d", len(parts), maxLiteral)
	}
	return "(" + strings.Join(parts, " or ") + ")", nil
}

// element writes one element of a vector as an expression.
func element(l labels.Labels, v float64) string {
	out := "vector(" + numeral(v) + ")"
	l.Range(func(x labels.Label) {
		value := strings.ReplaceAll(x.Value, "$", "$$") // which would stand for a group of the pattern
		out = "label_replace(" + out + ", " + strconv.Quote(x.Name) + ", " + strconv.Quote(value) + `, "", "")`
	})
	return out
}

// numeral writes a number so that it is read as the same.
func numeral(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// stop makes the rest of a tick fail if err says that the database of the raw series is away: what is recorded from
// a part of the input cannot be set right later.
func (e *Engine) stop(err error) {
	if errors.Is(err, store.ErrAway) {
		e.away.CompareAndSwap(nil, &err)
	}
}

// stopped returns why the present tick cannot go on, or nil.
func (e *Engine) stopped() error {
	if p := e.away.Load(); p != nil {
		return *p
	}
	return nil
}

// Reach returns how far back the loaded rules look at what they record, by metric, and how far the alerts among them
// do, without the metrics that those do not look at.
func (e *Engine) Reach() (all, alerts map[string]time.Duration) {
	all, alerts = map[string]time.Duration{}, map[string]time.Duration{}
	names := e.names()
	for name := range names {
		if !strings.HasPrefix(name, alertKey) {
			all[name] = 0
		}
	}
	e.eachSelector(func(r rules.Rule, v *parser.VectorSelector, reach time.Duration) {
		_, alert := r.(*rules.AlertingRule)
		for _, name := range metricsOf(v) {
			if names[name] {
				all[name] = max(all[name], reach)
			}
			if names[name] && alert {
				alerts[name] = max(alerts[name], reach)
			}
		}
	})
	return all, alerts
}

// RawSelectors returns the selectors of the series that the loaded rules read and do not record, sorted.
func (e *Engine) RawSelectors() []string {
	d, out := &divider{names: e.names()}, map[string]bool{}
	e.eachSelector(func(_ rules.Rule, v *parser.VectorSelector, _ time.Duration) {
		if d.of(v) == raw {
			plain := parser.VectorSelector{Name: v.Name, LabelMatchers: v.LabelMatchers}
			out[plain.String()] = true
		}
	})
	return slices.Sorted(maps.Keys(out))
}

// eachSelector calls f for each selector of the rules, with how far back it looks.
func (e *Engine) eachSelector(f func(r rules.Rule, v *parser.VectorSelector, reach time.Duration)) {
	for _, g := range e.groups {
		for _, r := range g.Rules() {
			parser.Inspect(r.Query(), func(n parser.Node, path []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok {
					f(r, v, e.reach(v, path))
				}
				return nil
			})
		}
	}
}

// reach returns how far back a selector looks that stands below the nodes of path.
func (e *Engine) reach(v *parser.VectorSelector, path []parser.Node) time.Duration {
	out := e.opts.Lookback + v.OriginalOffset
	for _, n := range path {
		switch x := n.(type) {
		case *parser.MatrixSelector:
			out += x.Range
		case *parser.SubqueryExpr:
			out += x.Range + x.OriginalOffset
		}
	}
	return out
}

// alertKey stands before the names of alerts among the names of metrics: no metric has a space in it.
const alertKey = "alert "

// recordedBy returns the metrics called own and those that groups record, and the alerts of these with alertKey.
func recordedBy(own []string, groups []*group) map[string]bool {
	out := map[string]bool{"ALERTS": true, "ALERTS_FOR_STATE": true}
	for _, name := range own {
		out[name] = true
	}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if _, ok := r.(*rules.AlertingRule); ok {
				out[alertKey+r.Name()] = true
			} else {
				out[r.Name()] = true
			}
		}
	}
	return out
}
