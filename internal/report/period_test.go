package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/report"
)

// TestParsePeriod: calendar periods are those of the zone, with their real length.
func TestParsePeriod(t *testing.T) {
	now := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	parse := func(text, zone string, current bool, from, to, words string, hours float64) {
		t.Helper()
		p, err := report.ParsePeriod(text, now, zone, current)
		if err != nil {
			t.Errorf("%s in %s: %v", text, zone, err)
			return
		}
		if got := p.From.UTC().Format(time.RFC3339) + " " + p.To.UTC().Format(time.RFC3339); got != from+" "+to {
			t.Errorf("%s in %s: want %s to %s, have %s", text, zone, from, to, got)
		}
		if got := p.To.Sub(p.From).Hours(); got != hours || p.String() != words {
			t.Errorf("%s in %s: want %q of %gh, have %q of %gh", text, zone, words, hours, p, got)
		}
	}
	parse("month", "UTC", false, "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", "October 2026", 744)
	parse("month", "UTC", true, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "November 2026", 720)
	parse("2026-10", "Europe/Berlin", false, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "October 2026", 745)
	parse("2026-03", "Europe/Berlin", false, "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "March 2026", 743)
	parse("2026-04", "Australia/Lord_Howe", false, "2026-03-31T13:00:00Z", "2026-04-30T13:30:00Z", "April 2026", 720.5)
	parse("2026-10", "Asia/Kolkata", false, "2026-09-30T18:30:00Z", "2026-10-31T18:30:00Z", "October 2026", 744)
	parse("2026-Q3", "America/New_York", false, "2026-07-01T04:00:00Z", "2026-10-01T04:00:00Z", "quarter 3 of 2026", 2208)
	parse("2026-W01", "UTC", false, "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z", "week 1 of 2026", 168)
	parse("2020-W53", "UTC", false, "2020-12-28T00:00:00Z", "2021-01-04T00:00:00Z", "week 53 of 2020", 168)
	parse("2024", "UTC", false, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2024", 8784)
	parse("2026-03-28/2026-03-30", "Europe/Berlin", false, "2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-28 00:00 to 2026-03-30 00:00", 47)
	parse("2026-03-28T10:00:00Z/2026-03-28T12:30:00+02:00", "UTC", false, "2026-03-28T10:00:00Z", "2026-03-28T10:30:00Z", "2026-03-28 10:00 to 2026-03-28 10:30", 0.5)
	for _, bad := range []string{"", "day", "2026-00", "2026-13", "2026-Q5", "2026-W54", "2026-W00", "2021-W53", "2026-10-01", "2026-10-02/2026-10-01", "a/b"} {
		if p, err := report.ParsePeriod(bad, now, "UTC", false); err == nil {
			t.Errorf("%q is taken as %v", bad, p)
		}
	}
	if _, err := report.ParsePeriod("2026-10", now, "UTC", true); err == nil {
		t.Error("a certain month is taken as the current one")
	}
}

// TestBefore: the period before ends where a period begins.
func TestBefore(t *testing.T) {
	now := time.Date(2026, 4, 2, 15, 0, 0, 0, time.UTC)
	for _, text := range []string{"week", "month", "quarter", "year", "2026-03-01/2026-03-08"} {
		p, err := report.ParsePeriod(text, now, "Europe/Berlin", false)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Before()
		if err != nil || !b.To.Equal(p.From) || !b.From.Before(b.To) || b.Kind != p.Kind {
			t.Errorf("%s: before %v is %v: %v", text, p, b, err)
		}
	}
}

// TestQueriesFitServers: no range query has more points than Prometheus gives, whatever the period, and together they
// ask for each slot once.
func TestQueriesFitServers(t *testing.T) {
	set, _ := manySLOs(t, 60)
	for _, text := range []string{"2026-W41", "2026-10", "2026-03", "2026-Q1", "2025", "2026-03-01/2026-03-02"} {
		p, err := report.ParsePeriod(text, time.Time{}, "Australia/Lord_Howe", false)
		if err != nil {
			t.Fatal(err)
		}
		queries, err := report.Queries(set, report.Options{Period: p, Now: p.To.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		covered := map[string]time.Duration{}
		for _, q := range queries {
			if q.Step == 0 {
				continue
			}
			n := q.To.Sub(q.From)/q.Step + 1
			if n > 11_000 || q.To.Sub(q.From)%q.Step != 0 {
				t.Errorf("%s: query %s asks for %d points", text, q.ID, n)
			}
			if strings.Contains(q.Expr, "s0003x") {
				role, _, _ := strings.Cut(q.ID, "/")
				covered[role] += n * q.Step
			}
		}
		for role, d := range covered {
			if d != p.To.Sub(p.From) {
				t.Errorf("%s: %s covers %v of %v", text, role, d, p.To.Sub(p.From))
			}
		}
		if len(covered) != 5 {
			t.Errorf("%s: range queries of %d kinds, want 5", text, len(covered))
		}
	}
}

// TestBadPeriods: what cannot be reported is refused.
func TestBadPeriods(t *testing.T) {
	set, _ := manySLOs(t, 1)
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	try := func(want string, o report.Options) {
		t.Helper()
		if _, err := report.Queries(set, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, have %v", want, err)
		}
	}
	p := report.Period{Zone: "UTC", From: from, To: from.Add(24 * time.Hour)}
	try("nothing is known yet", report.Options{Period: p, Now: from.Add(time.Hour)})
	try("there is no SLO", report.Options{Period: p, Now: from.Add(48 * time.Hour), SLOs: []string{"none"}})
	try("whole 5m", report.Options{Period: report.Period{Zone: "UTC", From: from, To: from.Add(time.Minute)}, Now: from.Add(48 * time.Hour)})
	try("up to 367 days", report.Options{Period: report.Period{Zone: "UTC", From: from, To: from.AddDate(2, 0, 0)}, Now: from.Add(48 * time.Hour)})
	try("time zone", report.Options{Period: report.Period{Zone: "Mars", From: from, To: p.To}, Now: from.Add(48 * time.Hour)})
}
