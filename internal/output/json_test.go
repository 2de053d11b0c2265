package output

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiffJSON(t *testing.T) {
	f := func(before, after string, want ...Difference) {
		t.Helper()
		got, ok := DiffJSON([]byte(before), []byte(after))
		if d := cmp.Diff(want, got); !ok || d != "" {
			t.Errorf("%s to %s (-want +got):\n%s", before, after, d)
		}
	}
	f(`{"a": 1.0, "b": [1]}`, `{"b":[1],"a":1}`)
	f(`1`, `"x"`, Difference{".", "1", `"x"`})
	f(`{"a": 1}`, `{"b": null}`, Difference{"a", "1", ""}, Difference{"b", "", "null"})
	f(`{"a.b": {"": 1}}`, `{"a.b": {"": 2}}`, Difference{`["a.b"][""]`, "1", "2"})
	f(`[1, 2]`, `[1, 3, 4]`, Difference{"[1]", "2", "3"}, Difference{"[2]", "", "4"})
	f(`{"a": {"b": "<&>"}}`, `{"a": []}`, Difference{"a", `{"b":"<&>"}`, "[]"})
	// One panel more is one difference, wherever it stands.
	f(`{"panels": [{"id": 1, "t": "a"}, {"id": 2, "t": "b"}]}`,
		`{"panels": [{"id": 3}, {"id": 1, "t": "a"}, {"id": 2, "t": "c"}]}`,
		Difference{"panels[id=2].t", `"b"`, `"c"`}, Difference{"panels[id=3]", "", `{"id":3}`})
	f(`[{"name": "x"}, {"name": "y"}]`, `[{"name": "y"}, {"name": "x"}]`,
		Difference{".", `["name=x","name=y"]`, `["name=y","name=x"]`})
	f(`[{"matcher": {"id": "byName", "options": "A"}, "p": 1}]`,
		`[{"matcher": {"id": "byName", "options": "B"}}, {"matcher": {"id": "byName", "options": "A"}, "p": 2}]`,
		Difference{`[matcher="A"].p`, "1", "2"}, Difference{`[matcher="B"]`, "", `{"matcher":{"id":"byName","options":"B"}}`})
	// Two of one key are told apart by their places.
	f(`[{"id": 1}, {"id": 1}]`, `[{"id": 1}]`, Difference{"[1]", `{"id":1}`, ""})
	if _, ok := DiffJSON([]byte("{}"), []byte("not JSON")); ok {
		t.Error("want false for what is not JSON")
	}
}

// There is a difference if and only if the documents differ, and swapping them swaps its sides.
func TestDiffJSONLaw(t *testing.T) {
	leaf := rapid.OneOf(rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any]("x"), rapid.Just[any](1.5))
	document := rapid.Deferred(func() *rapid.Generator[any] { return anyJSON(leaf, 3) })
	rapid.Check(t, func(t *rapid.T) {
		a, b := document.Draw(t, "a"), document.Draw(t, "b")
		before, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		after, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		there, _ := DiffJSON(before, after)
		back, _ := DiffJSON(after, before)
		if equal := reflect.DeepEqual(a, b); equal != (len(there) == 0) {
			t.Fatalf("%s and %s: equal %v, differences %v", before, after, equal, there)
		}
		count := map[Difference]int{}
		for _, d := range there {
			count[d]++
		}
		for _, d := range back {
			count[Difference{d.Path, d.New, d.Old}]--
		}
		for d, n := range count {
			if n != 0 {
				t.Fatalf("%s and %s: %+v %d times more there than back", before, after, d, n)
			}
		}
	})
}

// anyJSON draws documents of at most a depth; lists have elements with keys as well as without.
func anyJSON(leaf *rapid.Generator[any], depth int) *rapid.Generator[any] {
	if depth == 0 {
		return leaf
	}
	below := anyJSON(leaf, depth-1)
	return rapid.OneOf(
		leaf,
		rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"id", "name", "a", "b"}), below, 0, 3), func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(below, 0, 3), func(s []any) any { return s }),
	)
}

// A dashboard that somebody edited is shown by what the edit did, not as a line.
func TestEditedJSONIsShownByPath(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{"d.json": "{\n  \"panels\": [{\"id\": 7, \"title\": \"Burn\"}]\n}\n", "e.json": "{}\n"}
	apply(t, dir, want)
	put(t, dir, "d.json", `{"panels":[{"id":7,"title":"Mine"}],"extra":true}`)
	put(t, dir, "e.json", "not JSON")
	p := plan(t, dir, want)
	var text bytes.Buffer
	if err := p.WriteConflicts(&text); err != nil {
		t.Fatal(err)
	}
	shown := "diff d.json\n@ extra\n- true\n@ panels[id=7].title\n- \"Mine\"\n+ \"Burn\"\n"
	if text.String() != shown {
		t.Errorf("got %q\nwant %q", text.String(), shown)
	}
	text.Reset()
	if err := p.WriteJSON(&text); err != nil || !strings.Contains(text.String(), `"diff": "diff d.json\n@ extra`) {
		t.Errorf("%v: JSON does not show the edit: %s", err, text.String())
	}
}
