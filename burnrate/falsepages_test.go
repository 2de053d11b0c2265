package burnrate

import (
	"math"
	"testing"
	"time"
)

// meanFalsePages averages over seeds.
func meanFalsePages(t *testing.T, p Policy, traffic Traffic, seeds uint64) (mean float64) {
	t.Helper()
	for seed := range seeds {
		e, err := ExpectedFalsePages(p, ForObjective(0.999, 30*day), traffic, seed)
		if err != nil {
			t.Fatal(err)
		}
		mean += e.PerMonth / float64(seeds)
	}
	return mean
}

// At 10 requests an hour and 99.9 %, a lone failure fires the Workbook's 6 h/30 m tier for 30 minutes,
// whatever else happens: 60 requests never make 167. So a page begins at each failure that no other
// precedes by 40 minutes, the 30 and the 10 in which it would be the same page.
func TestFalsePagesAgainstRenewalTheory(t *testing.T) {
	failures := HealthyBurn * 0.001 * 10 // an hour
	want := 720 * failures * math.Exp(-failures*40/60)
	got := meanFalsePages(t, WorkbookPolicy(), Traffic{PerHour: 10}, 20)
	if sigma := math.Sqrt(want / (20 * 12)); math.Abs(got-want) > 4*sigma {
		t.Errorf("got %.2f false pages a month, want %.2f +- %.2f", got, want, sigma)
	}
}

// What the evidence tests are worth: false pages a month, means of 20 years each, at an even rate and
// with a swing of 0.82. The test's bounds leave room around them.
//
//	requests an hour      10     30    100    300   1000 |   10     30    100    300   1000
//	Workbook            3.53  10.95   1.83   0.01   0.01 | 3.53  10.78   5.78   2.62   0.03
//	Workbook, Poisson   0.01   0.22   0.05   0.01   0.00 | 0.05   0.12   0.13   0.02   0.02
//	default             0.08   0.24   0.45   0.01   0.00 | 0.10   0.27   0.30   0.10   0.04
//	default, Poisson    0.05   0.22   0.05   0.01   0.00 | 0.07   0.13   0.14   0.02   0.02
func TestFalsePagesAtLowTraffic(t *testing.T) {
	gated := Policy{WorkbookTiers(), Poisson{0.001}}
	f := func(name string, p Policy, traffic Traffic, least, most float64) {
		t.Helper()
		if got := meanFalsePages(t, p, traffic, 3); got < least || got > most {
			t.Errorf("%s, %+v: got %.2f false pages a month, want %v to %v", name, traffic, got, least, most)
		}
	}
	for _, traffic := range []Traffic{{PerHour: 10}, {PerHour: 30}, {PerHour: 100}, {PerHour: 1000}} {
		f("gated", gated, traffic, 0, 0.4)
		f("default", DefaultPolicy(), traffic, 0, 0.9)
	}
	f("workbook", WorkbookPolicy(), Traffic{PerHour: 30}, 9, 13)
	f("workbook", WorkbookPolicy(), Traffic{PerHour: 100}, 1, 3)
	f("workbook", WorkbookPolicy(), Traffic{PerHour: 1000}, 0, 0.1)
	f("workbook by day and night", WorkbookPolicy(), Traffic{100, 0.82}, 5, 9)
}

func TestFalsePagesEdges(t *testing.T) {
	b, some := ForObjective(0.999, 30*day), Traffic{PerHour: 30}
	one, err := ExpectedFalsePages(WorkbookPolicy(), b, some, 7)
	two, _ := ExpectedFalsePages(WorkbookPolicy(), b, some, 7)
	if err != nil || one != two || one.AtMost <= one.PerMonth {
		t.Errorf("got %+v and %+v, error %v; want them equal and the bound above the mean", one, two, err)
	}
	none, err := ExpectedFalsePages(WorkbookPolicy(), ForObjective(1, 30*day), some, 7)
	if want := -math.Log(0.05) / 12; err != nil || none.PerMonth != 0 || math.Abs(none.AtMost-want) > 1e-9 {
		t.Errorf("no budget: got %+v %v, want 0 and at most %v", none, err, want)
	}
	tickets := Policy{Tiers: WorkbookTiers()[2:]}
	if got, err := ExpectedFalsePages(tickets, b, some, 7); err != nil || got != (Estimate{}) {
		t.Errorf("tickets only: got %+v %v, want nothing", got, err)
	}
	f := func(name string, p Policy, b Budget, traffic Traffic) {
		t.Helper()
		if _, err := ExpectedFalsePages(p, b, traffic, 7); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	odd := Tier{Severity: Page, Long: time.Minute + time.Millisecond, Short: time.Minute, Floor: 1}
	f("no tiers", Policy{}, b, some)
	f("no budget", WorkbookPolicy(), Budget{}, some)
	f("no budget, tickets only", tickets, Budget{}, some)
	f("no traffic", WorkbookPolicy(), b, Traffic{})
	f("NaN traffic", WorkbookPolicy(), b, Traffic{PerHour: math.NaN()})
	f("swing above 1", WorkbookPolicy(), b, Traffic{1, 1.1})
	f("milliseconds", Policy{Tiers: []Tier{odd}}, b, some)
}

func BenchmarkExpectedFalsePages(b *testing.B) {
	for name, perHour := range map[string]float64{"30_an_hour": 30, "1000_an_hour": 1000, "1000_a_second": 3.6e6} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ExpectedFalsePages(DefaultPolicy(), ForObjective(0.999, 30*day), Traffic{perHour, 0.6}, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
