package promql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// windowHint is what to do about any placeholder for a window.
const windowHint = "write the selector without a window: Plimsoll puts the windows in"

// hint returns what to do about p, whose message is still the parser's, or "".
func hint(q string, p Problem) string {
	has := func(s string) bool { return strings.Contains(p.Msg, s) }
	if strings.HasPrefix(p.Msg, "unexpected ") {
		if h := operatorHint(q[:p.Off], q[p.Off:], has("label") || has("inside braces")); h != "" {
			return h
		}
	}
	switch {
	case has(`"(" is never closed`):
		return `add the closing ")"`
	case has(`"[" is never closed`):
		return `add the closing "]"`
	case has(`"{" is never closed`):
		return `add the closing "}"`
	case has("unterminated"):
		return "add the closing quote"
	case has("unexpected right parenthesis"):
		return `remove it, or add the "(" that it closes`
	case has("bad number or duration"):
		return "write a duration as 30s, 5m, 1h or 7d"
	case has("no expression found"):
		return "write a selector such as http_requests_total"
	case has("at least one non-empty matcher"):
		return "name a metric, or match at least one label that must not be empty"
	case has("unknown function"):
		return functionHint(word(q, p.Off))
	case has("grouping opts") && has(`expected "("`):
		return "put the labels in parentheses, as in by (code)"
	case has("comparisons between scalars"):
		return "write bool after the operator, as in == bool"
	case has(`range vector in call to function "rate"`), has(`range vector in call to function "increase"`):
		return "write the selector without the function: Plimsoll adds it together with the windows"
	case has("range vector in call to function"):
		return "give the selector a range, as in [5m]"
	case has("got range vector"):
		return windowHint
	case has("label matching, expected string"), has("unexpected character inside braces"):
		if w := word(q, p.Off); w != "" {
			return fmt.Sprintf("put the value in quotes: %q", w)
		}
	}
	return ""
}

// operatorHint recognises operators of other languages where the query goes wrong.
func operatorHint(before, at string, braces bool) string {
	starts := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(at, p) })
	}
	switch {
	case starts("“", "”", "„", "‘", "’"):
		return `use plain quotes: "`
	case braces && starts("~"):
		return "write =~ to match a regular expression, !~ for the opposite"
	case braces && strings.HasSuffix(before, "=") && starts("="):
		return "write a single = inside braces"
	case braces && starts("=!", "!"), braces && strings.HasSuffix(before, "=") && starts("!"):
		return "write != for not equal, !~ for not matching"
	case braces:
		return ""
	case starts("=>"):
		return "write >= for greater or equal"
	case starts("=<"):
		return "write <= for less or equal"
	case starts("&"):
		return "write and instead of &&"
	case starts("|"):
		return "write or instead of ||"
	case starts(">") && strings.HasSuffix(before, "<"), starts("!"):
		return "write != for not equal"
	case starts("=~"):
		return "match labels inside braces, as in {code=~\"5..\"}"
	case starts("="):
		return "write == to compare"
	}
	return ""
}

// functionHint names the function whose name is nearest to name, if one is near.
func functionHint(name string) string {
	best, bestDist := "", 3
	for _, f := range slices.Sorted(maps.Keys(parser.Functions)) {
		if parser.Functions[f].Experimental {
			continue
		}
		d := editDistance(name, f)
		if d < bestDist || d == bestDist && strings.HasPrefix(f, name) && !strings.HasPrefix(best, name) {
			best, bestDist = f, d
		}
	}
	if best == "" || bestDist >= len(name) {
		return ""
	}
	return "did you mean " + best + "?"
}

// editDistance is the Levenshtein distance of a and b in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}

// placeholder finds the first template variable of q outside quotes and comments: Grafana's $var, ${var} and
// [[var]], Go's and Sloth's {{.window}}, and a word in place of a range, as in [window].
func placeholder(q string) (Problem, bool) {
	for i := 0; i < len(q); {
		switch c := q[i]; {
		case c == '"' || c == '\'' || c == '`':
			i += quotedLen(q[i:])
		case c == '#':
			i += len(line(q[i:]))
		default:
			if n := variableLen(q[i:]); n > 0 {
				return placeholderProblem(q, i, n), true
			}
			i++
		}
	}
	return Problem{}, false
}

// placeholderProblem describes the template variable of n bytes at off, with the brackets around it.
func placeholderProblem(q string, off, n int) Problem {
	name := q[off : off+n]
	left, right := strings.TrimRight(q[:off], " "), strings.TrimLeft(q[off+n:], " ")
	inRange := strings.HasPrefix(name, "[") && !strings.HasPrefix(name, "[[")
	if strings.HasSuffix(left, "[") && strings.HasPrefix(right, "]") {
		inRange = true
		off, n = len(left)-1, len(q)-len(right)+1-(len(left)-1)
	}
	h := "write the value itself: Plimsoll fills no template variables"
	lower := strings.ToLower(name)
	if inRange || strings.Contains(lower, "window") || strings.Contains(lower, "interval") || strings.Contains(lower, "range") {
		h = windowHint
	}
	msg := fmt.Sprintf("%q is a template variable, not PromQL", name)
	if strings.HasPrefix(name, "[") && !strings.HasPrefix(name, "[[") {
		msg = fmt.Sprintf("want a duration in brackets, have %q", name[1:len(name)-1])
	}
	return Problem{Off: off, Len: n, Msg: msg, Hint: h}
}

// variableLen returns the length of the template variable s starts with, or 0.
func variableLen(s string) int {
	between := func(open, closing string) int {
		if !strings.HasPrefix(s, open) {
			return 0
		}
		end := strings.Index(line(s), closing)
		if end <= len(open) {
			return 0
		}
		return end + len(closing)
	}
	if n := max(between("{{", "}}"), between("${", "}"), between("[[", "]]")); n > 0 {
		return n
	}
	if len(s) < 2 || s[0] != '$' && s[0] != '[' || !isLetter(s[1]) && s[1] != '_' {
		return 0
	}
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	if s[0] == '$' {
		return n
	}
	if n < len(s) && s[n] == ']' {
		return n + 1
	}
	return 0
}

// quotedLen returns the length of the quoted string s starts with; an unterminated one reaches to the end of its
// line, or of s for a backquote.
func quotedLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == s[0]:
			return i + 1
		case s[0] == '`':
		case s[i] == '\n':
			return i
		case s[i] == '\\':
			i++
		}
	}
	return len(s)
}

// line returns s up to the first line break.
func line(s string) string {
	l, _, _ := strings.Cut(s, "\n")
	return l
}
