package report

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

var (
	yearText    = regexp.MustCompile(`^(\d{4})$`)
	monthText   = regexp.MustCompile(`^(\d{4})-(\d{2})$`)
	quarterText = regexp.MustCompile(`^(\d{4})-[Qq]([1-4])$`)
	weekText    = regexp.MustCompile(`^(\d{4})-[Ww](\d{2})$`)
)

// ParsePeriod reads a period: week, month, quarter or year for the last one that is over at now, or for the one that
// holds now if current is set; 2026, 2026-10, 2026-Q4 or 2026-W41 (ISO 8601) for a certain one; or two times apart by a
// slash, each a date or RFC 3339. Dates and calendar periods are those of the zone.
//
// Error: the text is none of these, or the zone does not exist.
func ParsePeriod(text string, now time.Time, zone string, current bool) (Period, error) {
	where, err := time.LoadLocation(zone)
	if err != nil {
		return Period{}, fmt.Errorf("load time zone %q: %w", zone, err)
	}
	switch kind := slo.Period(text); kind {
	case slo.Week, slo.Month, slo.Quarter, slo.Year:
		p, err := PeriodOf(kind, now, zone)
		if err != nil || current {
			return p, err
		}
		return p.Before()
	}
	if current {
		return Period{}, fmt.Errorf("want week, month, quarter or year for the current one, have %q", text)
	}
	if from, to, ok := strings.Cut(text, "/"); ok {
		return parseRange(from, to, where, zone)
	}
	n := func(s string) int {
		i, err := strconv.Atoi(s)
		if err != nil {
			panic("report: " + err.Error()) // a regular expression found digits
		}
		return i
	}
	noon := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 12, 0, 0, 0, where) }
	switch {
	case yearText.MatchString(text):
		return PeriodOf(slo.Year, noon(n(text), 6, 1), zone)
	case monthText.MatchString(text):
		x := monthText.FindStringSubmatch(text)
		if m := n(x[2]); m >= 1 && m <= 12 {
			return PeriodOf(slo.Month, noon(n(x[1]), time.Month(m), 15), zone)
		}
	case quarterText.MatchString(text):
		x := quarterText.FindStringSubmatch(text)
		return PeriodOf(slo.Quarter, noon(n(x[1]), time.Month(3*n(x[2])-1), 15), zone)
	case weekText.MatchString(text):
		x := weekText.FindStringSubmatch(text)
		day := noon(n(x[1]), 1, 4).AddDate(0, 0, 7*(n(x[2])-1)) // 4 January is in week 1
		if y, w := day.ISOWeek(); y == n(x[1]) && w == n(x[2]) {
			return PeriodOf(slo.Week, day, zone)
		}
	}
	return Period{}, fmt.Errorf("want a period such as month, 2026-10, 2026-Q4, 2026-W41 or 2026-10-01/2026-10-08, have %q", text)
}

// parseRange reads two times.
func parseRange(from, to string, where *time.Location, zone string) (Period, error) {
	p := Period{Zone: zone}
	for text, into := range map[string]*time.Time{from: &p.From, to: &p.To} {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t, err = time.ParseInLocation(time.DateOnly, text, where)
		}
		if err != nil {
			return p, fmt.Errorf("want a date such as 2026-10-01 or a time such as 2026-10-01T08:00:00Z, have %q", text)
		}
		*into = t
	}
	if !p.From.Before(p.To) {
		return p, fmt.Errorf("want a period that ends after it begins, have %q to %q", from, to)
	}
	return p, nil
}
