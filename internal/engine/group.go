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
	evals int       // since the start, counted up to restoreAfter at least; one that is done again counts once
	at    time.Time // of the last evaluation
	stats []RuleStats
	index map[ruleKey]int // into stats
	sent  [][]Alert       // in the present tick

	touched []string // SLOs whose recorded series it reads or records, sorted
	all     bool     // it may touch any
	changed bool     // by a reload, and not evaluated since
}

// groupKey is the key of the group in the context of its evaluation.
type groupKey struct{}

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

// touchesAll reports whether the group may touch any SLO. So may one whose rules changed, until it has ended the series
// that it records no more.
func (g *group) touchesAll() bool { return g.all || g.changed }

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
	g.Eval(context.WithValue(ctx, groupKey{}, g), ts)
	g.changed = false
	if !ts.Equal(g.at) {
		g.at = ts
		g.evals++
		if g.evals == restoreAfter {
			g.RestoreForState(ts)
		}
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
