package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// What a server needs besides EvalAt: results of the past are kept, the state of alerts comes back exactly, a tick
// can be evaluated again, and others may look at the groups while they are evaluated.

// warmFor is how far back Warm evaluates alerts: Prometheus tells Alertmanager of a resolved alert for 15 minutes.
const warmFor = 15 * time.Minute

// results is the Appendable of the groups. It keeps results that are older than the newest sample of the store, which
// Prometheus throws away, because it evaluates only the present. And in a tick that is evaluated again it refuses
// every other sample at a time that has one: the store itself compares with the newest sample of a series only.
type results struct {
	storage.Appendable
	e *Engine
}

// Appender implements storage.Appendable.
func (r results) Appender(ctx context.Context) storage.Appender {
	return resultAppender{r.Appendable.Appender(ctx), r.e}
}

type resultAppender struct {
	storage.Appender
	e *Engine
}

// SetOptions ignores the wish of rule groups to discard what is out of order.
func (resultAppender) SetOptions(*storage.AppendOptions) {}

// Append implements storage.Appender.
func (a resultAppender) Append(ref storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	if a.e.again {
		was, there, err := a.e.holds(l, t)
		switch {
		case err != nil:
			return 0, err
		case there && math.Float64bits(was) == math.Float64bits(v):
			return 0, nil // so that the group knows that the series goes on
		case there:
			return 0, storage.ErrDuplicateSampleForTimestamp
		}
	}
	return a.Appender.Append(ref, l, t, v)
}

// holds returns the sample of the series at t, if the store has one that is no histogram.
func (e *Engine) holds(l labels.Labels, t int64) (v float64, there bool, err error) {
	q, err := e.store.Queryable().Querier(t, t)
	if err != nil {
		return 0, false, err
	}
	defer q.Close()
	var ms []*labels.Matcher
	l.Range(func(x labels.Label) { ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, x.Name, x.Value)) })
	set := q.Select(context.Background(), false, nil, ms...)
	for set.Next() {
		s := set.At()
		if it := s.Iterator(nil); labels.Equal(s.Labels(), l) && it.Next() == chunkenc.ValFloat {
			_, v := it.At()
			return v, true, nil
		}
	}
	return 0, false, set.Err()
}

// Rewind says that the next EvalAt is at ts or later, whatever was evaluated before, and that ts may have been
// evaluated before, wholly or in part. That changes nothing that was recorded then: what is missing is added, and
// a sample with another value is a RuleError that Rejected recognises.
func (e *Engine) Rewind(ts time.Time) {
	e.last = ts.Add(-time.Nanosecond)
	e.redo = ts
}

// Rejected reports whether err comes from nothing but samples that the store has already at that time.
func Rejected(err error) bool { return errors.Is(err, storage.ErrDuplicateSampleForTimestamp) }

// Groups is a view of the loaded groups for the query API. It is safe for concurrent use.
type Groups struct{ e *Engine }

// Groups returns a view that follows every Load and Restart.
func (e *Engine) Groups() Groups { return Groups{e} }

// RuleGroups returns the groups in order of evaluation.
func (g Groups) RuleGroups() []*rules.Group {
	if p := g.e.public.Load(); p != nil {
		return *p
	}
	return nil
}

// AlertingRules returns the alerts of all groups in order of evaluation.
func (g Groups) AlertingRules() []*rules.AlertingRule {
	var out []*rules.AlertingRule
	for _, x := range g.RuleGroups() {
		out = append(out, x.AlertingRules()...)
	}
	return out
}

// publish makes the present groups visible to Groups.
func (e *Engine) publish() {
	out := make([]*rules.Group, len(e.groups))
	for i, g := range e.groups {
		out[i] = g.Group
	}
	e.public.Store(&out)
}

// QueryEngine returns a PromQL engine for queries of users: it has limits and slots of its own, so that no query can
// hold up the rules.
func (e *Engine) QueryEngine(o Options) promql.QueryEngine {
	o = o.withDefaults()
	return promql.NewEngine(promql.EngineOpts{
		Logger: o.Logger, MaxSamples: o.MaxSamples, Timeout: o.QueryTimeout, LookbackDelta: o.Lookback,
		NoStepSubqueryIntervalFn: func(int64) int64 { return o.Interval.Milliseconds() },
		EnableAtModifier:         true, EnableNegativeOffset: true, Parser: e.parser,
	})
}

