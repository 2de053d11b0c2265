package burnrate

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func run(t *testing.T, s Scenario, p Policy) Scorecard {
	t.Helper()
	card, err := s.Run(p)
	if err != nil {
		t.Fatal(err)
	}
	return card
}

// Workbook ch. 5, tables 5-5 and 5-8 and figure 5-6, by simulation: one known incident under heavy
// traffic is detected and reset when the closed forms say, to a tick and the noise of the traffic.
func TestScenarioAgainstClosedForms(t *testing.T) {
	b := ForObjective(0.999, 30*day)
	f := func(p Policy, tier Tier, ratio float64, length time.Duration) {
		t.Helper()
		card := run(t, Scenario{
			Budget: b, Traffic: Traffic{PerHour: 3.6e6}, Length: 8 * day,
			Incidents: []Incident{{Start: 4 * day, Length: length, Ratio: ratio}},
		}, p)
		detect, reset := within(tier.Detect(b, ratio)), within(tier.Reset(b, ratio, length))
		near := func(got, want time.Duration) bool {
			return math.Abs(float64(got-want)) <= float64(want)/50+float64(30*time.Second)
		}
		if card.Detected != 1 || !near(card.DetectionMedian, detect) || !near(card.ResetMedian, reset) {
			t.Errorf("%v at %v: got %+v, want detection after %v and reset after %v", tier.Long, ratio, card, detect, reset)
		}
		if spent := Share(b.Burn(ratio), card.DetectionMedian, b.Period); math.Abs(card.BudgetAtDetected-spent) > 0.05*spent {
			t.Errorf("%v at %v: got %v spent, want %v", tier.Long, ratio, card.BudgetAtDetected, spent)
		}
	}
	single := Tier{Severity: Page, Long: time.Hour, Short: time.Hour, Share: 0.05}
	f(Policy{Tiers: []Tier{single}}, single, 1, 2*time.Hour) // 2 min 10 s, reset 58 min
	fast := WorkbookTiers()[0]
	f(Policy{Tiers: []Tier{fast}}, fast, 0.15, 10*time.Minute) // figure 5-6
	slow := WorkbookTiers()[1]
	f(WorkbookPolicy(), Tier{Severity: Page, Long: slow.Long, Short: slow.Short, Share: slow.Share, Cap: 1}, 0.01, 6*time.Hour)
	f(DefaultPolicy(), DefaultTiers()[2], 0.0065, 12*time.Hour)
}

// The scorecard by hand: a policy that pages on anything, incidents of known cost.
func TestScorecard(t *testing.T) {
	const m, h = time.Minute, time.Hour
	anything := Policy{Tiers: []Tier{
		{Severity: Page, Long: 5 * m, Short: 5 * m, Floor: 1},
		{Severity: Ticket, Long: h, Short: h, Floor: 300},
	}}
	start := 4 * day
	got := run(t, Scenario{
		Budget: ForObjective(0.999, 30*day), Traffic: Traffic{PerHour: 3.6e6}, Length: 6 * day,
		Incidents: []Incident{
			{h, h, 1},                      // in the warm-up: not scored
			{start, h, 1},                  // major, with a ticket
			{start + h/2, h / 2, 0.0005},   // weaker at the same time: changes nothing
			{start + 5*h, m, 0.1},          // minor: a false page,
			{start + 5*h + 8*m, m, 0.1},    // the same page again,
			{start + 5*h + 28*m, m, 0.1},   // and another false page
			{start + 10*h, 30 * m, 0.02},   // 1.4 % of the budget: neither major nor minor
			{start + 20*h, 20 * h, 0.0007}, // 1.9 % of the budget, but too slow to page;
			{start + 40*h + 5*m, m, 0.1},   // minor, but soon after that: not false
		},
	}, anything)
	want := Scorecard{
		Days: 3, Major: 1, Detected: 1, Pages: 5, FalsePages: 2, TicketsPerMonth: 10,
		DetectionMedian: 30 * time.Second, ResetMedian: 5 * m, BudgetAtDetected: got.BudgetAtDetected,
	}
	if want := 1000 * 30. / (30 * 86400); math.Abs(got.BudgetAtDetected/want-1) > 0.02 {
		t.Errorf("budget spent at detection: got %v, want %v", got.BudgetAtDetected, want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("scorecard (-want +got):\n%s", diff)
	}
	if got.Recall() != 1 || got.Precision() != 0.6 || got.FalsePagesPerMonth() != 20 {
		t.Errorf("got recall %v, precision %v, %v false pages a month", got.Recall(), got.Precision(), got.FalsePagesPerMonth())
	}
}

// On 12 traces of 90 days of mixed incidents, the figures that made the default policy the default.
func TestPoliciesOnMixedIncidents(t *testing.T) {
	compare := func(objective, perHour float64) (workbook, ours Scorecard) {
		s := Scenario{
			Budget: ForObjective(objective, 30*day), Traffic: Traffic{perHour, 0.6},
			Background: 0.2, Runs: 6, Seed: 1,
		}
		workbook, ours = run(t, s, WorkbookPolicy()), run(t, s, DefaultPolicy())
		if workbook.Major != ours.Major || workbook.Days != ours.Days {
			t.Errorf("the traces depend on the policy: %+v, %+v", workbook, ours)
		}
		t.Logf("%v, %v an hour:\nworkbook recall %.3f precision %.3f %+v\ndefault  recall %.3f precision %.3f %+v", objective, perHour,
			workbook.Recall(), workbook.Precision(), workbook, ours.Recall(), ours.Precision(), ours)
		return workbook, ours
	}
	check := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("want %s", what)
		}
	}
	w, o := compare(0.999, 180_000)
	check("both to recall over 90 %", w.Recall() > 0.9 && o.Recall() >= w.Recall())
	check("both to detect within 5 minutes", w.DetectionMedian < 5*time.Minute && o.DetectionMedian <= w.DetectionMedian)
	check("the default to reset more than twice as fast", o.ResetMedian*5/2 < w.ResetMedian)
	check("few false pages", w.FalsePagesPerMonth() < 0.7 && o.FalsePagesPerMonth() < 0.7)
	w, o = compare(0.999, 18)
	check("a fifth of the false pages at low traffic", o.FalsePagesPerMonth()*5 < w.FalsePagesPerMonth())
	check("at the price of recall", o.Recall() < w.Recall() && o.Recall() > 0.4)
	w, o = compare(0.9, 180_000)
	check("the cap to make 90 % pageable", o.Recall() > 0.9 && w.Recall() < 0.5)
}

