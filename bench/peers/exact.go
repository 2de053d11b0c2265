package main

import (
	"context"
	"fmt"
	"math"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// budget is the consumed part of a service's budget at the end of the month, 1 being all of it: the truth, and what
// each program says. NaN and absence are NaN.
type budget struct {
	service                     string
	bad                         int64
	truth, plimsoll, sloth, raw float64
}

// exactness reads the budgets that the rules of Plimsoll and Sloth recorded, and evaluates the budget of Pyrra, which
// is the increase of raw samples over 30 days.
func (m *month) exactness(ctx context.Context, ours *set) ([]budget, error) {
	var out []budget
	for _, s := range m.services {
		b := budget{service: s}
		b.truth, b.bad = m.truth(s)
		bad, total := selectors(s)
		for _, q := range []struct {
			expr string
			into *float64
		}{
			{fmt.Sprintf("1 - %s{%s=%q}", slo.SeriesBudgetRemaining, slo.LabelSLO, s), &b.plimsoll},
			{fmt.Sprintf("slo:period_burn_rate:ratio{sloth_slo=%q}", s), &b.sloth},
			{fmt.Sprintf("(sum(increase(%s[30d])) or vector(0)) / sum(increase(%s[30d])) / %v", bad, total, 1-objective), &b.raw},
		} {
			v, err := one(ctx, ours.engine, m, q.expr)
			if err != nil {
				return nil, err
			}
			*q.into = v
		}
		out = append(out, b)
	}
	return out, nil
}

// one returns the value of an expression at the end of the month, NaN if it has none.
func one(ctx context.Context, e *engine.Engine, m *month, expr string) (float64, error) {
	got, err := e.Query(ctx, expr, m.end)
	if err != nil {
		return 0, err
	}
	if len(got) > 1 {
		return 0, fmt.Errorf("%s: want one value, have %d", expr, len(got))
	}
	if len(got) == 0 {
		return math.NaN(), nil
	}
	return got[0].V, nil
}
