package alertmanager_test

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/rules/alertmanager"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// labels are the labels of an alert.
type labels map[string]string

var matcher = regexp.MustCompile(`^([a-z]+)(=|=~|!~)(".*")$`)

// match is Alertmanager's definition of matchers.
func match(t interface{ Fatalf(string, ...any) }, matchers []string, l labels) bool {
	for _, m := range matchers {
		p := matcher.FindStringSubmatch(m)
		if p == nil {
			t.Fatalf("%q is not a matcher", m)
		}
		value, err := strconv.Unquote(p[3])
		if err != nil {
			t.Fatalf("%q: %v", m, err)
		}
		ok := l[p[1]] == value
		if p[2] != "=" {
			ok = regexp.MustCompile("^(?:"+value+")$").MatchString(l[p[1]]) == (p[2] == "=~")
		}
		if !ok {
			return false
		}
	}
	return true
}

// routed is Alertmanager's definition of routing: the first child that matches, or the route itself.
func routed(t *rapid.T, r alertmanager.Route, l labels, above string) string {
	above = cmp.Or(r.Receiver, above)
	for _, x := range r.Routes {
		if match(t, x.Matchers, l) {
			return routed(t, x, l, above)
		}
	}
	return above
}

// inhibitor returns the alert that silences l, or nil.
func inhibitor(t *rapid.T, rules []alertmanager.Inhibition, all []labels, l labels) labels {
	for _, r := range rules {
		if !match(t, r.Target, l) {
			continue
		}
		for _, source := range all {
			equal := !slices.ContainsFunc(r.Equal, func(k string) bool { return source[k] != l[k] })
			if equal && match(t, r.Source, source) && (!match(t, r.Source, l) || !match(t, r.Target, source)) {
				return source
			}
		}
	}
	return nil
}

// drawSet draws services and SLOs that depend on each other at random, also in circles.
func drawSet(t *rapid.T) *slo.Set {
	receivers := rapid.SampledFrom([]string{"", "a", "b", "c d"})
	set := &slo.Set{Policies: []slo.BudgetPolicy{{Meta: slo.Meta{Name: "p"}, Escalations: []slo.Escalation{{Notify: "boss"}}}}}
	nServices, nSLOs := rapid.IntRange(1, 4).Draw(t, "services"), rapid.IntRange(1, 7).Draw(t, "slos")
	name := func(prefix string, n int) string {
		return fmt.Sprintf("%s.%d", prefix, rapid.IntRange(0, n-1).Draw(t, prefix))
	}
	for i := range nServices {
		s := slo.Service{Meta: slo.Meta{Name: fmt.Sprintf("service.%d", i)}}
		for range rapid.IntRange(0, 2).Draw(t, "needs") {
			s.DependsOn = append(s.DependsOn, name("service", nServices))
		}
		if rapid.IntRange(0, 3).Draw(t, "observability") == 0 {
			s.Annotations = map[string]string{alertmanager.AnnotationObservability: "true"}
		}
		set.Services = append(set.Services, s)
	}
	for i := range nSLOs {
		x := slo.SLO{
			Meta: slo.Meta{Name: fmt.Sprintf("slo.%d", i)}, Service: name("service", nServices),
			Owner:    slo.Owner{Page: receivers.Draw(t, "page"), Ticket: receivers.Draw(t, "ticket")},
			Alerting: slo.Alerting{Page: rapid.Bool().Draw(t, "pages"), Ticket: rapid.Bool().Draw(t, "tickets")},
			NoData:   slo.NoData{Notify: rapid.SampledFrom([]string{"page", "ticket", "none"}).Draw(t, "noData")},
			GroupBy:  rapid.SampledFrom([][]string{nil, nil, {"region"}, {"region", "tenant"}, {"service"}}).Draw(t, "groupBy"),
			Policy:   rapid.SampledFrom([]string{"", "p"}).Draw(t, "policy"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "needs") {
			x.DependsOn = append(x.DependsOn, slo.Dependency{SLO: name("slo", nSLOs), Critical: rapid.Bool().Draw(t, "critical")})
		}
		set.SLOs = append(set.SLOs, x)
	}
	return set
}

// alerts returns every alert that an SLO may have in one group.
func alerts(x *slo.SLO, group string) []labels {
	var out []labels
	add := func(more labels) {
		l := labels{"slo": x.Name, "service": x.Service}
		for _, k := range x.GroupBy {
			l[k] = group
		}
		maps.Copy(l, more)
		out = append(out, l)
	}
	if x.Alerting.Page {
		add(labels{"alertname": slo.AlertBudgetBurn, "severity": "page"})
	}
	if x.Alerting.Ticket {
		add(labels{"alertname": slo.AlertBudgetBurn, "severity": "ticket"})
	}
	if x.NoData.Notify != "none" {
		add(labels{"alertname": slo.AlertNoData, "severity": x.NoData.Notify, "reason": slo.ReasonMetricGone})
	}
	if x.Policy != "" {
		add(labels{"alertname": slo.AlertEscalation, "severity": "escalation", "notify": "boss"})
	}
	return out
}

// TestRouteLaw wants each alert at the receiver that its SLO names, whatever the service label says.
func TestRouteLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		c, err := alertmanager.Generate(set, alertmanager.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range set.SLOs {
			x := &set.SLOs[i]
			for _, l := range alerts(x, "service.0") {
				want := map[string]string{"page": x.Owner.Page, "ticket": x.Owner.Ticket, "escalation": "boss"}[l["severity"]]
				if got := routed(t, c.Route, l, ""); !match(t, c.Route.Matchers, l) || got != want {
					t.Fatalf("%v goes to %q, want %q", l, got, want)
				}
			}
		}
	})
}

