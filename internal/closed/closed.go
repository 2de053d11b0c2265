// Package closed checks queries against a closed world: every series that can be
// read, with its labels. A series is recorded by a rule of the set, comes from
// telemetry that a data source keeps, or is declared by the user; anything else
// that a panel, an alert or a rule asks for is never there, and the panel stays
// empty, or the alert silent, without a word.
package closed

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// World is the series that can be read. It is for one goroutine at a time.
type World struct {
	series map[string]promql.LabelSet
	names  []string          // sorted; nil when series were added since
	absent map[string]string // what to do about series of telemetry that is not in use
	source string            // name of the data source, for hints
}

// scraped are the labels that scraping puts on every series.
func scraped() []string { return []string{"job", "instance"} }

// New returns a world in which nothing can be read but what Prometheus writes
// about each target that it scrapes, with these labels besides job and instance.
func New(labels ...string) *World {
	w := &World{series: map[string]promql.LabelSet{}, absent: map[string]string{}}
	for _, name := range []string{
		"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
	} {
		w.Add(name, append(scraped(), labels...)...)
	}
	return w
}

// Add makes a series known. More labels of a known series are added to those it has.
func (w *World) Add(name string, labels ...string) {
	w.series[name] = w.series[name].Union(promql.NewLabelSet(labels...))
	w.names = nil
}

// Of returns what can be read from a data source of a set: what the rules of its
// SLOs record, the telemetry and the series that it declares.
//
// Error: rules cannot be made of the set.
func Of(set *slo.Set, source string) (*World, error) {
	ds, ok := set.DataSource(source)
	if !ok {
		return nil, fmt.Errorf("want a data source of the set, have %q", source)
	}
	w := New(ds.Labels...)
	w.source = source
	common := append(scraped(), ds.Labels...)
	for _, s := range telemetry.Sources() {
		inUse := slices.Contains(ds.Telemetry, s.Name)
		for _, f := range s.Families {
			for _, x := range f.Series() {
				if inUse {
					w.Add(x.Name, append(x.Labels, common...)...)
				} else {
					w.absent[x.Name] = fmt.Sprintf("add %s to telemetry of DataSource %q, if it is kept there", s.Name, source)
				}
			}
		}
	}
	for _, x := range ds.Series {
		f := telemetry.Family{Name: x.Name, Kind: telemetry.Gauge, Labels: x.Labels}
		if x.Histogram {
			f.Kind = telemetry.Histogram
		}
		for _, s := range f.Series() {
			w.Add(s.Name, append(s.Labels, common...)...)
		}
	}
	groups, err := rules.Generate(set, rules.Options{DataSource: source})
	if err != nil {
		return nil, err
	}
	return w, w.record(groups)
}

// Join adds everything that can be read in other.
func (w *World) Join(other *World) {
	for name, labels := range other.series {
		w.series[name] = w.series[name].Union(labels)
	}
	for name, hint := range other.absent {
		w.absent[name] = hint
	}
	w.names = nil
}

// record adds what groups of rules record and the alerts that they fire. Rules
// read what others record, in any order, so it goes on until nothing is new.
func (w *World) record(groups []rules.Group) error {
	var todo []rule
	for _, g := range groups {
		for _, r := range g.Rules {
			e, problems := promql.Parse(r.Expr)
			if len(problems) > 0 {
				return fmt.Errorf("rule %s%s of group %q: %s", r.Record, r.Alert, g.Name, problems[0].Msg)
			}
			todo = append(todo, rule{names(r.Record, r.Alert), e, slices.Collect(maps.Keys(r.Labels))})
			if r.Alert != "" {
				todo[len(todo)-1].labels = append(todo[len(todo)-1].labels, "alertname", "alertstate")
			}
		}
	}
	w.settle(todo)
	return nil
}

// rule is what one rule makes.
type rule struct {
	makes  []string
	expr   promql.Expr
	labels []string
}

// names returns the series that a rule of this name makes.
func names(record, alert string) []string {
	if alert != "" {
		return []string{"ALERTS", "ALERTS_FOR_STATE"}
	}
	return []string{record}
}

// settle adds what rules make, until nothing is new.
func (w *World) settle(todo []rule) {
	for grew := true; grew; {
		grew = false
		for _, r := range todo {
			carried := r.expr.Carries(w.labelsOf).Union(promql.NewLabelSet(r.labels...))
			for _, name := range r.makes {
				old, known := w.series[name]
				joined := old.Union(carried)
				if !known || joined.Any != old.Any || len(joined.Names()) != len(old.Names()) {
					w.series[name], w.names, grew = joined, nil, true
				}
			}
		}
	}
}

