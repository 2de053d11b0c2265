package schema

import (
	"reflect"
)

// JSONSchema describes the struct type t as a JSON Schema (draft 2020-12)
// object, nested structs included.
func JSONSchema(t reflect.Type) map[string]any {
	p := planOf(t)
	props := map[string]any{}
	required := []string{}
	for _, x := range p.fields {
		m := typeSchema(x.typ, x.rule)
		m["description"] = x.doc
		if x.def != "" {
			m["description"] = x.doc + " Default: " + x.def + "."
		}
		props[x.name] = m
		if x.required {
			required = append(required, x.name)
			if m["type"] == "array" {
				m["minItems"] = 1
			}
		}
	}
	out := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if all := groupSchemas(p); len(all) > 0 {
		out["allOf"] = all
	}
	return out
}

func groupSchemas(p *plan) []any {
	var all []any
	for _, g := range p.groups {
		var each []any
		for _, n := range g.names {
			each = append(each, map[string]any{"required": []string{n}})
		}
		key := "anyOf"
		if g.exact {
			key = "oneOf"
		}
		all = append(all, map[string]any{key: each})
	}
	return all
}

func typeSchema(t reflect.Type, r Rule) map[string]any {
	if isReader(t) {
		return reflect.New(t).Interface().(Reader).Describe(r)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), r)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), r)}
	default:
		return JSONSchema(t)
	}
}

// FieldDoc is one line of a reference page.
type FieldDoc struct {
	Path     string // dotted, with [] behind a list
	Type     string
	Doc      string
	Default  string
	Required bool
	Choice   string // names of the group of which one must be set
}

// Reference lists the fields of struct type t, nested ones included, in the
// order of their declaration.
func Reference(t reflect.Type) []FieldDoc { return reference(t, "") }

func reference(t reflect.Type, prefix string) []FieldDoc {
	var out []FieldDoc
	for _, x := range planOf(t).fields {
		e := elem(x.typ)
		d := FieldDoc{Path: prefix + x.name, Doc: x.doc, Default: x.def, Required: x.required, Choice: x.oneof + x.anyof}
		many := x.typ.Kind() == reflect.Slice && !isReader(x.typ)
		if many {
			d.Path += "[]"
		}
		d.Type = typeName(e, x.rule)
		out = append(out, d)
		if e.Kind() == reflect.Struct && !isReader(e) {
			out = append(out, reference(e, d.Path+".")...)
		}
	}
	return out
}

func typeName(t reflect.Type, r Rule) string {
	if len(r.Enum) > 0 {
		return list(r.Enum, "or")
	}
	if r.Ref != "" {
		return "name of " + r.Ref
	}
	if !isReader(t) {
		return "mapping"
	}
	return map[string]string{
		"Text": "text", "Name": "name", "Duration": "duration", "Bool": "true or false", "Decimal": "decimal",
		"Share": "percentage or fraction", "Time": "time", "Labels": "labels", "LabelName": "label name",
		"query": "PromQL", "share": "percentage or fraction", "zone": "IANA time zone", "currency": "currency code",
		"recurrence": "RFC 5545 rule", "webURL": "URL",
	}[t.Name()]
}
