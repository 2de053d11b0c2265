package promql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// LabelSet is which labels series may carry, the metric name aside. The zero
// LabelSet is none.
type LabelSet struct {
	Any   bool // any label: nothing is known
	names map[string]bool
}

// NewLabelSet returns the set of these labels.
func NewLabelSet(names ...string) LabelSet {
	out := LabelSet{names: make(map[string]bool, len(names))}
	for _, n := range names {
		out.names[n] = true
	}
	return out
}

// Has tells whether a series may carry the label.
func (s LabelSet) Has(name string) bool { return s.Any || s.names[name] }

// Names returns the labels that are known, sorted.
func (s LabelSet) Names() []string { return slices.Sorted(maps.Keys(s.names)) }

// Union returns the labels of either set.
func (s LabelSet) Union(t LabelSet) LabelSet {
	out := LabelSet{Any: s.Any || t.Any, names: maps.Clone(s.names)}
	if out.names == nil {
		out.names = map[string]bool{}
	}
	maps.Copy(out.names, t.names)
	return out
}

// only keeps these labels.
func (s LabelSet) only(names []string) LabelSet {
	out := NewLabelSet()
	for _, n := range names {
		if s.Has(n) {
			out.names[n] = true
		}
	}
	return out
}

// except drops these labels.
func (s LabelSet) except(names ...string) LabelSet {
	out := s.Union(LabelSet{})
	for _, n := range names {
		delete(out.names, n)
	}
	return out
}

// with adds a label.
func (s LabelSet) with(name string) LabelSet { return s.Union(NewLabelSet(name)) }

// Carries returns the labels that the results of e may carry, if of says which
// labels the series that a selector finds may carry. It may return too many,
// never too few.
func (e Expr) Carries(of func(Selector) LabelSet) LabelSet {
	e = e.located()
	if e.node == nil {
		return LabelSet{}
	}
	c := carrier{src: e.src, of: of}
	return c.labels(e.node)
}

// Lost returns the labels by which an aggregation of e groups, or on which two
// sides must agree, that no series there can carry: all results fall into one,
// or none is found. The order is that of the places.
func (e Expr) Lost(of func(Selector) LabelSet) []Problem {
	e = e.located()
	if e.node == nil {
		return nil
	}
	c := carrier{src: e.src, of: of, note: true}
	c.labels(e.node)
	slices.SortStableFunc(c.lost, func(a, b Problem) int { return a.Off - b.Off })
	return slices.Compact(c.lost)
}

// carrier follows labels through an expression.
type carrier struct {
	src  string
	of   func(Selector) LabelSet
	note bool
	lost []Problem
}

func (c *carrier) labels(n parser.Expr) LabelSet {
	switch n := n.(type) {
	case *parser.VectorSelector:
		found := c.of(newSelector(c.src, n, 0, nil))
		for _, m := range n.LabelMatchers {
			if m.Type == labels.MatchEqual && m.Value == "" {
				found = found.except(m.Name)
			}
		}
		return found
	case *parser.MatrixSelector:
		return c.labels(n.VectorSelector)
	case *parser.SubqueryExpr:
		return c.labels(n.Expr)
	case *parser.ParenExpr:
		return c.labels(n.Expr)
	case *parser.UnaryExpr:
		return c.labels(n.Expr)
	case *parser.AggregateExpr:
		return c.aggregation(n)
	case *parser.BinaryExpr:
		return c.binary(n)
	case *parser.Call:
		return c.call(n)
	}
	return LabelSet{}
}

func (c *carrier) aggregation(n *parser.AggregateExpr) LabelSet {
	inner := c.labels(n.Expr)
	if !n.Without {
		for _, l := range n.Grouping {
			c.miss(n, l, inner, "no series under this aggregation has the label %q")
		}
	}
	switch n.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return inner
	}
	out := inner.only(n.Grouping)
	if n.Without {
		out = inner.except(n.Grouping...)
	}
	if s, ok := unwrap(n.Param).(*parser.StringLiteral); ok && n.Op == parser.COUNT_VALUES {
		out = out.with(s.Val)
	}
	return out
}

func (c *carrier) binary(n *parser.BinaryExpr) LabelSet {
	lhs, rhs := c.labels(n.LHS), c.labels(n.RHS)
	vm := n.VectorMatching
	if vm == nil || n.LHS.Type() != parser.ValueTypeVector || n.RHS.Type() != parser.ValueTypeVector {
		return lhs.Union(rhs)
	}
	if vm.On {
		for _, l := range vm.MatchingLabels {
			c.miss(n, l, lhs, "no series to the left has the label %q")
			c.miss(n, l, rhs, "no series to the right has the label %q")
		}
	}
	switch {
	case n.Op == parser.LAND, n.Op == parser.LUNLESS:
		return lhs
	case n.Op == parser.LOR:
		return lhs.Union(rhs)
	case vm.Card == parser.CardManyToOne:
		return lhs.Union(rhs.only(vm.Include))
	case vm.Card == parser.CardOneToMany:
		return rhs.Union(lhs.only(vm.Include))
	case vm.On:
		return lhs.only(vm.MatchingLabels)
	}
	return lhs.except(vm.MatchingLabels...)
}

// call follows the vectors that a function works on.
func (c *carrier) call(n *parser.Call) LabelSet {
	var inner LabelSet
	for _, a := range n.Args {
		inner = inner.Union(c.labels(a))
	}
	switch n.Func.Name {
	case "label_replace", "label_join":
		if dst, ok := unwrap(n.Args[1]).(*parser.StringLiteral); ok {
			return inner.with(dst.Val)
		}
		return LabelSet{Any: true}
	case "absent", "absent_over_time", "info", "histogram_quantiles":
		return LabelSet{Any: true}
	case "scalar":
		return LabelSet{}
	case "histogram_quantile", "histogram_fraction":
		return inner.except("le")
	}
	return inner
}

// miss notes that label is not in found. Its place is where n names it.
func (c *carrier) miss(n parser.Expr, label string, found LabelSet, msg string) {
	if !c.note || found.Has(label) {
		return
	}
	at := n.PositionRange()
	p := Problem{Off: int(at.Start), Len: int(at.End - at.Start), Msg: fmt.Sprintf(msg, label), Hint: "no label is left there"}
	if known := found.Names(); len(known) > 0 {
		p.Hint = "the labels there are " + strings.Join(known, ", ")
	}
	depth, grouping := 0, false
	for it := range tokens(c.src[at.Start:at.End]) {
		switch it.Typ {
		case parser.BY, parser.ON:
			grouping = depth == 0
		case parser.LEFT_PAREN:
			depth++
		case parser.RIGHT_PAREN:
			depth--
			grouping = grouping && depth > 0
		default:
			if grouping && depth == 1 && it.Val == label {
				p.Off, p.Len = int(at.Start)+int(it.Pos), len(label)
				c.lost = append(c.lost, p)
				return
			}
		}
	}
	c.lost = append(c.lost, p)
}
