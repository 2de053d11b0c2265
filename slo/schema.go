package slo

import (
	"encoding/json"
	"reflect"

	"github.com/plimsoll-slo/plimsoll/internal/schema"
)

// specTypes returns the type of the spec of each kind, in the order of Kinds.
func specTypes() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[sloSpec](), reflect.TypeFor[serviceSpec](), reflect.TypeFor[profileSpec](), reflect.TypeFor[policySpec](),
		reflect.TypeFor[adjustmentSpec](), reflect.TypeFor[reportSpec](), reflect.TypeFor[dataSourceSpec](),
	}
}

// JSONSchema returns the JSON Schema (draft 2020-12) of spec documents, from
// the definitions that the reader itself uses. Editors with a YAML language
// server complete and check with it. What takes more than one place to tell
// (references, queries, reachability) only Compile checks.
func JSONSchema() []byte {
	type m = map[string]any
	defs := m{"Metadata": schema.JSONSchema(reflect.TypeFor[metadata]())}
	var cases []any
	for i, t := range specTypes() {
		kind := Kinds()[i]
		defs[kind] = schema.JSONSchema(t)
		cases = append(cases, m{
			"if":   m{"properties": m{"kind": m{"const": kind}}, "required": []string{"kind"}},
			"then": m{"properties": m{"spec": m{"$ref": "#/$defs/" + kind}}},
		})
	}
	b, err := json.MarshalIndent(m{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://plimsoll.dev/schema/v1.json",
		"title":       "Plimsoll spec",
		"description": "One document of a Plimsoll spec file.",
		"type":        "object",
		"properties": m{
			"apiVersion": m{"const": APIVersion, "description": "Version of the format."},
			"kind":       m{"enum": Kinds(), "description": "Kind of the object."},
			"metadata":   m{"$ref": "#/$defs/Metadata"},
			"spec":       m{"type": "object"},
		},
		"required":             []string{"apiVersion", "kind", "metadata", "spec"},
		"additionalProperties": false,
		"allOf":                cases,
		"$defs":                defs,
	}, "", "  ")
	if err != nil {
		panic("slo: schema does not encode: " + err.Error())
	}
	return append(b, '\n')
}

// KindReference is the reference of one kind of object.
type KindReference struct {
	Kind   string
	Fields []schema.FieldDoc
}

// Reference returns the fields of every kind, from the definitions that the
// reader itself uses.
func Reference() []KindReference {
	out := []KindReference{{"metadata (every kind)", schema.Reference(reflect.TypeFor[metadata]())}}
	for i, t := range specTypes() {
		out = append(out, KindReference{Kinds()[i], schema.Reference(t)})
	}
	return out
}
