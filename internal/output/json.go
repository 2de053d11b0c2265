package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Difference is one place in which two JSON documents differ. Old and New are JSON texts of one line; an empty one
// means that there is nothing at Path.
type Difference struct {
	Path     string // such as panels[id=101].title; "." is the whole document
	Old, New string
}

// DiffJSON returns the places in which two JSON documents differ, in order of their paths' elements; none if they are
// equal but for white space, the order of keys, and the notation of numbers. Elements of a list are told apart by their
// id, uid, name, refId, title or matcher, where that is possible, so that one more panel is one difference; if only their order
// differs, the difference is of the list, which then shows these keys. ok is false if one of the documents is not JSON.
func DiffJSON(before, after []byte) (diff []Difference, ok bool) {
	var a, b any
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return nil, false
	}
	return compareJSON("", a, b), true
}

// compareJSON returns the differences at and below a path.
func compareJSON(path string, a, b any) []Difference {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			return compareObjects(path, x, y)
		}
	case []any:
		if y, ok := b.([]any); ok {
			return compareLists(path, x, y)
		}
	}
	if reflect.DeepEqual(a, b) {
		return nil
	}
	return []Difference{difference(path, jsonLine(a), jsonLine(b))}
}

func difference(path, before, after string) Difference {
	if path = strings.TrimPrefix(path, "."); path == "" {
		path = "."
	}
	return Difference{path, before, after}
}

func compareObjects(path string, a, b map[string]any) []Difference {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var out []Difference
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		at := path + "." + k
		if k == "" || strings.ContainsAny(k, ".[]\n\"") {
			at = path + "[" + jsonLine(k) + "]"
		}
		x, inA := a[k]
		y, inB := b[k]
		switch {
		case !inA:
			out = append(out, difference(at, "", jsonLine(y)))
		case !inB:
			out = append(out, difference(at, jsonLine(x), ""))
		default:
			out = append(out, compareJSON(at, x, y)...)
		}
	}
	return out
}

// compareLists compares elements of the same key, or of the same index.
func compareLists(path string, a, b []any) []Difference {
	for _, key := range []string{"id", "uid", "name", "refId", "title", "matcher"} {
		x, okA := keyed(key, a)
		y, okB := keyed(key, b)
		if !okA || !okB {
			continue
		}
		out := compareKeyed(path, x, y)
		if len(out) == 0 && !slices.Equal(x.order, y.order) {
			out = append(out, difference(path, jsonLine(x.order), jsonLine(y.order)))
		}
		return out
	}
	var out []Difference
	for i := range max(len(a), len(b)) {
		at := path + "[" + strconv.Itoa(i) + "]"
		switch {
		case i >= len(a):
			out = append(out, difference(at, "", jsonLine(b[i])))
		case i >= len(b):
			out = append(out, difference(at, jsonLine(a[i]), ""))
		default:
			out = append(out, compareJSON(at, a[i], b[i])...)
		}
	}
	return out
}

// keyedList is a list of objects that one key tells apart.
type keyedList struct {
	of    map[string]any // by "key=value"
	order []string
}

// keyed returns a list by the texts or numbers of a key; false if an element lacks it, or two have the same.
func keyed(key string, list []any) (keyedList, bool) {
	out := keyedList{of: map[string]any{}}
	for _, e := range list {
		m, _ := e.(map[string]any)
		name := ""
		switch v := m[key].(type) {
		case string:
			name = key + "=" + v
		case float64:
			name = key + "=" + jsonLine(v)
		case map[string]any: // of an override of fields
			name = key + "=" + jsonLine(v["options"])
		}
		if _, twice := out.of[name]; name == "" || twice {
			return out, false
		}
		out.of[name] = e
		out.order = append(out.order, name)
	}
	return out, true
}

func compareKeyed(path string, a, b keyedList) []Difference {
	var out []Difference
	for _, name := range a.order {
		at := path + "[" + name + "]"
		if y, ok := b.of[name]; ok {
			out = append(out, compareJSON(at, a.of[name], y)...)
		} else {
			out = append(out, difference(at, jsonLine(a.of[name]), ""))
		}
	}
	for _, name := range b.order {
		if _, ok := a.of[name]; !ok {
			out = append(out, difference(path+"["+name+"]", "", jsonLine(b.of[name])))
		}
	}
	return out
}

// jsonLine writes a value as JSON in one line.
func jsonLine(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("output: " + err.Error()) // of what a decoder has made
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// differences writes what DiffJSON found, three lines a difference at most; "" if there is nothing to say, or if one of
// the texts is not JSON.
func differences(name string, before, after []byte) string {
	diff, _ := DiffJSON(before, after)
	if len(diff) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "diff %s\n", name)
	for _, d := range diff {
		fmt.Fprintf(&b, "@ %s\n", d.Path)
		if d.Old != "" {
			fmt.Fprintf(&b, "- %s\n", d.Old)
		}
		if d.New != "" {
			fmt.Fprintf(&b, "+ %s\n", d.New)
		}
	}
	return b.String()
}
