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
	doc   decoding
}

// decoding is the state of one call of Decode.
type decoding struct {
	diags     diag.List
	path      []level  // from the document to the present struct
	misplaced []string // paths of fields that were written at another level
	missing   []absence
	strange   int // number of unknown fields
}

// maxHints is how many unknown fields of a document are compared with all
// others: behind them the document is of another kind altogether.
const maxHints = 100

// level is one struct on the way to the present one.
type level struct {
	name string
	plan *plan
	set  []bool // fields that are written, or meant by a misspelt or misplaced key
}

// absence is the finding that the field at path is missing.
type absence struct {
	path string
	diag diag.Diag
}

// Decode reads v into the struct that into points to and returns everything
// that is wrong. Fields that could be read are set even when others are wrong.
func (d *Decoder) Decode(v yamlsrc.Value, into any) diag.List {
	d.doc = decoding{}
	d.structure(v, reflect.ValueOf(into).Elem(), "the document", v)
	for _, a := range d.doc.missing {
		if !slices.ContainsFunc(d.doc.misplaced, func(p string) bool { return p == a.path || strings.HasPrefix(p, a.path+".") }) {
			d.doc.diags.Add(a.diag)
		}
	}
	return d.doc.diags
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

func (d *Decoder) add(x diag.Diag) { d.doc.diags.Add(x) }

// path returns the dotted path of a field of the level at index n.
func (d *Decoder) path(n int, field string) string {
	var words []string
	for _, l := range d.doc.path[1 : n+1] {
		words = append(words, l.name)
	}
	return strings.Join(append(words, field), ".")
}

// structure reads v into a struct. What is missing is reported at key.
func (d *Decoder) structure(v yamlsrc.Value, into reflect.Value, name string, key yamlsrc.Value) {
	p := d.plan(into.Type())
	if p.at >= 0 {
		into.Field(p.at).Set(reflect.ValueOf(v))
	}
	if v.Kind() != yamlsrc.Mapping {
		d.add(v.Error(diag.WrongType, fmt.Sprintf("want %s to be a mapping, have %s", name, v.Kind()), "fields: "+list(p.names, "and")))
		return
	}
	fields, fl := v.Fields()
	d.doc.diags = append(d.doc.diags, fl...)
	here := level{strings.TrimPrefix(name, itemOf), p, make([]bool, len(p.fields))}
	d.doc.path = append(d.doc.path, here)
	for _, f := range fields {
		if i, known := p.index[f.Name]; known {
			here.set[i] = true
		}
	}
	strange := false
	for _, f := range fields {
		if i, known := p.index[f.Name]; known {
			d.field(f, p.fields[i], into)
			continue
		}
		meant := d.unknown(p, f)
		strange = strange || meant < 0
		if meant < 0 || here.set[meant] {
			continue
		}
		here.set[meant] = true
		if t := elem(p.fields[meant].typ); t.Kind() == reflect.Struct && !isReader(t) && f.Value.Kind() == yamlsrc.Mapping {
			d.field(f, p.fields[meant], into)
		}
	}
	d.missing(key, here, name)
	d.groups(key, here, name, fields, strange)
	d.doc.path = d.doc.path[:len(d.doc.path)-1]
}

func (d *Decoder) field(f yamlsrc.Field, x field, into reflect.Value) {
	if f.Value.Kind() == yamlsrc.Null {
		d.add(f.Key.Error(diag.WrongType, fmt.Sprintf("%s has no value", x.name), "give it a value or remove the key"))
		return
	}
	d.value(f.Value, into.Field(x.index), x, x.name, f.Key)
}

func (d *Decoder) value(v yamlsrc.Value, into reflect.Value, x field, name string, key yamlsrc.Value) {
	switch t := into.Type(); {
	case isReader(t):
		d.doc.diags = append(d.doc.diags, into.Addr().Interface().(Reader).Read(v, x.rule)...)
	case t.Kind() == reflect.Pointer:
		into.Set(reflect.New(t.Elem()))
		d.value(v, into.Elem(), x, name, key)
	case t.Kind() == reflect.Slice:
		d.sequence(v, into, x)
	case t.Kind() == reflect.Struct:
		d.structure(v, into, name, key)
	default:
		panic(fmt.Sprintf("schema: cannot decode %s", t))
	}
}

// itemOf starts the name of an element of a list.
const itemOf = "an item of "

func (d *Decoder) sequence(v yamlsrc.Value, into reflect.Value, x field) {
	if v.Kind() != yamlsrc.Sequence {
		d.add(v.Error(diag.WrongType, fmt.Sprintf("want %s to be a list, have %s", x.name, v.Kind()), fmt.Sprintf("write %s: [...]", x.name)))
		return
	}
	items := v.Items()
	if x.required && len(items) == 0 {
		d.add(v.Error(diag.MissingField, x.name+" is an empty list", "add at least one item"))
	}
	out := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, e := range items {
		if e.Kind() == yamlsrc.Null {
			d.add(e.Error(diag.WrongType, fmt.Sprintf("an item of %s has no value", x.name), "remove the dash or give it a value"))
			continue
		}
		d.value(e, out.Index(i), x, itemOf+x.name, e)
	}
	into.Set(out)
}

// unknown reports a key that the struct does not have and returns the index of
// the field of the same struct that was probably meant, or -1.
func (d *Decoder) unknown(p *plan, f yamlsrc.Field) int {
	e := f.Key.Error(diag.UnknownField, fmt.Sprintf("unknown field %q", f.Name), "")
	meant := -1
	d.doc.strange++
	if d.doc.strange > maxHints {
		d.add(e)
		return meant
	}
	if s := Closest(f.Name, p.names); s != "" {
		e.Hint, meant = fmt.Sprintf("did you mean %q?", s), p.index[s]
	} else if path := d.elsewhere(p, f.Name); path != "" {
		d.doc.misplaced = append(d.doc.misplaced, path)
		e.Hint = "it belongs to " + strings.TrimSuffix(path, "."+f.Name)
		if path == f.Name {
			e.Hint = "it belongs to the document itself, without indentation"
		}
	} else {
		e.Hint = "fields here: " + list(p.names, "and")
	}
	d.add(e)
	return meant
}

// elsewhere returns the path of a field of this name below the present struct,
// else above it, else "".
func (d *Decoder) elsewhere(p *plan, name string) string {
	top := len(d.doc.path) - 1
	if s := d.below(p, name, 3); s != "" {
		return d.path(top, s+"."+name)
	}
	for n := top - 1; n >= 0; n-- {
		if _, ok := d.doc.path[n].plan.index[name]; ok {
			return d.path(n, name)
		}
		if s := d.below(d.doc.path[n].plan, name, 3); s != "" {
			return d.path(n, s+"."+name)
		}
	}
	return ""
}

// below returns the path of the struct deeper in p that has a field of this
// name, or "".
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

// missing notes the required fields that are not set.
func (d *Decoder) missing(key yamlsrc.Value, here level, name string) {
	for i, x := range here.plan.fields {
		if x.required && !here.set[i] {
			path := d.path(len(d.doc.path)-1, x.name)
			d.doc.missing = append(d.doc.missing, absence{path, key.Error(diag.MissingField, fmt.Sprintf("%s has no field %q", name, x.name), x.example())})
		}
	}
}

// groups reports groups of which too few or too many fields are set. With a
// strange key beside them, none is not reported: that key may mean one.
func (d *Decoder) groups(key yamlsrc.Value, here level, name string, fields []yamlsrc.Field, strange bool) {
	for _, g := range here.plan.groups {
		var have []string
		var keys []yamlsrc.Value
		for _, f := range fields {
			if slices.Contains(g.names, f.Name) {
				have, keys = append(have, f.Name), append(keys, f.Key)
			}
		}
		meant := slices.ContainsFunc(g.names, func(n string) bool { return here.set[here.plan.index[n]] })
		switch {
		case len(have) > 1 && g.exact:
			e := keys[1].Error(diag.OneOf, fmt.Sprintf("%s has %s, but only one of them can be set", name, list(have, "and")), "remove all but one")
			e.Related = &diag.Related{Pos: keys[0].Pos(), Msg: "the other one"}
			d.add(e)
		case len(have) > 0 || meant || strange:
		case g.exact:
			d.add(key.Error(diag.OneOf, fmt.Sprintf("%s needs one of %s", name, list(g.names, "or")), ""))
		default:
			d.add(key.Error(diag.OneOf, fmt.Sprintf("%s needs at least one of %s", name, list(g.names, "or")), ""))
		}
	}
}

// example says how to write the field.
func (x field) example() string {
	if len(x.rule.Enum) > 0 {
		return fmt.Sprintf("add %s: one of %s", x.name, list(x.rule.Enum, "or"))
	}
	doc, _, _ := strings.Cut(x.doc, ". ")
	return fmt.Sprintf("add %s: ... (%s)", x.name, strings.TrimSuffix(doc, "."))
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
	best, bestD, folded := "", min(2, len(s)/3)+1, fold(s)
	for _, c := range candidates {
		if d := distance(folded, fold(c)); d < bestD || d == bestD && best != "" && c < best {
			best, bestD = c, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(s), "-", ""), "_", "")
}

// distance is the optimal string alignment distance in bytes: insertions,
// deletions, replacements and swaps of neighbours; 64 when it is above 2 for
// the lengths alone.
func distance(a, b string) int {
	if a == b {
		return 0
	}
	if d := len(a) - len(b); d > 2 || d < -2 {
		return 64
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
