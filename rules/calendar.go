package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Years for which the offsets of time zones are written into the rules. After the last one the offset of its end
// stays, which shifts the start of a period by an hour at most.
const (
	firstZoneYear = 2024
	lastZoneYear  = 2045
)

// currentPeriod returns a vector of one element whose label labelPeriod is the index of the calendar period, in the
// time zone of the window, that the increments of the present rollup belong to. A label, unlike a range, can follow
// the calendar: rollups carry it, and the sum over the present period takes those that carry the same.
// Exact to one slow interval at the turn of a period.
func (b *bundle) currentPeriod() string {
	// The newest increment of a rollup is lag old; one that ends just at midnight belongs to the old period.
	local := fmt.Sprintf("vector(time() - %s%s)", number((b.clock.lag + time.Second).Seconds()), zoneOffset(b.window.Zone))
	return fmt.Sprintf("count_values(%q, %s)", labelPeriod, periodIndex(b.window.Calendar, local))
}

// periodIndex returns an expression for the number of a period, given one for a vector of local time.
func periodIndex(p slo.Period, local string) string {
	switch p {
	case slo.Week: // day 4 of the epoch was a Monday
		return "floor((" + local + " - 345600) / 604800)"
	case slo.Month:
		return "year(" + local + ") * 12 + month(" + local + ")"
	case slo.Quarter:
		return "year(" + local + ") * 4 + ceil(month(" + local + ") / 3)"
	}
	return "year(" + local + ")"
}

// longestPeriod is a range that holds every rollup of a period.
func longestPeriod(p slo.Period) time.Duration {
	const day = 24 * time.Hour
	return map[slo.Period]time.Duration{slo.Week: 8 * day, slo.Month: 32 * day, slo.Quarter: 93 * day, slo.Year: 367 * day}[p]
}

// zoneOffset returns what to add to a UTC time in seconds to get local time, as PromQL text such as " + 3600 + 3600
// * (time() >= bool 1743296400)"; it is empty for UTC. The zone must exist.
func zoneOffset(zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		panic("rules: unknown time zone " + zone)
	}
	at := time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC)
	until := time.Date(lastZoneYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
	_, have := at.In(loc).Zone()
	var out strings.Builder
	if have != 0 {
		fmt.Fprintf(&out, " %+d", have)
	}
	for day := at; day.Before(until); {
		_, end := day.In(loc).ZoneBounds()
		if end.IsZero() {
			break
		}
		if !end.After(day) || !end.Before(until) { // nothing new until the end of the year that Go works out
			day = day.Add(24 * time.Hour)
			continue
		}
		if _, next := end.Zone(); next != have {
			fmt.Fprintf(&out, " %+d * (time() >= bool %d)", next-have, end.Unix())
			have = next
		}
		day = end
	}
	return strings.NewReplacer(" +", " + ", " -", " - ").Replace(out.String())
}
