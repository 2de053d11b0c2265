package onboarding_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

var t0 = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func hours(h float64) time.Time { return t0.Add(time.Duration(h * float64(time.Hour))) }

// request asks for a service, or takes it back, by hour.
func request(service, ticket string, at, heard float64, abandoned bool) event.Event {
	key := "requested"
	if abandoned {
		key = "abandoned"
	}
	return onboarding.Request{
		Origin: event.NewOrigin("backstage", "bs/task/"+ticket, key, hours(at), hours(heard)), Service: service, Team: "payments", Abandoned: abandoned,
	}.Event()
}

func deployment(service, tier string, succeeded bool, id int, at, heard float64) event.Event {
	return pipelines.Deployment{
		Origin: event.NewOrigin("github", fmt.Sprint("gh/1/dep/", service, id), "finished", hours(at), hours(heard)),
		Owner:  "acme", Repository: "Acme-" + service, Service: service, Environment: tier, Tier: tier, State: pipelines.Finished, Succeeded: succeeded,
	}.Event()
}

type fatal interface{ Fatal(...any) }

func opened(t fatal, j counters.Journal, options onboarding.Options) *counters.Counters {
	c, err := counters.Open(j, t0, pipelines.New(pipelines.Options{}), onboarding.New(options))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func totals(t fatal, c *counters.Counters, now time.Time) map[string]float64 {
	s, err := c.Read(now, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			switch f.Name {
			case "platform.onboarding.duration":
				all["hours"] += p.Sum / 3600
			case "platform.onboarding.outcomes":
				all[p.Attrs.Text(event.OnboardingOutcome)] += float64(p.Count)
			case "platform.onboarding.requests":
				all["requests"] += float64(p.Count)
			case "platform.onboarding.open":
				all["open"] += p.Value
			case "platform.onboarding.oldest":
				all["oldest hours"] += p.Value / 3600
			}
		}
	}
	for key, v := range all {
		if v == 0 {
			delete(all, key)
		}
	}
	return all
}

