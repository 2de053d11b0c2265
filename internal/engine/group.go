package engine

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
)

// restoreAfter is the number of evaluations of a group before Prometheus restores alert state from the store.
const restoreAfter = 2

// group is a rule group with what Prometheus' own scheduler would keep about it.
type group struct {
	*rules.Group
	evals int // since the start, counted up to restoreAfter at least
	stats []RuleStats
	index map[ruleKey]int // into stats
}

func newGroup(g *rules.Group) *group {
	out := &group{Group: g, index: map[ruleKey]int{}}
	for i, r := range g.Rules() {
		d := rules.NewRuleDetail(r)
		out.stats = append(out.stats, RuleStats{File: g.File(), Group: g.Name(), Rule: r.Name(), Kind: d.Kind})
		if _, dup := out.index[keyOf(d)]; !dup {
			out.index[keyOf(d)] = i
		}
	}
	return out
}

func (g *group) key() string { return rules.GroupKey(g.File(), g.Name()) }

// due reports whether ts is a slot of the group.
func (g *group) due(ts time.Time) bool { return multiple(ts, g.Interval()) }

// started marks the group as one that joins a running Prometheus: nothing is restored.
func (g *group) started() {
	g.evals = restoreAfter
	for _, r := range g.AlertingRules() {
		r.SetRestored(true)
	}
}

// eval runs one evaluation and returns the errors of the rules, each a *RuleError.
func (g *group) eval(ctx context.Context, ts time.Time) []error {
	ctx = promql.NewOriginContext(ctx, map[string]any{
		"ruleGroup": map[string]string{"file": g.File(), "name": g.Name()},
	})
	g.Eval(ctx, ts)
	g.evals++
	if g.evals == restoreAfter {
		g.RestoreForState(ts)
	}
	var errs []error
	for i, r := range g.Rules() {
		g.stats[i].Evaluations++
		g.stats[i].Duration += r.GetEvaluationDuration()
		if err := r.LastError(); err != nil {
			g.stats[i].Failures++
			errs = append(errs, &RuleError{File: g.File(), Group: g.Name(), Rule: r.Name(), At: ts, Err: err})
		}
	}
	return errs
}
