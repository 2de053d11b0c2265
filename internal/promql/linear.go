package promql

import (
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"
)

// Nonlinear finds the first operator through which increments of counters cannot pass: an expression f of counters
// whose increments are not f of their increments. Sums, differences, set operators and scaling by a number pass;
// products and quotients of vectors, comparisons, powers, and adding a number do not. ok is false if all pass.
func (e Expr) Nonlinear() (p Problem, ok bool) {
	parser.Inspect(e.node, func(n parser.Node, _ []parser.Node) error {
		b, isBinary := n.(*parser.BinaryExpr)
		if !isBinary || ok || linear(b) {
			return nil
		}
		r := b.PositionRange()
		ok, p = true, Problem{
			Off: int(r.Start), Len: int(r.End - r.Start),
			Msg: fmt.Sprintf("events cannot be counted through the operator %s here", b.Op),
		}
		return nil
	})
	return p, ok
}

func linear(b *parser.BinaryExpr) bool {
	number := func(e parser.Expr) bool { return e.Type() == parser.ValueTypeScalar }
	switch b.Op {
	case parser.ADD, parser.SUB:
		return number(b.LHS) == number(b.RHS)
	case parser.MUL:
		return number(b.LHS) || number(b.RHS)
	case parser.DIV:
		return number(b.RHS)
	case parser.LOR, parser.LAND, parser.LUNLESS:
		return true
	}
	return false
}
