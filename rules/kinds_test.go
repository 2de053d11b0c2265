package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// shop is the service of sliSpec.
const shop = "apiVersion: plimsoll.dev/v1\nkind: Service\nmetadata: {name: shop}\nspec: {owner: {team: web}}\n"

// sliSpec is the spec of an SLO of 99 % over 30 days; rest are its other fields, the SLI among them.
func sliSpec(name, rest string) string {
	return fmt.Sprintf(`---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: %s}
spec:
  service: shop
  objective: {target: "99%%"}
  %s
`, name, strings.ReplaceAll(rest, "\n", "\n  "))
}

func gauge(name string, v float64) sample {
	return sample{store.Labels{store.Name: name}, v}
}

// Every kind of SLI, with increments that anybody can work out.
func TestKinds(t *testing.T) {
	t.Parallel()
	const length = 3 * time.Hour
	spec := availability("99%", "{rolling: 30d}", "", "one", "two") +
		sliSpec("latency", `sli: {latency: {histogram: rpc_seconds, threshold: 300ms}}`) +
		sliSpec("threshold", `sli: {threshold: {metric: queue_length, op: "<=", value: 100}}`) +
		sliSpec("availability", `sli: {availability: {probe: probe_success}}`) +
		sliSpec("freshness", `sli: {freshness: {timestamp: backup_time, maxAge: 1h}}`) +
		sliSpec("coverage", `sli: {coverage: {observed: sum(agents), expected: sum(nodes)}}`) +
		sliSpec("raw", `sli: {raw: {errorRatio: bad_ratio}}`) +
		sliSpec("deadline", `sli: {deadline: {started: started_total, finished: finished_total, within: 1h}}`) +
		sliSpec("spend", "sli: {spend: {cost: cost_total, amount: 4320, currency: EUR}}") +
		sliSpec("slices", "budgeting: {method: timeslices, slice: 5m, sliceTarget: \"90%\"}\nsli: {events: {bad: slice_bad_total, total: slice_total}}") +
		sliSpec("ratios", "budgeting: {method: ratioTimeslices, slice: 5m}\nsli: {events: {bad: slice_bad_total, total: slice_total}}") +
		sliSpec("expression", `sli: {events: {bad: sum(slice_total) - sum(slice_ok_total), total: slice_total}}`) +
		sliSpec("serial", `sli: {composite: {method: serial, members: [{slo: one}, {slo: two}]}}`) +
		sliSpec("worst", `sli: {composite: {method: worst, members: [{slo: one}, {slo: two}]}}`) +
		sliSpec("weighted", `sli: {composite: {method: weighted, members: [{slo: one, weight: 3}, {slo: two}]}}`)
	w := newWorld(t, spec, rules.Options{})
	one, two := traffic{job: "one", rate: steady(600, 6)}, traffic{job: "two", rate: steady(1200, 24)}
	w.run(minutes(180, func(at time.Duration) []sample {
		n, m := at.Minutes()*60, at.Minutes()
		step := func(from float64, size float64) float64 {
			if m >= from {
				return size
			}
			return 0
		}
		out := append(one.scrape(at), two.scrape(at)...)
		for _, x := range []struct {
			name string
			v    float64
		}{
			{"queue_length", 50 + step(60, 100) - step(90, 100)}, // 30 minutes too long
			{"probe_success", 1 - step(30, 1) + step(60, 1)},     // 30 minutes down
			{"agents", 95},
			{"nodes", 100},
			{"bad_ratio", 0.25},
			{"started_total", 7 + step(30, 100)},
			{"finished_total", 7 + step(40, 90)}, // 10 of 100 never finish
			{"cost_total", m * 0.2},              // 0.1 a minute are planned
			{"backup_time", float64(t0.Unix())},  // stale after an hour
			{"slice_total", n},
			{"slice_bad_total", step(61, 600)}, // in the 13th slice
			{"slice_ok_total", min(n, 61*60) + max(n-71*60, 0)},
		} {
			out = append(out, gauge(x.name, x.v))
		}
		return append(out,
			sample{store.Labels{store.Name: "rpc_seconds_count"}, n},
			sample{store.Labels{store.Name: "rpc_seconds_bucket", "le": "0.3"}, n * 0.97})
	}))
	total := func(what, name string) float64 {
		return w.value(fmt.Sprintf(`sum_over_time(slo:%s:inc{slo=%q}[3h])`, what, name), length)
	}
	ratio := func(name string, want, tolerance float64) {
		t.Helper()
		w.near(name, total("bad", name)/total("events", name), want, tolerance)
	}
	ratio("latency", 0.03, 1e-9)
	ratio("threshold", 30./180, 0.005)
	ratio("availability", 30./180, 0.005)
	ratio("freshness", 120./180, 0.005)
	ratio("coverage", 0.05, 1e-9)
	ratio("raw", 0.25, 1e-9)
	ratio("spend", 0.02, 1e-3) // twice the plan at a budget of 1 %
	ratio("slices", 1./36, 1e-9)
	ratio("ratios", 600./300/36/2, 0.02)
	ratio("expression", 600./(180*60), 1e-3)
	ratio("serial", 1-0.99*0.98, 5e-5)
	ratio("worst", 0.02, 5e-5)
	ratio("weighted", (3*0.01+0.02)/4, 5e-5)
	w.near("due", total("events", "deadline"), 100, 1e-9)
	w.near("not finished", total("bad", "deadline"), 10, 1e-9)
	w.near("burn of spending", w.value(`slo:burn_rate:ratio{slo="spend",window="1h"}`, length), 2*30.436875/30, 0.001) // of a mean month
	w.near("money left", w.value(slo.SeriesBudgetRemaining+`{slo="spend"}`, length), 1-(180-5)*0.2/4320, 0.0003)
	if got := w.value(`slo:events:sum{slo="serial",window="1h"}`, length); got != 1200*60 {
		t.Errorf("events of a composite: got %v, want those of the busiest member", got)
	}
}

