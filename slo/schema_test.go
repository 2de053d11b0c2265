package slo

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// validator checks values against a JSON Schema. It knows the keywords that
// JSONSchema emits and refuses others, so that no keyword goes unchecked.
// Source: JSON Schema draft 2020-12.
type validator struct{ defs map[string]any }

func newValidator(t testing.TB) (validator, map[string]any) {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(JSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	return validator{root["$defs"].(map[string]any)}, root
}

// check returns what is wrong with v, "" for nothing.
func (x validator) check(schema map[string]any, v any, path string) string {
	for _, k := range slices.Sorted(maps.Keys(schema)) {
		if s := x.keyword(schema, k, schema[k], v, path); s != "" {
			return s
		}
	}
	return ""
}

func (x validator) keyword(schema map[string]any, key string, arg, v any, path string) string {
	bad := func() string { return fmt.Sprintf("%s: %v breaks %s %v", path, v, key, arg) }
	object, isObject := v.(map[string]any)
	text, isText := v.(string)
	number, isNumber := v.(float64)
	ok := true
	switch key {
	case "$schema", "$id", "$defs", "title", "description", "format", "then":
	case "$ref":
		return x.check(x.defs[strings.TrimPrefix(arg.(string), "#/$defs/")].(map[string]any), v, path)
	case "type":
		_, isList := v.([]any)
		_, isBool := v.(bool)
		ok = map[string]bool{"object": isObject, "string": isText, "number": isNumber, "array": isList, "boolean": isBool}[arg.(string)]
	case "const":
		ok = reflect.DeepEqual(v, arg)
	case "enum":
		ok = slices.Contains(arg.([]any), v)
	case "pattern":
		ok = !isText || regexp.MustCompile(arg.(string)).MatchString(text)
	case "minLength":
		ok = !isText || len([]rune(text)) >= int(arg.(float64))
	case "maxLength":
		ok = !isText || len([]rune(text)) <= int(arg.(float64))
	case "minimum":
		ok = !isNumber || number >= arg.(float64)
	case "exclusiveMaximum":
		ok = !isNumber || number < arg.(float64)
	case "minItems":
		list, isList := v.([]any)
		ok = !isList || len(list) >= int(arg.(float64))
	case "required":
		for _, r := range arg.([]any) {
			if _, has := object[r.(string)]; isObject && !has {
				ok = false
			}
		}
	case "properties":
		for _, name := range slices.Sorted(maps.Keys(arg.(map[string]any))) {
			if e, has := object[name]; has {
				if s := x.check(arg.(map[string]any)[name].(map[string]any), e, path+"."+name); s != "" {
					return s
				}
			}
		}
	case "additionalProperties":
		return x.additional(schema, arg, object, path)
	case "propertyNames":
		for name := range object {
			if s := x.check(arg.(map[string]any), name, path+"."+name); s != "" {
				return s
			}
		}
	case "items":
		list, _ := v.([]any)
		for i, e := range list {
			if s := x.check(arg.(map[string]any), e, fmt.Sprintf("%s[%d]", path, i)); s != "" {
				return s
			}
		}
	case "allOf", "anyOf", "oneOf":
		return x.combine(key, arg.([]any), v, path)
	case "if":
		if x.check(arg.(map[string]any), v, path) == "" {
			return x.check(schema["then"].(map[string]any), v, path)
		}
	default:
		return "the validator does not know keyword " + key
	}
	if !ok {
		return bad()
	}
	return ""
}

func (x validator) additional(schema map[string]any, arg any, object map[string]any, path string) string {
	known, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, has := known[name]; has {
			continue
		}
		if sub, is := arg.(map[string]any); is {
			if s := x.check(sub, object[name], path+"."+name); s != "" {
				return s
			}
			continue
		}
		return path + " has the unknown property " + name
	}
	return ""
}

func (x validator) combine(key string, all []any, v any, path string) string {
	var bad []string
	for _, s := range all {
		if e := x.check(s.(map[string]any), v, path); e != "" {
			bad = append(bad, e)
		}
	}
	good := len(all) - len(bad)
	if key == "allOf" && len(bad) > 0 || key == "anyOf" && good == 0 || key == "oneOf" && good != 1 {
		return fmt.Sprintf("%s: %d of %d fit, want %s: %v", path, good, len(all), key, bad)
	}
	return ""
}