// Warm brings the state of alerts to what it was at the tick last, from the series in the store, as if this engine had
// evaluated them all along: which alerts were pending, firing or resolved and since when. It is called after Load and
// before EvalAt. It writes nothing and sends nothing. A rule without alerts in the last 15 minutes costs nothing; the
// others are evaluated at the ticks since then, and at the times at which pending alerts began.
func (e *Engine) Warm(ctx context.Context, last time.Time) error {
	active, err := e.activeAlerts(ctx, last)
	if err != nil {
		return err
	}
	for _, g := range e.groups {
		g.started()
		for _, r := range g.AlertingRules() {
			begun := begunOf(r, active)
			if len(begun) == 0 {
				continue
			}
			if err := e.warmRule(ctx, g, r, last, begun); err != nil {
				return fmt.Errorf("restore alert %q of group %q: %w", r.Name(), g.Name(), err)
			}
			setBegun(r, active)
		}
	}
	return nil
}

// activeAlerts returns the alerts that were active in the time that Warm looks at; their value is when they began.
func (e *Engine) activeAlerts(ctx context.Context, last time.Time) (promql.Vector, error) {
	span := model.Duration(warmFor + e.opts.Lookback).String()
	vec, _, err := e.query(ctx, "last_over_time(ALERTS_FOR_STATE["+span+"])", last)
	if err != nil {
		return nil, fmt.Errorf("find active alerts: %w", err)
	}
	return vec, nil
}

// begunOf returns the times at which alerts of a rule began, in order: of the alerts of its name, those whose SLO its
// expression selects.
func begunOf(r *rules.AlertingRule, active promql.Vector) []time.Time {
	var about *labels.Matcher
	parser.Inspect(r.Query(), func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && about == nil {
			i := slices.IndexFunc(v.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == slo.LabelSLO })
			if i >= 0 {
				about = v.LabelMatchers[i]
			}
		}
		return nil
	})
	starts := map[int64]bool{}
	for _, a := range active {
		if a.Metric.Get(labels.AlertName) == r.Name() && (about == nil || about.Matches(a.Metric.Get(slo.LabelSLO))) {
			starts[int64(a.F)] = true
		}
	}
	var out []time.Time
	for _, sec := range slices.Sorted(maps.Keys(starts)) {
		out = append(out, time.Unix(sec, 0))
	}
	return out
}

// setBegun sets when the alerts of a rule began to what is recorded. At a tick of several groups, warmRule sees what the
// later ones recorded then, and may find an alert a tick too early.
func setBegun(r *rules.AlertingRule, active promql.Vector) {
	starts := map[string]int64{}
	for _, a := range active {
		starts[a.Metric.DropReserved(func(n string) bool { return n == model.MetricNameLabel }).String()] = int64(a.F)
	}
	r.ForEachActiveAlert(func(a *rules.Alert) {
		if sec, ok := starts[a.Labels.String()]; ok {
			a.ActiveAt = time.Unix(sec, 0).UTC()
		}
	})
}

// warmRule evaluates one alert at the times begun that lie further back, and then at each slot of its group.
func (e *Engine) warmRule(ctx context.Context, g *group, r *rules.AlertingRule, last time.Time, begun []time.Time) error {
	from := last.Add(-warmFor)
	var at []time.Time
	for _, t := range begun {
		if t.Before(from) {
			at = append(at, t)
		}
	}
	for t := from.Truncate(g.Interval()); !t.After(last); t = t.Add(g.Interval()) {
		at = append(at, t)
	}
	for _, t := range at {
		if _, err := r.Eval(ctx, g.QueryOffset(), t, e.plain, e.external, g.Limit()); err != nil {
			return err
		}
	}
	return nil
}

// plain is a query function without accounting.
func (e *Engine) plain(ctx context.Context, expr string, ts time.Time) (promql.Vector, error) {
	vec, _, err := e.query(ctx, expr, ts)
	return vec, err
}
