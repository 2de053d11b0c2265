package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/stats"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// Point is one element of an instant vector.
type Point struct {
	Labels store.Labels // empty for a scalar
	V      float64
}

// Series is one series of a range query, oldest sample first.
type Series struct {
	Labels  store.Labels
	Samples []Sample
}

// Sample is a value at a time.
type Sample struct {
	T time.Time
	V float64
}

// Query evaluates a PromQL expression at ts over everything committed to the store. The result is sorted by labels
// (functions like sort and topk do not keep their order) and is owned by the caller; a scalar is one point without
// labels. It fails if the expression does not parse, is no vector or scalar, or yields a native histogram.
func (e *Engine) Query(ctx context.Context, expr string, ts time.Time) ([]Point, error) {
	vec, _, err := e.query(ctx, expr, ts)
	if err != nil {
		return nil, fmt.Errorf("query %q at %s: %w", expr, stamp(ts), err)
	}
	out := make([]Point, 0, len(vec))
	for _, s := range vec {
		if s.H != nil {
			return nil, fmt.Errorf("query %q at %s: want floats, have a native histogram", expr, stamp(ts))
		}
		out = append(out, Point{Labels: s.Metric.Map(), V: s.F})
	}
	slices.SortFunc(out, func(a, b Point) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
	return out, nil
}

// QueryRange evaluates a PromQL expression at from, from+step, ... up to to. The result is sorted by labels; a step
// at which a series has no value has no sample. It fails as Query does, and if step is below a millisecond or to
// lies before from.
func (e *Engine) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	wrap := func(err error) error {
		return fmt.Errorf("query %q from %s to %s every %v: %w", expr, stamp(from), stamp(to), step, err)
	}
	if step < time.Millisecond || to.Before(from) {
		return nil, wrap(fmt.Errorf("want from <= to and a step of 1ms or more"))
	}
	q, err := e.promql.NewRangeQuery(ctx, e.store.Queryable(), nil, expr, from, to, step)
	if err != nil {
		return nil, wrap(err)
	}
	defer q.Close()
	m, err := q.Exec(ctx).Matrix()
	if err != nil {
		return nil, wrap(err)
	}
	out := make([]Series, 0, len(m))
	for _, s := range m {
		if len(s.Histograms) > 0 {
			return nil, wrap(fmt.Errorf("want floats, have a native histogram"))
		}
		row := Series{Labels: s.Metric.Map(), Samples: make([]Sample, 0, len(s.Floats))}
		for _, p := range s.Floats {
			row.Samples = append(row.Samples, Sample{T: time.UnixMilli(p.T).UTC(), V: p.F})
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b Series) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
	return out, nil
}

// instant is the query function of the rules: query plus accounting. After the database of the raw series has gone away
// it fails until the next tick.
func (e *Engine) instant(ctx context.Context, expr string, ts time.Time) (promql.Vector, error) {
	if err := e.stopped(); err != nil {
		return nil, err
	}
	vec, st, err := e.query(ctx, expr, ts)
	if st != nil {
		e.account(ctx, st)
	}
	e.stop(err)
	return vec, err
}

// query evaluates an expression where its series are. The cost is nil if it did not parse, and if it was not evaluated
// in the store.
func (e *Engine) query(ctx context.Context, expr string, ts time.Time) (promql.Vector, *stats.Statistics, error) {
	if e.opts.Raw == nil {
		return e.local(ctx, expr, ts)
	}
	d, err := e.divided(expr)
	if err != nil {
		return nil, nil, err
	}
	if d.at&raw == 0 {
		return e.local(ctx, expr, ts)
	}
	vec, err := e.anywhere(ctx, d, ts)
	return vec, nil, err
}

// local is rules.EngineQueryFunc with the cost of the query, which is nil if it did not parse: it turns a scalar into
// a vector of one.
func (e *Engine) local(ctx context.Context, expr string, ts time.Time) (promql.Vector, *stats.Statistics, error) {
	q, err := e.promql.NewInstantQuery(ctx, e.store.Queryable(), nil, expr, ts)
	if err != nil {
		return nil, nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, q.Stats(), res.Err
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		return v, q.Stats(), nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, q.Stats(), nil
	default:
		return nil, q.Stats(), fmt.Errorf("want a vector or scalar, have a %s", parser.DocumentedType(res.Value.Type()))
	}
}
