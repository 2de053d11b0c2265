package promql

import (
	"fmt"
	"strings"
)

// Lint returns likely mistakes in a query that parses, in order of Off: a regular expression as the value of = or
// !=, and template variables in quotes. Offsets are in the query, after a rewrite in the text of String.
func (e Expr) Lint() []Problem {
	var out []Problem
	for _, s := range e.Selectors() {
		for _, m := range s.Matchers {
			if p, ok := m.lint(); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func (m Matcher) lint() (Problem, bool) {
	p := Problem{Off: m.Off, Len: m.Len}
	for i := range len(m.Value) {
		n := variableLen(m.Value[i:])
		if n == 0 || strings.HasPrefix(m.Value[i:], "[") {
			continue
		}
		p.Msg = fmt.Sprintf("%q is a template variable, not PromQL", m.Value[i:i+n])
		p.Hint = "write the value itself: Plimsoll fills no template variables"
		return p, true
	}
	if m.Op != Equal && m.Op != NotEqual || !looksRegexp(m.Value) {
		return Problem{}, false
	}
	op := Regexp
	if m.Op == NotEqual {
		op = NotRegexp
	}
	p.Msg = fmt.Sprintf("%s compares with the text %q, which looks like a regular expression", m.Op, m.Value)
	p.Hint = fmt.Sprintf("write %s to match a regular expression", op)
	return p, true
}

// looksRegexp reports whether v is hardly a plain value: .* or .+ or |, or a status class such as 5.. or 5xx.
func looksRegexp(v string) bool {
	if strings.Contains(v, ".*") || strings.Contains(v, ".+") || strings.Contains(v, "|") {
		return true
	}
	return len(v) == 3 && '1' <= v[0] && v[0] <= '5' && v[1:] == ".."
}
