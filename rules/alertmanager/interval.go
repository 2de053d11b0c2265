package alertmanager

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Interval is a mute time interval: the times of a recurring maintenance.
type Interval struct {
	Name  string
	Times []Times
}

// Times are the minutes From to To, of 0 to 1440, of the days that fit everything else, in Zone.
type Times struct {
	From, To  int
	Weekdays  []time.Weekday // none: all
	MonthDays []int          // none: all
	FromDay   int            // of the month; 0: all
	Years     [2]int         // first and last
	Months    [2]time.Month  // first and last; zero: all
	Zone      string
}

// lastYear is what Alertmanager takes as the end of time.
const lastYear = 9999

// intervals returns the intervals of the maintenance of set that mutes, notes about that which Alertmanager cannot
// express and the rules mute alone, and the names of the intervals of each SLO. The rules mute all of it themselves;
// what an interval adds is that Alertmanager keeps quiet about alerts that end because the maintenance begins.
func intervals(set *slo.Set) (out []Interval, notes []string, of map[string][]string) {
	of = map[string][]string{}
	for i := range set.Adjustments {
		a := &set.Adjustments[i]
		if !a.Mute {
			continue
		}
		times, why := timesOf(a)
		if why != "" {
			notes = append(notes, fmt.Sprintf("Adjustment %q is muted by the rules alone: %s.", a.Name, why))
			continue
		}
		x := Interval{"plimsoll-" + a.Name, times}
		out = append(out, x)
		for _, s := range a.SLOs {
			of[s] = append(of[s], x.Name)
		}
	}
	return out, notes, of
}

// timesOf returns the times of a, or why Alertmanager cannot express them exactly.
func timesOf(a *slo.Adjustment) (out []Times, why string) {
	if a.Recurrence == "" {
		return nil, "it happens once"
	}
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return nil, "its time zone is not known"
	}
	start := a.Start.In(zone)
	length := int(time.Duration(a.Duration) / time.Minute)
	if start.Second() != 0 || start.Nanosecond() != 0 || time.Duration(length)*time.Minute != time.Duration(a.Duration) {
		return nil, "it does not begin and end with a minute"
	}
	days, why := daysOf(a.Recurrence, start)
	if why != "" {
		return nil, why
	}
	if why := days.differ(a, start, length); why != "" {
		return nil, why
	}
	from := start.Hour()*60 + start.Minute()
	for k := 0; k*1440 < from+length; k++ { // pieces between midnights
		if k > 0 && days.month != nil {
			return nil, "a day of the month that ends on the next has no such interval"
		}
		piece := Times{From: max(0, from-k*1440), To: min(1440, from+length-k*1440), MonthDays: days.month, Zone: a.Zone}
		for _, d := range days.week {
			piece.Weekdays = append(piece.Weekdays, (d+time.Weekday(k))%7)
		}
		slices.Sort(piece.Weekdays)
		out = append(out, piece.since(start.AddDate(0, 0, k))...)
	}
	return out, ""
}

// since returns t restricted to the days from first on: in its month, in the rest of its year, and in later years.
func (t Times) since(first time.Time) []Times {
	var out []Times
	add := func(years [2]int, months [2]time.Month, fromDay int) {
		x := t
		x.Years, x.Months, x.FromDay = years, months, fromDay
		if fromDay > 0 && t.MonthDays != nil {
			x.FromDay, x.MonthDays = 0, slices.DeleteFunc(slices.Clone(t.MonthDays), func(d int) bool { return d < fromDay })
			if len(x.MonthDays) == 0 {
				return
			}
		}
		out = append(out, x)
	}
	y, m, d := first.Date()
	add([2]int{y, y}, [2]time.Month{m, m}, d)
	if m < time.December {
		add([2]int{y, y}, [2]time.Month{m + 1, time.December}, 0)
	}
	add([2]int{y + 1, lastYear}, [2]time.Month{}, 0)
	return out
}

// days are the days on which a recurring maintenance begins: those that fit both lists. Empty lists fit all.
type days struct {
	week  []time.Weekday
	month []int
}

// daysOf reads a recurrence, or says why it is not one of fixed days of the week or month without an end.
func daysOf(recurrence string, start time.Time) (d days, why string) {
	rule := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.ToUpper(recurrence), "RRULE:"), ";") {
		k, v, _ := strings.Cut(part, "=")
		rule[k] = v
	}
	for _, k := range slices.Sorted(maps.Keys(rule)) {
		switch k {
		case "FREQ", "BYDAY", "BYMONTHDAY", "WKST":
		case "INTERVAL":
			if rule[k] != "1" {
				return d, "it leaves periods out"
			}
		case "UNTIL", "COUNT":
			return d, "it ends"
		default:
			return d, "Alertmanager has no " + k
		}
	}
	if v := rule["BYDAY"]; v != "" {
		for name := range strings.SplitSeq(v, ",") {
			i := slices.Index([]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}, name)
			if i < 0 {
				return d, "Alertmanager does not count the weekdays of a month"
			}
			d.week = append(d.week, time.Weekday(i))
		}
	}
	if v := rule["BYMONTHDAY"]; v != "" {
		for text := range strings.SplitSeq(v, ",") {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return d, "it counts from the end of the month"
			}
			d.month = append(d.month, n)
		}
		slices.Sort(d.month)
	}
	switch {
	case rule["FREQ"] == "WEEKLY" && d.week == nil:
		d.week = []time.Weekday{start.Weekday()}
	case rule["FREQ"] == "MONTHLY" && d.week == nil && d.month == nil:
		d.month = []int{start.Day()}
	case !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY"}, rule["FREQ"]):
		return d, "Alertmanager has no FREQ=" + rule["FREQ"]
	}
	return d, ""
}

func (d days) fit(t time.Time) bool {
	return (d.week == nil || slices.Contains(d.week, t.Weekday())) && (d.month == nil || slices.Contains(d.month, t.Day()))
}

// differ compares the days with the occurrences of a over some years, and wall clocks at both ends: it says why they
// are not the same, or "". Years in which daylight saving begins at other hours are rare.
func (d days) differ(a *slo.Adjustment, start time.Time, length int) (why string) {
	end := start.AddDate(5, 0, 0)
	list, err := a.Occurrences(start, end)
	if err != nil {
		return "its recurrence is not understood"
	}
	var want []string
	for day := start; day.Before(end); day = day.AddDate(0, 0, 1) {
		if d.fit(day) {
			want = append(want, day.Format(time.DateOnly))
		}
	}
	var have []string
	for _, o := range list {
		from, to := o.From.In(start.Location()), o.To.In(start.Location())
		have = append(have, from.Format(time.DateOnly))
		wall := time.Date(from.Year(), from.Month(), from.Day(), start.Hour(), start.Minute()+length, 0, 0, time.UTC)
		if from.Format(time.TimeOnly) != start.Format(time.TimeOnly) || to.Format(time.DateTime) != wall.Format(time.DateTime) || repeats(from, to) {
			return "daylight saving begins or ends within it"
		}
	}
	if !slices.Equal(want, have) {
		return "its days are not those of a week or month"
	}
	return ""
}

// repeats tells whether a wall clock that is set back shows some time between from and to once more, before or after.
func repeats(from, to time.Time) bool {
	const most, step = 3 * time.Hour, 15 * time.Minute
	for d := step; d <= most; d += step {
		if from.Add(-d).Format(time.DateTime) >= from.Format(time.DateTime) || to.Add(d-step).Format(time.DateTime) < to.Format(time.DateTime) {
			return true
		}
	}
	return false
}
