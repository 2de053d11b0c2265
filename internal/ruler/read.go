package ruler

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
)

// read returns the groups of a list such as
//
//	namespace:
//	    - name: a
//	      rules: [...]
//
// A list may be larger than package yamlsrc takes at once: it is cut into its groups first.
func read(body []byte, namespace string) ([]group, error) {
	key, items := cut(body)
	var out []group
	if len(bytes.TrimSpace(key)) == 0 || string(bytes.TrimSpace(key)) == "{}" {
		return nil, nil
	}
	head, err := parse(append(bytes.TrimRight(key, "\n"), " []\n"...))
	if err != nil {
		return nil, err
	}
	if fields, _ := head.Fields(); len(fields) != 1 || fields[0].Name != namespace {
		return nil, fmt.Errorf("want the namespace %q, have %q", namespace, strings.TrimSpace(string(key)))
	}
	for _, item := range items {
		v, err := parse(item)
		if err != nil {
			return nil, err
		}
		for _, x := range v.Items() {
			m, _ := tree("", x).(map[string]any)
			g := group(m)
			if g.name() == "" {
				return nil, errors.New("want groups with names, have one without")
			}
			out = append(out, g)
		}
	}
	return out, nil
}

// cut divides a list into what comes before its first item, and its items, each with its indentation. In block style
// every line of an item is indented more than its dash.
func cut(body []byte) (key []byte, items [][]byte) {
	dash, ends := "", []int(nil)
	at := 0
	for line := range bytes.Lines(body) {
		rest := bytes.TrimLeft(line, " ")
		if dash == "" && bytes.HasPrefix(rest, []byte("- ")) {
			dash = string(line[:len(line)-len(rest)]) + "- "
		}
		if dash != "" && bytes.HasPrefix(line, []byte(dash)) {
			ends = append(ends, at)
		}
		at += len(line)
	}
	ends = append(ends, len(body))
	for i, from := range ends[:len(ends)-1] {
		items = append(items, body[from:ends[i+1]])
	}
	return bytes.Clone(body[:ends[0]]), items
}

// parse reads one YAML document.
func parse(b []byte) (yamlsrc.Value, error) {
	docs, found := yamlsrc.Parse("answer", b)
	if found.Failed() {
		return yamlsrc.Value{}, fmt.Errorf("%s", found[0].Msg)
	}
	if len(docs) != 1 {
		return yamlsrc.Value{}, fmt.Errorf("want one YAML document, have %d", len(docs))
	}
	return docs[0], nil
}

// tree returns v, the value of a key, as mappings, lists and texts, without what is empty, and durations in one
// notation; nil if nothing is left.
func tree(key string, v yamlsrc.Value) any {
	switch v.Kind() {
	case yamlsrc.Mapping:
		return mapping(key, v)
	case yamlsrc.Sequence:
		var out []any
		for _, item := range v.Items() {
			out = append(out, tree("", item))
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case yamlsrc.None, yamlsrc.Null:
		return nil
	case yamlsrc.Bool, yamlsrc.Number, yamlsrc.String:
	}
	return scalar(key, v.Text())
}

// mapping returns a mapping, or nil if it is empty. The keys of labels and annotations are anybody's.
func mapping(key string, v yamlsrc.Value) any {
	out := map[string]any{}
	fields, _ := v.Fields()
	for _, f := range fields {
		name := f.Name
		if key == "labels" || key == "annotations" {
			name = ""
		}
		if x := tree(name, f.Value); x != nil {
			out[f.Name] = x
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// scalar returns a text in one notation, or nil if it is what the field has by default.
func scalar(key, text string) any {
	switch key {
	case "interval", "query_offset", "for", "keep_firing_for":
		if d, err := promql.ParseDuration(text); err == nil {
			text = promql.FormatDuration(d)
		}
		if text == "0s" && key != "query_offset" {
			return nil
		}
	case "limit":
		if text == "0" {
			return nil
		}
	}
	if text == "" {
		return nil
	}
	return text
}
