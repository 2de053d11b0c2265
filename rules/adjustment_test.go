package rules_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// adjustment is the document of one; start is after t0, and more is added to its fields.
func adjustment(kind string, start, length time.Duration, more string, slos ...string) string {
	return fmt.Sprintf(`---
apiVersion: plimsoll.dev/v1
kind: Adjustment
metadata: {name: "%s-%d-%s"}
spec:
  type: %[1]s
  slos: {names: [%[7]s]}
  start: %[4]s
  duration: %[5]s
  reason: test
  %[6]s
`, kind, int(start.Minutes()), slos[0], t0.Add(start).Format(time.RFC3339), slo.Duration(length), more, strings.Join(slos, ", "))
}

// load replaces the rules.
func (w *world) load(spec string, o rules.Options) {
	w.t.Helper()
	files, err := rules.Files(compile(w.t, spec), o)
	if err != nil {
		w.t.Fatal(err)
	}
	var load []engine.RuleFile
	for _, f := range files {
		text := bytes.ReplaceAll(f.Content, []byte("eval_delay:"), []byte("query_offset:")) // of vmalert
		text = bytes.ReplaceAll(text, []byte("  params:\n    nocache: [\"1\"]\n"), nil)
		load = append(load, engine.RuleFile{Name: f.Name, Content: text})
	}
	if err := w.engine.Load(load...); err != nil {
		w.t.Fatal(err)
	}
}

// at returns feed, which calls do once, before the scrapes after a time.
func at(when time.Duration, do func(), feed func(time.Duration) []sample) func(time.Duration) []sample {
	done := false
	return func(now time.Duration) []sample {
		if now > when && !done {
			done = true
			do()
		}
		return feed(now)
	}
}

// stretch is events and bad events of a time.
type stretch struct{ all, bad float64 }

// in adds up what a rate says, from one time to another.
func in(rate func(time.Duration) (float64, float64), from, to time.Duration) (s stretch) {
	const step = 10 * time.Second
	for x := from; x < to; x += step {
		n, bad := rate(x)
		s.all, s.bad = s.all+n/6, s.bad+bad/6
	}
	return s
}

func (s stretch) without(o stretch) stretch { return stretch{s.all - o.all, s.bad - o.bad} }

func (s stretch) left(budget float64) float64 { return 1 - s.bad/s.all/budget }

const hm = time.Minute

// outage is a total outage in minutes 60 to 90 of a service that else has half of the bad events it may.
func outage(now time.Duration) (float64, float64) {
	if now >= 60*hm && now < 90*hm {
		return 6000, 6000
	}
	return 6000, 3
}

// rulesSeen is the time up to which the rollups hold what happened, at a multiple of their interval: they lag by two
// ticks, and the scrape is 20 s before a tick.
func rulesSeen(now time.Duration) time.Duration { return now - 80*time.Second }

// Of maintenance that is declared ahead nothing burns and nobody is told, neither meanwhile nor after it; the raw
// budget shows it.
func TestMaintenanceAhead(t *testing.T) {
	t.Parallel()
	const length = 480 * hm
	spec := availability("99.9%", "{rolling: 30d}", "", "api", "other") + adjustment("maintenance", 60*hm, 30*hm, "", "api")
	w := newWorld(t, spec, rules.Options{})
	api, other := traffic{job: "api", rate: outage}, traffic{job: "other", rate: outage}
	w.run(minutes(480, func(now time.Duration) []sample { return append(api.scrape(now), other.scrape(now)...) }))
	for _, e := range w.events {
		if e.Alert.Labels["slo"] == "api" {
			t.Errorf("alert %v", e)
		}
	}
	if len(w.events) == 0 {
		t.Error("the same outage of another service tells nobody")
	}
	all := in(outage, 0, rulesSeen(length))
	raw := w.value(slo.SeriesBudgetRemainingRaw+`{slo="api"}`, length)
	w.near("adjusted", w.value(slo.SeriesBudgetRemaining+`{slo="api"}`, length), all.without(in(outage, 60*hm, 90*hm)).left(0.001), 0.001)
	w.near("raw", raw/all.left(0.001), 1, 0.02)
	w.near("raw is what it is without adjustments", raw, w.value(slo.SeriesBudgetRemaining+`{slo="other"}`, length), 1e-9)
	for _, now := range []time.Duration{91 * hm, 100 * hm, 120 * hm, 160 * hm, 400 * hm} {
		for _, window := range []string{"5m", "1h", "6h", "1d", "3d"} {
			got, err := w.engine.Query(t.Context(), fmt.Sprintf(`slo:burn_rate:ratio{slo="api",window=%q}`, window), t0.Add(now))
			if err != nil || len(got) > 1 || len(got) == 1 && got[0].V > 0.51 {
				t.Errorf("burn rate over %s at %v: %v, %v", window, now, got, err)
			}
		}
	}
	for now, want := range map[time.Duration]float64{60 * hm: 0, 61 * hm: 1, 91 * hm: 1, 92 * hm: 0} {
		w.near(fmt.Sprintf("active at %v", now), w.value(slo.SeriesAdjusted, now), want, 0)
		w.near(fmt.Sprintf("muted at %v", now), w.value(slo.SeriesMuted, now), want, 0)
	}
}

