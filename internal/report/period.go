package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Period is the time that a report is about: From is part of it, To is not.
type Period struct {
	Kind slo.Period `json:"kind,omitempty"` // empty for any two times
	Zone string     `json:"timeZone"`       // IANA name
	From time.Time  `json:"from"`
	To   time.Time  `json:"to"`
}

// PeriodOf returns the calendar period of a kind that contains at in a zone. Days that daylight saving makes longer or
// shorter count with their real length.
//
// Error: the kind or the zone does not exist.
func PeriodOf(kind slo.Period, at time.Time, zone string) (Period, error) {
	if kind == "" {
		return Period{}, fmt.Errorf("want a calendar period week, month, quarter or year, have none")
	}
	from, to, err := slo.Window{Calendar: kind, Zone: zone}.Bounds(at)
	if err != nil {
		return Period{}, err
	}
	return Period{Kind: kind, Zone: zone, From: from, To: to}, nil
}

// Before returns the period of the same kind that ends where p begins; of any two times, one of the same length.
func (p Period) Before() (Period, error) {
	if p.Kind == "" {
		return Period{Zone: p.Zone, From: p.From.Add(-p.length()), To: p.From}, nil
	}
	return PeriodOf(p.Kind, p.From.Add(-time.Second), p.Zone)
}

// length is the real length of p.
func (p Period) length() time.Duration { return p.To.Sub(p.From) }

// location returns the zone of p, which exists.
func (p Period) location() *time.Location {
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		panic("report: unknown time zone " + p.Zone)
	}
	return zone
}

// String returns p in words: "October 2026", "week 41 of 2026", "2026-10-01 10:00 to 2026-10-02 10:00".
func (p Period) String() string {
	from, to := p.From.In(p.location()), p.To.In(p.location())
	switch p.Kind {
	case slo.Week:
		year, week := from.ISOWeek()
		return fmt.Sprintf("week %d of %d", week, year)
	case slo.Month:
		return from.Format("January 2006")
	case slo.Quarter:
		return fmt.Sprintf("quarter %d of %d", (int(from.Month())+2)/3, from.Year())
	case slo.Year:
		return strconv.Itoa(from.Year())
	}
	return from.Format(minuteLayout) + " to " + to.Format(minuteLayout)
}

const minuteLayout = "2006-01-02 15:04"

// Limits of periods and of what is read of them.
const (
	unit        = 5 * time.Minute      // of which every period is a multiple
	longest     = 367 * 24 * time.Hour // of periods
	settle      = 15 * time.Minute     // after which nothing is recorded of a time any more, but repairs
	trendPoints = 60                   // at least, if the period is long enough
	maxSteps    = 10_000               // of one query; servers refuse more than 11,000
)

// grid is how a period is cut: until until, in slots of two sizes.
type grid struct {
	Period
	until        time.Time     // end of what is known; To if the period is over
	coarse, fine time.Duration // lengths of slots; each divides until - From
}

// gridOf cuts a period as it is known at now.
func gridOf(p Period, now time.Time) (grid, error) {
	if _, err := time.LoadLocation(p.Zone); err != nil {
		return grid{}, fmt.Errorf("load time zone %q: %w", p.Zone, err)
	}
	if n := p.length(); n <= 0 || n > longest || n%unit != 0 {
		return grid{}, fmt.Errorf("want a period of whole %v, up to %d days, have %v from %s", unit, longest/(24*time.Hour), n, p.From.Format(time.RFC3339))
	}
	g := grid{Period: p, until: p.To}
	if known := now.Add(-settle); known.Before(p.To) {
		g.until = p.From.Add(known.Sub(p.From).Truncate(time.Hour))
	}
	n := g.until.Sub(p.From)
	if n <= 0 {
		return grid{}, fmt.Errorf("nothing is known yet of the period that begins at %s", p.From.Format(time.RFC3339))
	}
	g.coarse = slot(n, func(d time.Duration) bool { return n/d >= trendPoints })
	most := time.Hour
	switch {
	case n <= 40*24*time.Hour:
		most = 5 * time.Minute
	case n <= 100*24*time.Hour:
		most = 15 * time.Minute
	}
	g.fine = slot(n, func(d time.Duration) bool { return d <= most && g.coarse%d == 0 })
	return g, nil
}

// slot returns the longest length that divides n and is wanted, else the shortest.
func slot(n time.Duration, wanted func(time.Duration) bool) time.Duration {
	for _, minutes := range []time.Duration{1440, 720, 360, 180, 60, 30, 15} {
		if d := minutes * time.Minute; n%d == 0 && wanted(d) {
			return d
		}
	}
	return unit
}

// elapsed is the length of what is known of the period.
func (g grid) elapsed() time.Duration { return g.until.Sub(g.From) }

// over tells whether the period is over.
func (g grid) over() bool { return g.until.Equal(g.To) }

// slots is how many slots of a length there are.
func (g grid) slots(of time.Duration) int { return int(g.elapsed() / of) }
