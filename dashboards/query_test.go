package dashboards

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// now is the end of two hours of recorded series.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// state is what is recorded of one SLO of the test set, the same all the time.
type state struct {
	left  float64            // budget left
	burn  map[string]float64 // burn rate by window
	alert string             // name and severity of a firing alert
}

// states is chosen so that each panel has something to show: checkout pages
// with its budget overspent, pay-by-region tickets, search-fresh has no data.
func states() map[string]state {
	return map[string]state{
		"checkout-availability": {-0.5, map[string]float64{"5m": 30, "1h": 20, "30m": 12, "6h": 7, "3d": 1.5}, "SLOBudgetBurn page"},
		"checkout-latency":      {0.75, map[string]float64{"5m": 0, "1h": 3, "30m": 1, "6h": 0.5, "3d": 0.2}, ""},
		"pay-availability":      {0.2, map[string]float64{"5m": 0, "1h": 0, "30m": 0, "6h": 0, "3d": 0.9}, ""},
		"pay-by-region":         {0.1, map[string]float64{"5m": 2, "1h": 2, "30m": 2, "6h": 2, "3d": 2}, "SLOBudgetBurn ticket"},
		"search-availability":   {1, map[string]float64{"5m": 0, "1h": 0, "30m": 0, "6h": 0, "3d": 0}, ""},
		"search-fresh":          {0.9, map[string]float64{"2h": 0.5, "1d": 0.7}, "SLONoData ticket"},
	}
}

// writer writes one series that has the same value, or a rising one, all the time.
type writer func(name string, labels map[string]string, v, slope float64, more ...string)

// history is the moments at which something is recorded: two hours, and some
// minutes a month and two months ago.
func history() []time.Time {
	var out []time.Time
	for _, ago := range []int{60, 30} {
		for at := now.AddDate(0, 0, -ago).Add(-5 * time.Minute); !at.After(now.AddDate(0, 0, -ago)); at = at.Add(time.Minute) {
			out = append(out, at)
		}
	}
	for at := now.Add(-2 * time.Hour); !at.After(now); at = at.Add(time.Minute) {
		out = append(out, at)
	}
	return out
}

