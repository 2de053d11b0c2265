package diag

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Sources holds the text of files by the name that positions use.
type Sources map[string][]byte

// maxExcerpt is the number of characters of a line that an excerpt shows.
const maxExcerpt = 120

// Text writes l for people: each finding with the line it is in, the place
// underlined, and the hint. A file that is not in src has no excerpt. color
// adds ANSI colours.
func Text(w io.Writer, l List, src Sources, color bool) error {
	b := bufio.NewWriter(w)
	p := painter{color}
	for _, d := range l {
		fmt.Fprintf(b, "%s: %s %s [%s]\n", p.bold(d.Pos.String()), p.severity(d.Sev), printable(d.Msg), d.Code)
		p.excerpt(b, d.Pos, d.Len, src)
		if d.Related != nil {
			fmt.Fprintf(b, "      = %s: %s\n", d.Related.Pos, printable(d.Related.Msg))
		}
		if d.Hint != "" {
			fmt.Fprintf(b, "      = %s %s\n", p.bold("hint:"), printable(d.Hint))
		}
	}
	return b.Flush()
}

type painter struct{ color bool }

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

func (p painter) excerpt(w io.Writer, pos Pos, n int, src Sources) {
	line, ok := lineOf(src[pos.File], pos.Line)
	if !ok {
		return
	}
	shown, before := window(line, pos.Col-1)
	width := utf8.RuneCountInString(shown)
	n = min(n, max(1, width-before))
	gutter := fmt.Sprintf("%5d | ", pos.Line)
	fmt.Fprintf(w, "%s%s\n", gutter, shown)
	fmt.Fprintf(w, "%s| %s%s\n", strings.Repeat(" ", len(gutter)-2), blank(shown, before), p.paint("1;31", strings.Repeat("^", n)))
}

// window returns the part of line around character number at, with hidden
// characters replaced one for one, and the index of that character in it.
func window(line string, at int) (string, int) {
	r := []rune(line)
	at = max(0, min(at, len(r)))
	from := 0
	if len(r) > maxExcerpt {
		from = max(0, min(at-maxExcerpt/3, len(r)-maxExcerpt))
	}
	r = r[from:min(len(r), from+maxExcerpt)]
	for i, c := range r {
		if hidden(c) && c != '\t' || c == utf8.RuneError {
			r[i] = '·'
		}
	}
	return string(r), at - from
}

// blank returns the white space that stands under the first n characters of s.
func blank(s string, n int) string {
	var b strings.Builder
	for _, r := range s {
		if n == 0 {
			break
		}
		n--
		if r == '\t' {
			b.WriteByte('\t')
			continue
		}
		b.WriteByte(' ')
	}
	b.WriteString(strings.Repeat(" ", n))
	return b.String()
}

func lineOf(b []byte, n int) (string, bool) {
	if n < 1 {
		return "", false
	}
	for ; n > 1; n-- {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return "", false
		}
		b = b[i+1:]
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	return string(bytes.TrimPrefix(line, []byte("\ufeff"))), len(line) > 0
}
