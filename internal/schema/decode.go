package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// Reader is a type that reads itself from a value. Read reports what is wrong
// with the value; it is not called for a field that is not written or null.
type Reader interface {
	Read(v yamlsrc.Value, r Rule) diag.List
	// Describe returns the JSON Schema of the type.
	Describe(r Rule) map[string]any
}

// Decoder decodes values. It is not safe for concurrent use; the zero Decoder
// is ready.
type Decoder struct {
	plans map[reflect.Type]*plan
}

// Decode reads v into the struct that into points to and returns everything
// that is wrong. Fields that could be read are set even when others are wrong.
func (d *Decoder) Decode(v yamlsrc.Value, into any) diag.List {
	var l diag.List
	d.structure(v, reflect.ValueOf(into).Elem(), "the document", &l)
	return l
}

func (d *Decoder) plan(t reflect.Type) *plan {
	if p, ok := d.plans[t]; ok {
		return p
	}
	if d.plans == nil {
		d.plans = map[reflect.Type]*plan{}
	}
	p := planOf(t)
	d.plans[t] = p
	return p
}

func (d *Decoder) structure(v yamlsrc.Value, into reflect.Value, name string, l *diag.List) {
	p := d.plan(into.Type())
	if p.at >= 0 {
		into.Field(p.at).Set(reflect.ValueOf(v))
	}
	if v.Kind() != yamlsrc.Mapping {
		l.Add(v.Error(diag.WrongType, fmt.Sprintf("want %s to be a mapping, have %s", name, v.Kind()), "fields: "+list(p.names, "and")))
		return
	}
	fields, fl := v.Fields()
	*l = append(*l, fl...)
	set := make([]bool, len(p.fields)) // written, or meant by a misspelt key
	for _, f := range fields {
		i, known := p.index[f.Name]
		if !known {
			if i := d.unknown(p, f, l); i >= 0 {
				set[i] = true
			}
			continue
		}
		set[i] = true
		d.field(f, p.fields[i], into, l)
	}
	p.missing(v, set, name, l)
}

func (d *Decoder) field(f yamlsrc.Field, x field, into reflect.Value, l *diag.List) {
	if f.Value.Kind() == yamlsrc.Null {
		l.Add(f.Key.Error(diag.WrongType, fmt.Sprintf("%s has no value", x.name), "give it a value or remove the key"))
		return
	}
	d.value(f.Value, into.Field(x.index), x, l)
}

func (d *Decoder) value(v yamlsrc.Value, into reflect.Value, x field, l *diag.List) {
	switch t := into.Type(); {
	case isReader(t):
		*l = append(*l, into.Addr().Interface().(Reader).Read(v, x.rule)...)
	case t.Kind() == reflect.Pointer:
		into.Set(reflect.New(t.Elem()))
		d.value(v, into.Elem(), x, l)
	case t.Kind() == reflect.Slice:
		d.sequence(v, into, x, l)
	case t.Kind() == reflect.Struct:
		d.structure(v, into, x.name, l)
	default:
		panic(fmt.Sprintf("schema: cannot decode %s", t))
	}
}

func (d *Decoder) sequence(v yamlsrc.Value, into reflect.Value, x field, l *diag.List) {
	if v.Kind() != yamlsrc.Sequence {
		l.Add(v.Error(diag.WrongType, fmt.Sprintf("want %s to be a list, have %s", x.name, v.Kind()), fmt.Sprintf("write %s: [...]", x.name)))
		return
	}
	items := v.Items()
	out := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, e := range items {
		if e.Kind() == yamlsrc.Null {
			l.Add(e.Error(diag.WrongType, fmt.Sprintf("an item of %s has no value", x.name), "remove the dash or give it a value"))
			continue
		}
		d.value(e, out.Index(i), x, l)
	}
	into.Set(out)
}