// record writes the contract series of set, and every metric of the telemetry
// that it uses, into a store and returns an engine over it. Grouped SLOs get a
// second, healthy group.
func record(t *testing.T, set *slo.Set) *engine.Engine {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 70 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	b, times := st.Batch(), history()
	put := func(name string, labels map[string]string, v, slope float64, more ...string) {
		l := store.Labels{store.Name: name}
		maps.Copy(l, labels)
		for i := 0; i < len(more); i += 2 {
			l[more[i]] = more[i+1]
		}
		s, err := st.Series(l)
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range times {
			if err := b.Add(s, at, v+slope*float64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range set.SLOs {
		recordSLO(&set.SLOs[i], states()[set.SLOs[i].Name], put)
	}
	for _, d := range set.DataSources {
		for _, name := range d.Telemetry {
			source, ok := telemetry.Lookup(name)
			if !ok {
				t.Fatalf("there is no telemetry %q", name)
			}
			for _, f := range source.Families {
				recordFamily(set, f, put)
			}
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func recordSLO(s *slo.SLO, now state, put writer) {
	labels := s.SeriesLabels()
	labels[slo.LabelSLO] = s.Name
	groups := []string{""}
	if len(s.GroupBy) > 0 {
		groups = []string{"eu", "us"}
	}
	for i, g := range groups {
		healthy := i > 0
		if g != "" {
			labels[s.GroupBy[0]] = g
		}
		put(slo.SeriesInfo, labels, 1, 0)
		put(slo.SeriesObjective, labels, s.Objective.Float(), 0)
		put(slo.SeriesErrorBudget, labels, s.Budget.Float(), 0)
		put(slo.SeriesEventsIncrement, labels, 50, 0)
		put(slo.SeriesBadIncrement, labels, 2, 0)
		left := now.left
		if healthy {
			left = 1
		}
		put(slo.SeriesBudgetRemaining, labels, left, 0)
		put(slo.SeriesAdjusted, labels, 1, 0)
		put(slo.SeriesBudgetRemainingRaw, labels, left-0.1, 0)
		for w, burn := range now.burn {
			if healthy {
				burn = 0
			}
			put(slo.SeriesBurnRate, labels, burn, 0, slo.LabelWindow, w)
			put(slo.SeriesEventsSum, labels, 1000, 0, slo.LabelWindow, w)
			put(slo.SeriesBadSum, labels, 10, 0, slo.LabelWindow, w)
		}
		if name, sev, ok := strings.Cut(now.alert, " "); ok && !healthy {
			put("ALERTS", labels, 1, 0, "alertname", name, slo.LabelSeverity, sev, "alertstate", "firing")
		}
	}
}

// worlds are the values that labels of telemetry have in the tests; others have
// one value.
func worlds(set *slo.Set) map[string][]string {
	var services []string
	for _, s := range set.SLOs {
		services = append(services, s.Service)
	}
	return map[string][]string{
		"service_name": slices.Compact(slices.Sorted(slices.Values(services))), "platform_channel": {"platform", "manual"}, "incident_recurrence": {"new", "recurred"},
		"incident_severity": {"sev1", "sev2"}, "verb": {"POST"}, "platform_outcome": {"good", "bad"}, "platform_environment_tier": {"production"},
		"cicd_pipeline_run_state": {"pending", "executing"}, "http_response_status_code": {"200", "503"},
		"cost_metric": {"billed"}, "cost_period": {"mtd", "last_day", "trailing_30d", "month"}, "cost_currency": {"EUR", "USD"},
		"policy_decision": {"allow", "deny", "error"}, "secret_access_outcome": {"ok", "denied"}, "dry_run": {""}, "code": {"200", "500"}, "reason": {"OOMKilled"}, "resource": {"cpu", "memory"},
		"phase": {"Pending", "Running"}, "le": {"1", "256", "900", "3600", "14400", "604800", "+Inf"}, "otel_metric_overflow": {""}, "platform_telemetry_signal": {"logs", "traces"},
	}
}

// recordFamily writes series of a metric with every combination of the values of
// its labels.
func recordFamily(set *slo.Set, f telemetry.Family, put writer) {
	values := worlds(set)
	for _, series := range f.Series() {
		rows := []map[string]string{{}}
		for _, l := range series.Labels {
			some := values[l]
			if some == nil {
				some = []string{"a " + l}
			}
			var more []map[string]string
			for _, r := range rows {
				for _, v := range some {
					m := maps.Clone(r)
					m[l] = v
					more = append(more, m)
				}
			}
			rows = more
		}
		for i, r := range rows {
			slope := float64(1 + i%4)
			if le := slices.Index(values["le"], r["le"]); le >= 0 {
				slope = float64(1 + le)
			}
			switch {
			case f.Kind == telemetry.Gauge && f.Name == telemetry.ServiceCoverage:
				put(series.Name, r, float64(i%2), 0)
			case f.Kind == telemetry.Gauge:
				put(series.Name, r, slope, 0)
			default:
				put(series.Name, r, 0, slope)
			}
		}
	}
}

// result is the series of a query at its last step: their labels and values.
func result(t *testing.T, e *engine.Engine, q jsonTarget, values map[string]string) []engine.Point {
	t.Helper()
	return resultAt(t, e, q, values, now)
}

func resultAt(t *testing.T, e *engine.Engine, q jsonTarget, values map[string]string, now time.Time) []engine.Point {
	t.Helper()
	expr := choose(q.Expr, values)
	if q.Instant {
		ps, err := e.Query(context.Background(), expr, now)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		return ps
	}
	ss, err := e.QueryRange(context.Background(), expr, now.Add(-time.Hour), now, time.Minute)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var out []engine.Point
	for _, s := range ss {
		out = append(out, engine.Point{Labels: s.Labels, V: s.Samples[len(s.Samples)-1].V})
	}
	return out
}

// Every query of every panel has data, no NaN, and the labels that its legend
// and columns name.
func TestEveryPanelHasData(t *testing.T) {
	set := testSet()
	e := record(t, set)
	label := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for kind, d := range parse(t, generate(t, set, Options{})) {
		values := everything()
		if kind == "slo" || kind == "debug" {
			values["slo"] = "checkout-availability"
		}
		for _, p := range d.prometheus() {
			for _, q := range p.Targets {
				got := result(t, e, q, values)
				if len(got) == 0 {
					t.Errorf("%s: panel %q is empty: %s", kind, p.Title, choose(q.Expr, values))
				}
				for _, point := range got {
					if math.IsNaN(point.V) {
						t.Errorf("%s: panel %q: NaN at %s", kind, p.Title, point.Labels)
					}
					for _, m := range label.FindAllStringSubmatch(q.LegendFormat, -1) {
						if point.Labels[m[1]] == "" && m[1] != "region" {
							t.Errorf("%s: panel %q: legend %q, but labels are %s", kind, p.Title, q.LegendFormat, point.Labels)
						}
					}
				}
			}
			if p.Type == "table" {
				checkColumns(t, e, p, values)
			}
		}
	}
}

// Every annotation marks something, over the time that the page shows.
func TestEveryAnnotationHasData(t *testing.T) {
	set := testSet()
	e := record(t, set)
	label := regexp.MustCompile(`\{\{(\w+)\}\}`)
	seen := map[string]bool{}
	for kind, d := range parse(t, generate(t, set, Options{})) {
		for _, a := range d.Annotations.List {
			values := everything()
			if kind == "slo" || kind == "debug" {
				values["slo"] = map[string]string{"Ticket alerts": "pay-by-region", "Maintenance": "pay-availability"}[a.Name]
				if values["slo"] == "" {
					values["slo"] = "checkout-availability"
				}
			}
			got := result(t, e, jsonTarget{Expr: a.Expr}, values)
			if len(got) == 0 && !strings.HasPrefix(kind, "svc-") {
				t.Errorf("%s: annotation %q is empty: %s", kind, a.Name, choose(a.Expr, values))
			}
			for _, point := range got {
				seen[a.Name] = true
				for _, m := range label.FindAllStringSubmatch(a.TitleFormat+a.TextFormat, -1) {
					if point.Labels[m[1]] == "" {
						t.Errorf("%s: annotation %q names %s, but labels are %s", kind, a.Name, m[1], point.Labels)
					}
				}
			}
		}
	}
	want := []string{"Deployments", "Incidents", "Maintenance", "Page alerts", "Releases: freeze", "Releases: slow", "Ticket alerts"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

// However many alerts fire, a page about many SLOs is not covered with their
// marks: what is on by default is one mark for all, or rare.
func TestAnnotationsLeaveRoom(t *testing.T) {
	set := testSet()
	e := record(t, set)
	for _, kind := range []string{"oncall", "executive"} {
		for _, a := range parse(t, generate(t, set, Options{}))[kind].Annotations.List {
			got := result(t, e, jsonTarget{Expr: a.Expr}, everything())
			off := a.Name == "Ticket alerts" || a.Name == "Deployments" || strings.HasPrefix(a.Name, "Releases: ")
			if a.Enable == off || strings.HasSuffix(a.Name, " alerts") && len(got) != 1 {
				t.Errorf("%s: annotation %q is on: %t, and marks %d things at a time", kind, a.Name, a.Enable, len(got))
			}
		}
	}
}

// checkColumns wants the queries of a table to have one set of labels, or
// Grafana would not join them to one row, and every column to exist.
func checkColumns(t *testing.T, e *engine.Engine, p jsonPanel, values map[string]string) {
	t.Helper()
	fields := map[string]bool{"Time": true}
	var labels []string
	for i, q := range p.Targets {
		name := "Value"
		if len(p.Targets) > 1 {
			name = "Value #" + q.RefID
		}
		fields[name] = true
		for _, point := range result(t, e, q, values) {
			have := slices.Sorted(maps.Keys(point.Labels))
			if i == 0 && labels == nil {
				labels = have
			}
			if !slices.Equal(labels, have) || q.Format != "table" || !q.Instant {
				t.Errorf("table %q: query %s has labels %q, the first has %q", p.Title, q.RefID, have, labels)
			}
		}
	}
	for _, l := range labels {
		fields[l] = true
	}
	organize := p.Transformations[len(p.Transformations)-1].Options
	titles := slices.Collect(maps.Values(organize.RenameByName))
	for f := range organize.RenameByName {
		if !fields[f] {
			t.Errorf("table %q: column %q shows %q, which no query has", p.Title, organize.RenameByName[f], f)
		}
	}
	for f := range fields {
		if _, shown := organize.RenameByName[f]; shown == organize.ExcludeByName[f] {
			t.Errorf("table %q: field %q is shown: %t, hidden: %t", p.Title, f, shown, organize.ExcludeByName[f])
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		if !slices.Contains(titles, o.Matcher.Options) {
			t.Errorf("table %q: an override is for %q, which is no column", p.Title, o.Matcher.Options)
		}
	}
}

// Whichever SLO is chosen, its detail is full, but for alerts that do not fire
// and tiers that it does not have.
func TestDetailOfEverySLO(t *testing.T) {
	set := testSet()
	e := record(t, set)
	tier := regexp.MustCompile(`tier (\d)`)
	idle := []string{"pay-availability", "search-availability"} // burn nothing over their first window
	d := parse(t, generate(t, set, Options{}))["slo"]
	for _, s := range set.SLOs {
		values := everything()
		values["slo"] = s.Name
		for _, p := range d.prometheus() {
			wantEmpty := p.Title == "Firing alerts" && states()[s.Name].alert == "" ||
				p.Title == "Spent in" && slices.Contains(idle, s.Name)
			if m := tier.FindStringSubmatch(p.Title); m != nil && m[1] > "1" && s.Name == "search-fresh" {
				wantEmpty = true
			}
			for _, q := range p.Targets {
				if got := result(t, e, q, values); (len(got) == 0) != wantEmpty {
					t.Errorf("%s, panel %q: %d series, want none: %t\n%s", s.Name, p.Title, len(got), wantEmpty, choose(q.Expr, values))
				}
			}
		}
	}
}

// values runs query ref of the panel of that title with everything chosen and
// returns the values by SLO, or by "" for a panel without SLOs.
func values(t *testing.T, e *engine.Engine, d jsonDashboard, title, ref string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range d.prometheus() {
		for _, q := range p.Targets {
			if p.Title != title || q.RefID != ref {
				continue
			}
			for _, point := range result(t, e, q, everything()) {
				name := point.Labels[slo.LabelSLO]
				if w := point.Labels[slo.LabelWindow]; w != "" {
					name += " " + w
				}
				out[name] = fmt.Sprintf("%.6g", point.V)
			}
		}
	}
	return out
}

// The numbers are right: worked out by hand from states.
func TestMeaning(t *testing.T) {
	set := testSet()
	e := record(t, set)
	ds := parse(t, generate(t, set, Options{}))
	f := func(kind, title, ref string, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, values(t, e, ds[kind], title, ref)); diff != "" {
			t.Errorf("%s, panel %q, query %s (-want +got):\n%s", kind, title, ref, diff)
		}
	}
	one := func(v string) map[string]string { return map[string]string{"": v} }
	f("executive", "Promises kept", "A", one("0.833333"))
	f("executive", "SLOs", "A", one("6"))
	f("executive", "Exhausted", "A", one("1"))
	f("executive", "Budget at risk", "A", one("2"))
	f("executive", "Alerting now", "A", one("3"))
	f("executive", "No telemetry", "A", one("1"))
	f("oncall", "Paging", "A", one("1"))
	f("oncall", "Ticketing", "A", one("2"))
	f("oncall", "Burning", "A", one("3"))
	// Budget left * window / burn rate: 0.75 * 30 d / 3, 0.1 * (365.2425/12) d / 2.
	f("oncall", "Burning SLOs, the most urgent first", "A",
		map[string]string{"checkout-availability": "0", "checkout-latency": "648000", "pay-by-region": "131487"})
	// The ticket-only SLO counts over its own first window: 0.9 * 7 d / 0.7.
	f("executive", "Health by service and team", "E", map[string]string{
		"checkout-availability": "0", "checkout-latency": "648000", "pay-by-region": "131487", "search-fresh": "777600",
	})
	// Every burn rate over 0 against 14.4 for 30 days and 0.02 * (365.2425/12) d / 1 h for a month; the ticket-only
	// SLO's first tier is the last of its profile: 0.1 * 7 d / 1 d is below the least, 1.5.
	f("oncall", "Burn rate against tier 1 (page, 1h and 5m; or ticket, 1d and 2h)", "A", map[string]string{
		"checkout-availability 1h": "1.38889", "checkout-latency 1h": "0.208333", "pay-availability 1h": "0",
		"pay-by-region 1h": "0.136895", "search-availability 1h": "0", "search-fresh 1d": "0.466667",
	})
}

// A low objective must not ask for more bad events than MaxErrorRatio: for 95 %, 14.4 would be an error ratio of 0.72, so 0.5 / 0.05 holds.
func TestThresholdIsCapped(t *testing.T) {
	set := testSet()
	set.SLOs = set.SLOs[:1]
	set.SLOs[0].Objective, set.SLOs[0].Budget = "0.95", "0.05"
	e := record(t, set)
	for _, p := range parse(t, generate(t, set, Options{}))["slo"].prometheus() {
		if !strings.HasPrefix(p.Title, "Burn rate, tier 1") {
			continue
		}
		v := everything()
		v["slo"] = set.SLOs[0].Name
		got := result(t, e, p.Targets[2], v)
		if len(got) != 1 || math.Abs(got[0].V-10) > 1e-9 {
			t.Errorf("threshold is %v, want 10", got)
		}
	}
}