// plain turns a YAML value into what JSON would make of it.
func plain(v yamlsrc.Value) any {
	switch v.Kind() {
	case yamlsrc.Mapping:
		out := map[string]any{}
		fields, _ := v.Fields()
		for _, f := range fields {
			out[f.Name] = plain(f.Value)
		}
		return out
	case yamlsrc.Sequence:
		out := []any{}
		for _, e := range v.Items() {
			out = append(out, plain(e))
		}
		return out
	case yamlsrc.Number:
		n, _ := strconv.ParseFloat(v.Text(), 64)
		return n
	case yamlsrc.Bool:
		return strings.EqualFold(v.Text(), "true")
	case yamlsrc.Null:
		return nil
	}
	return v.Text()
}

// TestSchemaExamples: what Compile takes, the JSON Schema takes.
func TestSchemaExamples(t *testing.T) {
	x, root := newValidator(t)
	n := 0
	err := fs.WalkDir(os.DirFS("../examples"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		b, err := os.ReadFile("../examples/" + name)
		if err != nil {
			return err
		}
		roots, l := yamlsrc.Parse(name, b)
		if l.Failed() {
			t.Errorf("%s: %v", name, l)
		}
		for _, r := range roots {
			n++
			if s := x.check(root, plain(r), ""); s != "" {
				t.Errorf("%v: %s", r.Pos(), s)
			}
		}
		return nil
	})
	if err != nil || n < 30 {
		t.Errorf("got %d documents (%v), want at least 30", n, err)
	}
}

func TestSchemaLaw(t *testing.T) {
	x, root := newValidator(t)
	rapid.Check(t, func(t *rapid.T) {
		for _, d := range documents(t) {
			roots, _ := yamlsrc.Parse("f", []byte(d))
			if s := x.check(root, plain(roots[0]), ""); s != "" {
				t.Fatalf("%s in\n%s", s, d)
			}
		}
	})
}

// TestSchemaBroken: a file of the corpus whose shape is wrong does not fit the
// JSON Schema either, and one whose meaning alone is wrong does.
func TestSchemaBroken(t *testing.T) {
	x, root := newValidator(t)
	shape := []diag.Code{diag.UnknownKind, diag.UnknownVersion, diag.UnknownField, diag.MissingField, diag.WrongType, diag.WrongValue, diag.OneOf, diag.BadName, diag.ObjectiveUnit, diag.BadDuration}
	meaning := []diag.Code{diag.UnknownReference, diag.DependencyCycle, diag.TierUnreachable, diag.MatcherConflict, diag.SameQuery, diag.PolicyStates, diag.AdjustmentOverlap, diag.DuplicateName}
	// The schema cannot tell, or the finding is about text, not about shape.
	except := []string{
		"adjust-all-false", "adjust-correction-no-events", "adjust-maintenance-events", "field-empty-text", "profile-burn-and-min", "profile-evidence", "profile-evidence-other",
		"sli-spend-currency", "value-duration-too-long", "value-duration-too-short",
	}
	checked := 0
	for _, c := range brokenCases(t) {
		_, l := Compile(c.files)
		all := func(codes []diag.Code) bool {
			return len(l) > 0 && !slices.ContainsFunc(l, func(d diag.Diag) bool { return !slices.Contains(codes, d.Code) })
		}
		isShape, isMeaning := all(shape), all(meaning)
		if !isShape && !isMeaning || slices.Contains(except, c.name) {
			continue
		}
		checked++
		wrong := ""
		for _, f := range c.files {
			roots, _ := yamlsrc.Parse(f.Name, f.Text)
			for _, r := range roots {
				if s := x.check(root, plain(r), ""); s != "" {
					wrong = s
				}
			}
		}
		if isShape && wrong == "" {
			t.Errorf("%s: the schema accepts it, the compiler says %v", c.name, l)
		}
		if isMeaning && wrong != "" {
			t.Errorf("%s: the schema says %s, the compiler says %v", c.name, wrong, l)
		}
	}
	if checked < 60 {
		t.Errorf("only %d files were compared", checked)
	}
}
