package rules_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const tick = 30 * time.Second

// minutes is a replay at the default intervals.
func minutes(n int, feed func(time.Duration) []sample) replay {
	return replay{length: time.Duration(n) * time.Minute, scrape: tick, step: tick, feed: feed}
}

// between is a rate of n events a minute, of which share is bad from one minute up to another.
func between(n, share float64, from, to time.Duration) func(time.Duration) (float64, float64) {
	return func(at time.Duration) (float64, float64) {
		if at >= from && at < to {
			return n, n * share
		}
		return n, 0
	}
}

// seen is the tick at which the rules know what happened until at: the scrape is 20 s before the tick.
func seen(at time.Duration) float64 {
	return (at + 20*time.Second + tick - 1).Truncate(tick).Minutes()
}

// inGrafana says where people look at what is in the default data source.
const inGrafana = `
---
apiVersion: plimsoll.dev/v1
kind: DataSource
metadata: {name: default}
spec: {type: prometheus, grafana: {url: "https://grafana.example", dataSource: main}}
`

// A total outage pages as soon as the closed form says, and the page ends ten minutes after the outage.
func TestOutagePagesWhenTheClosedFormSays(t *testing.T) {
	t.Parallel()
	from, to := 390*time.Minute, 420*time.Minute
	x := traffic{job: "api", rate: between(6000, 1, from, to)}
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api")+inGrafana, rules.Options{})
	w.run(minutes(440, x.scrape))

	profile, _ := w.set.Profile(slo.DefaultName)
	detect, ok := profile.BurnTiers()[0].Detect(w.set.SLOs[0].BurnBudget(), 1)
	if !ok {
		t.Fatal("the tier does not detect a total outage")
	}
	var page, end float64
	for _, e := range w.events {
		if e.Alert.Labels["severity"] == slo.Page && e.Kind == engine.Fired {
			page = e.At.Sub(t0).Minutes()
			want := store.Labels{"alertname": slo.AlertBudgetBurn, "slo": "api", "service": "shop", "team": "web", "severity": "page"}
			if diff := cmp.Diff(want, e.Alert.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			wantText(t, e.Alert.Annotations, map[string]string{
				"tier": "1h and 5m above 14.4", "runbook_url": "https://runbooks.example/shop",
				"dashboard_url": "https://grafana.example/d/plimsoll-slo?var-datasource=main&var-service=shop&var-slo=api",
				"events":        "7000 bad of 360000 in 1h", "burn_rate": "19.4",
			})
		}
		if e.Alert.Labels["severity"] == slo.Page && e.Kind == engine.Resolved {
			end = e.At.Sub(t0).Minutes()
		}
	}
	if want := seen(from + detect); page != want {
		t.Errorf("page at minute %v, want %v", page, want)
	}
	if end <= to.Minutes() || end > to.Minutes()+10.5 {
		t.Errorf("page ended at minute %v, want up to 10.5 minutes after %v", end, to.Minutes())
	}
	if got := len(w.events); got > 4 {
		t.Errorf("alerts: %v", w.alerts())
	}
}

func wantText(t *testing.T, got store.Labels, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("annotation %s: got %q, want %q", k, got[k], v)
		}
	}
	for k, v := range got {
		if strings.Contains(v, "error expanding") || strings.Contains(v, "{{") {
			t.Errorf("annotation %s: %q", k, v)
		}
	}
}

// One failure among a request every ten minutes is no reason to wake anybody, nor to open a ticket.
func TestOneFailureAtLowTrafficIsSilent(t *testing.T) {
	t.Parallel()
	n := 0.0
	feed := func(at time.Duration) []sample {
		out := []sample{up("api", 1)}
		n = math.Floor(at.Minutes() / 10)
		if at > 5*time.Hour {
			return append(out, requests("api", "200", n-1), requests("api", "500", 1))
		}
		return append(out, requests("api", "200", n))
	}
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api"), rules.Options{})
	w.run(minutes(480, feed))
	w.wantAlerts()
	if got := w.value(`sum_over_time(slo:bad:inc[8h])`, 8*time.Hour); got != 1 {
		t.Errorf("bad events: got %v, want 1", got)
	}
}

