package yamlsrc

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// Kind is the shape of a Value.
type Kind uint8

// Kinds of values. A Value that was not written is None.
const (
	None Kind = iota
	Null
	Bool
	Number
	String
	Sequence
	Mapping
)

// String returns the word that messages use.
func (k Kind) String() string {
	return [...]string{"nothing", "an empty value", "a boolean", "a number", "a string", "a list", "a mapping"}[k]
}

// Value is a YAML value and the place it was written. An alias has the place
// of the alias and the content of its anchor. The zero Value stands for a
// field that was not written.
type Value struct {
	src  *source
	node *yaml.Node // the content
	at   *yaml.Node // the place; differs from node for an alias
}

// IsZero reports whether v is the zero Value.
func (v Value) IsZero() bool { return v.node == nil }

// Kind returns the shape of v, as the YAML core schema resolves it.
func (v Value) Kind() Kind {
	if v.node == nil {
		return None
	}
	switch v.node.Kind {
	case yaml.MappingNode:
		return Mapping
	case yaml.SequenceNode:
		return Sequence
	}
	switch v.node.ShortTag() {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int", "!!float":
		return Number
	}
	return String
}

// Flow reports whether v is a mapping or list in braces or brackets.
func (v Value) Flow() bool {
	return v.node != nil && v.node.Kind != yaml.ScalarNode && v.node.Style&yaml.FlowStyle != 0
}

// Text returns the text of a scalar, or "".
func (v Value) Text() string {
	if v.node == nil || v.node.Kind != yaml.ScalarNode {
		return ""
	}
	return v.node.Value
}

// Pos returns the place of the first character of v. The YAML library places
// an empty value after the last line one line past the end; Pos moves it back.
func (v Value) Pos() diag.Pos {
	if v.at == nil {
		return diag.Pos{}
	}
	if v.at.Line > len(v.src.lines) {
		return v.src.pos(len(v.src.text))
	}
	return diag.Pos{File: v.src.file, Line: v.at.Line, Col: v.at.Column}
}

// Len returns how many characters of the first line of v to underline: a
// scalar or alias as it is written, the first key of a mapping, and 1 for
// everything else.
func (v Value) Len() int {
	if v.at == nil {
		return 1
	}
	switch {
	case v.at.Kind == yaml.AliasNode:
		return utf8.RuneCountInString(v.at.Value) + 1
	case v.at.Kind == yaml.MappingNode && len(v.at.Content) > 0 && v.at.Style&yaml.FlowStyle == 0:
		return v.src.value(v.at.Content[0]).Len()
	case v.at.Kind != yaml.ScalarNode || v.at.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return 1
	}
	if end, ok := v.align(); ok && len(end) > 0 {
		return max(1, v.written(end[len(end)-1]))
	}
	return max(1, utf8.RuneCountInString(v.Text()))
}

// written counts the characters from the start of v to byte offset last,
// included, or to the end of the first line; quotes count.
func (v Value) written(last int) int {
	from := v.src.offset(v.at.Line, v.at.Column)
	_, n := utf8.DecodeRune(v.src.text[last:])
	to := last + n
	if v.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		to++
	}
	to = min(to, len(v.src.text))
	if i := bytes.IndexByte(v.src.text[from:to], '\n'); i >= 0 {
		to = from + i
	}
	return utf8.RuneCount(v.src.text[from:to])
}

// Span returns the place of n bytes at byte offset off of the text of v, and
// how many characters of that line they take. It is exact for every style of
// scalar; bytes that stand in no line (an escaped line break, the content of an
// alias) have the place of v.
func (v Value) Span(off, n int) (diag.Pos, int) {
	at, ok := v.align()
	if !ok || off < 0 || off > len(at) || v.at != v.node {
		return v.Pos(), v.Len()
	}
	if off == len(at) {
		if off == 0 {
			return v.Pos(), v.Len()
		}
		p := v.src.pos(at[off-1])
		p.Col++
		return p, 1
	}
	p := v.src.pos(at[off])
	end := v.src.pos(at[min(off+max(n, 1), len(at))-1])
	if end.Line != p.Line {
		return p, max(1, utf8.RuneCount(v.src.line(p.Line))-p.Col+1)
	}
	return p, max(1, end.Col-p.Col+1)
}

// Items returns the elements of a sequence, or nil.
func (v Value) Items() []Value {
	if v.Kind() != Sequence {
		return nil
	}
	out := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		out[i] = v.src.value(n)
	}
	return out
}

// Field is one entry of a mapping.
type Field struct {
	Name  string
	Key   Value
	Value Value
}

// Fields returns the entries of a mapping in the order written, with merge
// keys (<<) expanded behind the entries of the mapping itself, which win. It
// reports keys that occur twice or are not strings.
func (v Value) Fields() ([]Field, diag.List) {
	var l diag.List
	seen := map[string]diag.Pos{}
	var out []Field
	var merges []Value
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		k, val := v.src.value(v.node.Content[i]), v.src.value(v.node.Content[i+1])
		if k.node.Kind != yaml.ScalarNode {
			l.Add(k.Error(diag.YAMLKey, fmt.Sprintf("a key must be a string, not %s", k.Kind()), `write "key: value"`))
			continue
		}
		if k.node.ShortTag() == "!!merge" {
			merges = append(merges, val)
			continue
		}
		if first, dup := seen[k.Text()]; dup {
			d := k.Error(diag.DuplicateKey, fmt.Sprintf("key %q is already set", k.Text()), "remove one of the two")
			d.Related = &diag.Related{Pos: first, Msg: "first set here"}
			l.Add(d)
			continue
		}
		seen[k.Text()] = k.Pos()
		out = append(out, Field{k.Text(), k, val})
	}
	for _, m := range merges {
		fs, ml := m.merged()
		l = append(l, ml...)
		for _, f := range fs {
			if _, dup := seen[f.Name]; !dup {
				seen[f.Name] = f.Key.Pos()
				out = append(out, f)
			}
		}
	}
	return out, l
}

// merged returns the fields that a merge key brings in.
func (v Value) merged() ([]Field, diag.List) {
	switch v.Kind() {
	case Mapping:
		return v.Fields()
	case Sequence:
		var out []Field
		var l diag.List
		for _, e := range v.Items() {
			if e.Kind() != Mapping {
				l.Add(e.Error(diag.YAMLKey, fmt.Sprintf("<< takes mappings, not %s", e.Kind()), ""))
				continue
			}
			fs, el := e.Fields()
			out, l = append(out, fs...), append(l, el...)
		}
		return out, l
	}
	return nil, diag.List{v.Error(diag.YAMLKey, fmt.Sprintf("<< takes a mapping, not %s", v.Kind()), "write <<: *anchor")}
}

// Error returns an error finding at v.
func (v Value) Error(code diag.Code, msg, hint string) diag.Diag {
	return diag.Diag{Sev: diag.Error, Code: code, Pos: v.Pos(), Len: v.Len(), Msg: msg, Hint: hint}
}

// Warning returns a warning finding at v.
func (v Value) Warning(code diag.Code, msg, hint string) diag.Diag {
	d := v.Error(code, msg, hint)
	d.Sev = diag.Warning
	return d
}
