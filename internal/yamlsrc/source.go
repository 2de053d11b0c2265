package yamlsrc

import (
	"bytes"
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

// pos returns the place of byte offset i.
func (s *source) pos(i int) diag.Pos {
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

func (s *source) value(n *yaml.Node) Value {
	if n.Kind == yaml.AliasNode {
		return Value{s, n.Alias, n}
	}
	return Value{s, n, n}
}
