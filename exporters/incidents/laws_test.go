package incidents_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
)

const day = 3000 // minutes that a history can have

// drawn is a random history of some incidents: what is told in order, and what must be counted of it.
type drawn struct {
	told []told
	want map[string]float64
}

// draw makes up the alerts of incidents, and counts by the definition, minute by minute.
func draw(t *rapid.T) drawn {
	d := drawn{want: map[string]float64{}}
	for i := range rapid.IntRange(1, 4).Draw(t, "incidents") {
		name := fmt.Sprint("service", i)
		var firing [day + 1]bool
		for a := range rapid.IntRange(1, 3).Draw(t, "alerts") {
			at := 0
			for range rapid.IntRange(1, 4).Draw(t, "episodes") {
				start := at + rapid.IntRange(1, 90).Draw(t, "pause")
				at = start + rapid.IntRange(1, 60).Draw(t, "took")
				x := told{alert: fmt.Sprint(name, a), incident: name, start: float64(start), at: float64(start)}
				d.told = append(d.told, x)
				x.state, x.at = incidents.Resolved, float64(at)
				d.told = append(d.told, x)
				for m := start; m < at; m++ {
					firing[m] = true
				}
			}
		}
		d.count(firing[:])
	}
	slices.SortStableFunc(d.told, func(a, b told) int { return int(a.at - b.at) })
	return d
}

// count adds what one incident comes to.
func (d *drawn) count(firing []bool) {
	first, end := -1, -1 // of the clock
	done := func() {
		if first >= 0 {
			d.want["time_to_restore"]++
			d.want["time_to_restore minutes"] += float64(end - first)
		}
	}
	for m := 1; m < len(firing); m++ {
		if firing[m] && !firing[m-1] {
			switch {
			case end < 0:
				d.want["opened new"]++
				first = m
			case m-end <= 30:
				d.want["opened reopened"]++
			default:
				d.want["opened recurred"]++
				done()
				first = m
			}
		}
		if !firing[m] && firing[m-1] {
			end = m
		}
	}
	done()
}

var roughly = cmpopts.EquateApprox(0, 1e-6)

// TestCountingLaws: whatever is told twice, however often time moves on, and however often counters are opened again of a
// journal that is compacted now and then, the totals are those of the definition.
func TestCountingLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, j := draw(t), &exportertest.Journal{}
		c, undisturbed := opened(t, j, incidents.Options{}), counters.New(t0, incidents.New(incidents.Options{}))
		both := func(e event.Event) {
			if err := errors.Join(c.Add(e), undisturbed.Add(e)); err != nil {
				t.Fatal(err)
			}
		}
		for i, x := range d.told {
			both(x.event())
			if rapid.Bool().Draw(t, "a copy follows") {
				again := rapid.SampledFrom(d.told[:i+1]).Draw(t, "copy")
				again.delay = x.at - again.at
				both(again.event())
			}
			if rapid.Bool().Draw(t, "time moves on") {
				read(t, c, minutes(x.at))
				read(t, undisturbed, minutes(x.at))
			}
			if rapid.Bool().Draw(t, "compact") {
				if err := c.Compact(); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.Bool().Draw(t, "open again") {
				c = opened(t, j, incidents.Options{})
			}
		}
		got := read(t, c, minutes(day+100))
		if diff := cmp.Diff(d.want, totals(got), roughly); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		exact := cmp.Comparer(func(a, b event.Attr) bool { return a == b })
		if diff := cmp.Diff(read(t, undisturbed, minutes(day+100)), got, exact); diff != "" {
			t.Fatalf("after a replay of the journal (-want +got):\n%s", diff)
		}
	})
}

