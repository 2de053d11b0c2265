package secrets_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
)

var t0 = time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)

// at returns a time some hours after t0.
func at(hours float64) time.Time {
	return t0.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Second)
}

const mount = "vault//database/static-role"

var app = secrets.Secret{Store: "vault", Kind: "static-role", Scope: "database", Name: "app", Owner: "payments"}

// daily is due every 24 hours, in time for 2 hours more.
var daily = secrets.Policy{Interval: 24 * time.Hour, Window: time.Hour, Grace: time.Hour}

// story plays what is said of the secret app, at hours since t0.
type story struct {
	t       *testing.T
	journal *journal
	c       *counters.Counters
}

func newStory(t *testing.T) *story {
	s := &story{t: t, journal: &journal{}}
	s.restart()
	return s
}

// restart opens the counters again.
func (s *story) restart() {
	c, err := counters.Open(s.journal, t0, secrets.New(secrets.Options{}))
	if err != nil {
		s.t.Fatal(err)
	}
	s.c = c
}

func (s *story) add(events ...event.Event) {
	s.t.Helper()
	if err := s.c.Add(events...); err != nil {
		s.t.Fatal(err)
	}
}

// says adds a state: that app was last rotated at an hour, as it is at another.
func (s *story) says(now, rotated float64, change ...func(*secrets.State)) {
	s.t.Helper()
	policy := daily
	state := secrets.State{
		Origin: event.NewOrigin("vault", mount+"/app", fmt.Sprint("state/", now), at(now), at(now)),
		Secret: app, Rotated: at(rotated), Mode: secrets.Active, Policy: &policy,
	}
	for _, c := range change {
		c(&state)
	}
	s.add(state.Event())
}

// listed says that nothing else has changed since the poller began.
func (s *story) listed(now, since float64) {
	s.t.Helper()
	s.add(secrets.Listing{Origin: event.NewOrigin("vault", mount, fmt.Sprint("listed/", now), at(now), at(now)), Since: at(since)}.Event())
}

func (s *story) attempt(now float64, result secrets.Result, key string) {
	s.t.Helper()
	s.add(secrets.Attempt{
		Origin: event.NewOrigin("vault", mount+"/app", "attempt/"+key, at(now), at(now)), Secret: app, Result: result, Trigger: "manual",
	}.Event())
}

// clock tells the time each half hour.
func (s *story) clock(from, to float64) {
	s.t.Helper()
	for now := from; now <= to; now += 0.125 {
		if _, err := s.c.Read(at(now), 0); err != nil {
			s.t.Fatal(err)
		}
	}
}

// want compares what was counted, at an hour: outcomes by reason, due and attempts, without what is 0.
func (s *story) want(now float64, want map[string]uint64) {
	s.t.Helper()
	if diff := cmp.Diff(want, totals(s.read(now))); diff != "" {
		s.t.Errorf("at %v hours (-want +got):\n%s", now, diff)
	}
}

func (s *story) read(now float64) metric.Snapshot {
	s.t.Helper()
	snapshot, err := s.c.Read(at(now), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return snapshot
}

func totals(s metric.Snapshot) map[string]uint64 {
	got := map[string]uint64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			key := f.Name
			for _, name := range []string{event.Outcome, event.RotationReason, event.RotationResult, event.RotationTrigger} {
				if text := p.Attrs.Text(name); text != "" {
					key += " " + text
				}
			}
			if p.Count > 0 && f.Name != "platform.events.received" {
				got[strings.TrimPrefix(key, "secret.rotation.")] += p.Count
			}
		}
	}
	return got
}

// gauge returns the sum of a gauge.
func (s *story) gauge(now float64, name string) (sum float64) {
	s.t.Helper()
	for _, f := range s.read(now).Families {
		if f.Name == name {
			for _, p := range f.Points {
				sum += p.Value
			}
		}
	}
	return sum
}

func TestRotatedInTime(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.clock(1, 25)
	s.want(25, map[string]uint64{"due": 1})
	s.says(25.2, 24.5)
	s.want(26, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1})
	s.says(50, 26.4, func(s *secrets.State) { s.Rotated = at(48.7) })
	s.want(50, map[string]uint64{"due": 2, "outcomes good": 2, "attempts success unknown": 2})
	if n := s.gauge(50, "secret.rotation.overdue"); n != 0 {
		t.Errorf("%v overdue", n)
	}
	if age := s.gauge(50, "secret.rotation.age"); age != 1.3*3600 {
		t.Errorf("age %v, want %v", age, 1.3*3600)
	}
}

