package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/bench/scenario"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
)

// short is a month of a few hours with a few services, and no server for 20 minutes.
func short(t *testing.T, length time.Duration) *month {
	t.Helper()
	spec := scenario.Spec{Down: scenario.Span{At: 90 * time.Minute, For: 20 * time.Minute}}
	for _, s := range scenario.Month().Services {
		if slices.Contains([]string{"restarts", "failed-scrapes", "low-traffic"}, s.Name) {
			spec.Services = append(spec.Services, s)
		}
	}
	m, err := openMonth(options{seed: 1, length: length, talk: io.Discard}, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.store.Close() })
	return m
}

// samples returns what an expression over a range selects, at the end.
func samples(t *testing.T, m *month, expr string) map[string][]engine.Sample {
	t.Helper()
	e, err := open(m.store)
	if err != nil {
		t.Fatal(err)
	}
	// 15 s before each tick is when the rules of Plimsoll record.
	rows, err := e.QueryRange(context.Background(), expr, m.start.Add(tick-15*time.Second), m.end.Add(-15*time.Second), tick)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]engine.Sample{}
	for _, r := range rows {
		out[r.Labels.String()] = r.Samples
	}
	return out
}

// The history that is recorded by range queries, with the rules that nothing reads over time left out, is the one
// that the full rule files record when they are evaluated tick by tick; and the budgets are the same.
func TestHistoryIsThatOfTheRules(t *testing.T) {
	ctx := context.Background()
	const length = 3 * time.Hour
	quick, slow := short(t, length), short(t, length)
	if err := quick.build(ctx); err != nil {
		t.Fatal(err)
	}
	files, err := plimsollFiles(slow.services)
	if err != nil {
		t.Fatal(err)
	}
	e, err := open(slow.store, files...)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(ctx, engine.Replay{From: slow.start, To: slow.end.Add(-tick), Feed: slow.world.Feed, Skip: slow.world.Down})
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range []string{"slo:events:inc", "slo:bad:inc", "slo:events:rollup", "slo:bad:rollup"} {
		alone := "sum_over_time(" + series + "[29s999ms])" // the sample of this time, or nothing
		got, want := samples(t, quick, alone), samples(t, slow, alone)
		if len(want) != 3 {
			t.Fatalf("%s: the rules record %d series, want 3", series, len(want))
		}
		for name, row := range want {
			if n := len(row); n < 30 || n > 321 { // 40 slots of 4 minutes; 360 ticks less 40
				t.Errorf("%s: the rules record %d samples of %s", series, n, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s differs (-rules +history):\n%.2000s", series, diff)
		}
	}
}

// The rules of Plimsoll read and record the same in the store that holds only what they read.
func TestCopiesAreEnough(t *testing.T) {
	ctx := context.Background()
	m := short(t, 3*time.Hour)
	if err := m.build(ctx); err != nil {
		t.Fatal(err)
	}
	alone, st, err := m.copies(ctx, m.services, 1, m.end.Add(turnLength))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	files, err := plimsollFiles(m.services)
	if err != nil {
		t.Fatal(err)
	}
	e, err := open(m.store, files...)
	if err != nil {
		t.Fatal(err)
	}
	whole := &set{"plimsoll", e, len(m.services), turnLength, nil}
	if whole.hourly, err = hourlyOf(m.store, m.services); err != nil {
		t.Fatal(err)
	}
	var cost [2]cost
	for i, s := range []*set{whole, alone} {
		if cost[i], err = s.turn(ctx, m.end); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := cost[1].samples, cost[0].samples; got < .98*want || got > 1.02*want { // time stamps differ a little
		t.Errorf("the copy reads %.0f samples, want about %.0f", got, want)
	}
	at := m.end.Add(turnLength - tick)
	for _, expr := range []string{`slo:events:inc`, `slo:bad:inc`, `slo:bad:sum`, `slo:budget_remaining:ratio`} {
		want, errWhole := whole.engine.Query(ctx, expr, at)
		got, errAlone := alone.engine.Query(ctx, expr, at)
		if err := errors.Join(errWhole, errAlone); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) < len(m.services) {
			t.Errorf("%s differs (-month +copy):\n%s", expr, diff)
		}
	}
}

// A short month gives every figure.
func TestPeersReport(t *testing.T) {
	sloth := os.Getenv("SLOTH")
	if sloth == "" {
		t.Skip("SLOTH is not set") // the peer is built, and this test run, by make check-bench
	}
	var out bytes.Buffer
	o := options{sloth: sloth, seed: 1, length: 2 * time.Hour, rounds: 1, scale: []int{2}, talk: io.Discard}
	if err := measure(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"samples_ratio_sloth", "cpu_ratio_pyrra", "budget_error_points_max", "samples_plimsoll_2", "goal"} {
		if !strings.Contains(out.String(), "\n"+name+" ") {
			t.Errorf("the report has no figure %s:\n%s", name, out.String())
		}
	}
}

// The windows are those that Pyrra's documentation and source give for 30 days.
func TestPyrraShape(t *testing.T) {
	var names []string
	for _, g := range pyrraGroups([]string{"api"}) {
		for _, r := range g.Rules {
			names = append(names, r.Record+r.Alert+" "+r.For)
		}
	}
	want := []string{
		"http_requests:burnrate5m ", "http_requests:burnrate32m ", "http_requests:burnrate1h4m ", "http_requests:burnrate2h9m ",
		"http_requests:burnrate6h26m ", "http_requests:burnrate1d1h43m ", "http_requests:burnrate4d6h51m ",
		"ErrorBudgetBurn 2m", "ErrorBudgetBurn 16m", "ErrorBudgetBurn 1h4m", "ErrorBudgetBurn 3h13m",
		"http_requests:increase30d ", "SLOMetricAbsent 3m",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("rules differ (-want +got):\n%s", diff)
	}
}
