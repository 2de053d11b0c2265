// Package amconfig edits the configuration file of an Alertmanager that belongs to somebody else: it puts generated
// items into its lists, between two comments, and leaves every other byte as it is.
//
//	f, found := amconfig.Parse("alertmanager.yml", text)
//	found = append(found, f.Missing(references)...)
//	text, found = f.Merge(parts)
//
// What cannot be edited in this way, and what would not mean the same afterwards, is refused.
package amconfig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// File is a configuration file. It is not changed and is safe for concurrent use.
type File struct {
	name  string
	text  []byte
	lines []string // with their line ends
	root  yamlsrc.Value
}

// Parse reads a configuration as far as editing it needs. It keeps text. It reports text that is not one YAML document
// with a mapping of no field twice.
func Parse(name string, text []byte) (*File, diag.List) {
	docs, l := yamlsrc.Parse(name, text)
	if l.Failed() {
		return nil, l
	}
	if len(docs) != 1 || docs[0].Kind() != yamlsrc.Mapping {
		l.Add(diag.Diag{
			Sev: diag.Error, Code: diag.AlertmanagerLayout, Pos: diag.Pos{File: name, Line: 1, Col: 1},
			Msg: "want one mapping, the configuration of an Alertmanager", Hint: "start from a configuration that amtool check-config accepts",
		})
		return nil, l
	}
	f := &File{name: name, text: text, root: docs[0], lines: strings.SplitAfter(string(text), "\n")}
	if n := len(f.lines) - 1; f.lines[n] == "" {
		f.lines = f.lines[:n]
	}
	_, more := f.root.Fields()
	return f, append(l, more...)
}

// Reference is a receiver that has to exist, and where it is named.
type Reference struct {
	Receiver string
	At       diag.Pos
}

// Missing reports the references to receivers that f does not define, each at its place.
func (f *File) Missing(refs []Reference) diag.List {
	list := field(f.root, "receivers")
	at := list.Pos()
	if list.IsZero() {
		at = diag.Pos{File: f.name, Line: 1, Col: 1}
	}
	var have []string
	for _, r := range list.Items() {
		have = append(have, field(r, "name").Text())
	}
	var l diag.List
	for _, r := range refs {
		if slices.Contains(have, r.Receiver) {
			continue
		}
		d := diag.Diag{
			Sev: diag.Error, Code: diag.ReceiverMissing, Pos: r.At, Len: len([]rune(r.Receiver)),
			Msg:     fmt.Sprintf("%s has no receiver %q", f.name, r.Receiver),
			Hint:    "define the receiver there first, or correct its name here",
			Related: &diag.Related{Pos: at, Msg: "the receivers that there are"},
		}
		l.Add(d)
	}
	return l
}

// field returns a field of a mapping, or the zero Value.
func field(v yamlsrc.Value, name string) yamlsrc.Value {
	f, _ := entry(v, name)
	return f.Value
}

func entry(v yamlsrc.Value, name string) (yamlsrc.Field, bool) {
	if v.Kind() != yamlsrc.Mapping {
		return yamlsrc.Field{}, false
	}
	all, _ := v.Fields()
	for _, f := range all {
		if f.Name == name {
			return f, true
		}
	}
	return yamlsrc.Field{}, false
}

// canonical writes v so that two values are written alike if and only if they mean the same. Fields and items that
// skip picks by path are left out, and so is a list that skip knows and that is empty then.
func canonical(b *strings.Builder, v yamlsrc.Value, path string, skip func(path string, item yamlsrc.Value) (known, ours bool)) {
	switch v.Kind() {
	case yamlsrc.Mapping:
		b.WriteString("{")
		all, _ := v.Fields()
		for _, f := range all {
			sub := strings.TrimPrefix(path+"."+f.Name, ".")
			if known, _ := skip(sub, f.Value); known && len(others(f.Value, sub, skip)) == 0 {
				continue
			}
			fmt.Fprintf(b, "%q:", f.Name)
			canonical(b, f.Value, sub, skip)
			b.WriteString(",")
		}
		b.WriteString("}")
	case yamlsrc.Sequence:
		b.WriteString("[")
		for _, x := range others(v, path, skip) {
			canonical(b, x, path+"[]", skip)
			b.WriteString(",")
		}
		b.WriteString("]")
	default:
		fmt.Fprintf(b, "%d %q", v.Kind(), v.Text())
	}
}

// others returns the items of v that are not ours. A list that is no list has one item: itself.
func others(v yamlsrc.Value, path string, skip func(string, yamlsrc.Value) (known, ours bool)) []yamlsrc.Value {
	switch v.Kind() {
	case yamlsrc.Sequence:
		return slices.DeleteFunc(v.Items(), func(x yamlsrc.Value) bool {
			_, ours := skip(path, x)
			return ours
		})
	case yamlsrc.Null, yamlsrc.None:
		return nil
	}
	return []yamlsrc.Value{v}
}