// TestSilentStop: rotation stops, and the source goes on to say when it last was.
func TestSilentStop(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	for now := 1.0; now < 25.9; now += 0.25 {
		s.listed(now, 1)
	}
	s.clock(1, 25.9)
	s.want(25.9, map[string]uint64{"due": 1})
	s.listed(26.1, 1)
	s.want(26.2, map[string]uint64{"due": 1, "outcomes bad missed": 1})
	if n := s.gauge(26.2, "secret.rotation.overdue"); n != 1 {
		t.Errorf("%v overdue, want 1", n)
	}
	s.clock(26.2, 47)
	s.listed(51, 1)
	s.clock(47, 51)
	s.want(51, map[string]uint64{"due": 2, "outcomes bad missed": 2}) // again each period
	s.says(60, 59.9)
	s.want(60, map[string]uint64{"due": 2, "outcomes bad missed": 2, "attempts success unknown": 1})
	if n := s.gauge(60, "secret.rotation.overdue"); n != 0 {
		t.Errorf("%v overdue, want none", n)
	}
	s.clock(60, 84)
	s.want(84, map[string]uint64{"due": 3, "outcomes bad missed": 2, "attempts success unknown": 1})
}

// TestNobodySpeaks: the source is not heard of any more; that is neither good nor bad until grace and silence are over.
func TestNobodySpeaks(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.clock(1, 26.2)
	s.want(26.2, map[string]uint64{"due": 1})
	s.clock(26.2, 26.3)
	s.want(26.3, map[string]uint64{"due": 1, "outcomes bad unheard": 1})
}

// TestRestartWhileDue: the collector is away while a rotation comes due and happens. It asks before it judges.
func TestRestartWhileDue(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.clock(1, 23)
	s.restart()
	s.want(40, map[string]uint64{"due": 1}) // nobody was asked yet
	s.says(40.1, 24.5)
	s.clock(40.1, 41)
	s.want(41, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1})

	s.restart()
	s.clock(60, 61) // and nobody says anything
	s.want(61, map[string]uint64{"due": 2, "outcomes good": 1, "outcomes bad unheard": 1, "attempts success unknown": 1})
}

func TestFailedAttempts(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.attempt(24.1, secrets.Failed, "a")
	s.attempt(24.1, secrets.Failed, "a") // a copy
	s.attempt(24.2, secrets.Abandoned, "b")
	s.says(24.5, 24.4)
	s.want(24.5, map[string]uint64{
		"due": 1, "outcomes good": 1, "attempts failure manual": 1, "attempts abandoned manual": 1, "attempts success unknown": 1,
	})
	s.attempt(48.5, secrets.Failed, "c")
	s.clock(24.5, 52)
	s.want(52, map[string]uint64{
		"due": 2, "outcomes good": 1, "outcomes bad failed": 1,
		"attempts failure manual": 2, "attempts abandoned manual": 1, "attempts success unknown": 1,
	})
}

// TestEarlyAndManual: a rotation long before it is due begins the interval anew and is no rotation that was due. One that
// an audit log and a poll both report is one.
func TestEarlyAndManual(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.attempt(10, secrets.Succeeded, "by hand")
	s.says(10.1, 10)
	s.clock(10.1, 33.9)
	s.want(33.9, map[string]uint64{"attempts success manual": 1})
	s.clock(33.9, 34)
	s.want(34, map[string]uint64{"due": 1, "attempts success manual": 1})
	s.attempt(57.9, secrets.Succeeded, "late by hand")
	s.attempt(60, secrets.Succeeded, "shortly before it is due")
	s.want(60, map[string]uint64{"due": 1, "outcomes bad late": 1, "attempts success manual": 3})
}

func TestFirstSight(t *testing.T) {
	f := func(rotated time.Time, judged float64, want map[string]uint64) {
		t.Helper()
		s := newStory(t)
		s.says(100, 0, func(s *secrets.State) { s.Rotated = rotated })
		s.clock(100, 100.2)
		s.listed(judged, 100)
		s.want(judged+0.1, want)
	}
	f(time.Time{}, 100.1, map[string]uint64{})                                 // of the past nothing is known
	f(time.Time{}, 127, map[string]uint64{"due": 1, "outcomes bad missed": 1}) // but what is due from now on
	f(at(0), 100.1, map[string]uint64{"due": 1, "outcomes bad missed": 1})     // overdue, once, not for each day
	f(at(95), 100.1, map[string]uint64{})                                      // in time
	f(at(100).Add(time.Minute), 100.1, map[string]uint64{})                    // by a clock that is ahead
	f(at(9000), 126.5, map[string]uint64{"due": 1, "outcomes bad missed": 1})  // a clock that can not be believed
}

