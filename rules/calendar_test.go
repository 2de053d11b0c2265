package rules

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// The index of a period changes exactly where slo.Window.Bounds says that one ends.
func TestPeriodIndexChangesAtTheBounds(t *testing.T) {
	st, err := store.Open("", store.Options{Replay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"} {
		local := "vector(time()" + zoneOffset(zone) + ")"
		for _, p := range []slo.Period{slo.Week, slo.Month, slo.Quarter, slo.Year} {
			index := func(at time.Time) string {
				got, err := e.Query(context.Background(), fmt.Sprintf("count_values(%q, %s)", labelPeriod, periodIndex(p, local)), at)
				if err != nil || len(got) != 1 {
					t.Fatalf("%s in %s at %v: got %v, %v", p, zone, at, got, err)
				}
				return got[0].Labels[labelPeriod]
			}
			w := slo.Window{Calendar: p, Zone: zone}
			at := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
			for range 14 {
				from, to, err := w.Bounds(at)
				if err != nil {
					t.Fatal(err)
				}
				if a, b := index(from), index(to.Add(-time.Second)); a != b {
					t.Errorf("%s in %s from %v to %v: index goes from %s to %s", p, zone, from, to, a, b)
				}
				if a, b := index(to.Add(-time.Second)), index(to); a == b {
					t.Errorf("%s in %s: index stays %s at %v", p, zone, a, to)
				}
				if to.Sub(from) > longestPeriod(p)-time.Hour {
					t.Errorf("%s in %s from %v to %v is longer than %v", p, zone, from, to, longestPeriod(p))
				}
				at = to.Add(time.Hour)
			}
		}
	}
}

func TestZoneOffset(t *testing.T) {
	if got := zoneOffset("UTC"); got != "" {
		t.Errorf("UTC: got %q", got)
	}
	if got, want := zoneOffset("Asia/Kolkata"), " + 19800"; got != want {
		t.Errorf("Kolkata: got %q, want %q", got, want)
	}
	for _, s := range []string{zoneOffset("Europe/Berlin")} {
		t.Logf("%d characters", len(s))
	}
}
