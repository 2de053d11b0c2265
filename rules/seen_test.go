package rules_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// seenSpecs are SLOs that count in every way in which what was seen can be told apart.
func seenSpecs() (spec string, names []string) {
	add := func(name, rest string) {
		spec += sliSpec(name, rest)
		names = append(names, name)
	}
	add("bad", `sli: {events: {bad: 'r_total{job="j",code=~"5.."}', total: 'r_total{job="j"}'}}`)
	add("bad-by-not", `sli: {events: {bad: 'r_total{job="j",code!~"2.."}', total: 'r_total{job="j"}'}}`)
	add("good", `sli: {events: {good: 'r_total{job="j",code="200"}', total: 'r_total{job="j"}'}}`)
	add("good-by-not", `sli: {events: {good: 'r_total{job="j",code!="500"}', total: 'r_total{job="j"}'}}`)
	add("bad-apart", `sli: {events: {bad: 'errors_total{job="j"}', total: 'r_total{job="j"}'}}`)
	add("good-apart", `sli: {events: {good: 'r_total{job="j",code="200",tenant="a"}', total: 'r_total{job="j"}'}}`)
	add("latency", `sli: {latency: {histogram: 'rpc_seconds{job="j"}', threshold: 300ms}}`)
	add("no-job", `sli: {events: {bad: 'r_total{code=~"5.."}', total: r_total}}`)
	add("of-tenants", "groupBy: [tenant]\nsli: {events: {bad: 'r_total{job=\"j\",code=~\"5..\"}', total: 'r_total{job=\"j\"}'}}")
	add("good-of-tenants", "groupBy: [tenant]\nsli: {events: {good: 'ok_total{job=\"j\"}', total: 'r_total{job=\"j\"}'}}")
	return spec + "---\n" + shop, names
}

// hardship is the telemetry of three instances that fail to answer, restart, begin late, and go away for good or all at
// once for a while.
type hardship struct {
	rng    *rand.Rand
	values map[string]sample // by their labels
}

// scrape returns what is scraped at some time; a series that was there and is not gets a staleness marker.
func (h *hardship) scrape(at time.Duration) []sample {
	var out []sample
	away := at > 100*time.Minute && at < 125*time.Minute
	for i := range 3 {
		instance := fmt.Sprint("i", i)
		label := func(name string, more ...string) store.Labels {
			l := store.Labels{store.Name: name, "job": "j", "instance": instance}
			for k := 0; k < len(more); k += 2 {
				l[more[k]] = more[k+1]
			}
			return l
		}
		gone := away || i == 2 && at > 150*time.Minute
		answers := !gone && h.rng.IntN(8) > 0
		restarted := h.rng.IntN(40) == 0
		count := func(l store.Labels, by int) {
			key := l.String()
			s, known := h.values[key]
			if !known && h.rng.IntN(4) > 0 { // not yet
				return
			}
			if restarted {
				s.value = 0
			}
			s.labels, s.value = l, s.value+float64(by)
			h.values[key] = s
			if !answers {
				s.value = store.Stale()
			}
			out = append(out, s)
		}
		for _, tenant := range []string{"a", "b"} {
			for _, code := range []string{"200", "404", "500"} {
				count(label("r_total", "tenant", tenant, "code", code), h.rng.IntN(30))
			}
			count(label("errors_total", "tenant", tenant), h.rng.IntN(3))
			count(label("ok_total", "tenant", tenant), h.rng.IntN(30))
		}
		quick := h.rng.IntN(20)
		count(label("rpc_seconds_bucket", "le", "0.3"), quick)
		count(label("rpc_seconds_count"), quick+h.rng.IntN(3))
		reached := map[bool]float64{true: 1}[answers]
		if gone {
			reached = store.Stale()
		}
		out = append(out, sample{label("up"), reached})
	}
	return out
}

// SLOs that share the rules which read what was seen have the same increments, and the same state of telemetry, as
// those that have such rules of their own, because a maintenance of some far day is planned.
func TestSharedRulesAreThoseOfOneSLO(t *testing.T) {
	t.Parallel()
	const length = 3 * time.Hour
	spec, names := seenSpecs()
	record := func(spec string) map[string][]engine.Sample {
		w := newWorld(t, spec, rules.Options{})
		h := &hardship{rand.New(rand.NewPCG(7, 11)), map[string]sample{}}
		w.run(replay{
			length: length, scrape: tick, step: tick, feed: h.scrape,
			skip: func(at time.Duration) bool {
				return at > 60*time.Minute && at < 64*time.Minute || at%(17*time.Minute) == 0
			},
		})
		out := map[string][]engine.Sample{}
		for _, series := range []string{slo.SeriesEventsIncrement, slo.SeriesBadIncrement, slo.SeriesTelemetry} {
			rows, err := w.engine.QueryRange(context.Background(), "sum_over_time("+series+"[29s999ms])", t0.Add(-rules.DefaultQueryOffset), t0.Add(length), tick)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				r.Labels[store.Name] = series
				out[r.Labels.String()] = r.Samples
			}
		}
		return out
	}
	shared, alone := record(spec), record(spec+adjustment("maintenance", 50*24*time.Hour, time.Hour, "", names...))
	if want := 3*8 + 2*5; len(alone) != want { // two tenants have increments each, and one state
		t.Errorf("%d series, want %d", len(alone), want)
	}
	if diff := cmp.Diff(alone, shared); diff != "" {
		t.Errorf("-alone +shared:\n%.4000s", diff)
	}
	for _, name := range names { // there is something to tell apart
		for _, series := range []string{slo.SeriesEventsIncrement, slo.SeriesBadIncrement} {
			one := store.Labels{store.Name: series, "slo": name, "service": "shop", "team": "web"}
			whole := one.String()
			one["tenant"] = "a"
			total := 0.
			for _, x := range append(shared[whole], shared[one.String()]...) {
				total += x.V
			}
			if total < 100 {
				t.Errorf("%s of %s adds up to %v", series, name, total)
			}
		}
	}
}
