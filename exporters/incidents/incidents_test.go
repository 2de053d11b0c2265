package incidents_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
)

// TestStories plays one incident each, by the minute. Open incidents are looked at in the end.
func TestStories(t *testing.T) {
	fire := func(alert string, start float64) event.Event {
		return told{alert: alert, incident: "x", at: start, start: start}.event()
	}
	end := func(alert string, start, at float64) event.Event {
		return told{alert: alert, incident: "x", state: incidents.Resolved, at: at, start: start}.event()
	}
	seen := func(at, start float64, condition string) event.Event {
		return told{alert: "1", incident: "x", state: incidents.Seen, at: at, start: start, condition: condition}.event()
	}
	page := func(state incidents.State, at float64) event.Event {
		return told{alert: "p", incident: "x", state: state, at: at, pagerduty: true}.event()
	}
	late := func(x told, delay float64) event.Event { x.incident, x.delay = "x", delay; return x.event() }
	type counts = map[string]float64
	f := func(what string, until float64, want counts, events ...event.Event) {
		t.Helper()
		if diff := cmp.Diff(want, played(t, incidents.Options{}, until, events...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	f("fires and ends", 100, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 20}, fire("1", 10), end("1", 10, 30))
	f("the end is not final", 60, counts{"opened new": 1}, fire("1", 10), end("1", 10, 30))
	f("goes on", 100, counts{"opened new": 1, "open triggered": 1, "oldest": 90 * 60}, fire("1", 10))
	f("repeats and retries", 100, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 20},
		fire("1", 10), late(told{alert: "1", at: 10, start: 10}, 5), end("1", 10, 30), end("1", 10, 30), late(told{alert: "1", at: 10, start: 10}, 25))
	f("two alerts", 100, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 30},
		fire("1", 10), fire("2", 20), end("1", 10, 30), end("2", 20, 40))
	f("again soon", 200, counts{"opened new": 1, "opened reopened": 1, "time_to_restore": 1, "time_to_restore minutes": 70},
		fire("1", 10), end("1", 10, 30), fire("1", 60), end("1", 60, 80))
	f("again later", 200, counts{"opened new": 1, "opened recurred": 1, "time_to_restore": 2, "time_to_restore minutes": 40},
		fire("1", 10), end("1", 10, 30), fire("1", 61), end("1", 61, 81))
	f("again much later", 50*24*60, counts{"opened new": 2, "time_to_restore": 2, "time_to_restore minutes": 40},
		fire("1", 10), end("1", 10, 30), fire("1", 31*24*60), end("1", 31*24*60, 31*24*60+20))
	f("the end comes alone", 100, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 20}, end("1", 10, 30), late(told{alert: "1", at: 10, start: 10}, 21))
	f("an end is lost", 200, counts{"opened new": 1, "opened recurred": 1, "time_to_restore": 2, "time_to_restore minutes": 27},
		fire("1", 10), late(told{alert: "1", at: 10, start: 10}, 7), fire("1", 80), end("1", 80, 100))
	f("nobody speaks of it any more", 32*24*60, counts{"opened new": 1, "excluded lost": 1}, fire("1", 10))
	f("written down when it was over", 100, counts{"opened new": 1, "excluded instant": 1}, fire("1", 10), end("1", 10, 10))

	f("silenced, and its end not told", 100, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 12},
		fire("1", 10), seen(12, 10, "silenced"), listed(12), seen(22, 10, "silenced"), listed(22), listed(26), listed(28))
	f("silenced", 60, counts{"opened new": 1, "open silenced": 1, "oldest": 50 * 60}, fire("1", 10), seen(12, 10, "silenced"), listed(12))
	f("gone so quickly that no list had it, told by one who is known", 200,
		counts{"opened new": 1, "opened recurred": 1, "time_to_restore": 2, "time_to_restore minutes": 12},
		fire("1", 10), seen(12, 10, "triggered"), listed(12), end("1", 10, 20), listed(30),
		late(told{alert: "2", at: 90, start: 90}, 2), listed(93), listed(100))
	f("missing for a moment", 150, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 40},
		fire("1", 10), seen(12, 10, "triggered"), listed(12), listed(16), seen(18, 10, "triggered"), listed(18), seen(45, 10, "triggered"), end("1", 10, 50))
	f("missing for longer", 150, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 40},
		fire("1", 10), seen(12, 10, "triggered"), listed(12), listed(20), seen(21, 10, "triggered"), listed(21), seen(45, 10, "triggered"), end("1", 10, 50))
	f("the end is told after it was missed", 150, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 5},
		fire("1", 10), seen(12, 10, "triggered"), listed(12), listed(20), late(told{alert: "1", state: incidents.Resolved, at: 15, start: 10}, 10))
	f("in a list first", 100, counts{"opened new": 1, "time_to_restore": 1, "time_to_restore minutes": 20},
		seen(12, 10, "triggered"), listed(12), late(told{alert: "1", at: 10, start: 10}, 3), end("1", 10, 30))
	f("maintenance", 100, counts{}, seen(12, 10, "maintenance"), listed(12), listed(30))
	f("behind another", 100, counts{}, seen(12, 10, "inhibited"), listed(12), listed(30))
	f("after maintenance", 100, counts{"opened new": 1, "open triggered": 1, "oldest": 90 * 60}, seen(12, 10, "maintenance"), listed(12), fire("1", 10))
	f("another's list", 100, counts{"opened new": 1, "open triggered": 1, "oldest": 90 * 60}, fire("1", 10), listed(12), listed(60))

	f("acknowledged", 60, counts{"opened new": 1, "open acknowledged": 1, "oldest": 3600, "time_to_ack": 1, "time_to_ack minutes": 5},
		page(incidents.Opened, 0), page(incidents.Acknowledged, 5), page(incidents.Acknowledged, 7))
	f("acknowledgement comes alone", 100, counts{"opened new": 1, "time_to_ack": 1, "time_to_ack minutes": 5, "time_to_restore": 1, "time_to_restore minutes": 20},
		page(incidents.Acknowledged, 5), page(incidents.Opened, 0), page(incidents.Resolved, 20))
	f("reopened", 200, counts{"opened new": 1, "opened reopened": 1, "time_to_restore": 1, "time_to_restore minutes": 40},
		page(incidents.Opened, 0), page(incidents.Resolved, 20), page(incidents.Reopened, 30), page(incidents.Opened, 0), page(incidents.Resolved, 20), page(incidents.Resolved, 40))
	f("reopened after long", 300, counts{"opened new": 1, "opened reopened": 1, "time_to_restore": 2, "time_to_restore minutes": 30},
		page(incidents.Opened, 0), page(incidents.Resolved, 20), page(incidents.Reopened, 200), page(incidents.Resolved, 210))
}

