package closed

import (
	"fmt"
	"maps"
	"slices"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Specs checks the queries of the SLOs of a set, each against what can be read
// from its data source, and returns the findings, sorted by place. files are
// those that the set was compiled from.
//
// Error: rules cannot be made of the set.
func Specs(set *slo.Set, files []slo.File) (diag.List, error) {
	worlds, err := Worlds(set)
	if err != nil {
		return nil, err
	}
	var out diag.List
	for _, q := range slo.Queries(files) {
		x, ok := set.SLO(q.SLO)
		if !ok {
			continue
		}
		w := worlds[x.DataSource]
		found := w.check(q.Expr, q.Suffixes)
		for _, f := range found {
			pos, n := q.Place(f.Off, f.Len)
			out.Add(diag.Diag{Sev: diag.Error, Code: f.Code, Pos: pos, Len: n, Msg: f.Msg, Hint: f.Hint})
		}
		if len(found) == 0 {
			out = append(out, w.groups(q)...)
		}
	}
	out.Sort()
	return out, nil
}

// groups reports labels by which an SLO is grouped and that a query cannot give.
func (w *World) groups(q slo.Query) diag.List {
	has := q.Expr.Carries(func(s promql.Selector) promql.LabelSet { return w.labelsOf(withSuffix(s, q.Suffixes[0])) })
	var out diag.List
	for i, l := range q.GroupBy {
		if has.Has(l) {
			continue
		}
		pos, n := q.GroupPlace(i)
		at, _ := q.Place(0, 1)
		out.Add(diag.Diag{
			Sev: diag.Error, Code: diag.LabelUnknown, Pos: pos, Len: n,
			Msg:     fmt.Sprintf("the series of a query of this SLO have no label %q", l),
			Hint:    fmt.Sprintf("name it under labels of DataSource %q, if relabelling puts it on", w.source),
			Related: &diag.Related{Pos: at, Msg: "the query"},
		})
	}
	return out
}

// Worlds returns what can be read from each data source of a set.
//
// Error: rules cannot be made of the set.
func Worlds(set *slo.Set) (map[string]*World, error) {
	out := map[string]*World{}
	for _, ds := range set.DataSources {
		w, err := Of(set, ds.Name)
		if err != nil {
			return nil, fmt.Errorf("series of data source %q: %w", ds.Name, err)
		}
		out[ds.Name] = w
	}
	return out, nil
}

// All returns what can be read from any data source of a set: what a dashboard
// over all of them can show.
//
// Error: rules cannot be made of the set.
func All(set *slo.Set) (*World, error) {
	worlds, err := Worlds(set)
	if err != nil {
		return nil, err
	}
	out := New()
	for _, name := range slices.Sorted(maps.Keys(worlds)) {
		out.Join(worlds[name])
	}
	return out, nil
}
