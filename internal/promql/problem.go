package promql

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"
)

// Problem is a mistake in a query: Len bytes at byte offset Off. Both lie within the query and on character
// boundaries; Len is 0 only for a place just after the last character or in an empty query.
type Problem struct {
	Off, Len int
	Msg      string // what is wrong; lower case, no full stop
	Hint     string // what to do about it, or ""
}

// explain turns the parser's errors into problems, sorted by offset, without those that follow from another.
func explain(q string, errs parser.ParseErrors) []Problem {
	out := make([]Problem, 0, len(errs))
	for _, pe := range errs {
		msg := pe.Err.Error()
		if strings.HasPrefix(msg, "no arguments for aggregate") && len(errs) > 1 {
			continue
		}
		p := Problem{Off: int(pe.PositionRange.Start), Msg: msg}
		p.Len = int(pe.PositionRange.End) - p.Off
		p = locate(q, p).clamp(q)
		p.Hint = hint(q, p)
		p.Msg = rephrase(p.Msg)
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b Problem) int { return cmp.Compare(a.Off, b.Off) })
	return dropFollowing(out)
}

// dropFollowing removes equal neighbours and type errors inside a call that has the wrong number of arguments.
func dropFollowing(ps []Problem) []Problem {
	out := ps[:0]
	for _, p := range ps {
		if len(out) > 0 {
			last := out[len(out)-1]
			inside := p.Off >= last.Off && p.Off+p.Len <= last.Off+last.Len
			if last == p || inside && strings.Contains(last.Msg, "argument(s)") {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// clamp moves p into q, widens it to whole characters and gives it one character where there is one.
func (p Problem) clamp(q string) Problem {
	start := min(max(p.Off, 0), len(q))
	end := min(max(p.Off+p.Len, start), len(q))
	for start > 0 && start < len(q) && !utf8.RuneStart(q[start]) {
		start--
	}
	if end == start && start < len(q) {
		end++
	}
	for end < len(q) && !utf8.RuneStart(q[end]) {
		end++
	}
	p.Off, p.Len = start, end-start
	return p
}

// locate narrows the places of the lexer's errors, which reach from a token to the end of the query, and moves
// errors about something unclosed from the end of the query to where it opens.
func locate(q string, p Problem) Problem {
	switch {
	case strings.HasPrefix(p.Msg, "unclosed left parenthesis"):
		return lastOpen(q, p, parser.LEFT_PAREN, parser.RIGHT_PAREN, `this "(" is never closed`)
	case strings.HasPrefix(p.Msg, "unclosed left bracket"), strings.HasPrefix(p.Msg, "unexpected end of input in duration"):
		return lastOpen(q, p, parser.LEFT_BRACKET, parser.RIGHT_BRACKET, `this "[" is never closed`)
	case strings.HasPrefix(p.Msg, "unexpected end of input inside braces"):
		return lastOpen(q, p, parser.LEFT_BRACE, parser.RIGHT_BRACE, `this "{" is never closed`)
	case strings.HasPrefix(p.Msg, "unexpected right parenthesis"):
		p.Off--
		p.Len = 1
	case strings.HasPrefix(p.Msg, "unexpected character"), strings.HasPrefix(p.Msg, "unexpected left"),
		strings.HasPrefix(p.Msg, "unexpected right"), strings.HasPrefix(p.Msg, "unexpected colon"):
		p.Len = max(len(word(q, p.Off)), 1)
	case strings.HasPrefix(p.Msg, "bad number"):
		p.Len = len(word(q, p.Off))
	case strings.HasPrefix(p.Msg, "no expression found"):
		p.Len = len(q)
	default:
		if p.Off >= 0 && p.Off < len(q) && p.Len > 0 { // an unterminated string reaches to the end of its line
			if line, _, cut := strings.Cut(q[p.Off:], "\n"); cut && strings.HasPrefix(p.Msg, "unterminated quoted") {
				p.Len = len(line)
			}
		}
	}
	return p
}

// lastOpen moves p to the innermost token of type open in q that has no matching closing token.
func lastOpen(q string, p Problem, open, closing parser.ItemType, msg string) Problem {
	var stack []int
	for it := range tokens(q) {
		switch it.Typ {
		case open:
			stack = append(stack, int(it.Pos))
		case closing:
			stack = stack[:max(len(stack)-1, 0)]
		}
	}
	if len(stack) > 0 {
		p.Off, p.Len, p.Msg = stack[len(stack)-1], 1, msg
	}
	return p
}

// tokens yields the tokens of q without comments, up to the end or the first bad one, which it does not yield.
func tokens(q string) func(yield func(parser.Item) bool) {
	return func(yield func(parser.Item) bool) {
		lex := parser.Lex(q)
		var it parser.Item
		for {
			lex.NextItem(&it)
			if it.Typ == parser.EOF || it.Typ == parser.ERROR {
				return
			}
			if it.Typ != parser.COMMENT && !yield(it) {
				return
			}
		}
	}
}

// rephrase puts the parser's message into the form "want X, have Y" where it says both.
func rephrase(msg string) string {
	msg = strings.TrimPrefix(msg, "parse error: ")
	if rest, ok := strings.CutPrefix(msg, "unexpected "); ok {
		have, want, ok := strings.Cut(rest, ", expected ")
		if !ok {
			return "unexpected " + plainToken(rest)
		}
		have, context, ok := strings.Cut(have, " in ")
		if ok {
			want += " in " + context
		}
		return "want " + want + ", have " + plainToken(have)
	}
	if rest, ok := strings.CutPrefix(msg, "expected "); ok {
		return "want " + strings.Replace(strings.TrimPrefix(rest, "type "), ", got ", ", have ", 1)
	}
	if rest, ok := strings.CutPrefix(msg, "error parsing regexp: "); ok {
		return "bad regular expression: " + rest
	}
	if rest, ok := strings.CutPrefix(msg, "wrong number of arguments for aggregate expression provided, expected "); ok {
		return "want " + strings.Replace(rest, ", got ", " argument(s) in the aggregation, have ", 1)
	}
	return msg
}

// plainToken writes the parser's <op:>> as ">" and <by> as "by".
func plainToken(s string) string {
	if !strings.HasPrefix(s, "<") {
		return s
	}
	name, rest := s[1:], ""
	if i := strings.Index(s, "> in "); i > 0 {
		name, rest = s[1:i], s[i+1:]
	} else {
		name = strings.TrimSuffix(name, ">")
	}
	return `"` + strings.TrimPrefix(name, "op:") + `"` + rest
}

// word returns the run of letters, digits, dots, dashes and underscores at off, or "".
func word(q string, off int) string {
	if off < 0 || off > len(q) {
		return ""
	}
	end := off
	for end < len(q) && (isWord(q[end]) || q[end] == '.' || q[end] == '-') {
		end++
	}
	return q[off:end]
}

func isWord(c byte) bool { return c == '_' || isLetter(c) || '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
