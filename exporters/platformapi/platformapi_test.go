package platformapi_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
)

var t0 = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func read(t testing.TB, c *counters.Counters) metric.Snapshot {
	t.Helper()
	s, err := c.Read(t0, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Revision = 0
	return s
}

// metrics leaves out how many copies came
func metrics(s metric.Snapshot) (families []metric.Family) {
	for _, f := range s.Families {
		if f.Name != "platform.events.received" {
			families = append(families, f)
		}
	}
	return families
}

func equal(t testing.TB, what string, want, got []metric.Family) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b event.Attr) bool { return a.Name == b.Name && a.Value() == b.Value() })); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// batch returns number n of an endless row of batches, no two alike.
func batch(n int) []event.Event {
	b := platformapi.NewBatch("kubernetes_audit", t0.Add(time.Duration(n)*time.Second))
	r := rand.New(rand.NewPCG(uint64(n), 1))
	reasons := []string{platformapi.Served, platformapi.ServerError, platformapi.Shed, platformapi.Watch, platformapi.Health}
	for range 50 {
		at := t0.Add(time.Duration(n)*time.Second - time.Duration(r.IntN(5000))*time.Millisecond)
		request := platformapi.Request{
			Service: "api", Method: "GET", Route: fmt.Sprint("/r", r.IntN(5)), Status: fmt.Sprint(200 + r.IntN(3)), Class: "resource",
			Reason: reasons[r.IntN(len(reasons))],
		}
		if r.IntN(3) == 0 {
			b.Request(request, at)
		} else {
			b.Timed(request, at, time.Duration(r.ExpFloat64()*float64(300*time.Millisecond)))
		}
	}
	b.Evaluation(platformapi.Evaluation{Engine: "quota", Name: "compute", Decision: platformapi.Deny, Namespace: fmt.Sprint("team-", n%3)})
	b.Action(platformapi.Action{
		Actor: fmt.Sprint("actor ", n), Namespace: "team", Channel: platformapi.Manual, Target: "pods", Time: t0.Add(time.Duration(n) * time.Second),
	})
	return b.Events(fmt.Sprint(n))
}

// TestShuffle: neither the order of batches nor of their parts, nor copies of them, change anything that is counted.
func TestShuffle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "batches")
		straight, mixed := counters.New(t0, platformapi.New(platformapi.Options{})), counters.New(t0, platformapi.New(platformapi.Options{}))
		var all []event.Event
		for i := range n {
			all = append(all, batch(i)...)
		}
		if err := straight.Add(all...); err != nil {
			rt.Fatal(err)
		}
		all = append(all, batch(rapid.IntRange(0, n-1).Draw(rt, "copy"))...)
		for _, e := range rapid.Permutation(all).Draw(rt, "order") {
			if err := mixed.Add(e); err != nil {
				rt.Fatal(err)
			}
		}
		equal(t, "shuffled", metrics(read(t, straight)), metrics(read(t, mixed)))
	})
}

// TestReplay: counters that were closed and opened, with and without compaction, read as if they never had been.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	undisturbed := counters.New(t0, platformapi.New(platformapi.Options{}))
	for n := range 40 {
		l, err := ledger.Open(dir, ledger.Options{SegmentBytes: 20_000})
		if err != nil {
			t.Fatal(err)
		}
		c, err := counters.Open(l, t0, platformapi.New(platformapi.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, events := range [][]event.Event{batch(n), batch(n * 2 / 3)} { // a copy of an older one
			for _, counting := range []*counters.Counters{c, undisturbed} {
				if err := counting.Add(events...); err != nil {
					t.Fatal(err)
				}
			}
		}
		if l.Due() || n%7 == 0 {
			if err := c.Compact(); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, fmt.Sprint("after ", n), read(t, undisturbed).Families, read(t, c).Families)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSameAction compares the remembered minutes with a list of all changes so far.
func TestSameAction(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := counters.New(t0, platformapi.New(platformapi.Options{}))
		var counted []time.Time
		want := 0
		for _, second := range rapid.SliceOfN(rapid.IntRange(0, 600), 1, 60).Draw(rt, "seconds") {
			at := t0.Add(-time.Hour + time.Duration(second)*time.Second)
			isNew := true
			for _, began := range counted {
				isNew = isNew && at.Sub(began).Abs() >= time.Minute
			}
			if isNew {
				want++
				counted = append(counted, at)
			}
			b := platformapi.NewBatch("x", t0)
			b.Action(platformapi.Action{Actor: "a", Namespace: "n", Channel: "manual", Target: "pods", Time: at})
			if err := c.Add(b.Events("")...); err != nil {
				rt.Fatal(err)
			}
		}
		if got := sum(read(t, c), "platform.actions"); got != uint64(want) {
			rt.Errorf("got %d changes, want %d", got, want)
		}
	})
}

func sum(s metric.Snapshot, name string) (n uint64) {
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name == name {
				n += p.Count
			}
		}
	}
	return n
}

