package rules_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// With one evaluation of the constants missed, what was recorded before is still seen at the next.
func TestConstantsAreRecordedOftenEnough(t *testing.T) {
	t.Parallel()
	const lookback = 5 * time.Minute
	for _, tick := range []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, 45 * time.Second, time.Minute, 2 * time.Minute} {
		source := fmt.Sprintf("---\napiVersion: plimsoll.dev/v1\nkind: DataSource\nmetadata: {name: default}\nspec: {type: prometheus, scrapeInterval: 5s, evaluationInterval: %s}\n", tick)
		var jobs []string
		for i := range 30 {
			jobs = append(jobs, fmt.Sprintf("job-%d", i))
		}
		groups, err := rules.Generate(compile(t, availability("99.9%", "{rolling: 30d}", "", jobs...)+source), rules.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for _, g := range groups {
			if !strings.Contains(g.Name, "-constants") {
				continue
			}
			if g.Interval%tick != 0 || 2*g.Interval >= lookback || g.Interval > 4*tick {
				t.Errorf("tick %v: constants every %v", tick, g.Interval)
			}
			if n := len(g.Rules); n > 20 {
				t.Errorf("tick %v: %d rules in group %s, Mimir takes 20", tick, n, g.Name)
			}
			for _, r := range g.Rules {
				found[r.Record]++
			}
		}
		for _, name := range []string{slo.SeriesObjective, slo.SeriesErrorBudget, slo.SeriesInfo} {
			if found[name] != len(jobs) {
				t.Errorf("tick %v: %s is recorded for %d SLOs, want %d", tick, name, found[name], len(jobs))
			}
		}
	}
}

// A tick at which the constants are due is missed, and every other tick has its burn rate.
func TestConstantsOutliveAMissedEvaluation(t *testing.T) {
	t.Parallel()
	const missed, length = 10 * time.Minute, 20 * time.Minute
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api"), rules.Options{})
	w.run(replay{
		length: length, scrape: tick, step: tick,
		feed: func(at time.Duration) []sample {
			n := (at + time.Hour).Seconds()
			return []sample{requests("api", "200", 10*n), requests("api", "500", n), up("api", 1)}
		},
		skip: func(at time.Duration) bool { return at == missed },
	})
	now := func(at time.Duration) time.Time { return t0.Add(at - rules.DefaultQueryOffset) }
	got, err := w.engine.QueryRange(context.Background(), `sum_over_time(slo:burn_rate:ratio{window="5m"}[29s999ms])`, now(5*time.Minute), now(length), tick)
	if err != nil || len(got) != 1 {
		t.Fatalf("want one series, have %v, %v", got, err)
	}
	next := now(5 * time.Minute)
	for _, x := range got[0].Samples {
		if next.Equal(now(missed)) {
			next = next.Add(tick)
		}
		if !x.T.Equal(next) {
			t.Fatalf("after %v there is no burn rate until %v", next.Sub(t0)-tick, x.T.Sub(t0))
		}
		next = next.Add(tick)
	}
	if want := now(length).Add(tick); !next.Equal(want) {
		t.Errorf("the last burn rate is of %v, want %v", next.Sub(t0)-tick, want.Sub(t0)-tick)
	}
}
