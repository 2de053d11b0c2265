// Package schema reads YAML values into Go structs and describes the same
// structs as JSON Schema and as a reference page: one definition, three uses.
//
// A struct field takes part when it has a spec tag:
//
//	Window *window `spec:"window,required" doc:"The period of the budget."`
//
// Its type is a struct, a pointer to one (optional), a slice of either, or a
// type whose pointer implements Reader. Further tags:
//
//	enum:"page|ticket"   the text must be one of these
//	oneof:"which"        exactly one field with this group name must be set
//	anyof:"which"        at least one field with this group name must be set
//	min:"1m" max:"90d"   bounds, in the notation of the type, both included
//	ref:"Service"        the text names an object of this kind
//	default:"30d"        what the compiler fills in; documentation only
//
// A struct field named At of type yamlsrc.Value receives the place of the
// struct.
package schema

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// plan is what the tags of a struct type say.
type plan struct {
	fields []field
	names  []string
	index  map[string]int
	groups []group
	at     int // index of the field At, or -1
}

// group is a set of fields of which one must be set.
type group struct {
	name  string
	names []string
	exact bool // exactly one, else at least one
}

// field is one field of a plan.
type field struct {
	name     string
	index    int
	typ      reflect.Type
	required bool
	doc, def string
	rule     Rule
	oneof    string
	anyof    string
}

// Rule holds the constraints of a field that its reader checks.
type Rule struct {
	Enum     []string
	Min, Max string
	Ref      string
}

var (
	atType     = reflect.TypeFor[yamlsrc.Value]()
	readerType = reflect.TypeFor[Reader]()
)

// planOf reads the tags of struct type t. It panics when they contradict each
// other: a bug in our own code.
func planOf(t reflect.Type) *plan {
	p := &plan{index: map[string]int{}, at: -1}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "At" && f.Type == atType {
			p.at = i
			continue
		}
		tag, ok := f.Tag.Lookup("spec")
		if !ok {
			continue
		}
		p.add(t, i, f, tag)
	}
	return p
}

func (p *plan) add(t reflect.Type, i int, f reflect.StructField, tag string) {
	name, opt, _ := strings.Cut(tag, ",")
	x := field{
		name: name, index: i, typ: f.Type, required: opt == "required",
		doc: f.Tag.Get("doc"), def: f.Tag.Get("default"), oneof: f.Tag.Get("oneof"), anyof: f.Tag.Get("anyof"),
		rule: Rule{Min: f.Tag.Get("min"), Max: f.Tag.Get("max"), Ref: f.Tag.Get("ref")},
	}
	if e := f.Tag.Get("enum"); e != "" {
		x.rule.Enum = strings.Split(e, "|")
	}
	if x.doc == "" || !f.IsExported() {
		panic(fmt.Sprintf("schema: %s.%s needs a doc tag and an upper-case name", t, f.Name))
	}
	if x.oneof != "" {
		p.group(x.oneof, name, true)
	}
	if x.anyof != "" {
		p.group(x.anyof, name, false)
	}
	p.index[name] = len(p.fields)
	p.fields = append(p.fields, x)
	p.names = append(p.names, name)
}

func (p *plan) group(name, member string, exact bool) {
	for i := range p.groups {
		if p.groups[i].name == name {
			p.groups[i].names = append(p.groups[i].names, member)
			return
		}
	}
	p.groups = append(p.groups, group{name, []string{member}, exact})
}

// elem strips pointers and slices from t.
func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && !reflect.PointerTo(t).Implements(readerType) {
		t = t.Elem()
	}
	return t
}

// isReader reports whether values of t read themselves.
func isReader(t reflect.Type) bool { return reflect.PointerTo(t).Implements(readerType) }
