// Package promql reads, questions and rewrites PromQL. Users write plain selectors or instant expressions without
// windows; this package parses them, points at mistakes by byte offset, answers what a selector or an expression
// can match, and puts windows in by rewriting the parsed expression, never the text.
//
// It is the only package that imports the Prometheus parser, whose Go API changes between minor versions, and
// metricsql, the parser of VictoriaMetrics. Experimental functions and syntax are not accepted.
package promql

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// Expr is a parsed PromQL expression. It is immutable and safe for concurrent use. The zero Expr is what Parse
// returns for a query with problems: it prints as "", and its methods return zero values.
type Expr struct {
	node parser.Expr
	// src is the text the positions in node refer to; it is "" after a rewrite, when they refer to nothing.
	src string
}

// Type is the type of an expression's value.
type Type string

// The four types of PromQL.
const (
	Scalar Type = "scalar"
	Vector Type = "vector" // instant vector
	Matrix Type = "matrix" // range vector
	String Type = "string"
)

// Parse parses q. It returns either an expression or at least one problem, in order of Off, never both.
// It reports every error the Prometheus parser finds except those that follow from another one, and never panics.
func Parse(q string) (e Expr, problems []Problem) {
	defer func() {
		if r := recover(); r != nil {
			e, problems = Expr{}, []Problem{{Len: len(q), Msg: fmt.Sprintf("the PromQL parser gave up: %v", r)}}
		}
	}()
	node, err := parser.NewParser(parser.Options{}).ParseExpr(q)
	if err == nil {
		return Expr{node: node, src: q}, nil
	}
	if p, ok := placeholder(q); ok {
		return Expr{}, []Problem{p}
	}
	var errs parser.ParseErrors
	if !errors.As(err, &errs) {
		return Expr{}, []Problem{{Len: len(q), Msg: err.Error()}}
	}
	return Expr{}, explain(q, errs)
}

// String returns the canonical text: one line, matchers sorted, whole milliseconds. Parsing it gives an equal text.
func (e Expr) String() string {
	if e.node == nil {
		return ""
	}
	return e.node.String()
}

// Type returns the type of the expression's value.
func (e Expr) Type() Type {
	if e.node == nil {
		return ""
	}
	return Type(e.node.Type())
}

// Aggregation is the outermost aggregation of an expression, such as sum by (code).
type Aggregation struct {
	Op      string   // sum, avg, topk, ...
	Labels  []string // the labels in by (...) or without (...), as written
	Without bool     // Labels are dropped instead of kept
}

// Aggregation returns the aggregation the whole expression is, parentheses aside; ok is false if it is none.
func (e Expr) Aggregation() (a Aggregation, ok bool) {
	agg, ok := unwrap(e.node).(*parser.AggregateExpr)
	if !ok {
		return Aggregation{}, false
	}
	return Aggregation{Op: agg.Op.String(), Labels: slices.Clone(agg.Grouping), Without: agg.Without}, true
}

// unwrap removes the parentheses around n.
func unwrap(n parser.Expr) parser.Expr {
	for {
		p, ok := n.(*parser.ParenExpr)
		if !ok {
			return n
		}
		n = p.Expr
	}
}