// TestInhibitLaw wants every silenced alert to be explained by one that is sent, in the end: where some alerts fire,
// whichever, following inhibitors leads to an alert that nothing inhibits. Escalations are always sent, and an SLO
// is silenced only by itself, by what it needs directly, or by lost telemetry.
func TestInhibitLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		c, err := alertmanager.Generate(set, alertmanager.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var all []labels
		for i := range set.SLOs {
			for _, l := range alerts(&set.SLOs[i], rapid.SampledFrom([]string{"eu", "us"}).Draw(t, "group")) {
				if rapid.IntRange(0, 3).Draw(t, "fires") > 0 {
					all = append(all, l)
				}
			}
		}
		for _, l := range all {
			by := inhibitor(t, c.Inhibitions, all, l)
			if by == nil {
				continue
			}
			if l["alertname"] == slo.AlertEscalation {
				t.Fatalf("escalation %v is inhibited by %v", l, by)
			}
			if !explains(set, by, l) {
				t.Fatalf("%v is inhibited by %v, which does not explain it", l, by)
			}
			for n := 0; by != nil; n++ {
				if n > len(all) {
					t.Fatalf("%v is inhibited in a circle", l)
				}
				by = inhibitor(t, c.Inhibitions, all, by)
			}
		}
	})
}

// explains says whether an alert may silence another one, by the words of the documentation.
func explains(set *slo.Set, by, l labels) bool {
	x, _ := set.SLO(l["slo"])
	y, _ := set.SLO(by["slo"])
	for _, k := range x.GroupBy {
		if slices.Contains(y.GroupBy, k) && by[k] != l[k] && l["alertname"] != slo.AlertNoData {
			return false
		}
	}
	if by["severity"] != "page" {
		return false
	}
	if l["alertname"] == slo.AlertNoData {
		s, _ := set.Service(y.Service)
		return s.Annotations != nil && x.Service != y.Service
	}
	s, _ := set.Service(x.Service)
	return x == y && l["severity"] == "ticket" || slices.Contains(s.DependsOn, y.Service) ||
		slices.Contains(x.DependsOn, slo.Dependency{SLO: y.Name, Critical: true})
}

// TestDependencies wants the page of what is needed to silence what needs it, where nothing is needed in a circle.
func TestDependencies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		for i := range set.Services { // each needs only what comes before it
			s := &set.Services[i]
			s.DependsOn = slices.DeleteFunc(s.DependsOn, func(n string) bool { return n >= s.Name })
		}
		for i := range set.SLOs {
			set.SLOs[i].GroupBy, set.SLOs[i].DependsOn = nil, nil
		}
		c, err := alertmanager.Generate(set, alertmanager.Options{})
		if err != nil {
			t.Fatal(err)
		}
		burn := func(x *slo.SLO, severity string) labels {
			return labels{"slo": x.Name, "service": x.Service, "severity": severity, "alertname": slo.AlertBudgetBurn}
		}
		for i := range set.SLOs {
			x := &set.SLOs[i]
			s, _ := set.Service(x.Service)
			for j := range set.SLOs {
				y := &set.SLOs[j]
				l, by := burn(x, "ticket"), burn(y, "page")
				want := y.Alerting.Page && (slices.Contains(s.DependsOn, y.Service) || x == y)
				if !x.Alerting.Ticket || !y.Alerting.Page {
					continue
				}
				if got := inhibitor(t, c.Inhibitions, []labels{by}, l) != nil; got != want {
					t.Fatalf("%v inhibits %v: got %v, want %v", by, l, got, want)
				}
			}
		}
	})
}

// within is Alertmanager's definition of a time interval; at is in its zone.
func within(x alertmanager.Times, at time.Time) bool {
	m := at.Hour()*60 + at.Minute()
	return m >= x.From && m < x.To && (x.Weekdays == nil || slices.Contains(x.Weekdays, at.Weekday())) &&
		(x.MonthDays == nil || slices.Contains(x.MonthDays, at.Day())) && at.Day() >= x.FromDay &&
		at.Year() >= x.Years[0] && at.Year() <= x.Years[1] &&
		(x.Months[0] == 0 || at.Month() >= x.Months[0] && at.Month() <= x.Months[1]) && at.Location().String() == x.Zone
}