// A Prometheus of version 3 stores the boundary 2.0 where the client exposes 2, and others store 2.
func TestWholeBoundaries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, shop+
		sliSpec("of-client", `sli: {latency: {histogram: web_seconds, threshold: 2s}}`)+
		sliSpec("of-store", `sli: {latency: {histogram: old_seconds, threshold: 2s, boundary: "2.0"}}`), rules.Options{})
	w.run(minutes(30, func(at time.Duration) []sample {
		n := at.Minutes() * 60
		return []sample{
			{store.Labels{store.Name: "web_seconds_count"}, n},
			{store.Labels{store.Name: "web_seconds_bucket", "le": "2.0"}, n * 0.96},
			{store.Labels{store.Name: "old_seconds_count"}, n},
			{store.Labels{store.Name: "old_seconds_bucket", "le": "2"}, n * 0.95},
		}
	}))
	for name, want := range map[string]float64{"of-client": 0.04, "of-store": 0.05} {
		sum := func(series string) float64 {
			return w.value(fmt.Sprintf(`sum_over_time(%s{slo=%q}[30m])`, series, name), 30*time.Minute)
		}
		w.near(name, sum(slo.SeriesBadIncrement)/sum(slo.SeriesEventsIncrement), want, 1e-9)
	}
}

// Each group has budget and alerts of its own.
func TestGroupsAreJudgedApart(t *testing.T) {
	spec := sliSpec("tenants", "groupBy: [tenant]\nsli: {events: {bad: 'r_total{code=\"500\"}', total: r_total}}") +
		"---\n" + shop
	w := newWorld(t, spec, rules.Options{})
	w.run(minutes(120, func(at time.Duration) []sample {
		r := func(tenant, code string, v float64) sample {
			return sample{store.Labels{store.Name: "r_total", "tenant": tenant, "code": code}, v}
		}
		n := at.Seconds()
		out := []sample{r("a", "200", n), r("b", "200", min(n, 3600))}
		if n > 3600 {
			out = append(out, r("b", "500", n-3600))
		}
		return out
	}))
	for _, e := range w.events {
		if e.Alert.Labels["tenant"] != "b" || e.Alert.Labels["slo"] != "tenants" {
			t.Errorf("alert of %v", e.Alert.Labels)
		}
		if e.Kind == engine.Fired && !strings.Contains(e.Alert.Annotations["summary"], "(tenant b)") {
			t.Errorf("summary: %q", e.Alert.Annotations["summary"])
		}
		wantText(t, e.Alert.Annotations, nil)
	}
	if len(w.events) == 0 {
		t.Error("no alert")
	}
	w.near("budget left of a", w.value(slo.SeriesBudgetRemaining+`{tenant="a"}`, 2*time.Hour), 1, 0)
	if got := w.value(slo.SeriesBudgetRemaining+`{tenant="b"}`, 2*time.Hour); got > -40 {
		t.Errorf("budget left of b: got %v", got)
	}
}

