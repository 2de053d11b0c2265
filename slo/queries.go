package slo

import (
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
)

// Query is a query as it stands in a spec, with its places.
type Query struct {
	SLO  string
	Expr promql.Expr
	// Suffixes are what the rules add to the name that Expr selects: "" for most, _bucket and _count for a histogram.
	Suffixes []string
	// GroupBy are the labels by which the SLO is grouped, which the result must have.
	GroupBy []string

	text    query
	groupAt []schema.LabelName
}

// Place returns the place of n bytes at byte offset off of the query, and how
// many characters of that line they take.
func (q Query) Place(off, n int) (Pos, int) { return q.text.At.Span(off, n) }

// GroupPlace returns the place of label i of GroupBy, and how many characters
// it takes.
func (q Query) GroupPlace(i int) (Pos, int) { return q.groupAt[i].At.Pos(), q.groupAt[i].At.Len() }

// Queries returns the queries of the SLOs in files that parse, in the order of
// files and of the text. What is wrong with the files, Compile reports.
func Queries(files []File) []Query {
	var out []Query
	r := reader{queries: &out}
	for _, f := range files {
		r.file(f)
	}
	return out
}

// sliQueries returns the queries of an SLI.
func sliQueries(name string, s *sliSpec, groupBy []schema.LabelName) []Query {
	var out []Query
	add := func(queries ...*query) {
		for _, q := range queries {
			if q.ok {
				out = append(out, Query{SLO: name, Expr: q.expr, Suffixes: []string{""}, text: *q, groupAt: groupBy, GroupBy: labelsOf(groupBy)})
			}
		}
	}
	switch {
	case s.Events != nil:
		add(&s.Events.Good, &s.Events.Bad, &s.Events.Total)
	case s.Latency != nil:
		add(&s.Latency.Histogram)
		if !boolOr(s.Latency.Native, false) {
			for i := range out {
				out[i].Suffixes = []string{"_bucket", "_count"}
			}
		}
	case s.Threshold != nil:
		add(&s.Threshold.Metric)
	case s.Deadline != nil:
		add(&s.Deadline.Started, &s.Deadline.Finished)
	case s.Freshness != nil:
		add(&s.Freshness.Timestamp)
	case s.Coverage != nil:
		add(&s.Coverage.Observed, &s.Coverage.Expected)
	case s.Spend != nil:
		add(&s.Spend.Cost)
	case s.Availability != nil:
		add(&s.Availability.Probe)
	case s.Raw != nil:
		add(&s.Raw.ErrorRatio)
	}
	return out
}

// labelsOf returns the names as they are written.
func labelsOf(in []schema.LabelName) []string {
	out := make([]string, len(in))
	for i, l := range in {
		out[i] = l.V
	}
	return out
}
