package exportertest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Place is where a value is in a JSON document.
type Place struct {
	Path string // names with dots between; [] is an element
	Leaf bool   // neither an object nor a list
	set  func(any)
	was  any
}

// Mutate calls do for every place of a JSON document, once for each path, with a way to see it with another value there.
func Mutate(t testing.TB, document []byte, do func(p Place, with func(any) []byte)) {
	t.Helper()
	var root any
	if err := json.Unmarshal(document, &root); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range places("", root, func(v any) { root = v }) {
		if seen[p.Path] {
			continue
		}
		seen[p.Path] = true
		do(p, func(v any) []byte {
			p.set(v)
			defer p.set(p.was)
			changed, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			return changed
		})
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
