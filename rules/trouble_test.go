package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// What happened out of sight is not counted when it comes back, neither after an outage of Prometheus nor of a
// target nor of the network of those that push; the counters are a million high by then.
func TestOutOfSightIsNotCountedTwice(t *testing.T) {
	t.Parallel()
	all := []*traffic{{job: "alive", ok: 1e6, rate: steady(600, 6)}, {job: "cut", ok: 1e6, rate: steady(600, 6)}, {job: "pushed", ok: 1e6, rate: steady(600, 6)}}
	w := newWorld(t, availability("99%", "{rolling: 30d}", "", "alive", "cut", "pushed"), rules.Options{})
	down := func(at time.Duration) bool { return at > 100*time.Minute && at < 140*time.Minute } // Prometheus
	away := func(at time.Duration) bool { return at > 40*time.Minute && at < 60*time.Minute }   // cut and pushed
	r := minutes(200, func(at time.Duration) (out []sample) {
		for _, x := range all {
			now := x.scrape(at)
			switch {
			case down(at):
				continue
			case away(at) && x.job == "cut":
				now = []sample{up("cut", 0)}
				for _, s := range []sample{requests("cut", "200", store.Stale()), requests("cut", "500", store.Stale())} {
					if at < 41*time.Minute {
						now = append(now, s)
					}
				}
			case away(at) && x.job == "pushed":
				now = nil
			case x.job == "pushed":
				now = now[1:] // no up
			}
			out = append(out, now...)
		}
		return out
	})
	r.skip = down
	w.run(r)
	for job, minutes := range map[string]float64{"alive": 160, "cut": 140, "pushed": 140} {
		got := w.value(`sum_over_time(slo:events:inc{slo="`+job+`"}[200m])`, 200*time.Minute)
		w.near(job+": events", got/600, minutes, 11) // a gap of up to ten minutes is bridged
		bad := w.value(`sum_over_time(slo:bad:inc{slo="`+job+`"}[200m])`, 200*time.Minute)
		w.near(job+": bad ratio", bad/got, 0.01, 0.0002)
	}
}

// A reload that changes the labels of an SLO leaves its history whole.
func TestChangedLabelsKeepHistory(t *testing.T) {
	spec := availability("99.9%", "{rolling: 30d}", "", "api")
	w := newWorld(t, spec, rules.Options{})
	x := traffic{job: "api", rate: steady(600, 0.3)}
	renamed := compile(t, strings.Replace(spec, "team: web", "team: shop", 1))
	files, err := rules.Files(renamed, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	loaded := false
	r := minutes(120, func(at time.Duration) []sample {
		if at > time.Hour && !loaded {
			loaded = true
			var load []engine.RuleFile
			for _, f := range files {
				load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
			}
			if err := w.engine.Load(load...); err != nil {
				t.Fatal(err)
			}
		}
		return x.scrape(at)
	})
	w.run(r)
	w.near("events of two hours", w.value(slo.SeriesEventsSum+`{window="30d",team="shop"}`, 2*time.Hour), 600*118, 600*2)
	w.near("budget left", w.value(slo.SeriesBudgetRemaining+`{team="shop"}`, 2*time.Hour), 0.5, 0.02)
}

// A target that is scraped but has lost the metric is a different thing from one that is gone, and takes a day to
// report: a quiet service has no counters either.
func TestGoneMetricIsReportedAfterADay(t *testing.T) {
	if testing.Short() {
		t.Skip("replays more than a day") // -short
	}
	t.Parallel()
	x := traffic{job: "api", rate: steady(600, 0.3)}
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api")+coarse, rules.Options{})
	w.run(replay{length: 26 * time.Hour, scrape: time.Minute, step: 2 * time.Minute, feed: func(at time.Duration) []sample {
		now := x.scrape(at)
		if at > time.Hour {
			return now[:1] // up only
		}
		return now
	}})
	if len(w.events) != 1 || w.events[0].Alert.Labels["reason"] != slo.ReasonMetricGone {
		t.Fatalf("alerts: %v", w.alerts())
	}
	wantText(t, w.events[0].Alert.Annotations, map[string]string{"summary": "The metric of api is gone"})
	if at := w.events[0].At.Sub(t0); at < 25*time.Hour || at > 25*time.Hour+10*time.Minute {
		t.Errorf("reported after %v, want a day after the first hour", at)
	}
}

// Sloth's series say what ours say.
func TestSlothNames(t *testing.T) {
	x := traffic{job: "api", rate: steady(600, 0.3)}
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api"), rules.Options{SlothNames: true})
	w.run(minutes(60, x.scrape))
	in := `{sloth_id="shop-api",sloth_service="shop",sloth_slo="api"}`
	for series, want := range map[string]float64{
		"slo:sli_error:ratio_rate5m": 0.0005, "slo:sli_error:ratio_rate1h": 0.0005, "slo:sli_error:ratio_rate30d": 0.0005,
		"slo:current_burn_rate:ratio": 0.5, "slo:period_burn_rate:ratio": 0.5, "slo:period_error_budget_remaining:ratio": 0.5,
		"slo:objective:ratio": 0.999, "slo:error_budget:ratio": 0.001, "slo:time_period:days": 30, "sloth_slo_info": 1,
	} {
		w.near(series, w.value(series+in, time.Hour), want, want*0.02)
	}
}

// The first sight of a counter that is a million high counts nothing, however rarely its target is scraped.
func TestFirstSightCountsNothing(t *testing.T) {
	for _, scrape := range []time.Duration{time.Minute, 2 * time.Minute} {
		spec := "apiVersion: plimsoll.dev/v1\nkind: DataSource\nmetadata: {name: default}\nspec: {type: prometheus, scrapeInterval: " +
			slo.Duration(scrape).String() + ", evaluationInterval: 30s}\n---" + availability("99%", "{rolling: 30d}", "  alerting: {profile: slow}\n", "api") + slowProfile
		w := newWorld(t, spec, rules.Options{})
		x := traffic{job: "api", ok: 1e6, rate: steady(600, 6)}
		turn := 0
		w.run(minutes(30, func(at time.Duration) []sample {
			now := x.scrape(at)
			if turn++; turn == 1 || turn%int(scrape/tick) != 1 { // the phase in which the rules wait longest
				return nil
			}
			return now
		}))
		got := w.value(`sum_over_time(slo:events:inc{slo="api"}[30m])`, 30*time.Minute)
		if got < 600*25 || got > 600*31 {
			t.Errorf("scraped every %v: %v events in half an hour, want 15000 to 18600", scrape, got)
		}
	}
}

const slowProfile = `---
apiVersion: plimsoll.dev/v1
kind: AlertProfile
metadata: {name: slow}
spec:
  tiers:
    - {severity: page, long: 1h, short: 10m, budget: "2%"}
    - {severity: ticket, long: 3d, short: 6h, budget: "10%"}
`
