package ruler

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// group is a rule group as the API has it: mappings, lists and texts. What is empty or zero by default is left out, so
// that equal groups are equal trees, whoever wrote them. Fields that plimsoll does not know are in it too.
type group map[string]any

// newGroup returns the group of package rules as a tree.
func newGroup(g rules.Group) group {
	list := make([]any, len(g.Rules))
	for i, r := range g.Rules {
		m := map[string]any{"expr": r.Expr}
		put(m, "record", r.Record)
		put(m, "alert", r.Alert)
		if r.For > 0 {
			m["for"] = promql.FormatDuration(r.For)
		}
		if r.KeepFiringFor > 0 {
			m["keep_firing_for"] = promql.FormatDuration(r.KeepFiringFor)
		}
		putAll(m, "labels", r.Labels)
		putAll(m, "annotations", r.Annotations)
		list[i] = m
	}
	return group{
		"name": g.Name, "interval": promql.FormatDuration(g.Interval), "query_offset": promql.FormatDuration(g.QueryOffset),
		"rules": list,
	}
}

func put(m map[string]any, key, v string) {
	if v != "" {
		m[key] = v
	}
}

func putAll(m map[string]any, key string, from map[string]string) {
	to := map[string]any{}
	for k, v := range from {
		put(to, k, v) // an empty label is none
	}
	if len(to) > 0 {
		m[key] = to
	}
}

func (g group) name() string {
	name, _ := g["name"].(string)
	return name
}

// body returns g as the API takes it: JSON, which is YAML too.
func (g group) body() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(g); err != nil {
		panic(fmt.Sprintf("ruler: a tree of texts that is no JSON: %v", err))
	}
	return b.Bytes()
}

// text returns g for people, in the manner of a rule file. Texts are equal only if groups are.
func (g group) text() []byte {
	var b strings.Builder
	write(&b, "", map[string]any(g))
	return []byte(b.String())
}

// first is the order of the known fields; others come before those that hold more of them, sorted.
var first = [...]string{"name", "record", "alert", "interval", "query_offset", "expr", "for", "keep_firing_for"}

// write writes the fields of a mapping, indented.
func write(b *strings.Builder, indent string, m map[string]any) {
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		if d := rank(m, x) - rank(m, y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	for _, k := range keys {
		b.WriteString(indent + quote(k) + ":")
		switch v := m[k].(type) {
		case string:
			writeText(b, indent, k, v)
		case map[string]any:
			b.WriteByte('\n')
			write(b, indent+"  ", v)
		case []any:
			b.WriteByte('\n')
			writeList(b, indent, v)
		}
	}
}

func rank(m map[string]any, key string) int {
	if i := slices.Index(first[:], key); i >= 0 {
		return i
	}
	if _, ok := m[key].(string); ok {
		return len(first)
	}
	return len(first) + 1
}

func writeText(b *strings.Builder, indent, key, v string) {
	if key == "expr" && !strings.ContainsFunc(v, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		b.WriteString(" |-\n")
		for line := range strings.SplitSeq(v, "\n") {
			b.WriteString(indent + "  " + line + "\n")
		}
		return
	}
	b.WriteString(" " + quote(v) + "\n")
}

// quote leaves names and durations as they are.
func quote(s string) string {
	if s == "" || strings.Trim(s, "-_.:"+alphanumeric) != "" {
		return strconv.Quote(s)
	}
	return s
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func writeList(b *strings.Builder, indent string, list []any) {
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			fmt.Fprintf(b, "%s- %q\n", indent, fmt.Sprint(item))
			continue
		}
		var inner strings.Builder
		write(&inner, indent+"  ", m)
		b.WriteString(indent + "- " + strings.TrimPrefix(inner.String(), indent+"  "))
	}
}

// foreign returns why g is not ours, or "".
func (g group) foreign() string {
	if name := g.name(); rules.KindOfGroup(name) == "" || quote(name) != name {
		return "its name is none that plimsoll gives"
	}
	list, _ := g["rules"].([]any)
	for _, item := range list {
		r, _ := item.(map[string]any)
		record, _ := r["record"].(string)
		alert, _ := r["alert"].(string)
		switch {
		case strings.HasPrefix(record, "slo:"), record == "sloth_slo_info":
		case alert == slo.AlertBudgetBurn, alert == slo.AlertNoData, alert == slo.AlertEscalation:
		default:
			return fmt.Sprintf("it has the rule %q, which plimsoll did not write", record+alert)
		}
	}
	return ""
}
