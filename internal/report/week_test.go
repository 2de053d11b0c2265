package report_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// weekFacts is what the rules recorded of the week.
const weekFacts = "testdata/week.json"

// The raw data is of Sunday, 26 March 2023, on which clocks in Berlin went from 02:00 to 03:00.
var (
	weekData = time.Date(2023, 3, 26, 9, 30, 0, 0, time.UTC)
	weekEnd  = time.Date(2023, 3, 26, 22, 0, 0, 0, time.UTC)
)

// outage is a stretch in which so many of a hundred requests of a region fail.
type outage struct {
	region   string
	from, to time.Time
	percent  int
}

func outages() []outage {
	at := func(day, hour, minute int) time.Time { return time.Date(2023, 3, day, hour, minute, 0, 0, time.UTC) }
	return []outage{
		{"eu", at(26, 11, 20), at(26, 11, 40), 100}, // in the maintenance
		{"eu", at(26, 12, 10), at(26, 12, 40), 50},  // while the provider was down
		{"us", at(26, 14, 5), at(26, 14, 25), 10},   // in the load test
		{"eu", at(26, 17, 0), at(26, 17, 30), 40},
		{"us", at(26, 17, 10), at(26, 17, 20), 20},
		{"us", at(26, 21, 40), at(26, 22, 20), 30}, // over the turn of the week
	}
}

// served returns the requests of a region and the bad ones in the minutes (from, to]: 60 in each, 120 in eu.
func served(region string, from, to time.Time) (bad, total int64) {
	rate := map[string]int64{"eu": 120, "us": 60}[region]
	for m := from.Add(time.Minute); !m.After(to); m = m.Add(time.Minute) {
		total += rate
		for _, o := range outages() {
			if o.region == region && m.After(o.from) && !m.After(o.to) {
				bad += rate * int64(o.percent) / 100
			}
		}
	}
	return bad, total
}

// weekRaw is the raw data of the week.
func weekRaw() []gauge {
	up := func(job string) gauge {
		return gauge{store.Labels{store.Name: "up", "job": job, "instance": "a"}, func(time.Time) (float64, bool) { return 1, true }}
	}
	raw := []gauge{up("shop"), up("mail"), up("bills")}
	for _, region := range []string{"eu", "us"} {
		for code, of := range map[string]func(bad, total int64) int64{
			"200": func(bad, total int64) int64 { return total - bad }, "500": func(bad, _ int64) int64 { return bad },
		} {
			last, sum := weekData, int64(0)
			raw = append(raw, gauge{
				store.Labels{store.Name: "requests_total", "job": "shop", "instance": "a", "region": region, "code": code},
				func(at time.Time) (float64, bool) {
					sum += of(served(region, last, at))
					last = at
					return float64(sum), true
				},
			})
		}
	}
	queue := gauge{store.Labels{store.Name: "queue_length", "job": "mail", "instance": "a"}, func(at time.Time) (float64, bool) {
		if at.Hour() == 12 && at.Minute() < 30 {
			return 5000, true
		}
		return 10, true
	}}
	still := gauge{store.Labels{store.Name: "sent_total", "job": "mail", "instance": "a", "code": "200"}, func(time.Time) (float64, bool) { return 7, true }}
	money := func(currency, team string, hourly float64) gauge {
		return gauge{
			store.Labels{store.Name: "cost_accrued", "job": "bills", "instance": "a", "cost_metric": "billed", "cost_currency": currency, "platform_team": team},
			func(at time.Time) (float64, bool) { return 1000 + hourly*math.Floor(at.Sub(weekData).Hours()), true },
		}
	}
	return append(raw, queue, still, money("EUR", "payments", 8), money("EUR", "messaging", 2), money("USD", "payments", 3))
}

// weekSets are the specs of the week, before and after two adjustments were declared.
func weekSets(t testing.TB) (before, after *slo.Set) {
	t.Helper()
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return compile(t, text("week.yaml")), compile(t, text("week.yaml")+"---\n"+text("afterwards.yaml"))
}

// week plays the week. An hour before its end two adjustments are declared.
func week(t testing.TB) (*engine.Engine, *slo.Set) {
	t.Helper()
	before, after := weekSets(t)
	e := play(t, before, weekData, weekEnd.Add(-time.Hour), weekEnd.Add(time.Hour), weekRaw(), func(e *engine.Engine) error {
		files, err := rules.Files(after, rules.Options{})
		if err != nil {
			return err
		}
		var load []engine.RuleFile
		for _, f := range files {
			load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
		}
		return e.Load(load...)
	})
	return e, after
}

