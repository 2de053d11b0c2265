package report

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/slo"
)

func TestPercent(t *testing.T) {
	f := func(ratio float64, places int, up bool, want string) {
		t.Helper()
		if got := Percent(ratio, places, up); got != want {
			t.Errorf("Percent(%v, %d, %v): want %s, have %s", ratio, places, up, want, got)
		}
	}
	f(0.998999, 1, false, "99.8%")
	f(0.999, 1, false, "99.9%")
	f(0.999, 3, false, "99.900%")
	f(0.9999999, 2, false, "99.99%")
	f(1, 2, false, "100.00%")
	f(1.00004, 1, true, "100.1%")
	f(1e-9, 1, true, "0.1%")
	f(0, 1, true, "0.0%")
	f(-0.00004, 1, false, "-0.1%")
	f(12.345, 1, true, "1,234.5%")
}

func TestReached(t *testing.T) {
	f := func(sli float64, objective slo.Decimal, v Verdict, want string) {
		t.Helper()
		if got := reached(sli, objective, v); got != want {
			t.Errorf("reached(%v, %s, %s): want %s, have %s", sli, objective, v, want, got)
		}
	}
	f(0.998999, "0.999", Missed, "99.899%")
	f(0.9989999999, "0.999", Missed, "99.899%")
	f(0.999, "0.999", Met, "99.900%")
	f(0.999, "0.999", Missed, "99.899%") // so little below that a float does not tell
	f(0.99999999999, "0.999", Met, "99.999%")
	f(1, "0.999", Met, "100%")
	f(0.5, "0.5", Met, "50.00%")
}

// TestReachedLaw: what is shown is on the side of the objective that the verdict says, and never more than was measured.
func TestReachedLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objective := slo.Decimal("0." + strconv.Itoa(rapid.IntRange(5, 99999).Draw(t, "digits")))
		sli := rapid.Float64Range(0, 1).Draw(t, "sli")
		if rapid.Bool().Draw(t, "near") {
			sli = min(max(objective.Float()+float64(rapid.IntRange(-3, 3).Draw(t, "off"))*math.Pow(10, -float64(rapid.IntRange(3, 16).Draw(t, "size"))), 0), 1)
		}
		v := Met
		if decimal(sli).Cmp(objective.Rat()) < 0 {
			v = Missed
		}
		shown, err := strconv.ParseFloat(strings.TrimSuffix(reached(sli, objective, v), "%"), 64)
		if err != nil {
			t.Fatal(err)
		}
		goal, _ := strconv.ParseFloat(strings.TrimSuffix(objective.Percent(), "%"), 64)
		if (v == Met) != (shown >= goal) || shown > 100*sli*(1+1e-15) {
			t.Fatalf("%v of %s is %s and shown as %v%%", sli, objective, v, shown)
		}
	})
}

func TestWords(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("want %q, have %q", want, got)
		}
	}
	f(spent(0.7777)+" "+left(1-0.7777), "77.8% 22.2%")
	f(seconds(2678.4, false)+" "+seconds(2678.4, true)+" "+seconds(-0.5, false), "44m38s 44m39s -1s")
	f(number(1234567, true)+" "+number(0.04, true)+" "+number(304.56, false), "1,234,567 0.1 304.5")
	f(points(0.0321)+" "+points(-0.0321)+" "+points(0), "+3.3 points -3.2 points 0.0 points")
	f(escape("a|b *c* <d> _e_ `f`\n# g"), "a\\|b \\*c\\* &lt;d&gt; \\_e\\_ \\`f\\` \\# g")
	f(groupText(map[string]string{"b": "2", "a": "1"}), "a=1, b=2")
	f(blocks([]Mark{{Left: 1}, {Left: 0.5}, {Left: 0}, {Left: -0.1}}), "█▅▁!")
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := clock{zone}
	f(c.at(time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)), "2026-10-25 02:30 CEST")
	f(c.at(time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)), "2026-10-25 02:30 CET")
	f(c.at(time.Date(2026, 10, 25, 2, 30, 0, 0, time.UTC)), "2026-10-25 03:30")
}
