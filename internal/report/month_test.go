package report_test

import (
	"flag"
	"math"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/demo"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
	"github.com/plimsoll-slo/plimsoll/internal/history"
	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

var month = flag.Bool("month", false, "play the whole month of the demo through the rules, and write what they recorded; takes minutes")

// monthFacts is what the rules recorded of the month of the demo.
const monthFacts = "testdata/may-2023.json"

// may is the worst month of the history that the demo plays.
func may(t testing.TB) (*slo.Set, report.Options, *history.Replay, time.Time) {
	t.Helper()
	set, _, err := demo.Specs()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2023, 5, 9, 0, 0, 0, 0, time.UTC)
	p, err := report.PeriodOf(slo.Month, at, "UTC")
	if err != nil {
		t.Fatal(err)
	}
	incidents, err := history.GitHub()
	if err != nil {
		t.Fatal(err)
	}
	began := p.From.Add(-2 * time.Hour)
	replay := history.New(incidents, history.DefaultModel()).Replay(history.DefaultTraffic(), began)
	return set, report.Options{Period: p, Now: p.To.Add(time.Hour), Heading: "GitHub, month", Generator: "plimsoll test"}, replay, began
}

// TestMonth plays the month, if it is asked to, and compares what was recorded with what is kept.
func TestMonth(t *testing.T) {
	if !*month {
		t.Log("the month is played with -month; other tests use what it recorded")
		return
	}
	set, o, replay, began := may(t)
	raw := []gauge{{store.Labels{store.Name: "up", "job": "github", "instance": "status"}, func(time.Time) (float64, bool) { return 1, true }}}
	for i := range set.SLOs {
		name := set.SLOs[i].DisplayName
		count := func(code string, of func(bad, total int64) int64) {
			raw = append(raw, gauge{
				store.Labels{store.Name: "http_requests_total", "component": name, "code": code, "job": "github", "instance": "status"},
				func(at time.Time) (float64, bool) { return float64(of(replay.Truth(name, began, at))), true },
			})
		}
		count("200", func(bad, total int64) int64 { return total - bad })
		count("500", func(bad, _ int64) int64 { return bad })
	}
	e := play(t, set, began, time.Time{}, o.Period.To.Add(30*time.Minute), raw, nil)
	queries, err := report.Queries(set, o)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, *update, monthFacts, encoded(t, ask(t.Context(), t, e, queries)))
}

// monthReport builds the report of the month.
func monthReport(t testing.TB) (*report.Report, *history.Replay) {
	t.Helper()
	set, o, replay, _ := may(t)
	r, err := report.Build(set, o, recorded(t, monthFacts))
	if err != nil {
		t.Fatal(err)
	}
	return r, replay
}

// TestTruth works the budgets of the month out from the requests themselves.
func TestTruth(t *testing.T) {
	r, replay := monthReport(t)
	if len(r.SLOs) != 5 {
		t.Fatalf("want 5 SLOs, have %d", len(r.SLOs))
	}
	for _, x := range r.SLOs {
		bad, total := replay.Truth(x.Title, r.Period.From, r.Period.To)
		if bad == 0 {
			t.Errorf("%s: want a month with incidents", x.SLO)
		}
		// A rollup at each end of the period may belong to the other month: four minutes of requests.
		if d := math.Abs(x.Events - float64(total)); d > 2*4*60*100 {
			t.Errorf("%s: want %d events, have %g", x.SLO, total, x.Events)
		}
		if x.Bad != float64(bad) {
			t.Errorf("%s: want %d bad events, have %g", x.SLO, bad, x.Bad)
		}
		left := 1 - float64(bad)/(x.Objective.Complement().Float()*float64(total))
		if math.Abs(*x.Left-left) > 0.001*math.Abs(1-left) {
			t.Errorf("%s: want %g left, have %g", x.SLO, left, *x.Left)
		}
		if want := report.Met; (left < 0) != (x.Verdict != want) {
			t.Errorf("%s: %g left, and the verdict is %s", x.SLO, left, x.Verdict)
		}
	}
	var inIncidents float64
	for _, in := range r.Incidents {
		inIncidents += in.Bad
		// What is bad in the stretch, and in the ten minutes around it that rollups may move.
		i := 0
		for r.SLOs[i].SLO != in.SLO {
			i++
		}
		most, _ := replay.Truth(r.SLOs[i].Title, in.From.Add(-10*time.Minute), in.To.Add(10*time.Minute))
		if in.Bad > float64(most) {
			t.Errorf("incident of %s at %s: want at most %d bad events, have %g", in.SLO, in.From, most, in.Bad)
		}
	}
	if inIncidents == 0 {
		t.Error("there is no incident")
	}
}