// What evidence costs: minutes to page for a total outage with few requests. At 10 an hour the first,
// second and third failure have median waiting times of 4.2, 10.1 and 16.0 minutes (gamma distributions);
// the Workbook's tiers page on the first, Poisson at p < 0.001 and the default test on the second.
func TestDetectionAtLowTraffic(t *testing.T) {
	f := func(e Evidence, perHour, want float64) {
		t.Helper()
		card := run(t, Scenario{
			Budget: ForObjective(0.999, 30*day), Traffic: Traffic{PerHour: perHour}, Tick: time.Minute,
			Length: 5 * day, Incidents: []Incident{{4 * day, time.Hour, 1}}, Runs: 200,
		}, Policy{WorkbookTiers(), e})
		got := card.DetectionMedian.Minutes()
		if math.Abs(got-want) > math.Max(1, 0.15*want) || card.Recall() < 0.98 {
			t.Errorf("%#v, %v an hour: got %v minutes and recall %v, want %v minutes", e, perHour, got, card.Recall(), want)
		}
	}
	f(nil, 10, 4.2)
	f(AtLeast{2}, 10, 10.1)
	f(Poisson{0.001}, 10, 10.1)
	f(Anscombe{AnscombeC}, 10, 10.1)
	f(AtLeast{3}, 10, 16)
	f(nil, 300, 1)
	f(Poisson{0.001}, 300, 1)
}

func TestScenarioIsDeterministic(t *testing.T) {
	s := Scenario{Budget: ForObjective(0.999, 30*day), Traffic: Traffic{1000, 0.5}, Length: 30 * day, Runs: 2, Seed: 3}
	one, two := run(t, s, DefaultPolicy()), run(t, s, DefaultPolicy())
	if diff := cmp.Diff(one, two); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	s.Seed = 4
	if other := run(t, s, DefaultPolicy()); cmp.Equal(one, other) {
		t.Errorf("seeds 3 and 4 both give %+v", one)
	}
}

func TestScenarioWithoutIncidents(t *testing.T) {
	s := Scenario{Budget: ForObjective(0.999, 30*day), Traffic: Traffic{PerHour: 1000}, Length: 5 * day, Incidents: []Incident{}}
	got := run(t, s, DefaultPolicy())
	if want := (Scorecard{Days: 2}); got != want || got.Recall() != 1 || got.Precision() != 1 || got.FalsePagesPerMonth() != 0 {
		t.Errorf("got %+v, want %+v, recall and precision 1", got, want)
	}
}

func TestRandomIncidents(t *testing.T) {
	all := RandomIncidents(90*day, 0.5, 1, 1)
	if len(all) < 60 || len(all) > 200 {
		t.Errorf("got %d incidents, want about 39 and 87 blips", len(all))
	}
	for i, x := range all {
		if x.Start < Warmup || x.Start >= 90*day || x.Length <= 0 || x.Ratio <= 0 || x.Ratio > 1 {
			t.Errorf("incident %d: %+v", i, x)
		}
		if i > 0 && x.Start < all[i-1].Start {
			t.Errorf("incident %d starts before its predecessor", i)
		}
	}
	if got := RandomIncidents(90*day, 0, math.NaN(), 1); len(got) != 0 {
		t.Errorf("no rate: got %v", got)
	}
}

func TestScenarioErrors(t *testing.T) {
	good := Scenario{Budget: ForObjective(0.999, 30*day), Traffic: Traffic{PerHour: 100}, Length: 5 * day}
	f := func(name string, change func(*Scenario)) {
		t.Helper()
		s := good
		change(&s)
		if _, err := s.Run(DefaultPolicy()); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	f("budget", func(s *Scenario) { s.Budget.Period = 0 })
	f("traffic", func(s *Scenario) { s.Traffic.PerHour = 0 })
	f("background", func(s *Scenario) { s.Background = 1001 })
	f("NaN background", func(s *Scenario) { s.Background = math.NaN() })
	f("tick", func(s *Scenario) { s.Tick = -1 })
	f("tick that does not divide", func(s *Scenario) { s.Tick = 7 * time.Second })
	f("length", func(s *Scenario) { s.Length = Warmup })
	f("too many ticks", func(s *Scenario) { s.Tick = time.Millisecond })
	f("runs", func(s *Scenario) { s.Runs = -1 })
	f("incident ratio", func(s *Scenario) { s.Incidents = []Incident{{0, time.Hour, 1.5}} })
	f("incident length", func(s *Scenario) { s.Incidents = []Incident{{0, 0, 1}} })
}

func BenchmarkScenario(b *testing.B) {
	s := Scenario{Budget: ForObjective(0.999, 30*day), Traffic: Traffic{180_000, 0.6}, Background: 0.2}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(DefaultPolicy()); err != nil {
			b.Fatal(err)
		}
	}
}