// weekOptions are those of the report of the week.
func weekOptions(t testing.TB) report.Options {
	t.Helper()
	p, err := report.PeriodOf(slo.Week, weekEnd.Add(-time.Hour), "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return report.Options{Period: p, Now: weekEnd.Add(30 * time.Minute), Heading: "The shop, week", Generator: "plimsoll test"}
}

// TestWeek: what a report says of a calendar period is what the rules say of it when it ends, with adjustments and
// without; and it is the truth.
func TestWeek(t *testing.T) {
	e, set := week(t)
	o := weekOptions(t)
	queries, err := report.Queries(set, o)
	if err != nil {
		t.Fatal(err)
	}
	facts := ask(t.Context(), t, e, queries)
	r, err := report.Build(set, o, facts)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, weekFacts, encoded(t, facts))
	agree(t, e, r)
	for _, x := range r.SLOs {
		row := x
		want := map[string]report.Verdict{
			"checkout": report.Missed, "checkout-by-region": report.Missed, "checkout-rolling": report.Met, "never-fails": report.Missed,
			"minutes": report.Missed, "mail-queue": report.Missed, "mail-quiet": report.NoTraffic, "mail-missing": report.NoTelemetry,
			"spending": report.Met, "whole-shop": report.Missed,
		}[row.SLO]
		if row.Verdict != want {
			t.Errorf("%s %v: want %s, have %s", row.SLO, row.Group, want, row.Verdict)
		}
		laws(t, r, &row)
	}
	truth(t, r)
}

// agree compares with the recorded budgets at the end of the period.
func agree(t *testing.T, e *engine.Engine, r *report.Report) {
	t.Helper()
	// The last budgets of the week are recorded a lag of four minutes after it.
	at := weekEnd.Add(4*time.Minute + 999*time.Millisecond)
	n := 0
	for _, x := range r.SLOs {
		if !strings.HasPrefix(x.Window, "week") || x.Left == nil {
			continue
		}
		check := func(series string, have *report.Numbers) {
			points, err := e.Query(t.Context(), series+`{slo="`+x.SLO+`",region="`+x.Group["region"]+`"}`, at)
			if err != nil {
				t.Fatal(err)
			}
			if len(points) != 1 {
				t.Fatalf("%s of %s %v: want one series, have %v", series, x.SLO, x.Group, points)
			}
			if math.Abs(points[0].V-*have.Left) > 1e-9 {
				t.Errorf("%s of %s %v is %v, and the report says %v", series, x.SLO, x.Group, points[0].V, *have.Left)
			}
			n++
		}
		check(slo.SeriesBudgetRemaining, &x.Numbers)
		if x.Raw != nil && len(x.TakenOut) > 0 && x.SLO == "checkout" {
			check(slo.SeriesBudgetRemainingRaw, x.Raw)
		}
	}
	if n < 8 {
		t.Errorf("compared %d budgets, want at least 8", n)
	}
}

// laws holds for every row: what incidents spent and the rest are all.
func laws(t *testing.T, r *report.Report, x *report.Row) {
	t.Helper()
	sum, part := 0.0, 0.0
	for _, in := range r.Incidents {
		if in.SLO == x.SLO && in.Group["region"] == x.Group["region"] {
			sum += in.Bad
			if in.Spent != nil {
				part += *in.Spent
			}
		}
	}
	if math.Abs(sum+x.Elsewhere-x.Bad) > 1e-9*max(x.Bad, 1) {
		t.Errorf("%s %v: %g in incidents and %g elsewhere are not %g", x.SLO, x.Group, sum, x.Elsewhere, x.Bad)
	}
	if x.Elsewhere < -0.005*x.Bad {
		t.Errorf("%s %v: incidents hold %g more than there was", x.SLO, x.Group, -x.Elsewhere)
	}
	if x.Spent != nil && x.Bad > 0 && math.Abs(part+x.Elsewhere/x.Allowed-*x.Spent) > 1e-9 {
		t.Errorf("%s %v: the shares %g and %g are not %g", x.SLO, x.Group, part, x.Elsewhere/x.Allowed, *x.Spent)
	}
	if n := len(x.Trend); n > 0 && x.Trend[n-1].Left != *x.Left {
		t.Errorf("%s %v: the trend ends at %g, and %g is left", x.SLO, x.Group, x.Trend[n-1].Left, *x.Left)
	}
}

// truth compares with the requests themselves, which are exact to a few minutes at the ends.
func truth(t *testing.T, r *report.Report) {
	t.Helper()
	near := func(what string, have float64, want, slack int64) {
		if math.Abs(have-float64(want)) > float64(slack) {
			t.Errorf("%s: want %d, have %g", what, want, have)
		}
	}
	for _, x := range r.SLOs {
		switch x.SLO {
		case "checkout-by-region":
			bad, total := served(x.Group["region"], weekData, weekEnd)
			raw := x.Numbers
			if x.Raw != nil {
				raw = *x.Raw
			}
			near(x.Group["region"]+" total", raw.Events, total, 8*120)
			near(x.Group["region"]+" bad", raw.Bad, bad, 4*60*30/100)
		case "checkout-rolling":
			badEU, totalEU := served("eu", weekData, weekEnd)
			badUS, totalUS := served("us", weekData, weekEnd)
			near("total", x.Events, totalEU+totalUS, 8*180)
			near("bad", x.Bad, badEU+badUS, 4*60*30/100)
		}
	}
}