// TestCardinality: whatever comes, a metric has a bounded number of series, and the sums over them stay exact.
func TestCardinality(t *testing.T) {
	c := counters.New(t0, platformapi.New(platformapi.Options{MaxSeries: 20}))
	for n := range 100 {
		b := platformapi.NewBatch("x", t0)
		b.Timed(platformapi.Request{Service: "s", Method: "GET", Route: fmt.Sprint("/r", n), Status: "200", Class: "resource", Reason: "served"}, t0, time.Second)
		b.Request(platformapi.Request{Service: fmt.Sprint("s", n), Reason: "served"}, t0)
		b.Evaluation(platformapi.Evaluation{Engine: "webhook", Name: fmt.Sprint("w", n), Decision: "deny"})
		b.Action(platformapi.Action{Actor: fmt.Sprint(n), Channel: "manual", Target: fmt.Sprint("t", n), Time: t0})
		if err := c.Add(b.Events(fmt.Sprint(n))...); err != nil {
			t.Fatal(err)
		}
	}
	s := read(t, c)
	for name, want := range map[string]uint64{
		"platform.api.requests": 200, "http.server.request.duration": 100, "policy.evaluations": 100, "platform.actions": 100,
	} {
		if got := sum(s, name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
	for _, f := range s.Families {
		if len(f.Points) > 23 {
			t.Errorf("%s has %d series", f.Name, len(f.Points))
		}
	}
	collector := metric.Collector(func() metric.Snapshot { return s })
	if problems, err := testutil.CollectAndLint(collector); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

// TestShed: how a request that was shed counts is an option, and one that may change.
func TestShed(t *testing.T) {
	dir := t.TempDir()
	for _, shed := range []string{"", platformapi.Excluded} {
		l, err := ledger.Open(dir, ledger.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := counters.Open(l, t0, platformapi.New(platformapi.Options{Shed: shed}))
		if err != nil {
			t.Fatal(err)
		}
		b := platformapi.NewBatch("x", t0)
		b.Request(platformapi.Request{Reason: platformapi.Shed}, t0)
		if err := c.Add(b.Events("shed " + shed)...); err != nil {
			t.Fatal(err)
		}
		var outcomes []string
		for _, f := range read(t, c).Families {
			for _, p := range f.Points {
				if f.Name == "platform.api.requests" {
					outcomes = append(outcomes, fmt.Sprint(p.Attrs.Text(event.Outcome), " ", p.Count))
				}
			}
		}
		want := map[string]string{"": "bad 1", platformapi.Excluded: "bad 1 excluded 1"}[shed]
		if got := strings.Join(outcomes, " "); got != want {
			t.Errorf("shed %q: got %q, want %q", shed, got, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForged: what no batch makes is not counted, and does not fill the memory.
func TestForged(t *testing.T) {
	good := batch(1)[0]
	f := func(attrs ...event.Attr) {
		t.Helper()
		c := counters.New(t0, platformapi.New(platformapi.Options{}))
		e := good
		e.Attrs = event.NewSet(attrs...)
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
		if got := sum(read(t, c), "platform.api.requests"); got != 0 {
			t.Errorf("%v counts %d", attrs, got)
		}
	}
	f()
	f(event.Int(event.Count, -5))
	f(event.Int(event.Count, 5), event.Int(event.BatchPart, -1))
	f(event.Int(event.Count, 5), event.Int(event.BatchPart, 1<<40))
	c := counters.New(t0, platformapi.New(platformapi.Options{}))
	for i, buckets := range []string{"", "z:1", "3", "0:-1", "0:zzzzzzzzzzzz", "0:" + strings.Repeat(",", 1000)} {
		e := good
		e.Attrs = event.NewSet(event.Int(event.Count, 5), event.Int(event.BatchPart, int64(i)), event.String(event.RequestReason, "served"),
			event.Float(event.RequestSeconds, 1), event.String(event.RequestBuckets, buckets))
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if s := read(t, c); sum(s, "http.server.request.duration") != 0 || sum(s, "platform.api.requests") != 30 {
		t.Errorf("forged durations are counted: %v", s)
	}
}
