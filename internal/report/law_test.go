package report_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/report"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// slots is the events of one SLO in each five minutes of a period, and when a page fired.
type slots struct {
	events, bad []int
	paged       []bool
}

// fake answers the queries of a report from the slots of each SLO, without any PromQL: by what each query is for.
func fake(queries []report.Query, from time.Time, budget map[string]*big.Rat, of map[string]slots) report.Facts {
	const lag = time.Minute // of the default evaluation interval of 30s
	out := report.Facts{}
	for _, q := range queries {
		all := []report.Series{}
		role, _, _ := strings.Cut(q.ID, "/")
		for name, s := range of {
			if !strings.Contains(q.Expr, name) {
				continue
			}
			x := report.Series{Labels: map[string]string{slo.LabelSLO: name}}
			if role == "alerts" {
				x.Labels[slo.LabelSeverity] = slo.Page
			}
			add := func(t time.Time, v float64) { x.Points = append(x.Points, report.Point{T: t, V: v}) }
			num, den := float64(budget[name].Num().Int64()), float64(budget[name].Denom().Int64())
			sum := func(of []int, first, last int) (n float64) {
				for _, v := range of[first:last] {
					n += float64(v)
				}
				return n
			}
			switch role {
			case "telemetry-there", "telemetry-looked", "rollups", "rollups-before":
				add(q.To, float64(len(s.events)))
			case "events", "bad", "burning", "of", "alerts":
				late := lag + 999*time.Millisecond
				if role == "alerts" {
					late = 0
				}
				n := int(q.Step / (5 * time.Minute))
				for t := q.From; !t.After(q.To); t = t.Add(q.Step) {
					last := int(t.Add(-late).Sub(from) / (5 * time.Minute))
					e, b := sum(s.events, last-n, last), sum(s.bad, last-n, last)
					paged := false
					for _, p := range s.paged[last-n : last] {
						paged = paged || p
					}
					hot := b*den > num*e || b > 0 && paged // whole numbers
					switch {
					case role == "events":
						add(t, e)
					case role == "bad":
						add(t, b)
					case role == "burning" && hot:
						add(t, b)
					case role == "of" && hot:
						add(t, e)
					case role == "alerts" && paged:
						add(t, 1)
					}
				}
			}
			if len(x.Points) > 0 {
				all = append(all, x)
			}
		}
		out[q.ID] = all
	}
	return out
}

// manySLOs is a set of n SLOs of some teams, services and objectives.
func manySLOs(t testing.TB, n int) (*slo.Set, map[string]*big.Rat) {
	t.Helper()
	var b strings.Builder
	goals := []string{"99%", "99.9%", "99.95%", "90%"}
	for i := range n {
		fmt.Fprintf(&b, "---\napiVersion: plimsoll.dev/v1\nkind: SLO\nmetadata: {name: s%04dx}\nspec:\n  service: service-%d\n  owner: {team: team-%d}\n"+
			"  objective: {target: %q}\n  sli: {events: {bad: 'e_total{job=\"j\",code=\"500\"}', total: 'e_total{job=\"j\"}'}}\n", i, i%17, i%5, goals[i%len(goals)])
	}
	set := compile(t, b.String())
	budgets := map[string]*big.Rat{}
	for i := range set.SLOs {
		budgets[set.SLOs[i].Name] = set.SLOs[i].Budget.Rat()
	}
	return set, budgets
}

// TestLaws: whatever happens, incidents and the rest are all that was spent, verdicts are exact, and groups add up.
func TestLaws(t *testing.T) {
	set, budgets := manySLOs(t, 7)
	rapid.Check(t, func(t *rapid.T) {
		hours := rapid.IntRange(1, 60).Draw(t, "hours")
		from := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
		o := report.Options{Period: report.Period{Zone: "UTC", From: from, To: from.Add(time.Duration(hours) * time.Hour)}, Now: from.Add(100 * time.Hour)}
		of := map[string]slots{}
		for i := range set.SLOs {
			var s slots
			rate, noise := rapid.IntRange(0, 2000).Draw(t, "rate"), rapid.IntRange(0, 3).Draw(t, "noise")
			for range hours * 12 {
				bad, page := noise, false
				if rapid.IntRange(0, 9).Draw(t, "trouble") == 0 {
					bad, page = rapid.IntRange(0, rate).Draw(t, "bad"), rapid.Bool().Draw(t, "page")
				}
				s.events, s.bad, s.paged = append(s.events, rate), append(s.bad, min(bad, rate)), append(s.paged, page)
			}
			of[set.SLOs[i].Name] = s
		}
		queries, err := report.Queries(set, o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := report.Build(set, o, fake(queries, from, budgets, of))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.SLOs {
			rowLaws(t, r, x, budgets[x.SLO], of[x.SLO])
		}
		groupLaws(t, r)
		for _, write := range []func(io.Writer) error{r.Markdown, r.HTML, r.JSON} {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Fatal("a number that is none is shown")
			}
		}
	})
}

