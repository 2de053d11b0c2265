package engine

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Which groups may be evaluated at the same time. A group touches the SLOs whose series it records, and those of whose
// recorded series it reads. Groups that touch an SLO in common keep their order; between others it cannot be told from
// what they record in which order, or whether at the same time, they were evaluated. A group of which it cannot be said
// what it touches, touches everything.

// order says which of the groups that are due have to wait for which.
type order struct {
	waits []int   // how many groups each waits for
	next  [][]int // the groups that wait for each
}

// orderOf returns the order of groups, which are in order of evaluation.
func orderOf(due []*group) order {
	o := order{make([]int, len(due)), make([][]int, len(due))}
	last := map[string]int{} // the last group that touches an SLO
	wall := 0                // the last group that touches everything, or 0
	for i, g := range due {
		before := map[int]bool{}
		if g.touchesAll() {
			for j := wall; j < i; j++ {
				before[j] = true
			}
			wall = i
			clear(last)
		} else {
			for _, name := range g.touched {
				if j, ok := last[name]; ok {
					before[j] = true
				}
				last[name] = i
			}
			if wall < i && due[wall].touchesAll() {
				before[wall] = true
			}
		}
		for j := range before {
			o.next[j] = append(o.next[j], i)
		}
		o.waits[i] = len(before)
	}
	return o
}

// run calls f with each group, at most so many at a time, and returns when all calls have.
func (o order) run(parallel int, f func(i int)) {
	left := len(o.waits)
	ready := make(chan int, left)
	for i, n := range o.waits {
		if n == 0 {
			ready <- i
		}
	}
	var mu sync.Mutex
	done := func(i int) {
		mu.Lock()
		defer mu.Unlock()
		for _, j := range o.next[i] {
			if o.waits[j]--; o.waits[j] == 0 {
				ready <- j
			}
		}
		if left--; left == 0 {
			close(ready)
		}
	}
	var wg sync.WaitGroup
	for range min(parallel, left) {
		wg.Go(func() {
			for i := range ready {
				f(i)
				done(i)
			}
		})
	}
	wg.Wait()
}

// evalAll evaluates groups, as many at a time as Options.Parallel says, and returns the errors of each. What they send
// goes out when all are done, in their order. When ctx ends the rest is left out.
func (e *Engine) evalAll(ctx context.Context, due []*group) [][]error {
	errs := make([][]error, len(due))
	eval := func(i int) {
		if ctx.Err() == nil {
			errs[i] = due[i].eval(ctx, e.last)
		}
	}
	if e.opts.Parallel > 1 {
		orderOf(due).run(e.opts.Parallel, eval)
	} else {
		for i := range due {
			eval(i)
		}
	}
	for _, g := range due {
		for _, alerts := range g.sent {
			e.send(ctx, alerts)
		}
		g.sent = nil
	}
	return errs
}

// touches finds out which SLOs a group touches when rules record the metrics called names.
func (e *Engine) touches(g *group, names map[string]bool) (slos []string, all bool) {
	r := &reader{parser: e.parser, names: &divider{names: names}, split: e.opts.Raw != nil, slos: map[string]bool{}}
	for _, rule := range g.Rules() {
		r.rule(rule)
	}
	return slices.Sorted(maps.Keys(r.slos)), r.all
}

// reader finds out which SLOs rules touch.
type reader struct {
	parser parser.Parser
	names  *divider
	split  bool // what does not name a recorded metric is asked elsewhere
	slos   map[string]bool
	all    bool
}

func (r *reader) rule(x rules.Rule) {
	r.reads(x.Query())
	about := x.Labels().Get(slo.LabelSLO)
	alert, is := x.(*rules.AlertingRule)
	switch {
	case about == "":
		r.all = !r.bears(x.Query()) || r.all
	case is && strings.Contains(about, "{{"):
		r.all = true
	default:
		r.slos[about] = true
	}
	if !is {
		return
	}
	text := func(l labels.Label) { r.template(l.Value, x.Query()) }
	alert.Labels().Range(text)
	alert.Annotations().Range(text)
}

// reads notes the recorded series that an expression selects.
func (r *reader) reads(expr parser.Expr) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if ok && (r.names.of(v) == recorded || len(metricsOf(v)) == 0 && !r.split) {
			r.all = !r.limit(v) || r.all
		}
		return nil
	})
}

// limit notes the SLOs that a selector names and reports whether it selects series of these only.
func (r *reader) limit(v *parser.VectorSelector) bool {
	for _, m := range v.LabelMatchers {
		if m.Name != slo.LabelSLO {
			continue
		}
		var names []string
		switch m.Type {
		case labels.MatchEqual:
			names = []string{m.Value}
		case labels.MatchRegexp:
			names = m.SetMatches()
		}
		if len(names) == 0 || slices.Contains(names, "") {
			continue
		}
		for _, name := range names {
			r.slos[name] = true
		}
		return true
	}
	return false
}

