package promql

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// KeepsLabels answers whether the series of the result still carry all of the labels names, provided the selected
// series carry them. Yes: each result has each label, with the value of a selected series. No: some label is on no
// result. Unknown: it depends on the data, or the analysis does not follow (label_replace, absent, info, ...).
func (e Expr) KeepsLabels(names ...string) Answer {
	if e.node == nil {
		return Unknown
	}
	answer := Yes
	for _, name := range names {
		answer = both(answer, keeps(e.node, name))
	}
	return answer
}

// both is Yes if both are Yes, No if one is No, otherwise Unknown.
func both(a, b Answer) Answer {
	switch {
	case a == No || b == No:
		return No
	case a == Yes && b == Yes:
		return Yes
	}
	return Unknown
}

// keeps answers KeepsLabels for one label.
func keeps(n parser.Expr, name string) Answer {
	switch n := n.(type) {
	case *parser.VectorSelector:
		for _, m := range n.LabelMatchers {
			if m.Name == name && m.Type == labels.MatchEqual && m.Value == "" {
				return No
			}
		}
		return Yes
	case *parser.MatrixSelector:
		return keeps(n.VectorSelector, name)
	case *parser.SubqueryExpr:
		return keeps(n.Expr, name)
	case *parser.ParenExpr:
		return keeps(n.Expr, name)
	case *parser.UnaryExpr:
		return unlessName(name, keeps(n.Expr, name))
	case *parser.AggregateExpr:
		return aggregationKeeps(n, name)
	case *parser.BinaryExpr:
		return binaryKeeps(n, name)
	case *parser.Call:
		return callKeeps(n, name)
	}
	return No // a number or a string
}

// unlessName is a, except for the metric name, which an operation may drop: then Unknown instead of Yes.
func unlessName(name string, a Answer) Answer {
	if name == nameLabel {
		return both(Unknown, a)
	}
	return a
}

func aggregationKeeps(n *parser.AggregateExpr, name string) Answer {
	inner := keeps(n.Expr, name)
	switch n.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return inner
	case parser.COUNT_VALUES:
		if s, ok := unwrap(n.Param).(*parser.StringLiteral); !ok || s.Val == name {
			return Unknown
		}
	}
	if slices.Contains(n.Grouping, name) == n.Without {
		return No
	}
	if n.Without {
		return unlessName(name, inner)
	}
	return inner
}

func binaryKeeps(n *parser.BinaryExpr, name string) Answer {
	lhs, rhs := keeps(n.LHS, name), keeps(n.RHS, name)
	vm := n.VectorMatching
	switch {
	case n.LHS.Type() == parser.ValueTypeScalar && n.RHS.Type() == parser.ValueTypeScalar:
		return No
	case n.RHS.Type() == parser.ValueTypeScalar:
		return unlessName(name, lhs)
	case n.LHS.Type() == parser.ValueTypeScalar:
		return unlessName(name, rhs)
	case vm == nil || vm.FillValues.LHS != nil || vm.FillValues.RHS != nil:
		return Unknown
	case n.Op == parser.LOR:
		if lhs == rhs {
			return lhs
		}
		return Unknown
	case n.Op == parser.LUNLESS:
		return lhs
	}
	matched := slices.Contains(vm.MatchingLabels, name) == vm.On // the two sides must agree on the label
	if name == nameLabel {
		matched = matched && vm.On // without on the name is never compared
	}
	many, one := lhs, rhs
	if vm.Card == parser.CardOneToMany {
		many, one = rhs, lhs
	}
	switch {
	case matched && n.Op == parser.LAND:
		return both(lhs, rhs)
	case n.Op == parser.LAND:
		return lhs
	case slices.Contains(vm.Include, name):
		return unlessName(name, one)
	case matched:
		return unlessName(name, both(many, one))
	case vm.Card == parser.CardOneToOne && name == nameLabel && !vm.On:
		return unlessName(name, lhs)
	case vm.Card == parser.CardOneToOne:
		return No
	}
	return unlessName(name, many)
}

// callKeeps follows the one vector a function works on.
func callKeeps(n *parser.Call, name string) Answer {
	inner := No // a function of no vector has a result without labels
	for _, a := range n.Args {
		if t := a.Type(); t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			inner = keeps(a, name)
			break
		}
	}
	switch f := n.Func.Name; f {
	case "label_replace", "label_join":
		if dst, ok := unwrap(n.Args[1]).(*parser.StringLiteral); !ok || dst.Val == name {
			return Unknown
		}
	case "absent", "absent_over_time", "info", "histogram_quantiles":
		return Unknown
	case "scalar":
		return No
	case "histogram_quantile", "histogram_fraction":
		if name == "le" {
			return No
		}
	}
	return unlessName(name, inner)
}