func rowLaws(t *rapid.T, r *report.Report, x report.Row, budget *big.Rat, s slots) {
	var events, bad int64
	for i := range s.events {
		events, bad = events+int64(s.events[i]), bad+int64(s.bad[i])
	}
	if x.Events != float64(events) || x.Bad != float64(bad) {
		t.Fatalf("%s: want %d of %d, have %g of %g", x.SLO, bad, events, x.Bad, x.Events)
	}
	want := report.Met
	if new(big.Rat).SetInt64(bad).Cmp(new(big.Rat).Mul(budget, new(big.Rat).SetInt64(events))) > 0 {
		want = report.Missed
	}
	if events == 0 {
		want = report.NoTraffic
	}
	if x.Verdict != want {
		t.Fatalf("%s: %d of %d bad: want %s, have %s", x.SLO, bad, events, want, x.Verdict)
	}
	var held, share float64
	last := map[string]time.Time{}
	for _, in := range r.Incidents {
		if in.SLO != x.SLO {
			continue
		}
		var n float64
		for i := int(in.From.Sub(r.Period.From) / (5 * time.Minute)); i < int(in.To.Sub(r.Period.From)/(5*time.Minute)); i++ {
			if e := new(big.Rat).Mul(budget, big.NewRat(int64(s.events[i]), 1)); new(big.Rat).SetInt64(int64(s.bad[i])).Cmp(e) > 0 || s.paged[i] {
				n += float64(s.bad[i])
			}
		}
		if in.Bad != n {
			t.Fatalf("%s: incident at %s: want %g, have %g", x.SLO, in.From, n, in.Bad)
		}
		held += in.Bad
		share += in.Share
		last[in.SLO] = in.To
	}
	if held+x.Elsewhere != x.Bad || x.Elsewhere < 0 || share > 1+1e-9 {
		t.Fatalf("%s: %g in incidents and %g elsewhere of %g", x.SLO, held, x.Elsewhere, x.Bad)
	}
	if n := len(x.Trend); x.Left != nil && math.Abs(x.Trend[n-1].Left-*x.Left) > 1e-12 {
		t.Fatalf("%s: the trend ends at %g of %g", x.SLO, x.Trend[n-1].Left, *x.Left)
	}
}

func groupLaws(t *rapid.T, r *report.Report) {
	for what, groups := range map[string][]report.Group{"teams": r.Teams, "services": r.Services} {
		var sum report.Tally
		for _, g := range groups {
			sum.SLOs, sum.Met, sum.Missed, sum.NoTraffic = sum.SLOs+g.SLOs, sum.Met+g.Met, sum.Missed+g.Missed, sum.NoTraffic+g.NoTraffic
			sum.Incidents += g.Tally.Incidents
		}
		if sum != r.Tally {
			t.Fatalf("%s add up to %+v, want %+v", what, sum, r.Tally)
		}
	}
	if n := r.Tally; n.Met+n.Missed+n.NoTraffic+n.NoTelemetry+n.NotEvaluated != n.SLOs || n.Incidents != len(r.Incidents) {
		t.Fatalf("%+v do not add up", n)
	}
}

// BenchmarkReport makes the report of a month of 1,000 SLOs: the queries, the numbers, and the page.
func BenchmarkReport(b *testing.B) {
	set, budgets := manySLOs(b, 1000)
	p, err := report.PeriodOf(slo.Month, time.Date(2026, 10, 9, 0, 0, 0, 0, time.UTC), "UTC")
	if err != nil {
		b.Fatal(err)
	}
	o := report.Options{Period: p, Now: p.To.Add(time.Hour)}
	of := map[string]slots{}
	for k := range set.SLOs {
		var s slots
		for i := range 31 * 288 {
			bad := 0
			if (i+k*7)%2000 < 6 {
				bad = 300
			}
			s.events, s.bad, s.paged = append(s.events, 1000), append(s.bad, bad), append(s.paged, bad > 0)
		}
		of[set.SLOs[k].Name] = s
	}
	queries, err := report.Queries(set, o)
	if err != nil {
		b.Fatal(err)
	}
	facts := fake(queries, p.From, budgets, of)
	b.ReportAllocs()
	b.ReportMetric(float64(len(queries)), "queries")
	size := 0
	for b.Loop() {
		r, err := report.Build(set, o, facts)
		if err != nil {
			b.Fatal(err)
		}
		var page bytes.Buffer
		if err := r.HTML(&page); err != nil {
			b.Fatal(err)
		}
		size = page.Len()
	}
	b.ReportMetric(float64(size), "page-bytes")
}
