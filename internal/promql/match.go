package promql

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
)

// Answer is the answer to a question that cannot always be decided.
type Answer int8

// The three answers.
const (
	Unknown Answer = iota
	Yes
	No
)

// String returns unknown, yes or no.
func (a Answer) String() string {
	return [...]string{"unknown", "yes", "no"}[a]
}

// Conflict finds a matcher of a and a matcher of b on the same label that no value satisfies together, such as
// code="500" and code=~"2..". It compares pairs only, ignores the metric names, and is sound: ok is true only if
// no series matches both. Conflict(s, s) finds a selector that contradicts itself.
func Conflict(a, b Selector) (ma, mb Matcher, ok bool) {
	for _, ma := range a.Matchers {
		for _, mb := range b.Matchers {
			if ma.Name == mb.Name && ma.Name != nameLabel && satisfiable(ma, mb) == No {
				return ma, mb, true
			}
		}
	}
	return Matcher{}, Matcher{}, false
}

// Subset answers whether every series that a matches is also matched by b, over all series that could exist.
// It compares metric names and matchers only; ranges, offsets and @ are ignored. Yes and No are exact. Unknown is
// left for regular expressions with word boundaries or line anchors and for very large ones.
func Subset(a, b Selector) Answer {
	as, bs := byLabel(a), byLabel(b)
	possible, impossible := Yes, "" // is there a series for a; the one label on which a may still be unknown
	unknowns := 0
	for name, ms := range as {
		switch satisfiable(ms...) {
		case No:
			return Yes
		case Unknown:
			impossible = name
			unknowns++
			possible = Unknown
		}
	}
	answer := Yes
	for name, ms := range bs {
		for _, m := range ms {
			switch satisfiable(append(slices.Clone(as[name]), m.inverse())...) {
			case Yes: // a value that a takes and m refuses; a counterexample if the other labels of a can be had
				if possible == Yes || unknowns == 1 && impossible == name {
					return No
				}
				answer = Unknown
			case Unknown:
				answer = Unknown
			}
		}
	}
	return answer
}

// byLabel returns all matchers of s by label, the metric name among them, which is never empty.
func byLabel(s Selector) map[string][]Matcher {
	out := map[string][]Matcher{nameLabel: {{Name: nameLabel, Op: NotEqual}}}
	if s.Name != "" {
		out[nameLabel] = append(out[nameLabel], Matcher{Name: nameLabel, Op: Equal, Value: s.Name})
	}
	for _, m := range s.Matchers {
		out[m.Name] = append(out[m.Name], m)
	}
	return out
}

// inverse returns the matcher that accepts exactly what m refuses.
func (m Matcher) inverse() Matcher {
	switch m.Op {
	case Equal:
		m.Op = NotEqual
	case NotEqual:
		m.Op = Equal
	case Regexp:
		m.Op = NotRegexp
	case NotRegexp:
		m.Op = Regexp
	}
	return m
}

// compile returns m as Prometheus evaluates it.
func (m Matcher) compile() (*labels.Matcher, error) {
	t := labels.MatchEqual
	switch m.Op {
	case NotEqual:
		t = labels.MatchNotEqual
	case Regexp:
		t = labels.MatchRegexp
	case NotRegexp:
		t = labels.MatchNotRegexp
	}
	return labels.NewMatcher(t, m.Name, m.Value)
}

// satisfiable answers whether some label value is accepted by all of ms, which are about one label.
func satisfiable(ms ...Matcher) Answer {
	for _, m := range ms {
		if values, ok := m.values(); ok {
			return anyAccepted(values, ms)
		}
	}
	_, answer := intersect(ms)
	return answer
}

// values returns the finitely many values m accepts; ok is false if it accepts more or it is not easy to tell.
func (m Matcher) values() (values []string, ok bool) {
	switch m.Op {
	case Equal:
		return []string{m.Value}, true
	case Regexp:
		if c, err := m.compile(); err == nil && len(c.SetMatches()) > 0 {
			return c.SetMatches(), true
		}
	}
	return nil, false
}

// anyAccepted answers whether one of values is accepted by all of ms.
func anyAccepted(values []string, ms []Matcher) Answer {
	values = slices.Clone(values)
	for _, m := range ms {
		c, err := m.compile()
		if err != nil {
			return Unknown
		}
		values = slices.DeleteFunc(values, func(v string) bool { return !c.Matches(v) })
	}
	if len(values) > 0 {
		return Yes
	}
	return No
}
