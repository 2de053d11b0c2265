package rules_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// BenchmarkTick is the cost of the rules on Prometheus' engine, for one SLO and one tick, after six hours of history.
// Each SLO has 60 series: 20 instances with 3 codes.
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("slos=%d", n), func(b *testing.B) { benchmarkTick(b, n, 6*time.Hour, "") })
	}
}

// benchmarkTick has n SLOs that record increments for history, and more documents.
func benchmarkTick(b *testing.B, n int, history time.Duration, more string) {
	var jobs []string
	for i := range n {
		jobs = append(jobs, fmt.Sprintf("job-%02d", i))
	}
	w := newWorld(b, availability("99.9%", "{rolling: 30d}", "", jobs...)+more, rules.Options{})
	var all []sample
	for _, job := range jobs {
		for i := range 20 {
			instance := fmt.Sprintf("10.0.0.%d:80", i)
			all = append(all, sample{store.Labels{store.Name: "up", "job": job, "instance": instance}, 1})
			for _, code := range []string{"200", "404", "500"} {
				all = append(all, sample{store.Labels{store.Name: "http_requests_total", "job": job, "instance": instance, "code": code}, 0})
			}
		}
	}
	feed := func(time.Duration) []sample {
		for i := range all {
			if l := all[i].labels; l[store.Name] != "up" && l["code"] != "500" { // no alert fires
				all[i].value += 30
			}
		}
		return all
	}
	first := t0.Add(6 * time.Hour)
	for at := t0; at.Before(first); at = at.Add(tick) {
		if err := w.put(at.Add(-20*time.Second), feed(0)...); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.history(jobs, first, history); err != nil {
		b.Fatal(err)
	}
	step := func(at time.Time) {
		if err := w.put(at.Add(-20*time.Second), feed(0)...); err != nil {
			b.Fatal(err)
		}
		if _, err := w.engine.EvalAt(b.Context(), at); err != nil {
			b.Fatal(err)
		}
	}
	at := first
	for range 16 { // two rollups
		step(at)
		at = at.Add(tick)
	}
	w.engine.ResetStats()
	ticks := 0
	b.ResetTimer()
	for b.Loop() {
		for range 8 { // one slow interval
			step(at)
			at = at.Add(tick)
			ticks++
		}
	}
	var spent time.Duration
	var samples int64
	for _, s := range w.engine.Stats() {
		spent += s.Duration
		samples += s.Samples
	}
	per := float64(ticks * n)
	b.ReportMetric(float64(spent.Microseconds())/per, "us/slo/tick")
	b.ReportMetric(float64(samples)/per, "samples/slo/tick")
	b.ReportMetric(float64(len(w.engine.Stats()))/float64(n), "rules/slo")
}

// BenchmarkTickAdjusted is the cost for SLOs with adjustments: a weekly maintenance, and some single ones in the past.
func BenchmarkTickAdjusted(b *testing.B) {
	var jobs []string
	for i := range 10 {
		jobs = append(jobs, fmt.Sprintf("job-%02d", i))
	}
	weekly := adjustment("maintenance", 24*time.Hour, 2*time.Hour, "recurrence: FREQ=WEEKLY\n  timeZone: Europe/Berlin", jobs...)
	past := ""
	for i := range 10 {
		past += adjustment("maintenance", -time.Duration(i+1)*48*time.Hour, 2*time.Hour, "", jobs...)
	}
	one := adjustment("maintenance", -48*time.Hour, 2*time.Hour, "", jobs...)
	for name, more := range map[string]string{"none": "", "weekly": weekly, "past=1": one, "past=10": past} {
		b.Run(name, func(b *testing.B) { benchmarkTick(b, len(jobs), 32*24*time.Hour, more) })
	}
}

// history records increments up to now as the rules would have, and 30 days of rollups.
func (w *world) history(jobs []string, now time.Time, increments time.Duration) error {
	for _, job := range jobs {
		for _, x := range []struct {
			name string
			v    float64
		}{{"slo:events:inc", 1800}, {"slo:bad:inc", 0}} {
			l := store.Labels{store.Name: x.name, "slo": job, "service": "shop", "team": "web"}
			sr, err := w.store.Series(l)
			if err != nil {
				return err
			}
			batch := w.store.Batch()
			for at := now.Add(-increments); at.Before(now); at = at.Add(tick) {
				if err := batch.Add(sr, at.Add(-15*time.Second), x.v); err != nil {
					return err
				}
			}
			if err := batch.Commit(); err != nil {
				return err
			}
		}
		for _, name := range []string{"slo:events:rollup", "slo:bad:rollup"} {
			sr, err := w.store.Series(store.Labels{store.Name: name, "slo": job})
			if err != nil {
				return err
			}
			batch := w.store.Batch()
			for at := now.Add(-30 * 24 * time.Hour); at.Before(now); at = at.Add(4 * time.Minute) {
				if err := batch.Add(sr, at.Add(-15*time.Second), 1); err != nil {
					return err
				}
			}
			if err := batch.Commit(); err != nil {
				return err
			}
		}
	}
	return nil
}