func TestPaused(t *testing.T) {
	mode := func(m secrets.Mode) func(*secrets.State) { return func(s *secrets.State) { s.Mode = m } }
	s := newStory(t)
	s.says(1, 0)
	s.says(20, 0, mode(secrets.Paused))
	s.clock(20, 27)
	s.want(27, map[string]uint64{"due": 1, "outcomes excluded paused": 1})
	s.says(60, 0, mode(secrets.Active))
	s.clock(60, 61.9)
	s.want(61.9, map[string]uint64{"due": 2, "outcomes excluded paused": 1})
	s.says(61.95, 61.9)
	s.want(62, map[string]uint64{"due": 2, "outcomes excluded paused": 1, "outcomes good": 1, "attempts success unknown": 1})
	s.says(63, 61.9, mode(secrets.Disabled))
	s.clock(63, 90)
	s.want(90, map[string]uint64{
		"due": 3, "outcomes excluded paused": 1, "outcomes good": 1, "attempts success unknown": 1, "outcomes bad disabled": 1,
	})
}

func TestRemoved(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.clock(1, 25)
	s.listed(25, 24.9) // the new poller did not find it
	s.clock(25, 60)
	s.want(60, map[string]uint64{"due": 1, "outcomes excluded removed": 1})
	if n := s.gauge(60, "secret.rotation.tracked"); n != 0 {
		t.Errorf("%v followed, want none", n)
	}
	s.says(61, 0) // it is back, and overdue
	s.listed(61.1, 61)
	s.want(61.1, map[string]uint64{"due": 2, "outcomes excluded removed": 1, "outcomes bad missed": 1})
}

// TestRemovedBefore: that a secret was deleted is heard of after it was made again, or before the poller had the time to
// tell that it is there.
func TestRemovedBefore(t *testing.T) {
	s := newStory(t)
	s.says(10, 9)
	s.add(secrets.Removal{Origin: event.NewOrigin("vault", mount+"/app", "removal", at(9), at(11)), Secret: app}.Event())
	s.listed(11, 10.95)
	if n := s.gauge(12, "secret.rotation.tracked"); n != 1 {
		t.Errorf("%v followed, want 1", n)
	}
	s.add(secrets.Removal{Origin: event.NewOrigin("vault", mount+"/app", "removal2", at(12), at(12)), Secret: app}.Event())
	if n := s.gauge(12, "secret.rotation.tracked"); n != 0 {
		t.Errorf("%v followed, want none", n)
	}
}

func TestPolicyChanges(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	shorter := func(s *secrets.State) { s.Policy.Interval = 6 * time.Hour }
	s.says(20, 0, shorter)
	s.clock(20, 20.1)
	s.want(20.1, map[string]uint64{"due": 1}) // due now, and not since 14 hours
	s.says(21, 20.9, shorter)
	s.want(21, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1})
	s.says(22, 20.9, func(s *secrets.State) { s.Policy.Interval = 0 }) // no policy any more
	s.clock(22, 80)
	s.want(80, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1})
}

// TestUnseen: polls are further apart than rotations, so nobody knows whether what was due was in time.
func TestUnseen(t *testing.T) {
	s := newStory(t)
	s.says(1, 0)
	s.listed(2, 1)
	s.clock(2, 26.1)
	s.says(26.2, 26.15)
	s.want(26.2, map[string]uint64{"due": 1, "outcomes excluded unseen": 1, "attempts success unknown": 1})

	s = newStory(t)
	s.says(1, 0)
	s.listed(25, 1)
	s.clock(2, 26.1)
	s.says(26.2, 26.15)
	s.want(26.2, map[string]uint64{"due": 1, "outcomes bad late": 1, "attempts success unknown": 1})
}

// TestDueTold: the source says when it is due, as cert-manager does, and nothing of an interval.
func TestDueTold(t *testing.T) {
	due := func(hours float64) func(*secrets.State) {
		return func(s *secrets.State) { s.Policy = &secrets.Policy{Due: at(hours), Grace: time.Hour} }
	}
	s := newStory(t)
	s.says(1, 0, due(10))
	s.says(10.5, 10.2, due(20))
	s.want(10.5, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1})
	s.listed(21.5, 0)
	s.clock(20, 60)
	s.says(61, 10.2, due(20))
	s.clock(61, 62)
	s.want(62, map[string]uint64{"due": 2, "outcomes good": 1, "outcomes bad missed": 1, "attempts success unknown": 1})
}

func TestPropagation(t *testing.T) {
	refreshed := func(hours float64) func(*secrets.State) {
		return func(s *secrets.State) { s.Refreshed = at(hours) }
	}
	s := newStory(t)
	s.says(1, 0, refreshed(0.5)) // before anybody looked
	s.says(25, 24, refreshed(0.5))
	s.want(25, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1})
	s.says(25.5, 24, refreshed(24.25))
	s.says(26, 24, refreshed(25.75)) // again, with nothing new
	s.want(26, map[string]uint64{"due": 1, "outcomes good": 1, "attempts success unknown": 1, "propagation": 1})
	for _, f := range s.read(26).Families {
		if f.Name == "secret.rotation.propagation" && f.Points[0].Sum != 900 {
			t.Errorf("took %v s, want 900", f.Points[0].Sum)
		}
	}
}
