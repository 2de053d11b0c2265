package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// lastScheduleYear and maxTerms are how far recurring adjustments are written into the rules: to the end of that
// year, or until a schedule takes this many terms, whichever is earlier. A weekly or daily schedule takes two terms
// a year in a zone with daylight saving, and one in all without; a monthly one takes about five a year.
const (
	firstScheduleYear = 2024
	lastScheduleYear  = lastZoneYear
	maxTerms          = 64
)

// schedule is a set of moments that PromQL can tell. Each span is (From, To]: the times of ticks that tell of what
// happened before them. Those of a train have their first moment too.
type schedule struct {
	spans  []slo.Interval // sorted, apart
	trains []train        // may overlap each other and the spans
	until  time.Time      // end of the last moment, if the recurrence goes on after it, else zero
}

// train is a series of spans of one length: the first starts at first, the next every period, until the one that
// starts at last. A shift moves the spans after it.
type train struct {
	first, last    time.Time
	period, length time.Duration
	shifts         []shift
}

// shift moves the starts after at, which is between two spans, by by.
type shift struct {
	at time.Time
	by time.Duration
}

// never tells whether s has no moment at all.
func (s schedule) never() bool { return len(s.spans)+len(s.trains) == 0 }

// expr returns a vector of one element without labels: 1 at the moments of s, else 0.
func (s schedule) expr() string {
	var terms []string
	for _, x := range s.spans {
		terms = append(terms, within(x.From, x.To))
	}
	for _, t := range s.trains {
		terms = append(terms, t.expr())
	}
	return "vector(\n" + indent(strings.Join(terms, "\n+ "), 2) + "\n  > bool 0\n)"
}

// within is 1 in (from, to], else 0; a scalar.
func within(from, to time.Time) string {
	return "(time() > bool " + stamp(from) + ") * (time() <= bool " + stamp(to) + ")"
}

// expr is 1 in the spans of t, else 0; a scalar.
func (t train) expr() string {
	whole := within(t.first, t.last.Add(t.length))
	if t.first.Equal(t.last) {
		return whole
	}
	var shifts strings.Builder
	for _, s := range t.shifts {
		sign := "-"
		if s.by < 0 {
			sign = "+"
		}
		fmt.Fprintf(&shifts, "\n    %s %s * (time() > bool %s)", sign, number(s.by.Abs().Seconds()), stamp(s.at))
	}
	return whole + " * ((time() - " + stamp(t.first) + shifts.String() + ") % " +
		number(t.period.Seconds()) + " <= bool " + number(t.length.Seconds()) + ")"
}

// stamp writes a time in PromQL, in seconds since 1970, exact to a millisecond.
func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64) }

// union returns the moments of s and o.
func (s schedule) union(o schedule) schedule {
	if !o.until.IsZero() && (s.until.IsZero() || o.until.Before(s.until)) {
		s.until = o.until
	}
	s.spans = merge(slices.Concat(s.spans, o.spans))
	s.trains = slices.Concat(s.trains, o.trains)
	return s
}

// merge returns the union of spans, sorted and apart.
func merge(spans []slo.Interval) []slo.Interval {
	slices.SortFunc(spans, func(a, b slo.Interval) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	var out []slo.Interval
	for _, x := range spans {
		if n := len(out) - 1; n >= 0 && !x.From.After(out[n].To) {
			if x.To.After(out[n].To) {
				out[n].To = x.To
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// scheduleOf returns the occurrences of a, each longer by late at its end.
func scheduleOf(a *slo.Adjustment, late time.Duration) (schedule, error) {
	if a.Recurrence == "" {
		return schedule{spans: []slo.Interval{{From: a.Start, To: a.Start.Add(time.Duration(a.Duration) + late)}}}, nil
	}
	from := time.Date(firstScheduleYear, 1, 1, 0, 0, 0, 0, time.UTC)
	if a.Start.After(from) {
		from = a.Start
	}
	horizon := time.Date(lastScheduleYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
	list, err := a.Occurrences(from, horizon)
	if err != nil {
		return schedule{}, fmt.Errorf("adjustment %q: %w", a.Name, err)
	}
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return schedule{}, fmt.Errorf("adjustment %q: load time zone %q: %w", a.Name, a.Zone, err)
	}
	length := time.Duration(a.Duration) + late
	out := schedule{trains: trainsOf(list, zone, length)}
	n := len(list)
	if terms(out.trains) > maxTerms {
		n = sort.Search(len(list), func(i int) bool { return terms(trainsOf(list[:i+1], zone, length)) > maxTerms })
		out.trains = trainsOf(list[:n], zone, length)
	}
	more := list[n:]
	if len(more) == 0 {
		if more, err = a.Occurrences(horizon, horizon.AddDate(5, 0, 0)); err != nil {
			return schedule{}, fmt.Errorf("adjustment %q: %w", a.Name, err)
		}
	}
	if len(more) > 0 {
		out.until = more[0].From
	}
	return out, nil
}

// trainsOf returns trains that cover list with few terms: of all occurrences one after the other, of those of each
// time of day, or of those of each weekday and time of day.
func trainsOf(list []slo.Interval, zone *time.Location, length time.Duration) []train {
	best := couple(list, length)
	for _, layout := range []string{"15:04:05", "Mon 15:04:05"} {
		if terms(best) <= 1 {
			break
		}
		apart := map[string][]slo.Interval{}
		for _, x := range list {
			k := x.From.In(zone).Format(layout)
			apart[k] = append(apart[k], x)
		}
		var out []train
		for _, k := range slices.Sorted(maps.Keys(apart)) {
			out = append(out, couple(apart[k], length)...)
		}
		if terms(out) < terms(best) {
			best = out
		}
	}
	return best
}

// terms is how much text trains take.
func terms(trains []train) int {
	n := 0
	for _, t := range trains {
		n += 1 + len(t.shifts)
	}
	return n
}

// couple returns the trains of occurrences, which are sorted: one if each starts about a period after the one before.
func couple(list []slo.Interval, length time.Duration) []train {
	if len(list) == 0 {
		return nil
	}
	period := usualGap(list, length)
	cur := train{first: list[0].From, last: list[0].From, period: period, length: length}
	var out []train
	for i, x := range list[1:] {
		before := list[i].From
		by := x.From.Sub(before) - period
		switch {
		case by == 0:
		case by.Abs() < period-length-2*time.Second:
			// Neither may a span that is not there follow the one before, nor may one that is not there come before this.
			low := latest(before.Add(length), x.From.Add(length-period))
			high := earliest(before.Add(period), x.From)
			cur.shifts = append(cur.shifts, shift{low.Add(high.Sub(low) / 2).Truncate(time.Second), by})
		default:
			out = append(out, cur)
			cur = train{first: x.From, period: period, length: length}
		}
		cur.last = x.From
	}
	return append(out, cur)
}

// usualGap returns the most frequent time between two starts, the shortest of several.
func usualGap(list []slo.Interval, length time.Duration) time.Duration {
	count := map[time.Duration]int{}
	best := length
	for i := range list[1:] {
		gap := list[i+1].From.Sub(list[i].From)
		count[gap]++
		if n := count[gap] - count[best]; n > 0 || n == 0 && gap < best {
			best = gap
		}
	}
	return best
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
