package closed

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Others checks the queries of other files against what can be read from any
// data source of a set, and from the rules in these files: rule files of
// Prometheus and PrometheusRule resources, and dashboards of Grafana, whose names
// end in .json. Variables of dashboards stand for any number, duration or text.
// The findings are sorted by place.
//
// Error: rules cannot be made of the set.
func Others(set *slo.Set, files []slo.File) (diag.List, error) {
	world, err := All(set)
	if err != nil {
		return nil, err
	}
	var o others
	for _, f := range files {
		roots, l := yamlsrc.Parse(f.Name, f.Text)
		o.found = append(o.found, l...)
		for _, root := range roots {
			if path.Ext(f.Name) == ".json" {
				o.dashboard(root)
				continue
			}
			o.ruleFile(root)
		}
	}
	world.settle(o.rules)
	for _, q := range o.queries {
		for _, x := range world.Check(q.expr) {
			pos, n := q.at.Span(q.off+x.Off, x.Len)
			o.found.Add(diag.Diag{Sev: diag.Error, Code: x.Code, Pos: pos, Len: n, Msg: x.Msg, Hint: x.Hint})
		}
	}
	o.found.Sort()
	return o.found, nil
}

// others collects the queries of files.
type others struct {
	queries []otherQuery
	rules   []rule
	found   diag.List
}

// otherQuery is a query that begins at byte off of a value.
type otherQuery struct {
	expr promql.Expr
	at   yamlsrc.Value
	off  int
}

// member returns the value of a field, or the zero Value.
func member(v yamlsrc.Value, name string) yamlsrc.Value {
	for _, f := range fieldsOf(v) {
		if f.Name == name {
			return f.Value
		}
	}
	return yamlsrc.Value{}
}

// fieldsOf returns the fields of a mapping, and none of anything else.
func fieldsOf(v yamlsrc.Value) []yamlsrc.Field {
	if v.IsZero() || v.Kind() != yamlsrc.Mapping {
		return nil
	}
	fields, _ := v.Fields()
	return fields
}

// itemsOf returns the elements of a list, and none of anything else.
func itemsOf(v yamlsrc.Value) []yamlsrc.Value {
	if v.IsZero() || v.Kind() != yamlsrc.Sequence {
		return nil
	}
	return v.Items()
}

// textOf returns the text of a value, or "" if it is none.
func textOf(v yamlsrc.Value) string {
	if v.IsZero() {
		return ""
	}
	return v.Text()
}

// ruleFile collects the rules of a file or of a resource.
func (o *others) ruleFile(root yamlsrc.Value) {
	groups := member(root, "groups")
	if groups.IsZero() {
		groups = member(member(root, "spec"), "groups")
	}
	for _, g := range itemsOf(groups) {
		for _, r := range itemsOf(member(g, "rules")) {
			expr := member(r, "expr")
			if expr.IsZero() {
				continue
			}
			e, ok := o.query(expr, 0, -1)
			if !ok {
				continue
			}
			made := rule{makes: names(textOf(member(r, "record")), textOf(member(r, "alert"))), expr: e}
			for _, l := range fieldsOf(member(r, "labels")) {
				made.labels = append(made.labels, l.Name)
			}
			if member(r, "record").IsZero() {
				made.labels = append(made.labels, "alertname", "alertstate")
			}
			o.rules = append(o.rules, made)
		}
	}
}

var labelValues = regexp.MustCompile(`^\s*label_values\((.+),\s*\w+\s*\)\s*$`)

// dashboard collects the queries of a dashboard, wherever they stand in it.
func (o *others) dashboard(v yamlsrc.Value) {
	for _, item := range itemsOf(v) {
		o.dashboard(item)
	}
	source := textOf(member(member(v, "datasource"), "type"))
	for _, f := range fieldsOf(v) {
		switch {
		case f.Value.Kind() == yamlsrc.Mapping || f.Value.Kind() == yamlsrc.Sequence:
			o.dashboard(f.Value)
		case source != "" && source != "prometheus":
		case f.Name == "expr" && textOf(f.Value) != "":
			o.query(f.Value, 0, -1)
		case f.Name == "definition":
			if m := labelValues.FindStringSubmatchIndex(textOf(f.Value)); m != nil {
				o.query(f.Value, m[2], m[3])
			}
		}
	}
}

// query parses the bytes from off to end of a value; -1 is its end.
func (o *others) query(v yamlsrc.Value, off, end int) (promql.Expr, bool) {
	text := textOf(v)
	if end < 0 {
		end = len(text)
	}
	e, problems := promql.Parse(masked(text[off:end]))
	for _, p := range problems {
		pos, n := v.Span(off+p.Off, p.Len)
		o.found.Add(diag.Diag{Sev: diag.Error, Code: diag.PromQLSyntax, Pos: pos, Len: n, Msg: p.Msg, Hint: p.Hint})
	}
	if len(problems) > 0 {
		return promql.Expr{}, false
	}
	o.queries = append(o.queries, otherQuery{e, v, off})
	return e, true
}

var variable = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$\{\w+(?::\w+)?\}|\$\w+|\[\[\w+\]\]`)

// masked returns a query with a value in place of each variable that does not
// stand in a text. Every byte keeps its place.
func masked(q string) string {
	var b strings.Builder
	last := 0
	for _, m := range variable.FindAllStringIndex(q, -1) {
		name := q[m[0]:m[1]]
		if name[0] == '"' || name[0] == '\'' {
			continue
		}
		before := strings.TrimRight(q[:m[0]], " ")
		value := "1"
		if strings.HasSuffix(before, "[") || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "offset") {
			value = "5m"
		}
		b.WriteString(q[last:m[0]])
		fmt.Fprintf(&b, "%-*s", len(name), value)
		last = m[1]
	}
	return b.String() + q[last:]
}