// TestVerdicts: what is told again changes nothing, and the metric of events says so.
func TestVerdicts(t *testing.T) {
	c := counters.New(t0, incidents.New(incidents.Options{}))
	fire := told{alert: "1", incident: "x", at: 10, start: 10}
	end := fire
	end.state, end.at = incidents.Resolved, 20
	older := fire
	older.start, older.at = 5, 5
	for _, x := range []told{fire, fire, end, end, older} {
		add(t, c, x.event())
	}
	add(t, c, event.Event{Name: event.RunFinished, Source: "github"})
	got := map[string]uint64{}
	for _, f := range read(t, c, minutes(20)).Families {
		for _, p := range f.Points {
			if f.Name == "platform.events.received" {
				got[p.Attrs.Text(event.EventVerdict)] += p.Count
			}
		}
	}
	if diff := cmp.Diff(map[string]uint64{"counted": 2, "duplicate": 2, "late": 1, "unused": 1}, got); diff != "" {
		t.Error(diff)
	}
}

// TestBounds: more incidents, alerts and series than there is room for are counted all the same.
func TestBounds(t *testing.T) {
	c := counters.New(t0, incidents.New(incidents.Options{MaxSeries: 10, MaxIncidents: 20}))
	const many = 100
	for i := range many {
		add(t, c, told{alert: fmt.Sprint(i), incident: fmt.Sprint("service", i), at: float64(i), start: float64(i)}.event())
	}
	s := read(t, c, minutes(many))
	for _, f := range s.Families {
		if f.Name != "platform.events.received" && len(f.Points) > 10+3 {
			t.Errorf("%s has %d series, want at most 10 and those of overflow", f.Name, len(f.Points))
		}
	}
	got := totals(s)
	if got["opened new"] != many || got["excluded evicted"] != many-20 || got["open triggered"] != 20 {
		t.Errorf("got %v, want %d opened, %d evicted, 20 open", got, many, many-20)
	}
	for i := range 150 {
		add(t, c, told{alert: fmt.Sprint("one", i), incident: "one", at: 200, start: 200}.event())
	}
	for i := range 100 {
		add(t, c, told{alert: fmt.Sprint("one", i), incident: "one", state: incidents.Resolved, at: 230, start: 200}.event())
	}
	if got := totals(read(t, c, minutes(300))); got["opened new"] != many+1 || got["time_to_restore minutes"] != 30 {
		t.Errorf("got %v, want one more that took 30 minutes", got)
	}
}

// TestOptionsChange: what is in the journal is counted with the options of its time.
func TestOptionsChange(t *testing.T) {
	j := &exportertest.Journal{}
	c := opened(t, j, incidents.Options{})
	add(t, c, told{alert: "1", incident: "x", at: 0}.event(), told{alert: "1", incident: "x", state: incidents.Resolved, at: 10}.event())
	c = opened(t, j, incidents.Options{Reopen: time.Minute})
	if got := totals(read(t, c, minutes(12))); got["time_to_restore minutes"] != 10 {
		t.Errorf("got %v, want the new options to count", got)
	}
	if diff := cmp.Diff(totals(read(t, c, minutes(12))), totals(read(t, opened(t, j, incidents.Options{}), minutes(12)))); diff != "" {
		t.Error(diff)
	}
}