// TestIntervalLaw compares intervals with the occurrences of the maintenance, at many instants of its first two years:
// where there is an interval, it is exactly the maintenance.
func TestIntervalLaw(t *testing.T) {
	expressed := 0
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"}).Draw(t, "zone")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		a := slo.Adjustment{
			Meta: slo.Meta{Name: "m"}, Mute: true, Zone: zone, SLOs: []string{"s"},
			Start:      time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 31).Draw(t, "day"), rapid.IntRange(0, 23).Draw(t, "hour"), rapid.SampledFrom([]int{0, 30}).Draw(t, "minute"), 0, 0, loc),
			Duration:   slo.Duration(rapid.SampledFrom([]time.Duration{30 * time.Minute, 2 * time.Hour, 24 * time.Hour, 50 * time.Hour}).Draw(t, "length")),
			Recurrence: rapid.SampledFrom([]string{"FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=FR,SA;INTERVAL=1", "FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=1,31", "FREQ=MONTHLY;BYDAY=MO", "FREQ=DAILY;BYDAY=MO,WE", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY;BYDAY=1MO", "FREQ=DAILY;COUNT=3", "FREQ=YEARLY", "FREQ=WEEKLY;BYMONTH=3"}).Draw(t, "rule"),
		}
		c, err := alertmanager.Generate(&slo.Set{SLOs: []slo.SLO{{Meta: slo.Meta{Name: "s"}}}, Adjustments: []slo.Adjustment{a}}, alertmanager.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Intervals)+len(c.Notes) != 1 {
			t.Fatalf("%s: want an interval or a note, have %v %v", a.Recurrence, c.Intervals, c.Notes)
		}
		if len(c.Intervals) == 0 {
			return
		}
		expressed++
		from := a.Start.AddDate(0, -2, 0)
		list, err := a.Occurrences(from, from.AddDate(2, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		for at := from; at.Before(from.AddDate(2, 0, 0)); at = at.Add(30 * time.Minute) {
			i, ok := slices.BinarySearchFunc(list, at, func(o slo.Interval, at time.Time) int { return o.From.Compare(at) })
			want := ok
			for j := i - 1; j >= 0 && j >= i-4; j-- { // lengths overlap at most three others
				want = want || at.Before(list[j].To)
			}
			if got := slices.ContainsFunc(c.Intervals[0].Times, func(x alertmanager.Times) bool { return within(x, at) }); got != want {
				t.Fatalf("%s, %s from %s: at %s got %v, want %v", a.Recurrence, a.Duration, a.Start, at, got, want)
			}
		}
	})
	if expressed == 0 {
		t.Error("no maintenance was expressed")
	}
}

// TestNotes wants the reasons why Alertmanager cannot say what the rules do.
func TestNotes(t *testing.T) {
	f := func(recurrence, start string, length time.Duration, want string) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, start)
		if err != nil {
			t.Fatal(err)
		}
		a := slo.Adjustment{Meta: slo.Meta{Name: "m"}, Mute: true, Zone: "Europe/Berlin", Start: at, Duration: slo.Duration(length), Recurrence: recurrence}
		c := generate(t, &slo.Set{SLOs: []slo.SLO{{Meta: slo.Meta{Name: "s"}}}, Adjustments: []slo.Adjustment{a}}, alertmanager.Options{})
		if got := strings.Join(c.Notes, ""); !strings.HasSuffix(got, ": "+want+".") {
			t.Errorf("%s: got %q, want %q", recurrence, got, want)
		}
	}
	const night, morning = "2026-01-04T01:30:00+01:00", "2026-01-04T04:00:00+01:00"
	f("", morning, time.Hour, "it happens once")
	f("FREQ=WEEKLY;BYDAY=SU", night, 2*time.Hour, "daylight saving begins or ends within it")
	f("FREQ=WEEKLY;INTERVAL=2", morning, time.Hour, "it leaves periods out")
	f("FREQ=WEEKLY;UNTIL=20270101T000000Z", morning, time.Hour, "it ends")
	f("FREQ=MONTHLY;BYDAY=1MO", morning, time.Hour, "Alertmanager does not count the weekdays of a month")
	f("FREQ=MONTHLY;BYMONTHDAY=-1", morning, time.Hour, "it counts from the end of the month")
	f("FREQ=YEARLY", morning, time.Hour, "Alertmanager has no FREQ=YEARLY")
	f("FREQ=WEEKLY;BYMONTH=3", morning, time.Hour, "Alertmanager has no BYMONTH")
	f("FREQ=MONTHLY", "2026-01-04T23:30:00+01:00", time.Hour, "a day of the month that ends on the next has no such interval")
	f("FREQ=DAILY", morning, 90*time.Second, "it does not begin and end with a minute")
}