// Maintenance that is declared when it is over brings the budget back and ends the tickets, however it is cut up.
func TestMaintenanceAfterwards(t *testing.T) {
	t.Parallel()
	const declared, length = 150 * hm, 300 * hm
	plain := availability("99.9%", "{rolling: 30d}", "", "api")
	for name, later := range map[string]string{
		"whole":      adjustment("maintenance", 55*hm, 40*hm, "", "api"),
		"overlap":    adjustment("maintenance", 55*hm, 25*hm, "", "api") + adjustment("maintenance", 60*hm, 35*hm, "mute: false", "api"),
		"next to":    adjustment("maintenance", 55*hm, 15*hm, "", "api") + adjustment("maintenance", 70*hm, 25*hm, "", "api"),
		"longer":     adjustment("maintenance", -26*60*hm, 26*60*hm+95*hm, "", "api"),
		"not chosen": adjustment("maintenance", 200*hm, 10*hm, "", "api"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, plain, rules.Options{})
			x := traffic{job: "api", rate: outage}
			w.run(minutes(300, at(declared, func() { w.load(plain+later, rules.Options{}) }, x.scrape)))
			all, none := in(outage, 0, rulesSeen(length)), in(outage, 55*hm, 95*hm)
			switch name {
			case "longer":
				none = in(outage, 0, 95*hm)
			case "not chosen":
				none = in(outage, 200*hm, 211*hm) // the mask lasts a minute longer
			}
			got := w.value(slo.SeriesBudgetRemaining, length)
			want := all.without(none).left(0.001)
			w.near("adjusted", got/max(1, -want), want/max(1, -want), 0.001)
			w.near("raw", w.value(slo.SeriesBudgetRemainingRaw, length)/all.left(0.001), 1, 0.001)
			if name == "not chosen" {
				return
			}
			firing := map[string]bool{}
			for _, e := range w.events {
				firing[e.Alert.Labels["severity"]] = e.Kind == engine.Fired
				if now := e.At.Sub(t0); e.Kind == engine.Fired && now > declared || now > declared+10*hm {
					t.Errorf("%v of %s at %v", e.Kind, e.Alert.Labels["severity"], now)
				}
			}
			if firing[slo.Page] || firing[slo.Ticket] || len(firing) != 2 {
				t.Errorf("alerts %v", w.alerts())
			}
		})
	}
}

// Declared in its middle, maintenance counts once.
func TestMaintenanceMeanwhile(t *testing.T) {
	t.Parallel()
	const declared, length = 75 * hm, 200 * hm
	plain := availability("99.9%", "{rolling: 30d}", "", "api")
	w := newWorld(t, plain, rules.Options{})
	x := traffic{job: "api", rate: outage}
	later := plain + adjustment("maintenance", 55*hm, 40*hm, "", "api")
	w.run(minutes(200, at(declared, func() { w.load(later, rules.Options{}) }, x.scrape)))
	all := in(outage, 0, rulesSeen(length))
	w.near("adjusted", w.value(slo.SeriesBudgetRemaining, length), all.without(in(outage, 55*hm, 95*hm)).left(0.001), 0.001)
	w.near("raw", w.value(slo.SeriesBudgetRemainingRaw, length)/all.left(0.001), 1, 0.001)
	for _, e := range w.events {
		if now := e.At.Sub(t0); now > declared+hm {
			t.Errorf("%v of %s at %v", e.Kind, e.Alert.Labels["severity"], now)
		}
	}
}

