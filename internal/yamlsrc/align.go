package yamlsrc

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// align returns, for each byte of the text of v, the byte offset in the file
// of the character it comes from. It walks the file with the text that the
// YAML library returned as a guide and reports false when the two do not
// agree, so that a wrong place cannot come out.
func (v Value) align() ([]int, bool) {
	if v.node == nil || v.node.Kind != yaml.ScalarNode || v.node.Line > len(v.src.lines) {
		return nil, false
	}
	a := aligner{src: v.src.text, want: v.node.Value, p: v.src.offset(v.node.Line, v.node.Column)}
	a.at = make([]int, 0, len(a.want))
	a.properties()
	var ok bool
	switch {
	case v.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		ok = a.block()
	case v.node.Style&yaml.DoubleQuotedStyle != 0:
		ok = a.quoted('"')
	case v.node.Style&yaml.SingleQuotedStyle != 0:
		ok = a.quoted('\'')
	default:
		ok = a.flow()
	}
	return a.at, ok && len(a.at) == len(a.want)
}

type aligner struct {
	src  []byte
	want string
	p    int   // next byte of src
	at   []int // place of each byte of want so far
}

// properties skips an anchor and a tag in front of the scalar.
func (a *aligner) properties() {
	for a.p < len(a.src) && (a.src[a.p] == '&' || a.src[a.p] == '!') {
		for a.p < len(a.src) && !isBlank(a.src[a.p]) {
			a.p++
		}
		for a.p < len(a.src) && isBlank(a.src[a.p]) {
			a.p++
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// take maps the next byte of want to the present byte of src and moves on.
func (a *aligner) take() bool {
	if a.p >= len(a.src) || a.src[a.p] != a.want[len(a.at)] {
		return false
	}
	a.at = append(a.at, a.p)
	a.p++
	return true
}

// breaks maps the space or the line feeds that n line breaks at place p became.
func (a *aligner) breaks(p, n int) bool {
	rest := a.want[len(a.at):]
	if n == 0 {
		return true
	}
	if strings.HasPrefix(rest, " ") {
		a.at = append(a.at, p)
		return true
	}
	for ; n > 0 && strings.HasPrefix(rest, "\n"); n-- {
		a.at = append(a.at, p)
		rest = rest[1:]
	}
	return true
}

// flow aligns a plain scalar, or the inside of a quoted one, up to its end.
func (a *aligner) flow() bool {
	for len(a.at) < len(a.want) {
		if n, end := a.fold(); n > 0 {
			p := a.p
			a.p = end
			a.breaks(p, n)
			continue
		}
		if !a.take() {
			return false
		}
	}
	return true
}

// fold returns how many line breaks stand at p, with the white space around
// them, and where they end; 0 when there is none.
func (a *aligner) fold() (n, end int) {
	i := a.p
	for i < len(a.src) && isBlank(a.src[i]) {
		if a.src[i] == '\n' {
			n++
		}
		i++
	}
	return n, i
}

func (a *aligner) quoted(q byte) bool {
	if a.p >= len(a.src) || a.src[a.p] != q {
		return false
	}
	a.p++
	for len(a.at) < len(a.want) {
		n, end := a.fold()
		switch {
		case n > 0:
			p := a.p
			a.p = end
			a.breaks(p, n)
		case q == '\'' && bytes.HasPrefix(a.src[a.p:], []byte("''")):
			a.p++
			if !a.take() {
				return false
			}
		case q == '"' && a.p < len(a.src) && a.src[a.p] == '\\':
			if !a.escape() {
				return false
			}
		case !a.take():
			return false
		}
	}
	return true
}

// escape aligns one escape sequence of a double-quoted scalar.
func (a *aligner) escape() bool {
	rest := a.src[a.p:]
	if len(rest) < 2 {
		return false
	}
	if isBlank(rest[1]) && (rest[1] == '\n' || rest[1] == '\r') {
		n, end := (&aligner{src: a.src, p: a.p + 1}).fold()
		p := a.p
		a.p = end
		return n < 2 || a.breaks(p, n)
	}
	width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[1]]
	size := 1
	if width > 0 {
		if len(rest) < 2+width {
			return false
		}
		r, err := strconv.ParseUint(string(rest[2:2+width]), 16, 32)
		if err != nil {
			return false
		}
		size = utf8.RuneLen(rune(r))
	} else if r := rest[1]; r == 'N' || r == '_' {
		size = 2
	} else if r == 'L' || r == 'P' {
		size = 3
	}
	if size < 1 || len(a.at)+size > len(a.want) {
		return false
	}
	for range size {
		a.at = append(a.at, a.p)
	}
	a.p += 2 + width
	return true
}

// block aligns a literal or folded block scalar.
func (a *aligner) block() bool {
	i := bytes.IndexByte(a.src[a.p:], '\n')
	if i < 0 {
		return a.want == ""
	}
	a.p += i + 1
	indent := a.indent()
	if n := a.blankLines(indent); n > 0 {
		for ; n > 0 && strings.HasPrefix(a.want[len(a.at):], "\n"); n-- {
			a.at = append(a.at, a.p-1)
		}
	}
	a.p = min(a.p+indent, len(a.src))
	for len(a.at) < len(a.want) {
		if a.p < len(a.src) && a.src[a.p] == '\r' && a.want[len(a.at)] != '\r' {
			a.p++
		}
		if a.p >= len(a.src) {
			return a.want[len(a.at):] == ""
		}
		if a.src[a.p] != '\n' {
			if !a.take() {
				return false
			}
			continue
		}
		p := a.p
		a.p++
		a.breaks(p, 1+a.blankLines(indent))
		a.p = min(a.p+indent, len(a.src))
	}
	return true
}

// indent returns the indentation of the block at p: that of its first line
// with text, less the spaces with which that line's value starts.
func (a *aligner) indent() int {
	rest := a.src[a.p:]
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		if trimmed := bytes.TrimLeft(line, " "); len(bytes.TrimSpace(trimmed)) > 0 {
			value := strings.TrimLeft(a.want, "\n")
			return max(0, len(line)-len(trimmed)-(len(value)-len(strings.TrimLeft(value, " "))))
		}
		rest = after
	}
	return 0
}

// blankLines moves p over lines that have no text beyond the indentation and
// returns how many there were.
func (a *aligner) blankLines(indent int) int {
	for n := 0; ; n++ {
		i := bytes.IndexByte(a.src[a.p:], '\n')
		if i < 0 {
			return n
		}
		line := bytes.TrimSuffix(a.src[a.p:a.p+i], []byte("\r"))
		if len(bytes.TrimLeft(line, " ")) > 0 || len(line) > indent {
			return n
		}
		a.p += i + 1
	}
}
