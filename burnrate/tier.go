package burnrate

import (
	"fmt"
	"math"
	"time"
)

// Severity says what an alert does.
type Severity string

// The two severities of Workbook ch. 5: wake somebody up, or open a ticket for office hours.
const (
	Page   Severity = "page"
	Ticket Severity = "ticket"
)

// DefaultCap is the highest threshold of a Tier that names no Cap. Half of all events failing is an
// outage under any objective; without a cap no outage can reach factor 14.4 of a 90 % objective.
const DefaultCap = 0.5

// Tier is one leg of an alert. It fires while the error ratios of the windows Long and Short are both
// above Threshold. The long window makes it sure, the short one makes it stop soon after recovery.
type Tier struct {
	Severity Severity
	Long     time.Duration
	Short    time.Duration // in (0, Long]; Long itself means a single window
	// Recovery is a window that must burn for the tier to begin, and that ends it once it proves recovery (see
	// Fires and Recovered); 0 means none.
	// It makes sense below Short only.
	Recovery time.Duration
	Share    float64 // share of the period's budget spent in Long, in [0, 1]
	Floor    float64 // lowest useful factor; keeps short periods from alerting on noise
	Cap      float64 // highest threshold, in [0, 1]; 0 means DefaultCap, 1 means none
	// For is how long the condition must hold before the tier fires, as for in a Prometheus alert rule. Plimsoll's
	// tiers have none: the short window does its work sooner. Fires does not know it, since it takes state.
	For time.Duration
}

// DefaultTiers returns Plimsoll's tiers, fastest first. They fit any period: the factors follow from
// budget shares, the floors keep them useful for a week. Each call returns a new slice.
func DefaultTiers() []Tier {
	const m, h = time.Minute, time.Hour
	return []Tier{
		{Severity: Page, Long: h, Short: 5 * m, Share: 0.02, Floor: 6},
		{Severity: Page, Long: 3 * h, Short: 15 * m, Recovery: 10 * m, Share: 0.03, Floor: 4},
		{Severity: Page, Long: 6 * h, Short: 30 * m, Recovery: 10 * m, Share: 0.05, Floor: 3},
		{Severity: Ticket, Long: 24 * h, Short: 2 * h, Share: 0.10, Floor: 1.5},
		{Severity: Ticket, Long: 72 * h, Short: 6 * h, Share: 0.10, Floor: 1},
	}
}

// WorkbookTiers returns the tiers of Workbook ch. 5, table 5-8 and the rules below it. For 30 days
// their factors are 14.4, 6, 3 and 1. There is no cap. Each call returns a new slice.
func WorkbookTiers() []Tier {
	const m, h = time.Minute, time.Hour
	return []Tier{
		{Severity: Page, Long: h, Short: 5 * m, Share: 0.02, Cap: 1},
		{Severity: Page, Long: 6 * h, Short: 30 * m, Share: 0.05, Cap: 1},
		{Severity: Ticket, Long: 24 * h, Short: 2 * h, Share: 0.10, Cap: 1},
		{Severity: Ticket, Long: 72 * h, Short: 6 * h, Share: 0.10, Cap: 1},
	}
}

// Check returns an error that says which field is out of its range and why.
func (t Tier) Check() error {
	switch {
	case t.Severity != Page && t.Severity != Ticket:
		return fmt.Errorf("want severity %q or %q, have %q", Page, Ticket, t.Severity)
	case t.Short <= 0 || t.Short > t.Long:
		return fmt.Errorf("want 0 < short <= long, have short %v and long %v", t.Short, t.Long)
	case t.Recovery < 0 || t.Recovery >= t.Short:
		return fmt.Errorf("want 0 <= recovery < short, have recovery %v and short %v", t.Recovery, t.Short)
	case t.For < 0:
		return fmt.Errorf("want for of at least 0, have %v", t.For)
	case !(t.Share >= 0 && t.Share <= 1):
		return fmt.Errorf("want a share in [0, 1], have %v", t.Share)
	case !(t.Floor >= 0) || math.IsInf(t.Floor, 1):
		return fmt.Errorf("want a finite floor of at least 0, have %v", t.Floor)
	case t.Share == 0 && t.Floor == 0:
		return fmt.Errorf("want a share or a floor above 0, have neither")
	case !(t.Cap >= 0 && t.Cap <= 1):
		return fmt.Errorf("want a cap in [0, 1], have %v", t.Cap)
	}
	return nil
}

// Factor returns the burn rate above which the tier fires, before the cap:
// max(Floor, Share*period/Long). Source: Workbook ch. 5, table 5-6; the floor is Plimsoll's.
func (t Tier) Factor(period time.Duration) float64 {
	return math.Max(t.Floor, Factor(t.Share, t.Long, period))
}