// At 100 % one bad event pages, and nothing is divided by zero. The page ends with the longest short window.
func TestNoBudgetPagesOnOneBadEvent(t *testing.T) {
	x := traffic{job: "api", rate: between(6, 1.0, 60*time.Minute, 60*time.Minute+10*time.Second)}
	w := newWorld(t, availability("100%", "{rolling: 30d}", "", "api"), rules.Options{})
	w.run(minutes(100, x.scrape))
	w.wantAlerts("60.5 fired SLOBudgetBurn page of api", "64 fired SLOBudgetBurn ticket of api", "90.5 resolved SLOBudgetBurn page of api")
	if got := w.value(slo.SeriesBudgetRemaining, 80*time.Minute); !math.IsInf(got, -1) {
		t.Errorf("budget left: got %v, want -Inf", got)
	}
	if got := w.value(slo.SeriesBudgetRemaining, 50*time.Minute); got != 1 {
		t.Errorf("budget left before: got %v, want 1", got)
	}
}

// Objectives of 95 % and 90 % cannot burn at 14.4: the cap of half of all events makes them page.
func TestLowObjectivesCanPage(t *testing.T) {
	for objective, want := range map[string]float64{"95%": 90 + 30 + 1, "90%": 90 + 30 + 1} {
		x := traffic{job: "api", rate: between(6000, 1, 90*time.Minute, 150*time.Minute)}
		w := newWorld(t, availability(objective, "{rolling: 30d}", "", "api"), rules.Options{})
		w.run(minutes(150, x.scrape))
		var page float64
		for _, e := range w.events {
			if e.Alert.Labels["severity"] == slo.Page && e.Kind == engine.Fired && page == 0 {
				page = e.At.Sub(t0).Minutes()
			}
		}
		if page == 0 || page > want {
			t.Errorf("objective %s: page at minute %v, want one by %v", objective, page, want)
		}
	}
}

// A target that vanishes is reported, and costs no budget; no traffic is not reported.
func TestVanishedTelemetryIsReported(t *testing.T) {
	gone := traffic{job: "gone", rate: steady(600, 0.3)}
	idle := traffic{job: "idle", rate: func(at time.Duration) (float64, float64) {
		if at > 30*time.Minute {
			return 0, 0
		}
		return 600, 0.3
	}}
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "gone", "idle"), rules.Options{})
	w.run(minutes(90, func(at time.Duration) []sample {
		out := idle.scrape(at)
		switch {
		case at < 60*time.Minute:
			return append(out, gone.scrape(at)...)
		case at < 60*time.Minute+tick: // Prometheus ends the series of a target that is gone
			for _, s := range gone.scrape(gone.at) {
				out = append(out, sample{s.labels, store.Stale()})
			}
		}
		return out
	}))
	w.wantAlerts("70.5 fired SLONoData ticket of gone")
	for _, job := range []string{"gone", "idle"} {
		left := slo.SeriesBudgetRemaining + `{slo="` + job + `"}`
		w.near(job+": budget left", w.value(left, 90*time.Minute), 0.5, 0.003)
		w.near(job+": budget left", w.value(left, 90*time.Minute), w.value(left, 68*time.Minute), 1e-9)
	}
}

// Ticks of the slow group that are missed, one or six in a row, leave no trace in the rollups.
func TestMissedRollupsHeal(t *testing.T) {
	x := traffic{job: "api", rate: steady(600, 60)}
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api"), rules.Options{})
	r := minutes(240, x.scrape)
	r.skip = func(at time.Duration) bool {
		m := int(at.Minutes())
		return at%(4*time.Minute) == 0 && (m == 40 || m >= 80 && m < 104)
	}
	w.run(r)
	for _, s := range []string{"events", "bad"} {
		rolled := w.value("sum_over_time(slo:"+s+":rollup[5h])", 240*time.Minute)
		want := w.value("sum_over_time(slo:"+s+":inc[5h] offset 1m) + on (slo) sum_over_time(slo:"+s+":repair[5h] offset 1m)", 240*time.Minute)
		w.near(s, rolled, want, 1e-6)
	}
}