// TestAnyOrder: incidents that came once are counted the same in whatever order they are heard of, each message once or
// several times.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []told
		want := map[string]float64{}
		for i := range rapid.IntRange(1, 8).Draw(t, "incidents") {
			name, start := fmt.Sprint(i), float64(rapid.IntRange(0, 100).Draw(t, "start"))
			x := told{alert: name, incident: name, at: start, start: start, pagerduty: rapid.Bool().Draw(t, "pagerduty")}
			all = append(all, x)
			took := float64(rapid.IntRange(1, 100).Draw(t, "took"))
			x.state, x.at = incidents.Resolved, start+took
			all = append(all, x, x)
			want["opened new"]++
			want["time_to_restore"]++
			want["time_to_restore minutes"] += took
		}
		c := counters.New(t0, incidents.New(incidents.Options{}))
		for i, x := range rapid.Permutation(all).Draw(t, "order") {
			x.delay = 1000 + float64(i) - x.at
			add(t, c, x.event())
		}
		if diff := cmp.Diff(want, totals(read(t, c, minutes(2000))), roughly); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// TestLostWebhooks: whatever webhooks are lost or kept back by silences, lists that are asked for every minute give every
// incident, and its time less than a minute short.
func TestLostWebhooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counters.New(t0, incidents.New(incidents.Options{}))
		type episode struct {
			start, end, silenced float64
		}
		var episodes []episode
		at := 0.0
		for range rapid.IntRange(1, 5).Draw(t, "episodes") {
			start := at + float64(rapid.IntRange(45, 200).Draw(t, "pause")) + .5
			end := start + float64(rapid.IntRange(2, 60).Draw(t, "took")) + float64(rapid.IntRange(0, 9).Draw(t, "tenths"))/10
			at = math.Ceil(end)
			episodes = append(episodes, episode{start, end, start + float64(rapid.IntRange(1, 100).Draw(t, "silenced after"))})
		}
		truth := 0.0
		next := 0
		for m := 1.0; m < at+60; m++ {
			if next < len(episodes) {
				e := episodes[next]
				x := told{alert: "1", incident: "x", start: e.start, at: e.start}
				if m-1 < e.start && e.start <= m && rapid.Bool().Draw(t, "the beginning is told") {
					add(t, c, x.event())
				}
				if m-1 < e.end && e.end <= m {
					truth += e.end - e.start
					next++
					x.state, x.at = incidents.Resolved, e.end
					if e.silenced > e.end && rapid.Bool().Draw(t, "the end is told") {
						add(t, c, x.event())
					}
				}
				if e.start <= m && m < e.end {
					x.state, x.at, x.condition = incidents.Seen, m, "triggered"
					if m >= e.silenced {
						x.condition = "silenced"
					}
					add(t, c, x.event())
				}
			}
			add(t, c, listed(m))
			read(t, c, minutes(m))
		}
		got := totals(read(t, c, minutes(at+100)))
		n := float64(len(episodes))
		took := got["time_to_restore minutes"]
		if got["opened new"] != 1 || got["opened recurred"] != n-1 || got["time_to_restore"] != n || took > truth+1e-6 || took < truth-n {
			t.Fatalf("got %v of %v, which took %v minutes", got, episodes, truth)
		}
	})
}

// TestLedger: what is counted survives in a ledger on disk, compacted or not.
func TestLedger(t *testing.T) {
	dir := t.TempDir()
	var want map[string]float64
	for i := range 6 {
		l, err := ledger.Open(dir, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := opened(t, l, incidents.Options{})
		if diff := cmp.Diff(want, totals(read(t, c, minutes(float64(100*i)))), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("opened for the %d. time (-want +got):\n%s", i+1, diff)
		}
		x := told{alert: "1", incident: "x", start: float64(100*i + 1), at: float64(100*i + 1)}
		add(t, c, x.event())
		x.state, x.at = incidents.Resolved, x.at+10
		add(t, c, x.event())
		if i%2 == 0 {
			if err := c.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		want = totals(read(t, c, minutes(float64(100*(i+1)))))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want["time_to_restore"] != 6 || want["opened recurred"] != 5 {
		t.Errorf("got %v, want 6 of which 5 recurred", want)
	}
}
