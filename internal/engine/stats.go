package engine

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/stats"
)

// RuleStats is the cost of one rule since it was loaded or since ResetStats.
type RuleStats struct {
	File, Group, Rule string
	Kind              string        // "recording" or "alerting"
	Evaluations       int64         // of the rule
	Failures          int64         // evaluations that ended with an error
	Queries           int64         // one per evaluation, plus those in the templates of alerts
	Samples           int64         // loaded by the queries: totalQueryableSamples of Prometheus
	SamplesRead       int64         // Samples, but steps of a subquery that overlap count a sample once
	PeakSamples       int           // most samples held in memory by one query
	Duration          time.Duration // wall time of all evaluations, writing included; differs between runs
}

// ruleKey identifies a rule inside its group. Two rules may share it only if they are equal but for `for`,
// keep_firing_for and annotations; the first one then carries the queries of both.
type ruleKey struct {
	kind, name, query string
	labels            uint64
}

func keyOf(d rules.RuleDetail) ruleKey {
	return ruleKey{kind: d.Kind, name: d.Name, query: d.Query, labels: d.Labels.Hash()}
}

// account adds a finished query of a rule to the stats of its group.
func (e *Engine) account(ctx context.Context, s *stats.Statistics) {
	g, ok := ctx.Value(groupKey{}).(*group)
	if !ok {
		return
	}
	i, known := g.index[keyOf(rules.FromOriginContext(ctx))]
	if !known {
		return
	}
	st := &g.stats[i]
	st.Queries++
	st.Samples += s.Samples.TotalSamples
	st.SamplesRead += s.Samples.SamplesRead
	st.PeakSamples = max(st.PeakSamples, s.Samples.PeakSamples)
}

// Stats returns the cost of every rule, in the order of evaluation. All figures but Duration are exact and equal
// between runs of equal input.
func (e *Engine) Stats() []RuleStats {
	var out []RuleStats
	for _, g := range e.groups {
		out = append(out, g.stats...)
	}
	return out
}

// Evaluations returns how many times single rules were evaluated since Open, whatever Load and ResetStats did.
func (e *Engine) Evaluations() int64 { return e.evals }

// ResetStats sets all counts to 0.
func (e *Engine) ResetStats() {
	for _, g := range e.groups {
		for i, s := range g.stats {
			g.stats[i] = RuleStats{File: s.File, Group: s.Group, Rule: s.Rule, Kind: s.Kind}
		}
	}
}
