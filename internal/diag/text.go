package diag

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sources holds the text of files by the name that positions use.
type Sources map[string][]byte

// maxExcerpt is the number of characters of a line that an excerpt shows.
const maxExcerpt = 120

// Text writes l for people: each finding with the line it is in, the place
// underlined, and the hint. A file that is not in src has no excerpt. color
// adds ANSI colours. Control characters of files and messages are replaced, so
// that a file cannot change what a terminal shows.
func Text(w io.Writer, l List, src Sources, color bool) error {
	b := bufio.NewWriter(w)
	p := painter{color: color, src: src, lines: map[string][][]byte{}}
	for _, d := range l {
		fmt.Fprintf(b, "%s: %s %s [%s]\n", p.bold(printable(d.Pos.String())), p.severity(d.Sev), printable(d.Msg), d.Code)
		p.excerpt(b, d.Pos, d.Len)
		if d.Related != nil {
			fmt.Fprintf(b, "      = %s: %s\n", printable(d.Related.Pos.String()), printable(d.Related.Msg))
		}
		if d.Hint != "" {
			fmt.Fprintf(b, "      = %s %s\n", p.bold("hint:"), printable(d.Hint))
		}
	}
	return b.Flush()
}

type painter struct {
	color bool
	src   Sources
	lines map[string][][]byte // of the files that were shown already
}

func (p painter) paint(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) bold(s string) string { return p.paint("1", s) }

func (p painter) severity(s Severity) string {
	return p.paint([...]string{"1;36", "1;33", "1;31"}[s], s.String()+":")
}

func (p painter) excerpt(w io.Writer, pos Pos, n int) {
	line, ok := p.line(pos)
	if !ok {
		return
	}
	shown, before := window(line, pos.Col-1)
	from := min(before, len(shown))
	marked := shown[from:min(len(shown), from+max(n, 1))]
	gutter := fmt.Sprintf("%5d | ", pos.Line)
	fmt.Fprintf(w, "%s%s\n", gutter, string(shown))
	fmt.Fprintf(w, "%s| %s%s\n", strings.Repeat(" ", len(gutter)-2), blank(shown[:from]), p.paint("1;31", strings.Repeat("^", max(1, cells(marked)))))
}

// window returns the part of line around character number at, with hidden
// characters replaced one for one and cut ends marked, and the index of that
// character in it.
func window(line string, at int) ([]rune, int) {
	r := []rune(line)
	at = max(0, min(at, len(r)))
	from, all := 0, len(r)
	if all > maxExcerpt {
		from = max(0, min(at-maxExcerpt/3, all-maxExcerpt))
	}
	r = r[from:min(all, from+maxExcerpt)]
	for i, c := range r {
		if hidden(c) && c != '\t' || c == utf8.RuneError {
			r[i] = '·'
		}
	}
	if from > 0 {
		r[0] = '…'
	}
	if from+len(r) < all {
		r[len(r)-1] = '…'
	}
	return r, at - from
}

// blank returns the white space that takes as much room as r.
func blank(r []rune) string {
	var b strings.Builder
	for i, c := range r {
		if c == '\t' {
			b.WriteByte('\t')
			continue
		}
		b.WriteString(strings.Repeat(" ", cells(r[i:i+1])))
	}
	return b.String()
}

// cells returns how many columns of a terminal r takes: East Asian wide
// characters and emoji two, combining and format marks none, all others one.
// Source: Unicode Standard Annex 11, in whole blocks.
func cells(r []rune) int {
	n := 0
	for _, c := range r {
		switch {
		case c < 0x300:
			n++
		case unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf):
		case c >= 0x1100 && c <= 0x115f, c >= 0x2e80 && c <= 0x303e, c >= 0x3041 && c <= 0xa4cf, c >= 0xac00 && c <= 0xd7a3, c >= 0xf900 && c <= 0xfaff,
			c >= 0xfe30 && c <= 0xfe6f, c >= 0xff01 && c <= 0xff60, c >= 0xffe0 && c <= 0xffe6, c >= 0x1f300 && c <= 0x1faff, c >= 0x20000 && c <= 0x3fffd:
			n += 2
		default:
			n++
		}
	}
	return n
}

// line returns the text of the line of pos, and false if it is empty or not
// known.
func (p painter) line(pos Pos) (string, bool) {
	text, known := p.src[pos.File]
	if !known || pos.Line < 1 {
		return "", false
	}
	if _, split := p.lines[pos.File]; !split {
		p.lines[pos.File] = bytes.Split(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\n"))
	}
	lines := p.lines[pos.File]
	if pos.Line > len(lines) {
		return "", false
	}
	line := bytes.TrimSuffix(lines[pos.Line-1], []byte("\r"))
	return string(line), len(line) > 0
}