// An outage that goes on after the maintenance pages as one that begins with its end.
func TestAlertsAfterMaintenance(t *testing.T) {
	t.Parallel()
	rate := func(from time.Duration) func(time.Duration) (float64, float64) { return between(6000, 1, from, 200*hm) }
	w := newWorld(t, availability("99.9%", "{rolling: 30d}", "", "api", "late")+adjustment("maintenance", 20*hm, 100*hm, "", "api"), rules.Options{})
	api, late := traffic{job: "api", rate: rate(30 * hm)}, traffic{job: "late", rate: rate(120 * hm)}
	w.run(minutes(150, func(now time.Duration) []sample { return append(api.scrape(now), late.scrape(now)...) }))
	fired := map[string]time.Duration{}
	for _, e := range w.events {
		if e.Kind == engine.Fired && e.Alert.Labels["severity"] == slo.Page {
			fired[e.Alert.Labels["slo"]] = e.At.Sub(t0)
		}
	}
	// With no events before, a short time is the whole of a window: api pages no later.
	if len(fired) != 2 || fired["api"] <= 121*hm || fired["api"] > fired["late"] {
		t.Errorf("pages at %v", fired)
	}
}

// Missing telemetry is expected in maintenance that mutes, and told after it.
func TestMaintenanceMutesMissingTelemetry(t *testing.T) {
	t.Parallel()
	spec := availability("99%", "{rolling: 30d}", "", "quiet", "loud") +
		adjustment("maintenance", 20*hm, 60*hm, "", "quiet") + adjustment("maintenance", 20*hm, 60*hm, "mute: false", "loud")
	w := newWorld(t, spec, rules.Options{})
	quiet, loud := traffic{job: "quiet", rate: steady(600, 0)}, traffic{job: "loud", rate: steady(600, 0)}
	w.run(minutes(120, func(now time.Duration) []sample {
		if now > 30*hm {
			return nil
		}
		return append(quiet.scrape(now), loud.scrape(now)...)
	}))
	w.wantAlerts("45 fired SLONoData ticket of loud", "91.5 fired SLONoData ticket of quiet")
}

// A weekly maintenance keeps its wall-clock time: on 8 March 2026, when New York springs forward, 04:00 is 08:00 UTC.
func TestWeeklyMaintenanceFollowsDaylightSaving(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	down := func(now time.Duration) (float64, float64) {
		if h := now - 6*day; h >= 8*time.Hour && h < 10*time.Hour {
			return 600, 600
		}
		return 600, 0.3
	}
	spec := availability("99.9%", "{rolling: 30d}", "", "api") + adjustment("maintenance", -15*time.Hour, 2*time.Hour,
		"recurrence: FREQ=WEEKLY;BYDAY=SU\n  timeZone: America/New_York", "api") // Sunday 1 March, 09:00 UTC
	w := newWorld(t, spec, rules.Options{})
	x := traffic{job: "api", rate: down}
	const from, length = 6*day + 6*time.Hour, 6*day + 12*time.Hour
	r := minutes(int(length.Minutes()), func(now time.Duration) []sample {
		if now < from {
			x.at = now // nothing happens
			return nil
		}
		return x.scrape(now)
	})
	r.skip = func(now time.Duration) bool { return now < from }
	w.run(r)
	w.wantAlerts()
	all := in(down, from, from+rulesSeen(length-from))
	w.near("adjusted", w.value(slo.SeriesBudgetRemaining, length), all.without(in(down, 6*day+8*time.Hour, 6*day+10*time.Hour)).left(0.001), 0.001)
	if raw := w.value(slo.SeriesBudgetRemainingRaw, length); raw > -300 {
		t.Errorf("raw: got %v", raw)
	}
}

