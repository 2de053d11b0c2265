package rules

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// At any time the engine says of a schedule what the recurrence rule says, up to the end that the schedule names.
func TestScheduleIsTheRecurrence(t *testing.T) {
	st, err := store.Open("", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		a := slo.Adjustment{
			Meta: slo.Meta{Name: "a"},
			Zone: rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/New_York", "Africa/Casablanca", "Asia/Kolkata"}).Draw(r, "zone"),
			Recurrence: rapid.SampledFrom([]string{
				"", "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=MO,WE,FR", "FREQ=WEEKLY;INTERVAL=2",
				"FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=WEEKLY;BYDAY=SA;COUNT=7", "FREQ=DAILY;BYHOUR=3,22", "FREQ=WEEKLY;BYMONTH=11,12",
				"FREQ=YEARLY", "FREQ=DAILY;UNTIL=20260501T000000Z",
			}).Draw(r, "rule"),
			Start: time.Date(rapid.IntRange(2023, 2027).Draw(r, "year"), 1, 1, 0, rapid.IntRange(0, 500_000).Draw(r, "minute"), 0, 0, time.UTC),
			Duration: slo.Duration(rapid.SampledFrom([]time.Duration{
				time.Minute, 45 * time.Minute, 2 * time.Hour, 20 * time.Hour, 24 * time.Hour, 50 * time.Hour,
			}).Draw(r, "length")),
		}
		late := rapid.SampledFrom([]time.Duration{0, time.Minute, 10 * time.Minute}).Draw(r, "late")
		s, err := scheduleOf(&a, late)
		if err != nil {
			r.Fatal(err)
		}
		if n := terms(s.trains); n > maxTerms {
			r.Fatalf("%d terms", n)
		}
		from := time.Date(firstScheduleYear, 1, 5, 0, 0, 0, 0, time.UTC)
		to := time.Date(lastScheduleYear, 12, 1, 0, 0, 0, 0, time.UTC)
		if !s.until.IsZero() && s.until.Before(to) {
			to = s.until
			if to.Before(a.Start.AddDate(4, 0, 0)) {
				r.Fatalf("the schedule ends at %v", to)
			}
		}
		for range 30 {
			at := from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from)/time.Second)).Draw(r, "at")) * time.Second)
			near := around(r, &a, at)
			if n := len(near); n > 0 && rapid.Bool().Draw(r, "edge") {
				x := near[rapid.IntRange(0, n-1).Draw(r, "of")]
				at = rapid.SampledFrom([]time.Time{x.From, x.To, x.To.Add(late)}).Draw(r, "edge").Add(time.Duration(rapid.SampledFrom([]int{-1, 1}).Draw(r, "by")) * time.Second)
				near = around(r, &a, at)
			}
			if at.Before(from) || !at.Before(to) {
				continue
			}
			if slices.ContainsFunc(near, func(x slo.Interval) bool { return x.From.Equal(at) }) {
				continue // a train has it, a single span has not
			}
			want := 0.0
			for _, x := range near {
				if !at.Before(x.From) && !at.After(x.To.Add(late)) {
					want = 1
				}
			}
			if s.never() && want == 0 {
				continue
			}
			got, err := e.Query(t.Context(), s.expr(), at)
			if err != nil || len(got) != 1 || got[0].V != want {
				r.Fatalf("%v at %v: got %v %v, want %v; %s", &a, at, got, err, want, s.expr())
			}
		}
	})
}

// around returns the occurrences of a at about a time.
func around(r *rapid.T, a *slo.Adjustment, at time.Time) []slo.Interval {
	out, err := a.Occurrences(at.AddDate(0, 0, -40), at.AddDate(0, 0, 40))
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// How much text schedules take.
func TestScheduleTerms(t *testing.T) {
	f := func(zone, rule string, wantTerms, wantUntil int) {
		t.Helper()
		a := slo.Adjustment{Zone: zone, Recurrence: rule, Start: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC), Duration: slo.Duration(2 * time.Hour)}
		s, err := scheduleOf(&a, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if n, until := terms(s.trains), s.until.Year(); n != wantTerms || until != wantUntil {
			t.Errorf("%s in %s: got %d terms until %d, want %d until %d", rule, zone, n, until, wantTerms, wantUntil)
		}
	}
	f("UTC", "FREQ=WEEKLY;BYDAY=SU", 1, 2046)
	f("Europe/Berlin", "FREQ=WEEKLY;BYDAY=SU", 41, 2046)
	f("Europe/Berlin", "FREQ=DAILY", 41, 2046)
	f("UTC", "FREQ=WEEKLY;BYDAY=MO,WE,FR", 3, 2046)
	f("UTC", "FREQ=DAILY;COUNT=10", 1, 1)
	f("UTC", "FREQ=MONTHLY", 64, 2038)
}