// bears reports whether each element of an expression has a label slo, of an SLO that its selectors name and that is
// noted.
func (r *reader) bears(expr parser.Expr) bool {
	switch x := expr.(type) {
	case *parser.VectorSelector:
		return r.limit(x)
	case *parser.MatrixSelector:
		return r.bears(x.VectorSelector)
	case *parser.SubqueryExpr:
		return r.bears(x.Expr)
	case *parser.ParenExpr:
		return r.bears(x.Expr)
	case *parser.UnaryExpr:
		return r.bears(x.Expr)
	case *parser.AggregateExpr:
		return x.Op != parser.COUNT_VALUES && slices.Contains(x.Grouping, slo.LabelSLO) != x.Without && r.bears(x.Expr)
	case *parser.BinaryExpr:
		return r.operation(x)
	case *parser.Call:
		return r.call(x)
	}
	return false
}

// operation is bears of an operation.
func (r *reader) operation(x *parser.BinaryExpr) bool {
	switch m := x.VectorMatching; {
	case x.LHS.Type() == parser.ValueTypeScalar:
		return r.bears(x.RHS)
	case x.RHS.Type() == parser.ValueTypeScalar:
		return r.bears(x.LHS)
	case m == nil || m.FillValues.LHS != nil || m.FillValues.RHS != nil:
		return false
	case x.Op == parser.LOR:
		return r.bears(x.LHS) && r.bears(x.RHS)
	case x.Op == parser.LAND || x.Op == parser.LUNLESS:
		return r.bears(x.LHS)
	case m.Card == parser.CardOneToOne:
		return slices.Contains(m.MatchingLabels, slo.LabelSLO) == m.On && r.bears(x.LHS)
	case slices.Contains(m.Include, slo.LabelSLO):
		return r.bears(x.LHS) && r.bears(x.RHS)
	case m.Card == parser.CardManyToOne:
		return r.bears(x.LHS)
	case m.Card == parser.CardOneToMany:
		return r.bears(x.RHS)
	}
	return false
}

// call is bears of a call.
func (r *reader) call(x *parser.Call) bool {
	args := x.Args
	switch x.Func.Name {
	case "absent", "absent_over_time", "info", "scalar", "vector":
		return false
	case "label_replace", "label_join":
		if to, ok := args[1].(*parser.StringLiteral); !ok || to.Val == slo.LabelSLO {
			return false
		}
		args = args[:1]
	}
	n := 0
	for _, a := range args {
		switch a.Type() {
		case parser.ValueTypeString:
			return false // the name of a label, perhaps
		case parser.ValueTypeVector, parser.ValueTypeMatrix:
			if !r.bears(a) {
				return false
			}
			n++
		}
	}
	return n > 0
}

// The queries in templates that are understood, and what else could change their meaning.
var (
	templateQuery = regexp.MustCompile("query \\(printf `([^`]*)`((?: \\$[a-zA-Z0-9_.]+)*)\\)")
	templateVerb  = regexp.MustCompile(`%.?`)
	templateSet   = regexp.MustCompile(`\$(labels|value)\s*:?=`)
)

// template notes the recorded series that the template of a label or an annotation of an alert asks for.
func (r *reader) template(text string, alert parser.Expr) {
	found := templateQuery.FindAllStringSubmatch(text, -1)
	if len(found) != strings.Count(text, "query") || len(found) > 0 && templateSet.MatchString(text) {
		r.all = true
		return
	}
	for _, f := range found {
		expr, err := r.parser.ParseExpr(fill(f[1], strings.Fields(f[2])))
		if err != nil {
			r.all = true
			return
		}
		inner := &reader{parser: r.parser, names: r.names, split: r.split, slos: map[string]bool{}}
		inner.reads(expr)
		r.all = r.all || inner.all
		for name := range inner.slos {
			switch name {
			case ofAlert:
				r.all = !r.bears(alert) || r.all
			case otherLabel:
				r.all = true
			default:
				r.slos[name] = true
			}
		}
	}
}

// What stands for the SLO of an alert in a query of its template, and for the value of another label. No SLO has such a
// name.
const (
	ofAlert    = "$labels.slo"
	otherLabel = "$labels"
)

// fill puts examples of the arguments args into a format of printf. What it does not understand does not parse.
func fill(format string, args []string) string {
	i := -1
	return templateVerb.ReplaceAllStringFunc(format, func(verb string) string {
		if i++; i >= len(args) {
			return "?"
		}
		switch {
		case args[i] == "$value" && verb != "%q" && verb != "%s":
			return "1"
		case args[i] == ofAlert && verb == "%q":
			return strconv.Quote(ofAlert)
		case strings.HasPrefix(args[i], otherLabel+".") && verb == "%q":
			return strconv.Quote(otherLabel)
		}
		return "?"
	})
}