// A correction takes back as many bad events as it says, and never more than there were.
func TestCorrection(t *testing.T) {
	t.Parallel()
	const length = 200 * hm
	some := between(600, 0.1, 60*hm, 90*hm) // 1800 bad events
	spec := availability("99.9%", "{rolling: 30d}", "", "half", "more", "gone") +
		adjustment("correction", 60*hm, 30*hm, "badEvents: 900", "half") + adjustment("correction", 60*hm, 30*hm, "badEvents: 5000", "more") +
		adjustment("correction", 100*hm, 30*hm, "badEvents: 900", "gone")
	w := newWorld(t, spec, rules.Options{})
	var all []*traffic
	for _, job := range []string{"half", "more", "gone"} {
		all = append(all, &traffic{job: job, rate: some})
	}
	w.run(minutes(200, func(now time.Duration) (out []sample) {
		for _, x := range all {
			out = append(out, x.scrape(now)...)
		}
		return out
	}))
	for job, bad := range map[string]float64{"half": 900, "more": 0, "gone": 1800} {
		of := `{slo="` + job + `"}`
		s := in(some, 0, rulesSeen(length))
		w.near(job+": bad events", w.value(`slo:bad:sum{window="30d",slo="`+job+`"}`, length), bad, 0.5)
		w.near(job+": bad events of 1d", w.value(`slo:bad:sum{window="1d",slo="`+job+`"}`, length), bad, 0.5)
		w.near(job+": bad events of 3h", w.value(`slo:bad:sum{window="3h",slo="`+job+`"}`, length), bad, 0.5)
		w.near(job+": all bad events", w.value(slo.SeriesBadRawSum+of, length), 1800, 0.5)
		w.near(job+": adjusted", w.value(slo.SeriesBudgetRemaining+of, length), stretch{s.all, bad}.left(0.001), 0.05)
		w.near(job+": raw", w.value(slo.SeriesBudgetRemainingRaw+of, length), s.left(0.001), 0.05)
	}
}

// What was declared afterwards fades out of a rolling window as its events do: at every rollup the budget is that of
// the events in the window that lie outside.
func TestAdjustmentsLeaveTheWindow(t *testing.T) {
	t.Parallel()
	const window, length = 3 * time.Hour, 420 * hm
	rate := func(now time.Duration) (float64, float64) {
		bad := 3.0
		switch {
		case now >= 70*hm && now < 80*hm, now >= 95*hm && now < 100*hm:
			bad = 600
		case now >= 130*hm && now < 160*hm: // half of it is taken back
			bad = 60
		case now >= 250*hm && now < 252*hm: // real
			bad = 600
		}
		return 600, bad
	}
	plain := availability("99%", "{rolling: 3h}", "  alerting: {profile: short}", "api") + `---
apiVersion: plimsoll.dev/v1
kind: AlertProfile
metadata: {name: short}
spec: {tiers: [{severity: page, long: 1h, short: 5m, burnRate: 10}, {severity: ticket, long: 2h, short: 10m, burnRate: 3}]}
`
	later := plain + adjustment("maintenance", 61*hm, 41*hm, "", "api") + adjustment("correction", 130*hm, 30*hm, "badEvents: 900", "api")
	w := newWorld(t, plain, rules.Options{})
	x := traffic{job: "api", rate: rate}
	w.run(minutes(420, at(170*hm, func() { w.load(later, rules.Options{}) }, x.scrape)))
	truth := func(from, to time.Duration) float64 {
		overlap := func(a, b time.Duration) stretch { return in(rate, max(from, a), min(to, b)) }
		s := in(rate, from, to).without(overlap(61*hm, 102*hm))
		s.bad -= overlap(130*hm, 160*hm).bad / 2
		return s.left(0.01)
	}
	worst := 0.0
	for now := 180 * hm; now < length; now += 4 * hm {
		got, want := w.value(slo.SeriesBudgetRemaining, now), truth(rulesSeen(now)-window, rulesSeen(now))
		if d := max(got-want, want-got); d > worst {
			worst = d
		}
		w.near(fmt.Sprintf("budget left at %v", now), got, want, 0.02) // half a minute of a total outage is 0.28
	}
	t.Logf("at most %.4f off", worst)
}

// Each kind of budget has the increments of maintenance left out, ahead, meanwhile and afterwards, as rules for
// Prometheus and as rules for vmalert, which do not see what was recorded at the same time.
func TestMaintenanceOfEveryKind(t *testing.T) {
	if testing.Short() {
		t.Skip("replays twelve hours") // -short
	}
	t.Parallel()
	for _, x := range []struct {
		target   rules.Target
		declared time.Duration
	}{{rules.Prometheus, 75 * hm}, {rules.VictoriaMetrics, 0}, {rules.VictoriaMetrics, 150 * hm}} {
		t.Run(fmt.Sprint(x.target, x.declared), func(t *testing.T) {
			t.Parallel()
			maintenanceOfEveryKind(t, x.target, x.declared)
		})
	}
}

