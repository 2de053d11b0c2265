// Package diag holds positioned findings: what is wrong, where, and what to do.
//
// Every stage that reads a user's file returns a List instead of an error, so
// that one run reports every mistake. A nil List means that nothing was found.
// One List has four outputs: Text, JSON, SARIF and GitHub annotations.
package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a source file. Line and Col start at 1; Col counts
// characters (Unicode code points). Line 0 means the file as a whole.
type Pos struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String formats p as file:line:col, or as file when the line is unknown.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Compare orders places by file, line and column.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// Severity orders findings. Only Error makes a command fail.
type Severity uint8

// Severities, in increasing order.
const (
	Note Severity = iota
	Warning
	Error
)

// String returns the word printed in front of a message.
func (s Severity) String() string { return [...]string{"note", "warning", "error"}[s] }

// MarshalText makes JSON carry the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Diag is one finding. Len is the number of characters to underline, at least
// 1; an underline never leaves its line. Hint, if any, is one sentence in the
// imperative. Related names another place that takes part, for example the
// first of two duplicates.
type Diag struct {
	Sev     Severity `json:"severity"`
	Code    Code     `json:"code"`
	Pos     Pos      `json:"pos"`
	Len     int      `json:"len"`
	Msg     string   `json:"message"`
	Hint    string   `json:"hint,omitempty"`
	Related *Related `json:"related,omitempty"`
}

// Related is a second place of a finding with a few words on its part.
type Related struct {
	Pos Pos    `json:"pos"`
	Msg string `json:"message"`
}

// String returns the one-line form: file:line:col: severity: message [code].
func (d Diag) String() string {
	return fmt.Sprintf("%s: %s: %s [%s]", d.Pos, d.Sev, d.Msg, d.Code)
}

// List is a set of findings.
type List []Diag

// Add appends d. A length below 1 becomes 1; control characters in the message
// and the hint, which come from the user's file, are escaped.
func (l *List) Add(d Diag) {
	d.Len = max(d.Len, 1)
	d.Msg, d.Hint = printable(d.Msg), printable(d.Hint)
	*l = append(*l, d)
}

// Failed reports whether l holds at least one Error.
func (l List) Failed() bool {
	return slices.ContainsFunc(l, func(d Diag) bool { return d.Sev == Error })
}

// Count returns how many findings of each severity l holds.
func (l List) Count() (errors, warnings, notes int) {
	for _, d := range l {
		switch d.Sev {
		case Error:
			errors++
		case Warning:
			warnings++
		case Note:
			notes++
		}
	}
	return errors, warnings, notes
}

// Sort orders l by place, then severity (errors first), code and message, and
// removes exact repetitions, so that output is the same on every run.
func (l *List) Sort() {
	slices.SortStableFunc(*l, func(a, b Diag) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(b.Sev, a.Sev), strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Msg, b.Msg))
	})
	*l = slices.CompactFunc(*l, func(a, b Diag) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.Msg == b.Msg
	})
}

// Strict returns a copy of l in which every warning is an error.
func (l List) Strict() List {
	out := slices.Clone(l)
	for i := range out {
		if out[i].Sev == Warning {
			out[i].Sev = Error
		}
	}
	return out
}

// printable escapes characters that would break a line or hide text on a
// terminal.
func printable(s string) string {
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hidden reports control characters, line and paragraph separators, and the
// marks that reorder text.
func hidden(r rune) bool {
	return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
