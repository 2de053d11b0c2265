package promql

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Rewrite is what to make of one selector; the zero Rewrite leaves it as it is. Range and Offset are whole
// milliseconds.
type Rewrite struct {
	// Func is the function to wrap the selector in, one that takes a range and nothing else (rate, increase,
	// max_over_time, ...), or with Range 0 one that takes an instant vector and nothing else.
	Func string
	// Range is the range the selector gets, more than 0. Without Func it replaces the range the selector has.
	Range time.Duration
	// Offset is added to the selector's own offset; negative looks ahead.
	Offset time.Duration
	// Add are matchers to add, not on __name__; those the selector has already are skipped.
	Add []Matcher
}

// MapSelectors returns e with each selector rewritten as f says. f is called once per selector, in order of Off.
// Error: a Rewrite that its selector does not allow, such as a range on one that has a range, or a Func that is
// unknown or takes other arguments.
func (e Expr) MapSelectors(f func(Selector) Rewrite) (Expr, error) {
	e = e.located()
	rewrites := map[int]Rewrite{} // by offset
	for _, s := range e.Selectors() {
		r := f(s)
		if err := r.check(s); err != nil {
			return Expr{}, fmt.Errorf("rewrite selector %s: %w", e.src[s.Off:s.Off+s.Len], err)
		}
		rewrites[s.Off] = r
	}
	return e.mapNodes(func(n parser.Expr) parser.Expr {
		return rewrites[int(selectorOf(n).PosRange.Start)].apply(n)
	}), nil
}

// Rate returns e with each plain selector wrapped in rate over window; selectors that have a range stay.
// It panics if window is not a positive whole number of milliseconds.
func (e Expr) Rate(window time.Duration) Expr {
	if window <= 0 || window%time.Millisecond != 0 {
		panic(fmt.Sprintf("promql: want a positive window in whole milliseconds, have %v", window))
	}
	r := Rewrite{Func: "rate", Range: window}
	return e.mapNodes(func(n parser.Expr) parser.Expr {
		if _, ranged := n.(*parser.MatrixSelector); ranged {
			return n
		}
		return r.apply(n)
	})
}

// Sum returns sum by (by...) (e). e must be an instant vector.
func (e Expr) Sum(by ...string) Expr {
	if e.Type() != Vector {
		panic(fmt.Sprintf("promql: sum of a %s", e.Type()))
	}
	return Expr{node: &parser.AggregateExpr{Op: parser.SUM, Expr: unwrap(e.node), Grouping: slices.Clone(by)}}
}

// mapNodes returns e with each selector replaced by f of it. f gets a *parser.VectorSelector, or a
// *parser.MatrixSelector if there is a range, and must not change it.
func (e Expr) mapNodes(f func(parser.Expr) parser.Expr) Expr {
	if e.node == nil {
		return e
	}
	return Expr{node: mapNode(e.node, f)}
}

func mapNode(n parser.Expr, f func(parser.Expr) parser.Expr) parser.Expr {
	switch n := n.(type) {
	case *parser.VectorSelector, *parser.MatrixSelector:
		return f(n)
	case *parser.AggregateExpr:
		c := *n
		c.Expr = mapNode(n.Expr, f)
		if n.Param != nil {
			c.Param = mapNode(n.Param, f)
		}
		return &c
	case *parser.BinaryExpr:
		c := *n
		c.LHS, c.RHS = mapNode(n.LHS, f), mapNode(n.RHS, f)
		return &c
	case *parser.Call:
		c := *n
		c.Args = slices.Clone(n.Args)
		for i, a := range c.Args {
			c.Args[i] = mapNode(a, f)
		}
		return &c
	case *parser.SubqueryExpr:
		c := *n
		c.Expr = mapNode(n.Expr, f)
		return &c
	case *parser.ParenExpr:
		c := *n
		c.Expr = mapNode(n.Expr, f)
		return &c
	case *parser.UnaryExpr:
		c := *n
		c.Expr = mapNode(n.Expr, f)
		return &c
	}
	return n // a number or a string
}

// selectorOf returns the vector selector of a selector with or without range.
func selectorOf(n parser.Expr) *parser.VectorSelector {
	if m, ok := n.(*parser.MatrixSelector); ok {
		n = m.VectorSelector
	}
	return n.(*parser.VectorSelector)
}

// check returns an error if r cannot be applied to s.
func (r Rewrite) check(s Selector) error {
	switch {
	case r.Range < 0 || r.Range%time.Millisecond != 0 || r.Offset%time.Millisecond != 0:
		return fmt.Errorf("want a range and an offset in whole milliseconds, the range not negative, have %v and %v",
			r.Range, r.Offset)
	case s.Range > 0 && r.Func != "":
		return fmt.Errorf("want no range to put %s around it, have %s", r.Func, FormatDuration(s.Range))
	case s.Range == 0 && r.Func == "" && r.Range > 0:
		return fmt.Errorf("want a function with the range %s", FormatDuration(r.Range))
	}
	for _, m := range r.Add {
		if _, err := m.compile(); err != nil || m.Name == nameLabel || m.Name == "" {
			return fmt.Errorf("add matcher %s: want a valid matcher on a label", m)
		}
	}
	if r.Func == "" {
		return nil
	}
	want := parser.ValueTypeVector
	if r.Range > 0 {
		want = parser.ValueTypeMatrix
	}
	f, ok := parser.Functions[r.Func]
	if !ok || f.Experimental || f.Variadic != 0 || len(f.ArgTypes) != 1 || f.ArgTypes[0] != want ||
		f.ReturnType != parser.ValueTypeVector {
		return fmt.Errorf("want a function of one %s, have %q", want, r.Func)
	}
	return nil
}

// apply returns the selector n rewritten; r has passed check.
func (r Rewrite) apply(n parser.Expr) parser.Expr {
	vs := *selectorOf(n)
	vs.OriginalOffset += r.Offset
	vs.LabelMatchers = r.matchers(vs.LabelMatchers)
	rng := r.Range
	if m, ok := n.(*parser.MatrixSelector); ok && rng == 0 {
		rng = m.Range
	}
	var out parser.Expr = &vs
	if rng > 0 {
		out = &parser.MatrixSelector{VectorSelector: &vs, Range: rng}
	}
	if r.Func != "" {
		out = &parser.Call{Func: parser.Functions[r.Func], Args: parser.Expressions{out}}
	}
	return out
}

// matchers returns have with those of r.Add that it lacks, in front: the parser wants the metric name last.
func (r Rewrite) matchers(have []*labels.Matcher) []*labels.Matcher {
	var add []*labels.Matcher
	for _, m := range r.Add {
		c, err := m.compile()
		same := func(o *labels.Matcher) bool { return o.Type == c.Type && o.Name == c.Name && o.Value == c.Value }
		if err == nil && !slices.ContainsFunc(have, same) && !slices.ContainsFunc(add, same) {
			add = append(add, c)
		}
	}
	if add == nil {
		return have
	}
	return append(add, have...)
}
