// Package yamlsrc reads YAML while keeping the place of every value, down to
// the character inside a string. It is the only package that imports a YAML
// library.
//
// A file is split into its documents first, so that a syntax mistake in one
// does not hide the mistakes in the others. Input that YAML allows and people
// cannot see (odd line breaks, other encodings, alias bombs) is refused.
package yamlsrc

import (
	"bytes"
	"errors"
	"io"

	"gopkg.in/yaml.v3"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// Limits of one file. A larger, deeper or more repetitive file is an error.
// They keep the worst file below a second of processor time and 200 MiB, which
// TestBombs of package slo measures; a file of MaxBytes holds 3,000 SLOs.
const (
	MaxBytes     = 1 << 20 // size of a file
	MaxDocuments = 5_000   // documents of a file
	MaxDepth     = 64      // nesting of mappings and sequences
	MaxNodes     = 200_000 // values of a document after aliases are expanded
	MaxFlow      = 20_000  // brackets, braces and commas: bounds the memory of flow bombs
)

// Parse returns the root value of each document of the file, in order, and
// everything that is wrong with the text. Documents without content, for
// example a comment between two separators, are left out. The values keep b.
func Parse(file string, b []byte) ([]Value, diag.List) {
	var l diag.List
	if len(b) > MaxBytes {
		l.Add(diag.Diag{Sev: diag.Error, Code: diag.YAMLTooLarge, Pos: diag.Pos{File: file}, Msg: sizeMsg(len(b)), Hint: "split the file: a directory is compiled as a whole"})
		return nil, l
	}
	if bytes.HasPrefix(b, bom) {
		b = b[len(bom):]
		l.Add(diag.Diag{Sev: diag.Warning, Code: diag.YAMLByteOrderMark, Pos: diag.Pos{File: file, Line: 1, Col: 1}, Msg: "the file starts with a byte order mark", Hint: "save it as UTF-8 without BOM"})
	}
	src := newSource(file, b)
	if d, bad := scan(src); bad {
		l.Add(d)
		return nil, l
	}
	chunks := split(b)
	if len(chunks) > MaxDocuments {
		l.Add(diag.Diag{Sev: diag.Error, Code: diag.YAMLTooLarge, Pos: src.pos(chunks[MaxDocuments].from), Msg: documentsMsg, Hint: "split the file: a directory is compiled as a whole"})
		return nil, l
	}
	var roots []Value
	for _, c := range chunks {
		v, dl := src.document(c)
		l = append(l, dl...)
		if !v.IsZero() {
			roots = append(roots, v)
		}
	}
	return roots, l
}

var bom = []byte("\xef\xbb\xbf")

// chunk is one document: bytes from..to of the file, whose first line is line
// lines after the first of the file.
type chunk struct{ from, to, line int }

// split cuts b before each "---" line and behind each "..." line. Text before
// the first that is only blank, comment or directive stays with the document
// that follows it.
func split(b []byte) []chunk {
	var out []chunk
	start, startLine, line, content := 0, 0, 0, false
	for at := 0; at < len(b); line++ {
		end := len(b)
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := b[at:end]
		marker := isMarker(text, "---")
		if marker && content {
			out = append(out, chunk{start, at, startLine})
			start, startLine = at, line
		}
		content = content || marker || hasContent(text)
		at = end
		if content && isMarker(text, "...") {
			out = append(out, chunk{start, at, startLine})
			start, startLine, content = at, line+1, false
		}
	}
	return append(out, chunk{start, len(b), startLine})
}

func isMarker(line []byte, m string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(m))
	return ok && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])))
}

func hasContent(line []byte) bool {
	t := bytes.TrimSpace(line)
	return len(t) > 0 && t[0] != '#' && line[0] != '%'
}

// document parses one chunk. The zero Value means that there is none.
func (s *source) document(c chunk) (Value, diag.List) {
	text := s.text[c.from:c.to]
	if n := countFlow(text); n > MaxFlow {
		return Value{}, s.fileError(diag.YAMLTooLarge, "a document with so many brackets and commas", "write lists in block style, or split the document")
	}
	var n yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	err := dec.Decode(&n)
	if errors.Is(err, io.EOF) || err == nil && len(n.Content) == 0 {
		return Value{}, nil
	}
	if err != nil {
		return Value{}, s.syntax(c, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); err != nil && !errors.Is(err, io.EOF) {
		return Value{}, s.syntax(c, err)
	}
	if l := s.measure(n.Content[0], c.line); l != nil {
		return Value{}, l
	}
	v := s.value(n.Content[0])
	if v.Kind() == Null && v.Text() == "" {
		return Value{}, nil
	}
	return v, nil
}

func (s *source) fileError(code diag.Code, msg, hint string) diag.List {
	return diag.List{{Sev: diag.Error, Code: code, Pos: diag.Pos{File: s.file, Line: 1, Col: 1}, Len: 1, Msg: msg, Hint: hint}}
}

// measure shifts the nodes of a document by the lines before it and reports
// nesting, alias cycles and alias expansion beyond the limits.
func (s *source) measure(root *yaml.Node, shift int) diag.List {
	m := meter{src: s, shift: shift, size: map[*yaml.Node]int{}}
	m.walk(root, 1)
	return m.diags
}

type meter struct {
	src   *source
	shift int
	size  map[*yaml.Node]int // of anchored nodes: expanded size; 0 while open
	diags diag.List
}

func (m *meter) fail(n *yaml.Node, code diag.Code, msg, hint string) int {
	if len(m.diags) == 0 {
		m.diags.Add(diag.Diag{Sev: diag.Error, Code: code, Pos: diag.Pos{File: m.src.file, Line: n.Line, Col: n.Column}, Msg: msg, Hint: hint})
	}
	return 0
}

func (m *meter) walk(n *yaml.Node, depth int) int {
	n.Line += m.shift
	if depth > MaxDepth {
		return m.fail(n, diag.YAMLDepth, depthMsg, "a spec nests about ten levels; look for a missing line break or bracket")
	}
	if n.Kind == yaml.AliasNode {
		size := m.size[n.Alias]
		if size == 0 {
			return m.fail(n, diag.YAMLAlias, "alias *"+n.Value+" contains itself", "write the value out")
		}
		return size
	}
	size := 1
	for _, c := range n.Content {
		if len(m.diags) > 0 {
			return size
		}
		if size += m.walk(c, depth+1); size > MaxNodes {
			return m.fail(n, diag.YAMLAlias, aliasMsg, "write the values out, or split the document")
		}
	}
	if n.Anchor != "" {
		m.size[n] = size
	}
	return size
}