// labelsOf returns the labels of the series that a selector may find.
func (w *World) labelsOf(s promql.Selector) promql.LabelSet {
	var out promql.LabelSet
	found, exact := w.find(s)
	if !exact {
		return promql.LabelSet{Any: true}
	}
	for _, name := range found {
		out = out.Union(w.series[name])
	}
	return out
}

// find returns the names that a selector may ask for and that are known. exact
// is false if it names none.
func (w *World) find(s promql.Selector) (found []string, exact bool) {
	if s.Name != "" {
		if _, ok := w.series[s.Name]; ok {
			found = append(found, s.Name)
		}
		return found, true
	}
	for _, m := range s.Matchers {
		if m.Name != "__name__" {
			continue
		}
		exact = true
		for _, name := range w.sorted() {
			if m.Matches(name) {
				found = append(found, name)
			}
		}
	}
	return found, exact
}

// sorted returns the known names in order.
func (w *World) sorted() []string {
	if w.names == nil {
		w.names = slices.Sorted(maps.Keys(w.series))
	}
	return w.names
}

// Finding is something of a query that is not in the world. Its place is one in
// the query.
type Finding struct {
	Code diag.Code
	promql.Problem
}

// Check returns what e reads and the world does not have, in order of the places.
// A query that reads no series at all has no findings.
func (w *World) Check(e promql.Expr) []Finding { return w.check(e, []string{""}) }

func (w *World) check(e promql.Expr, suffixes []string) []Finding {
	var out []Finding
	for _, suffix := range suffixes {
		unknown := false
		for _, s := range e.Selectors() {
			found := w.selector(s, suffix)
			unknown = unknown || len(found) > 0
			out = append(out, found...)
		}
		if unknown {
			continue // what follows from it is no news
		}
		for _, p := range e.Lost(func(s promql.Selector) promql.LabelSet { return w.labelsOf(withSuffix(s, suffix)) }) {
			out = append(out, Finding{diag.LabelUnknown, p})
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return a.Off - b.Off })
	return slices.Compact(out)
}

func withSuffix(s promql.Selector, suffix string) promql.Selector {
	if s.Name != "" {
		s.Name += suffix
	}
	return s
}

// selector checks the name and the matchers of a selector.
func (w *World) selector(s promql.Selector, suffix string) []Finding {
	full := withSuffix(s, suffix)
	found, exact := w.find(full)
	if !exact {
		return nil
	}
	if len(found) == 0 {
		return []Finding{w.noSeries(s, full.Name)}
	}
	has := w.labelsOf(full)
	var out []Finding
	for _, m := range s.Matchers {
		if m.Name == "__name__" || has.Has(m.Name) {
			continue
		}
		p := promql.Problem{Off: m.Off, Len: m.Len, Msg: fmt.Sprintf("%s has no label %q", strings.Join(found, ", "), m.Name)}
		p.Hint = "its labels are " + strings.Join(has.Names(), ", ")
		if near := schema.Closest(m.Name, has.Names()); near != "" {
			p.Hint = fmt.Sprintf("did you mean %q?", near)
		}
		out = append(out, Finding{diag.LabelUnknown, p})
	}
	return out
}

// noSeries is the finding about a selector that finds nothing.
func (w *World) noSeries(s promql.Selector, name string) Finding {
	p := promql.Problem{Off: s.Off, Len: s.Len, Msg: "nothing records or exports a series that this selects"}
	if name != "" {
		p.Msg = fmt.Sprintf("nothing records or exports %s", name)
		p.Hint = w.hint(name)
		p.Len = len(s.Name)
	}
	return Finding{diag.SeriesUnknown, p}
}

// hint says what to do about a name that is not known.
func (w *World) hint(name string) string {
	if h := w.absent[name]; h != "" {
		return h
	}
	for _, other := range []string{name + "_total", strings.TrimSuffix(name, "_total"), name + "_count", name + "_bucket"} {
		if _, ok := w.series[other]; ok && other != name {
			return fmt.Sprintf("did you mean %q?", other)
		}
	}
	if near := schema.Closest(name, append(slices.Clone(w.sorted()), slices.Sorted(maps.Keys(w.absent))...)); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if w.source == "" {
		return ""
	}
	return fmt.Sprintf("declare it under series of DataSource %q", w.source)
}