func TestStories(t *testing.T) {
	type counts = map[string]float64
	f := func(what string, until float64, want counts, events ...event.Event) {
		t.Helper()
		c := opened(t, &exportertest.Journal{}, onboarding.Options{})
		for _, e := range events {
			totals(t, c, e.Observed)
			if err := c.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, totals(t, c, hours(until))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	ask := func(at float64) event.Event { return request("pay", "1", at, at, false) }
	deploy := func(at float64) event.Event { return deployment("pay", "production", true, int(at), at, at) }
	f("asked for and deployed, twice", 100, counts{"requests": 1, "completed": 1, "hours": 48}, ask(0), ask(0), deploy(48), deploy(60))
	f("waited for", 100, counts{"requests": 1, "open": 1, "oldest hours": 90}, ask(10))
	f("other deployments do not count", 100, counts{"requests": 1, "open": 1, "oldest hours": 100},
		ask(0), deployment("pay", "staging", true, 1, 5, 5), deployment("pay", "production", false, 2, 6, 6), deployment("other", "production", true, 3, 7, 7))
	f("deployed under the name of its repository", 100, counts{"requests": 1, "completed": 1, "hours": 8}, request("acme/acme-PAY", "1", 0, 0, false), deploy(8))
	f("was there already", 100, counts{}, deploy(1), ask(10), deploy(20))
	f("the request is heard of late", 100, counts{"requests": 1, "completed": 1, "hours": 20}, deploy(30), request("pay", "1", 10, 40, false))
	f("an earlier deployment is heard of late", 100, counts{"requests": 1, "completed": 1, "hours": 20}, ask(10), deploy(40), deployment("pay", "production", true, 1, 30, 40.2))
	f("asked for twice", 100, counts{"requests": 1, "completed": 1, "hours": 30}, ask(10), request("pay", "2", 20, 20, false), deploy(40))
	f("failed and tried again", 100, counts{"requests": 1, "completed": 1, "hours": 30},
		ask(10), request("pay", "1", 10.1, 10.1, true), request("pay", "2", 10.2, 10.2, false), deploy(40))
	f("given up", 100, counts{"requests": 1, "abandoned": 1}, ask(10), request("pay", "1", 20, 20, true), request("pay", "1", 20, 21, true), ask(10))
	f("given up and asked for again", 200, counts{"requests": 2, "abandoned": 1, "completed": 1, "hours": 10},
		ask(10), request("pay", "1", 20, 20, true), request("pay", "2", 90, 90, false), deploy(100))
	f("forgotten", 91*24, counts{"requests": 1, "abandoned": 1}, ask(10))
	f("a deployment is nobody's onboarding", 100, counts{}, deploy(1), deploy(2))
}

// TestAnyOrder: what is heard of together is counted the same in any order, with copies, and over restarts: the time from
// the first request to the first deployment.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]float64{}
		var all []event.Event
		for i := range rapid.IntRange(1, 6).Draw(t, "services") {
			name := fmt.Sprint("service", i)
			first, deployed := 1e9, 1e9
			for n := range rapid.IntRange(1, 3).Draw(t, "requests") {
				at := float64(rapid.IntRange(0, 300).Draw(t, "asked"))
				first = min(first, at)
				all = append(all, request(name, fmt.Sprint(name, n), at, 1000, false))
			}
			for n := range rapid.IntRange(0, 3).Draw(t, "deployments") {
				at := float64(rapid.IntRange(0, 600).Draw(t, "deployed"))
				deployed = min(deployed, at)
				all = append(all, deployment(name, "production", true, n, at, 1000))
			}
			switch {
			case deployed == 1e9:
				want["open"]++
				want["requests"]++
			case deployed >= first:
				want["completed"]++
				want["requests"]++
				want["hours"] += deployed - first
			}
		}
		all = append(all, all...)
		j := &exportertest.Journal{}
		c := opened(t, j, onboarding.Options{})
		for _, e := range rapid.Permutation(all).Draw(t, "order") {
			if err := c.Add(e); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "time moves on") {
				totals(t, c, hours(1000))
			}
			if rapid.Bool().Draw(t, "compact") {
				if err := c.Compact(); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.Bool().Draw(t, "open again") {
				c = opened(t, j, onboarding.Options{})
			}
		}
		got := totals(t, c, hours(1001))
		delete(got, "oldest hours")
		for key, v := range want {
			if v == 0 {
				delete(want, key)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestBounds(t *testing.T) {
	c := opened(t, &exportertest.Journal{}, onboarding.Options{MaxSeries: 5, MaxServices: 10})
	for i := range 40 {
		r := onboarding.Request{
			Origin:  event.NewOrigin("backstage", fmt.Sprint("bs/task/", i), "requested", hours(float64(i)), hours(float64(i))),
			Service: fmt.Sprint("service", i), Team: fmt.Sprint("team", i),
		}
		if err := c.Add(r.Event()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Read(hours(40), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Families {
		if len(f.Points) > 5+3 {
			t.Errorf("%s has %d series", f.Name, len(f.Points))
		}
	}
	if got := totals(t, c, hours(40)); got["lost"] != 30 || got["open"] != 10 || got["requests"] < 30 {
		t.Errorf("got %v, want 30 lost, 10 open and the request of each that is lost", got)
	}
}

// TestFamilies: a histogram's bounds have the target of 7 days.
func TestFamilies(t *testing.T) {
	for _, f := range counters.Families(onboarding.New(onboarding.Options{})) {
		if f.Kind == metric.Histogram && !contains(f.Bounds, 7*86_400) {
			t.Errorf("%s has no bound at 7 days: %v", f.Name, f.Bounds)
		}
	}
}

func contains(bounds []float64, want float64) bool {
	for _, b := range bounds {
		if b == want {
			return true
		}
	}
	return false
}