func maintenanceOfEveryKind(t *testing.T, target rules.Target, declared time.Duration) {
	const length = 240 * hm
	plain := availability("99%", "{calendar: week, timeZone: UTC}", "", "api") +
		sliSpec("tenants", "groupBy: [tenant]\nsli: {events: {bad: 'r_total{code=\"500\"}', total: r_total}}") +
		sliSpec("slices", "budgeting: {method: timeslices, slice: 5m, sliceTarget: \"90%\"}\nsli: {events: {bad: 'http_requests_total{job=\"api\",code=\"500\"}', total: 'http_requests_total{job=\"api\"}'}}") +
		sliSpec("probe", `sli: {availability: {probe: probe_success}}`) +
		sliSpec("both", `sli: {composite: {method: worst, members: [{slo: probe}, {slo: api}]}}`)
	later := plain
	for _, x := range []string{"api", "tenants", "slices", "probe", "both"} {
		later += adjustment("maintenance", 55*hm, 40*hm, "", x)
	}
	o := rules.Options{Target: target}
	w := newWorld(t, plain, rules.Options{Target: rules.Prometheus})
	w.load(plain, o)
	x := traffic{job: "api", rate: outage}
	w.run(minutes(240, at(declared, func() { w.load(later, o) }, func(now time.Duration) []sample {
		probe, wrong := 1.0, max(0, min(now.Seconds()-3600, 1800))
		if now >= 60*hm && now < 90*hm {
			probe = 0
		}
		r := func(tenant, code string, v float64) sample {
			return sample{store.Labels{store.Name: "r_total", "tenant": tenant, "code": code}, v}
		}
		return append(x.scrape(now), gauge("probe_success", probe), r("a", "200", now.Seconds()), r("b", "200", now.Seconds()-wrong), r("b", "500", wrong))
	})))
	// The raw budget of a composite is without the maintenance of its members: see adjustment.go.
	w.near("both: adjusted", w.value(slo.SeriesBudgetRemaining+`{slo="both"}`, length), 1-0.05, 0.003)
	for name, want := range map[string][2]float64{ // budget left, and raw
		`slo="api"`:                {1 - 0.05, 1 - (30+209*0.0005)/239*100},
		`slo="tenants",tenant="a"`: {1, 1},
		`slo="tenants",tenant="b"`: {1, 1 - 30./239*100},
		`slo="slices"`:             {1, 1 - 6./47*100},
		`slo="probe"`:              {1, 1 - 30./239*100},
	} {
		w.near(name+": adjusted", w.value(slo.SeriesBudgetRemaining+"{"+name+"}", length), want[0], 0.003)
		w.near(name+": raw", w.value(slo.SeriesBudgetRemainingRaw+"{"+name+"}", length), want[1], 0.3)
	}
}

// Maintenance over the turn of a calendar period counts in each period with its part. The week in Los Angeles begins
// on Monday at 08:00 UTC.
func TestMaintenanceOverTheTurnOfAWeek(t *testing.T) {
	t.Parallel()
	const turn, length = 480 * hm, 600 * hm
	rate := func(now time.Duration) (float64, float64) {
		if now >= 450*hm && now < 510*hm {
			return 600, 600
		}
		return 600, 0.3
	}
	plain := availability("99.9%", "{calendar: week, timeZone: America/Los_Angeles}", "", "api")
	later := plain + adjustment("maintenance", 440*hm, 80*hm, "", "api")
	w := newWorld(t, plain, rules.Options{})
	x := traffic{job: "api", rate: rate}
	w.run(minutes(600, at(530*hm, func() { w.load(later, rules.Options{}) }, x.scrape)))
	week := in(rate, turn, rulesSeen(length))
	// Of the rollup at the turn, up to four minutes belong to the other week.
	if got, want := w.value(slo.SeriesBadRawSum, length), week.bad; got < want || got > want+4*600 {
		t.Errorf("all bad events: got %v, want %v to %v", got, want, want+4*600)
	}
	got := w.value(`slo:bad:sum{window="week"}`, length)
	if want := week.without(in(rate, turn, 520*hm)).bad; got < want-1 || got > want+4*600 {
		t.Errorf("bad events outside: got %v, want %v to %v", got, want, want+4*600)
	}
}
