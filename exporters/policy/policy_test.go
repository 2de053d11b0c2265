package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
)

var t0 = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func decision(subject, what string, at int, count int64) event.Event {
	when := t0.Add(time.Duration(at) * time.Minute)
	return policy.Decision{
		Origin: event.NewOrigin("kyverno", "k8s/event/"+subject, fmt.Sprint(what, at), when, when),
		Engine: "kyverno", Policy: "p" + subject, Decision: what, Namespace: "payments", Count: count,
	}.Event()
}

type fatal interface{ Fatal(...any) }

func opened(t fatal, j counters.Journal, options policy.Options) *counters.Counters {
	c, err := counters.Open(j, t0, policy.New(options))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func totals(t fatal, c *counters.Counters) map[string]uint64 {
	s, err := c.Read(t0, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name == "policy.decisions" {
				all[p.Attrs.Text(event.PolicyDecision)] += p.Count
			}
		}
	}
	return all
}

// TestRequestsInAnyOrder: the total is what the engine counted in the end, in whatever order and however often it is
// heard of, and however often counters are opened again.
func TestRequestsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []event.Event
		var want uint64
		for i := range rapid.IntRange(1, 5).Draw(t, "subjects") {
			count := int64(0)
			for range rapid.IntRange(1, 5).Draw(t, "updates") {
				count += int64(rapid.IntRange(1, 10).Draw(t, "more"))
				all = append(all, decision(fmt.Sprint(i), policy.Deny, 0, count))
			}
			want += uint64(count)
		}
		all = append(all, all...)
		j := &exportertest.Journal{}
		c := opened(t, j, policy.Options{})
		for _, e := range rapid.Permutation(all).Draw(t, "order") {
			if err := c.Add(e); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "compact") {
				if err := c.Compact(); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.Bool().Draw(t, "open again") {
				c = opened(t, j, policy.Options{})
			}
		}
		if diff := cmp.Diff(map[string]uint64{policy.Deny: want}, totals(t, c)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestObjects: what is said of an object counts when it changes.
func TestObjects(t *testing.T) {
	c := opened(t, &exportertest.Journal{}, policy.Options{})
	f := func(want uint64, what string, at int) {
		t.Helper()
		if err := c.Add(decision("x", what, at, 0)); err != nil {
			t.Fatal(err)
		}
		if got := totals(t, c)[policy.Audit]; got != want {
			t.Errorf("after %q at %d: %d violations, want %d", what, at, got, want)
		}
	}
	f(1, policy.Audit, 1)
	f(1, policy.Audit, 10)
	f(1, "", 5) // is from before that
	f(1, "", 20)
	f(2, policy.Audit, 30)
	f(3, policy.Audit, 30+24*60+1)
}

func TestBounds(t *testing.T) {
	c := opened(t, &exportertest.Journal{}, policy.Options{MaxSeries: 10, MaxSubjects: 20})
	for i := range 100 {
		if err := c.Add(decision(fmt.Sprint(i), policy.Deny, i, 2)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Read(t0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := totals(t, c); got[policy.Deny] != 200 || len(s.Families[0].Points) != 11 {
		t.Errorf("%v in %d series, want 200 in 11", got, len(s.Families[0].Points))
	}
}
