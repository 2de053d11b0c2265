package schema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

type inner struct {
	Size  Decimal  `spec:"size,required" min:"1" max:"10" doc:"Size. More."`
	Every Duration `spec:"every" min:"1m" doc:"Period."`
	At    yamlsrc.Value
}

type outer struct {
	Name   Name    `spec:"name,required" doc:"Name."`
	Mode   Text    `spec:"mode" enum:"fast|slow" doc:"Mode."`
	Inner  *inner  `spec:"inner" oneof:"kind" doc:"One."`
	List   []inner `spec:"list" oneof:"kind" doc:"Many."`
	Labels Labels  `spec:"labels" anyof:"some" doc:"Labels."`
	On     *Bool   `spec:"on" anyof:"some" doc:"Switch." default:"true"`
	Hidden string
	At     yamlsrc.Value
}

func decode(t *testing.T, text string) (outer, []string) {
	t.Helper()
	roots, l := yamlsrc.Parse("f", []byte(text))
	if l.Failed() || len(roots) != 1 {
		t.Fatalf("%q: %v", text, l)
	}
	var o outer
	var d Decoder
	var out []string
	found := d.Decode(roots[0], &o)
	found.Sort()
	for _, x := range found {
		s := strings.TrimPrefix(x.String(), "f:")
		if x.Hint != "" {
			s += " | " + x.Hint
		}
		out = append(out, s)
	}
	return o, out
}

func TestDecode(t *testing.T) {
	o, l := decode(t, "name: a\nmode: fast\nlist: [{size: 2}, {size: 10, every: 1h}]\non: false\n")
	if l != nil || o.Name.V != "a" || o.Mode.V != "fast" || len(o.List) != 2 || o.List[1].Every.V.Hours() != 1 || o.Inner != nil || o.On == nil || o.On.V {
		t.Errorf("got %+v and %v", o, l)
	}
	if p := o.List[1].At.Pos().String(); p != "f:3:19" {
		t.Errorf("the second item is at %s", p)
	}
}

func TestDecodeFindings(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		if _, got := decode(t, text); !cmp.Equal(got, want) {
			t.Errorf("%q:\n%s", text, cmp.Diff(want, got))
		}
	}
	const some = "on: true\n"
	f("name: a\n"+some, `1:1: error: the document needs one of inner or list [one-of]`)
	f("name: a\ninner: {size: 1}\nlist: [{size: 1}]\n"+some, `3:1: error: the document has inner and list, but only one of them can be set [one-of] | remove all but one`)
	f("name: a\ninner: {size: 1}\n", `1:1: error: the document needs at least one of labels or on [one-of]`)
	f("name: a\ninner: {sizes: 1}\n"+some, `2:9: error: unknown field "sizes" [unknown-field] | did you mean "size"?`)
	f("name: a\ninner: {}\nsize: 1\n"+some, `3:1: error: unknown field "size" [unknown-field] | it belongs to inner`)
	f("inner: {size: 1, name: a}\n"+some, `1:18: error: unknown field "name" [unknown-field] | it belongs to the document itself, without indentation`)
	f("name: a\ninnr: {size: 99, every: 1s}\n"+some,
		`2:1: error: unknown field "innr" [unknown-field] | did you mean "inner"?`,
		`2:14: error: 99 is more than 10 [bad-number]`, `2:25: error: 1s is shorter than 1m [bad-duration]`)
	f("name: a\nlist: []\ninner:\n"+some, `3:1: error: the document has list and inner, but only one of them can be set [one-of] | remove all but one`,
		`3:1: error: inner has no value [wrong-type] | give it a value or remove the key`)
	f("name: a\nlist: [1, ~]\n"+some, `2:8: error: want an item of list to be a mapping, have a number [wrong-type] | fields: size and every`,
		`2:11: error: an item of list has no value [wrong-type] | remove the dash or give it a value`)
}

// TestMeantTwice: a misspelt key beside the right one is not read.
func TestMeantTwice(t *testing.T) {
	o, l := decode(t, "name: a\ninnr: {size: 3}\ninner: {size: 4}\non: true\n")
	if len(l) != 1 || o.Inner == nil || o.Inner.Size.V.RatString() != "4" {
		t.Errorf("got %v and %+v", l, o.Inner)
	}
}

func TestManyUnknown(t *testing.T) {
	_, l := decode(t, "name: a\ninner: {size: 1}\non: true\n"+"x: 1\n"+numbered(300))
	if len(l) != 301 || strings.Contains(l[300], "|") {
		t.Errorf("got %d findings, the last %q", len(l), l[len(l)-1])
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("key" + strings.Repeat("x", i+1) + ": 1\n")
	}
	return b.String()
}

func TestJSONSchema(t *testing.T) {
	got, err := json.Marshal(JSONSchema(reflect.TypeFor[inner]()))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"additionalProperties":false,"properties":{` +
		`"every":{"description":"Period.","pattern":"^([0-9]+(ms|s|m|h|d|w|y))+$","type":"string"},` +
		`"size":{"anyOf":[{"type":"number"},{"pattern":"^[+-]?[0-9]{1,15}(\\.[0-9]{1,15})?$","type":"string"}],"description":"Size. More."}},` +
		`"required":["size"],"type":"object"}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}

func TestReference(t *testing.T) {
	var got []string
	for _, d := range Reference(reflect.TypeFor[outer]()) {
		s := d.Path + ": " + d.Type
		if d.Required {
			s += ", required"
		}
		got = append(got, s)
	}
	want := []string{
		"name: name, required", "mode: fast or slow", "inner: mapping", "inner.size: decimal, required", "inner.every: duration",
		"list[]: mapping", "list[].size: decimal, required", "list[].every: duration", "labels: labels", "on: true or false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
