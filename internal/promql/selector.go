package promql

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// nameLabel is the label that holds the metric name.
const nameLabel = "__name__"

// Op is how a matcher compares.
type Op string

// The four comparisons. Regular expressions are RE2 and match the whole value; a missing label has the value "".
const (
	Equal     Op = "="
	NotEqual  Op = "!="
	Regexp    Op = "=~"
	NotRegexp Op = "!~"
)

// Matcher is one condition on a label, such as code=~"5..".
type Matcher struct {
	Name  string
	Op    Op
	Value string
	// Off and Len are the bytes of the matcher in the query. After a rewrite they refer to the text of String.
	Off, Len int
}

// String returns the matcher in PromQL, the value in double quotes.
func (m Matcher) String() string {
	name := m.Name
	for i := range len(name) {
		if !isWord(name[i]) || i == 0 && '0' <= name[0] && name[0] <= '9' {
			name = fmt.Sprintf("%q", name)
			break
		}
	}
	return fmt.Sprintf("%s%s%q", name, m.Op, m.Value)
}

// Matches tells whether a label of this value fits the condition; "" is a label
// that is not there. A regular expression that does not compile fits nothing.
func (m Matcher) Matches(value string) bool {
	t := map[Op]labels.MatchType{Equal: labels.MatchEqual, NotEqual: labels.MatchNotEqual, Regexp: labels.MatchRegexp, NotRegexp: labels.MatchNotRegexp}
	matcher, err := labels.NewMatcher(t[m.Op], m.Name, m.Value)
	return err == nil && matcher.Matches(value)
}

// Selector is one selector in an expression.
type Selector struct {
	// Name is the metric name if exactly one is asked for: m in m{...}, {__name__="m"} and {"m"}; otherwise "".
	Name string
	// Matchers are the conditions in the braces in order, without the one that gave Name.
	Matchers []Matcher
	// Off and Len are the bytes of the name and the braces in the query, without range, offset and @.
	// After a rewrite they refer to the text of String.
	Off, Len int
	Range    time.Duration // the range in brackets; 0 for a plain selector
	Offset   time.Duration // the offset modifier; 0 if there is none
	HasAt    bool          // there is an @ modifier
	Under    []string      // the functions and aggregations around the selector, outermost first
}

// Selectors returns the selectors of the expression in order of Off. It computes them anew at each call.
func (e Expr) Selectors() []Selector {
	e = e.located()
	if e.node == nil {
		return nil
	}
	var out []Selector
	walk(e.node, nil, func(vs *parser.VectorSelector, rng time.Duration, under []string) {
		out = append(out, newSelector(e.src, vs, rng, under))
	})
	slices.SortFunc(out, func(a, b Selector) int { return cmp.Compare(a.Off, b.Off) })
	return out
}

// Selector returns the selector the whole expression is, parentheses aside. ok is false if the expression is
// anything else, or the selector has a range, an offset or an @ modifier.
func (e Expr) Selector() (s Selector, ok bool) {
	vs, ok := unwrap(e.node).(*parser.VectorSelector)
	if !ok || vs.OriginalOffset != 0 || vs.Timestamp != nil || vs.StartOrEnd != 0 {
		return Selector{}, false
	}
	return e.Selectors()[0], true
}

// located returns e with positions that refer to its text.
func (e Expr) located() Expr {
	if e.src != "" || e.node == nil {
		return e
	}
	located, problems := Parse(e.String())
	if problems != nil {
		panic(fmt.Sprintf("promql: rewrite made the bad query %s: %s", e, problems[0].Msg))
	}
	return located
}

// walk calls visit for every selector under n. visit must not keep under.
func walk(n parser.Node, under []string, visit func(*parser.VectorSelector, time.Duration, []string)) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		visit(n, 0, under)
		return
	case *parser.MatrixSelector:
		visit(n.VectorSelector.(*parser.VectorSelector), n.Range, under)
		return
	case *parser.AggregateExpr:
		under = append(under, n.Op.String())
	case *parser.Call:
		under = append(under, n.Func.Name)
	}
	for child := range parser.ChildrenIter(n) {
		walk(child, under, visit)
	}
}

// newSelector describes vs, whose positions refer to src.
func newSelector(src string, vs *parser.VectorSelector, rng time.Duration, under []string) Selector {
	s := Selector{
		Off: int(vs.PosRange.Start), Range: rng, Offset: vs.OriginalOffset,
		HasAt: vs.Timestamp != nil || vs.StartOrEnd != 0, Under: slices.Clone(under),
	}
	spans, end := matcherSpans(src[s.Off:])
	s.Len = end
	s.Matchers = make([]Matcher, 0, len(vs.LabelMatchers))
	for i, m := range vs.LabelMatchers {
		if s.Name == "" && m.Name == nameLabel && m.Type == labels.MatchEqual {
			s.Name = m.Value
			continue
		}
		// The parser keeps the matchers in order, the name before the braces last.
		out := Matcher{Name: m.Name, Op: Op(m.Type.String()), Value: m.Value}
		if i < len(spans) {
			out.Off, out.Len = s.Off+spans[i][0], spans[i][1]-spans[i][0]
		}
		s.Matchers = append(s.Matchers, out)
	}
	return s
}

// matcherSpans returns start and end of each matcher of the selector that src starts with, and the selector's end.
func matcherSpans(src string) (spans [][2]int, end int) {
	for end < len(src) && (isWord(src[end]) || src[end] == ':') {
		end++
	}
	name, start, braces := end, -1, false
	for it := range tokens(src[name:]) {
		pos, next := name+int(it.Pos), name+int(it.Pos)+len(it.Val)
		switch {
		case !braces:
			if it.Typ != parser.LEFT_BRACE {
				return nil, name
			}
			braces = true
		case it.Typ == parser.COMMA || it.Typ == parser.RIGHT_BRACE:
			if start >= 0 {
				spans = append(spans, [2]int{start, end})
			}
			start = -1
		case start < 0:
			start = pos
		}
		end = next
		if it.Typ == parser.RIGHT_BRACE {
			break
		}
	}
	return spans, end
}