// Threshold returns the error ratio above which the tier fires: min(Factor*b.Ratio, Cap).
// It is 0 for a budget of 0: then any bad event fires.
func (t Tier) Threshold(b Budget) float64 {
	limit := t.Cap
	if limit == 0 {
		limit = DefaultCap
	}
	return math.Min(t.Factor(b.Period)*b.Ratio, limit)
}

// Reachable tells whether a total outage can fire the tier, Threshold < 1. Without a cap that is
// Factor < MaxBurn. Source: Workbook ch. 5, "Extreme availability goals".
func (t Tier) Reachable(b Budget) bool { return t.Threshold(b) < 1 }

// Detect returns the time from the start of an error ratio to the alert, and false if it never fires.
// It is DetectionTime of the long window, which fires no earlier than the short one, plus For.
func (t Tier) Detect(b Budget, ratio float64) (time.Duration, bool) {
	d, ok := DetectionTime(t.Long, t.Threshold(b), ratio)
	if !ok {
		return 0, false
	}
	return d + t.For, true
}

// Reset returns the time from the end of an outage to the end of the alert: the earliest of ResetTime
// of both windows and of the recovery window. It is false if the alert had not fired by the end.
// The recovery window counts as under heavy traffic, where it proves recovery as soon as its error
// ratio is below half of the threshold; with few events the alert ends with the short window.
func (t Tier) Reset(b Budget, ratio float64, outage time.Duration) (time.Duration, bool) {
	threshold := t.Threshold(b)
	if d, fired := t.Detect(b, ratio); !fired || outage < d {
		return 0, false
	}
	reset, ok := ResetTime(t.Short, threshold, ratio, outage)
	if quiet, proves := ResetTime(t.Recovery, threshold/2, ratio, outage); proves && t.Recovery > 0 && threshold > 0 {
		reset = min(reset, quiet)
	}
	return reset, ok
}

// Fires tells whether the tier fires on the counts of its three windows: both error ratios are above
// Threshold, the long window is evidence, and the recovery window agrees. While the alert is not firing, that
// window must itself be above Threshold; once it fires, it ends only when Recovered proves recovery. The gap
// between the two keeps stray errors after an outage from paging again.
// A nil evidence asks for none; recovery and firing are ignored by a tier without a recovery window.
// The comparison is Bad > Threshold*Total in float64, as generated rules have it: no events never fire.
func (t Tier) Fires(b Budget, e Evidence, long, short, recovery Count, firing bool) bool {
	threshold := t.Threshold(b)
	return above(threshold, long) && above(threshold, short) && enough(e, b, long) &&
		(t.Recovery == 0 || burning(threshold, recovery, firing))
}

// burning tells whether the recovery window lets a tier fire.
func burning(threshold float64, recovery Count, firing bool) bool {
	if firing {
		return !Recovered(threshold, recovery)
	}
	return above(threshold, recovery)
}

// Recovered tells whether c proves that the error ratio has fallen below half of the threshold:
// sqrt(threshold/2*Total) - sqrt(Bad) > AnscombeC. Too few events prove nothing.
// It is the Anscombe test turned round.
func Recovered(threshold float64, c Count) bool {
	return math.Sqrt(threshold/2*c.Total)-math.Sqrt(c.Bad) > AnscombeC
}

func above(threshold float64, c Count) bool { return c.Bad > threshold*c.Total }

func enough(e Evidence, b Budget, c Count) bool {
	return e == nil || e.Enough(c.Bad, b.Events(c.Total))
}

// DetectionTime returns how long an error ratio lasts until the error ratio of a window passes the
// threshold: threshold * window / ratio. It assumes steady traffic and no errors before; evaluation
// adds up to one interval. It is false unless ratio is above threshold.
// Source: Workbook ch. 5, "Target error rate >= SLO threshold", with threshold = burn * (1 - SLO).
func DetectionTime(window time.Duration, threshold, ratio float64) (time.Duration, bool) {
	if !(ratio > threshold && threshold >= 0) {
		return 0, false
	}
	return scale(window, threshold/ratio)
}

// ResetTime returns how long after the end of an outage the error ratio of a window falls back to the
// threshold: window * (1 - threshold/ratio), the window less its DetectionTime. It does not depend on
// the length of the outage, but is false if that is shorter than the DetectionTime. Traffic is steady.
// Source: Workbook ch. 5, tables 5-2 and 5-5 (values); the formula follows from DetectionTime.
func ResetTime(window time.Duration, threshold, ratio float64, outage time.Duration) (time.Duration, bool) {
	detect, ok := DetectionTime(window, threshold, ratio)
	if !ok || outage < detect {
		return 0, false
	}
	return window - detect, true
}
