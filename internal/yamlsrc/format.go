package yamlsrc

import (
	"bytes"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// Format returns b with the house layout: two spaces of indentation, LF line
// ends, documents separated by "---", one line break at the end. Values, their
// order and all comments stay; where the YAML library would change one of them,
// Format returns an error finding and no text. Formatting twice gives the same
// as formatting once.
func Format(file string, b []byte) ([]byte, diag.List) {
	_, l := Parse(file, b)
	if l.Failed() {
		return nil, l
	}
	clean := bytes.ReplaceAll(bytes.TrimPrefix(b, bom), []byte("\r\n"), []byte("\n"))
	once, ok := encode(clean)
	if ok {
		var again []byte
		if again, ok = encode(once); ok && !bytes.Equal(again, once) {
			once = again
			again, ok = encode(once)
			ok = ok && bytes.Equal(again, once)
		}
	}
	if !ok || !same(clean, once) {
		return nil, diag.List{{
			Sev: diag.Error, Code: diag.FormatUnsafe, Pos: diag.Pos{File: file, Line: 1, Col: 1}, Len: 1,
			Msg: "formatting would change a value or lose a comment", Hint: "move comments to lines of their own above the field that they explain",
		}}
	}
	return once, nil
}

// encode writes the documents of b anew.
func encode(b []byte) ([]byte, bool) {
	var out bytes.Buffer
	for _, c := range split(b) {
		var n yaml.Node
		if err := yaml.Unmarshal(b[c.from:c.to], &n); err != nil {
			return nil, false
		}
		if len(n.Content) == 0 {
			continue
		}
		if out.Len() > 0 {
			out.WriteString("---\n")
		}
		e := yaml.NewEncoder(&out)
		e.SetIndent(2)
		if e.Encode(&n) != nil || e.Close() != nil {
			return nil, false
		}
	}
	return out.Bytes(), true
}

// same reports whether a and b hold equal documents and equal comments.
func same(a, b []byte) bool {
	if !slices.Equal(comments(a), comments(b)) {
		return false
	}
	x, y := trees(a), trees(b)
	return x != nil && slices.EqualFunc(x, y, equal)
}

func trees(b []byte) []*yaml.Node {
	out := []*yaml.Node{}
	for _, c := range split(b) {
		var n yaml.Node
		if yaml.Unmarshal(b[c.from:c.to], &n) != nil {
			return nil
		}
		if len(n.Content) > 0 {
			out = append(out, n.Content[0])
		}
	}
	return out
}

// equal compares two trees; an alias is equal to an alias of an equal name.
func equal(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && a.Anchor == b.Anchor &&
		slices.EqualFunc(a.Content, b.Content, equal)
}

// comments returns the text behind each # that starts a line or follows white
// space, sorted. Text inside scalars that looks like a comment is found too,
// which does no harm: both sides have it.
func comments(b []byte) []string {
	var out []string
	for _, line := range bytes.Split(b, []byte("\n")) {
		for i, c := range line {
			if c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
				out = append(out, string(bytes.TrimSpace(line[i:])))
				break
			}
		}
	}
	slices.Sort(out)
	return out
}