// unknown reports a key that the struct does not have and returns the index of
// the field that was probably meant, or -1.
func (d *Decoder) unknown(p *plan, f yamlsrc.Field, l *diag.List) int {
	e := f.Key.Error(diag.UnknownField, fmt.Sprintf("unknown field %q", f.Name), "")
	meant := -1
	if s := Closest(f.Name, p.names); s != "" {
		e.Hint, meant = fmt.Sprintf("did you mean %q?", s), p.index[s]
	} else if path := d.below(p, f.Name, 3); path != "" {
		e.Hint = fmt.Sprintf("it belongs to %s", path)
	} else {
		e.Hint = "fields here: " + list(p.names, "and")
	}
	l.Add(e)
	return meant
}

// below returns the path of a field of this name deeper in the struct, or "".
func (d *Decoder) below(p *plan, name string, depth int) string {
	if depth == 0 {
		return ""
	}
	for _, x := range p.fields {
		t := elem(x.typ)
		if t.Kind() != reflect.Struct || isReader(t) {
			continue
		}
		q := d.plan(t)
		if _, ok := q.index[name]; ok {
			return x.name
		}
		if s := d.below(q, name, depth-1); s != "" {
			return x.name + "." + s
		}
	}
	return ""
}

// missing reports required fields and groups that are not set.
func (p *plan) missing(v yamlsrc.Value, set []bool, name string, l *diag.List) {
	for i, x := range p.fields {
		if x.required && !set[i] {
			l.Add(v.Error(diag.MissingField, fmt.Sprintf("%s has no field %q", name, x.name), p.example(x)))
		}
	}
	for _, g := range p.groups {
		var have []string
		for _, n := range g.names {
			if set[p.index[n]] {
				have = append(have, n)
			}
		}
		switch {
		case len(have) == 0 && g.exact:
			l.Add(v.Error(diag.OneOf, fmt.Sprintf("%s needs one of %s", name, list(g.names, "or")), ""))
		case len(have) == 0:
			l.Add(v.Error(diag.OneOf, fmt.Sprintf("%s needs at least one of %s", name, list(g.names, "or")), ""))
		case len(have) > 1 && g.exact:
			l.Add(v.Error(diag.OneOf, fmt.Sprintf("%s has %s, but only one of them can be set", name, list(have, "and")), "remove all but one"))
		}
	}
}

func (p *plan) example(x field) string {
	if len(x.rule.Enum) > 0 {
		return fmt.Sprintf("add %s: one of %s", x.name, list(x.rule.Enum, "or"))
	}
	doc, _, _ := strings.Cut(x.doc, ". ")
	return fmt.Sprintf("add %s: %s", x.name, strings.TrimSuffix(doc, "."))
}

// list joins words: "a, b and c".
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// Closest returns the candidate that s is probably a misspelling of, or "".
// Letter case and the signs - and _ do not count; otherwise up to two edits, and
// no more than a third of the length of s.
func Closest(s string, candidates []string) string {
	best, bestD := "", min(2, len(s)/3)+1
	for _, c := range candidates {
		if d := distance(fold(s), fold(c)); d < bestD || d == bestD && best != "" && c < best {
			best, bestD = c, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
}

// distance is the optimal string alignment distance in bytes: insertions,
// deletions, replacements and swaps of neighbours.
func distance(a, b string) int {
	if a == b {
		return 0
	}
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	two, one := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one = one, row
	}
	return one[len(b)]
}

// oneOfEnum reports a text that is not one of the allowed ones.
func oneOfEnum(v yamlsrc.Value, text string, r Rule) diag.List {
	if len(r.Enum) == 0 || slices.Contains(r.Enum, text) {
		return nil
	}
	hint := "write one of " + list(r.Enum, "or")
	if s := Closest(text, r.Enum); s != "" {
		hint = fmt.Sprintf("did you mean %q?", s)
	}
	return diag.List{v.Error(diag.WrongValue, fmt.Sprintf("%q is not one of %s", text, list(r.Enum, "or")), hint)}
}
