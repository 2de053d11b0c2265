package exportertest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Hostile returns values that no decoder may stumble over, wherever they are.
func Hostile() []any {
	return []any{
		nil, "", " ", "\n\r\x00\x1b[31m", strings.Repeat("long ", 2000), strings.Repeat("é", 5000), strings.Repeat("a", 300), "../../%2e%2e", "{{.}}", `"}`,
		json.RawMessage("\"\xff\xfe\x80\""), json.RawMessage(`"\ud800\udfff"`), 0, -1, 17, json.RawMessage("1e308"), json.RawMessage("-1e308"), json.RawMessage("1e999"),
		json.RawMessage("99999999999999999999999"), json.RawMessage("9223372036854775807"), true,
		[]any{},
		map[string]any{},
		[]any{nil, 1, "x", map[string]any{"id": []any{}}},
		"9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
		json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200)), json.RawMessage(strings.Repeat(`{"data":`, 200) + "1" + strings.Repeat("}", 200)),
	}
}

// Document is a JSON document whose values can be replaced.
type Document struct {
	t      testing.TB
	root   any
	Places []Place // in order of their names
}

// Place is where a value is in a document.
type Place struct {
	Path string // names with dots between; [] is an element
	Leaf bool   // neither an object nor a list
	set  func(any)
	was  any
}

// Parse reads a document; numbers stay as they are written.
func Parse(t testing.TB, text []byte) *Document {
	t.Helper()
	d := &Document{t: t}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&d.root); err != nil {
		t.Fatal(err)
	}
	d.Places = places("", d.root, func(v any) { d.root = v })
	return d
}

// With returns the document with another value at a place.
func (d *Document) With(p Place, v any) []byte {
	d.t.Helper()
	p.set(v)
	defer p.set(p.was)
	return d.text()
}

// Everywhere returns the document with a value in the place of every leaf, and leaves it so.
func (d *Document) Everywhere(v any) []byte {
	d.t.Helper()
	for _, p := range d.Places {
		if p.Leaf {
			p.set(v)
		}
	}
	return d.text()
}

func (d *Document) text() []byte {
	d.t.Helper()
	text, err := json.Marshal(d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// Mutate calls do for every place of a JSON document, once for each path, with a way to see it with another value there.
func Mutate(t testing.TB, document []byte, do func(p Place, with func(any) []byte)) {
	t.Helper()
	MutateNew(t, document, map[string]bool{}, do)
}

// MutateNew is Mutate for the paths that seen does not have, and notes them there.
func MutateNew(t testing.TB, document []byte, seen map[string]bool, do func(p Place, with func(any) []byte)) {
	t.Helper()
	d := Parse(t, document)
	for _, p := range d.Places {
		if !seen[p.Path] {
			seen[p.Path] = true
			do(p, func(v any) []byte { return d.With(p, v) })
		}
	}
}

func places(path string, v any, set func(any)) []Place {
	_, object := v.(map[string]any)
	_, list := v.([]any)
	all := []Place{{path, !object && !list, set, v}}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, places(strings.TrimPrefix(path+"."+name, "."), v[name], func(x any) { v[name] = x })...)
		}
	case []any:
		for i := range v {
			all = append(all, places(path+"[]", v[i], func(x any) { v[i] = x })...)
		}
	}
	return all
}