// The week in Los Angeles begins on Monday at 08:00 UTC: then the budget is whole again.
func TestCalendarBudgetStartsAnew(t *testing.T) {
	t.Parallel()
	x := traffic{job: "api", rate: between(600, 0.002, 0, 7*time.Hour+50*time.Minute)}
	w := newWorld(t, availability("99.9%", "{calendar: week, timeZone: America/Los_Angeles}", "", "api"), rules.Options{})
	w.run(minutes(600, x.scrape))
	w.near("at 07:58", w.value(slo.SeriesBudgetRemaining, 478*time.Minute), 1-2*470./475, 0.01)
	w.near("at 08:10", w.value(slo.SeriesBudgetRemaining, 490*time.Minute), 1, 1e-9)
	w.near("at 10:00", w.value(slo.SeriesBudgetRemaining, 600*time.Minute), 1, 1e-9)
	if got := w.value(`slo:events:sum{window="week"}`, 600*time.Minute); got < 600*112 || got > 600*120 {
		t.Errorf("events of the week after two hours: got %v, want about %v", got, 600*116)
	}
}

// What missing telemetry counts as.
func TestMissingTelemetryCounts(t *testing.T) {
	spec := availability("99%", "{rolling: 30d}", "  noData: {treatAs: bad}", "bad") + sliSpec("good",
		"noData: {treatAs: good}\nsli: {events: {bad: 'http_requests_total{job=\"good\",code=~\"5..\"}', total: 'http_requests_total{job=\"good\"}'}}")
	w := newWorld(t, spec, rules.Options{})
	bad, good := traffic{job: "bad", rate: steady(600, 0)}, traffic{job: "good", rate: steady(600, 0)}
	w.run(minutes(150, func(at time.Duration) []sample {
		if at > 90*time.Minute {
			return nil
		}
		return append(bad.scrape(at), good.scrape(at)...)
	}))
	// Five minutes of lookback and ten of noData.after pass first.
	events, wrong := w.value(`sum_over_time(slo:events:inc{slo="bad"}[30m])`, 150*time.Minute), w.value(`sum_over_time(slo:bad:inc{slo="bad"}[30m])`, 150*time.Minute)
	if events < 600*30*0.7 || events > 600*30*1.05 || events != wrong {
		t.Errorf("bad: got %v events, %v bad, want about as many as usual, all bad", events, wrong)
	}
	if got := w.value(`sum_over_time(slo:bad:inc{slo="good"}[30m])`, 150*time.Minute); got != 0 {
		t.Errorf("good: got %v bad events", got)
	}
}

// A policy tells its receiver of burning that lasts.
func TestEscalation(t *testing.T) {
	x := traffic{job: "api", rate: between(600, 0.05, 60*time.Minute, 180*time.Minute)}
	w := newWorld(t, availability("99%", "{rolling: 30d}", "  policy: strict\n  alerting: {page: false, ticket: false}", "api")+`---
apiVersion: plimsoll.dev/v1
kind: BudgetPolicy
metadata: {name: strict}
spec:
  states: [{name: frozen, budgetBelow: "0%", action: freeze}]
  escalations: [{burnRateAbove: 2, for: 1h, notify: "the {{boss}}"}]
`, rules.Options{})
	w.run(minutes(180, x.scrape))
	if len(w.events) != 1 {
		t.Fatalf("alerts: %v", w.alerts())
	}
	e := w.events[0]
	if e.Alert.Name != slo.AlertEscalation || e.Alert.Labels["notify"] != "the {{boss}}" || e.Alert.Labels["severity"] != slo.SeverityEscalation {
		t.Errorf("labels: %v", e.Alert.Labels)
	}
	if m := e.At.Sub(t0).Minutes(); m < 84 || m > 92 { // 0.05 x 24 minutes of an hour is burn 2
		t.Errorf("escalated at minute %v, want 84 to 92", m)
	}
}
