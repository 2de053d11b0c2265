package burnrate

import (
	"cmp"
	"slices"
	"time"
)

// Scorecard says how well a policy pages. Incidents are judged by what they truly cost, not by what
// was drawn: an incident is major, and should page, if it spends at least 2 % of the budget at a burn
// rate of at least 6; it is minor, and should not, if it spends less than 1 % of the budget; the ones
// between count neither way.
type Scorecard struct {
	Days             float64 // scored, that is without the warm-up
	Major            int     // major incidents
	Detected         int     // of them paged between their start and 5 minutes after their end
	Pages            int     // times the policy began to page; again within 10 minutes is the same page
	FalsePages       int     // of them begun at no incident above minor, nor within 10 minutes after one
	TicketsPerMonth  float64 // tickets opened in 30 days, right or wrong
	DetectionMedian  time.Duration
	ResetMedian      time.Duration // from the end of the incident to the end of its page; at least 0
	BudgetAtDetected float64       // median share of the period's budget that the incident had spent
}

// Recall returns Detected/Major, and 1 if there was nothing to detect.
func (s Scorecard) Recall() float64 { return ratioOr1(s.Detected, s.Major) }

// Precision returns the share of pages that are not false, and 1 if there were none.
func (s Scorecard) Precision() float64 { return ratioOr1(s.Pages-s.FalsePages, s.Pages) }

// FalsePagesPerMonth returns the false pages in 30 days.
func (s Scorecard) FalsePagesPerMonth() float64 { return float64(s.FalsePages) / s.Days * 30 }

func ratioOr1(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// scorer pools the scores of several traces.
type scorer struct {
	Scorecard
	tickets       int
	detect, reset []time.Duration
	spent         []float64
}

func (s *scorer) card() Scorecard {
	s.TicketsPerMonth = float64(s.tickets) / s.Days * 30
	s.DetectionMedian, s.ResetMedian = median(s.detect), median(s.reset)
	s.BudgetAtDetected = median(s.spent)
	return s.Scorecard
}

// median returns the upper median, and 0 of nothing. It sorts x.
func median[T cmp.Ordered](x []T) (m T) {
	if len(x) == 0 {
		return m
	}
	slices.Sort(x)
	return x[len(x)/2]
}

// add runs e over the trace and scores what it did.
func (s *scorer) add(t *trace, e *Evaluator) {
	page, ticket := make([]bool, len(t.ticks)), make([]bool, len(t.ticks))
	for i, c := range t.ticks {
		page[i], ticket[i] = e.Tick(c.bad, c.total)
	}
	s.Days += (t.Length - Warmup).Hours() / 24
	s.detections(t, page)
	apart, warm := int(samePage/t.Tick), int(Warmup/t.Tick)
	for _, at := range starts(ticket, apart) {
		if at >= warm {
			s.tickets++
		}
	}
	for _, at := range starts(page, apart) {
		if at >= warm {
			s.Pages++
			if !t.deserved(at, apart) {
				s.FalsePages++
			}
		}
	}
}

// detections scores each major incident: when it paged, what it had spent by then, when the page ended.
func (s *scorer) detections(t *trace, page []bool) {
	grace := int(5 * time.Minute / t.Tick)
	for _, x := range t.incidents {
		from, to := t.span(x)
		if x.Start < Warmup || !t.major(x) {
			continue
		}
		s.Major++
		at := from
		for at < min(to+grace, len(page)) && !page[at] {
			at++
		}
		if at == min(to+grace, len(page)) {
			continue
		}
		s.Detected++
		// page[i] is the state at the end of tick i.
		s.detect = append(s.detect, time.Duration(at+1-from)*t.Tick)
		s.spent = append(s.spent, t.cost(from, at+1))
		off := max(at, to-1)
		for off < len(page) && page[off] {
			off++
		}
		s.reset = append(s.reset, max(0, time.Duration(off+1-to)*t.Tick))
	}
}

// cost returns the share of the period's budget that the bad events of the ticks [from, to) spent.
func (t *trace) cost(from, to int) float64 {
	var bad uint64
	for _, c := range t.ticks[from:to] {
		bad += c.bad
	}
	return t.Budget.Spent(Count{float64(bad), t.Traffic.PerHour * t.Budget.Period.Hours()})
}

// expected returns the share of the budget that an incident spends on average, whatever its luck.
func (t *trace) expected(x Incident) float64 {
	from, to := t.span(x)
	means := t.Traffic.means(t.Tick)
	var events float64
	for i := from; i < to; i++ {
		events += means[i%len(means)]
	}
	return t.Budget.Spent(Count{events * x.Ratio, t.Traffic.PerHour * t.Budget.Period.Hours()})
}

func (t *trace) major(x Incident) bool {
	return t.Budget.Burn(x.Ratio) >= 6 && t.expected(x) >= 0.02
}

// deserved tells whether an incident above minor is on at the tick, or ended at most grace ticks ago.
func (t *trace) deserved(at, grace int) bool {
	return slices.ContainsFunc(t.incidents, func(x Incident) bool {
		from, to := t.span(x)
		return from <= at && at < to+grace && t.expected(x) >= 0.01
	})
}

// starts returns where on turns true after having been false for more than apart ticks.
func starts(on []bool, apart int) (at []int) {
	quiet := apart + 1
	for i, x := range on {
		if x && quiet > apart {
			at = append(at, i)
		}
		if quiet++; x {
			quiet = 0
		}
	}
	return at
}
