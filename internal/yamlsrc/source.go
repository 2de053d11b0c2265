package yamlsrc

import (
	"bytes"
	"regexp"
	"sort"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// source is the text of a file and where its lines start.
type source struct {
	file  string
	text  []byte
	lines []int // byte offset of each line
}

func newSource(file string, b []byte) *source {
	s := &source{file: file, text: b, lines: make([]int, 1, bytes.Count(b, []byte("\n"))+1)}
	for i, c := range b {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// line returns the text of line n, which starts at 1, without its line break.
func (s *source) line(n int) []byte {
	if n < 1 || n > len(s.lines) {
		return nil
	}
	line, _, _ := bytes.Cut(s.text[s.lines[n-1]:], []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// pos returns the place of the character that has byte offset i.
func (s *source) pos(i int) diag.Pos {
	for i > 0 && i < len(s.text) && !utf8.RuneStart(s.text[i]) {
		i--
	}
	n := sort.SearchInts(s.lines, i+1)
	return diag.Pos{File: s.file, Line: n, Col: 1 + utf8.RuneCount(s.text[s.lines[n-1]:min(i, len(s.text))])}
}

// offset returns the byte offset of a place of the YAML library, which counts
// characters, clipped to the file.
func (s *source) offset(line, col int) int {
	if line > len(s.lines) {
		return len(s.text)
	}
	i := s.lines[line-1]
	for ; col > 1 && i < len(s.text) && s.text[i] != '\n'; col-- {
		_, n := utf8.DecodeRune(s.text[i:])
		i += n
	}
	return i
}

// TokenLen returns how many characters the value or key that starts at column
// col of line takes: a quoted string with its quotes, else up to the next sign
// that ends a plain value. It is at least 1.
func TokenLen(line []byte, col int) int {
	for ; col > 1 && len(line) > 0; col-- {
		_, n := utf8.DecodeRune(line)
		line = line[n:]
	}
	line = bytes.TrimRight(line, " \t\r")
	end := len(line)
	if m := plainEnd.FindIndex(line); m != nil {
		end = m[0]
	}
	if m := quotedString.FindIndex(line); m != nil {
		end = m[1]
	}
	return max(1, utf8.RuneCount(line[:end]))
}

var (
	plainEnd     = regexp.MustCompile(`:?\s+#|,|[]}]|:(\s|$)`)
	quotedString = regexp.MustCompile(`^("([^"\\]|\\.)*"|'([^']|'')*')`)
)

func (s *source) value(n *yaml.Node) Value {
	if n.Kind == yaml.AliasNode {
		return Value{s, n.Alias, n}
	}
	return Value{s, n, n}
}
