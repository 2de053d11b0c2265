package pipelines_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// delivered is what a service did, in order, and what must be counted of it.
type delivered struct {
	events []event.Event
	kinds  map[string]uint64 // of finished deployments, by "status kind"
	leads  []float64         // minutes
	queued map[string]int    // tasks that a runner took, by pool
}

// drawService plays a service by the definition: commits in a line, each deployed by the first success of a revision
// that is not behind it. Number is the service's, and nothing of it is anything of another.
func drawService(t *rapid.T, number int) delivered {
	d := delivered{kinds: map[string]uint64{}, queued: map[string]int{}}
	name := fmt.Sprint("service", number)
	first := number * 1000
	made := map[int]float64{}
	head, arrived, at := first, -1, 0.0
	var order []int // what ran, oldest first
	for i := range rapid.IntRange(1, 12).Draw(t, "steps") {
		at += float64(rapid.IntRange(1, 500).Draw(t, "minutes"))
		switch rapid.SampledFrom([]string{"commit", "commit", "deploy", "deploy", "job"}).Draw(t, "step") {
		case "commit":
			head++
			made[head] = at
			d.events = append(d.events, commit(head, head-1, at))
		case "job":
			pool := rapid.SampledFrom([]string{"linux", "gpu"}).Draw(t, "pool")
			d.queued[pool]++
			j := job{id: first + i, at: at, pool: pool}
			for _, state := range []pipelines.State{pipelines.Pending, pipelines.Executing, pipelines.Finished} {
				j.state, j.began = state, at
				d.events = append(d.events, j.event())
			}
		case "deploy":
			if head == first {
				continue
			}
			rev := rapid.IntRange(first+1, head).Draw(t, "revision")
			dep := deploys{id: first + i, at: at, revision: rev, service: name, status: rapid.SampledFrom([]string{"", "", "failed", "cancelled"}).Draw(t, "status")}
			start := dep
			start.status = "started"
			d.events = append(d.events, start.event(), dep.event())
			kind := "deploy"
			current := -1
			if len(order) > 0 {
				current = order[len(order)-1]
			}
			switch before := slices.Index(order, rev); {
			case current == rev:
				kind = "redeploy"
			case before >= 0 && before < slices.Index(order, current):
				kind = "rollback"
			case before >= 0:
				kind = "redeploy"
			case rev <= arrived:
				kind = "rollback"
			}
			status := dep.status
			if status == "" {
				status = "succeeded"
				order = append(order, rev)
			}
			d.kinds[status+" "+kind]++
			if status != "succeeded" || kind != "deploy" {
				continue
			}
			for c := max(arrived, rev-1) + 1; arrived < 0 && c <= rev; c++ {
				d.leads = append(d.leads, at-made[c])
			}
			for c := arrived + 1; arrived >= 0 && c <= rev; c++ {
				d.leads = append(d.leads, at-made[c])
			}
			arrived = max(arrived, rev)
		}
	}
	return d
}

// TestDeploymentLaws: services that have nothing to do with each other are counted as the definition says, in whatever
// order their deliveries mix, however often each comes, and over restarts; and every event is counted as received once.
func TestDeploymentLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []delivered
		left := 0
		for number := range rapid.IntRange(1, 4).Draw(t, "services") {
			all = append(all, drawService(t, number+1))
			left += len(all[number].events)
		}
		j := &journal{}
		c, undisturbed := opened(t, j, pipelines.Options{}), counters.New(t0, pipelines.New(pipelines.Options{}))
		var sent []event.Event
		add := func(e event.Event) {
			sent = append(sent, e)
			if err := errors.Join(c.Add(e), undisturbed.Add(e)); err != nil {
				t.Fatal(err)
			}
		}
		next := make([]int, len(all))
		for ; left > 0; left-- {
			var open []int
			for s := range all {
				if next[s] < len(all[s].events) {
					open = append(open, s)
				}
			}
			s := rapid.SampledFrom(open).Draw(t, "service")
			add(all[s].events[next[s]])
			next[s]++
			if rapid.Bool().Draw(t, "a copy follows") {
				add(rapid.SampledFrom(sent).Draw(t, "copy"))
			}
			if rapid.Bool().Draw(t, "compact") {
				if err := c.Compact(); err != nil {
					t.Fatal(err)
				}
			}
			if rapid.Bool().Draw(t, "open again") {
				c = opened(t, j, pipelines.Options{})
			}
		}
		compareWith(t, all, reading(c))
		var received uint64
		for _, n := range verdicts(reading(c)) {
			received += n
		}
		if received != uint64(len(sent)) {
			t.Fatalf("%d events received, want %d", received, len(sent))
		}
		for _, got := range []*counters.Counters{c, opened(t, j, pipelines.Options{})} {
			if diff := gocmp.Diff(reading(undisturbed), reading(got), exact); diff != "" {
				t.Fatalf("after a replay of the journal (-want +got):\n%s", diff)
			}
		}
	})
}

func compareWith(t *rapid.T, all []delivered, s metric.Snapshot) {
	queued := map[string]int{}
	for number, d := range all {
		name := fmt.Sprint("service", number+1)
		kinds, leads, sum := map[string]uint64{}, uint64(0), 0.0
		for _, f := range s.Families {
			for _, p := range f.Points {
				if p.Attrs.Text(event.Service) != name || p.Count == 0 {
					continue
				}
				switch f.Name {
				case "deployment.outcomes":
					kinds[p.Attrs.Text(event.DeploymentState)+" "+p.Attrs.Text(event.DeploymentKind)] = p.Count
				case leadTime:
					leads, sum = p.Count, p.Sum
				default:
					t.Fatalf("%s has %s %v", name, f.Name, p)
				}
			}
		}
		if diff := gocmp.Diff(d.kinds, kinds); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", name, diff)
		}
		want := 0.0
		for _, lead := range d.leads {
			want += lead * 60
		}
		if leads != uint64(len(d.leads)) || sum != want {
			t.Fatalf("%s: %d lead times of %g s together, want %d of %g s", name, leads, sum, len(d.leads), want)
		}
		for pool, n := range d.queued {
			queued[pool] += n
		}
	}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if pool := p.Attrs.Text(event.RunnerPool); f.Name == queueDuration && p.Count != uint64(queued[pool]) {
				t.Fatalf("%d tasks of %s, want %d", p.Count, pool, queued[pool])
			}
		}
	}
}

// TestAttributes: a point has no other attributes than its family declares, and none that names a run, a commit or a
// branch.
func TestAttributes(t *testing.T) {
	declared := map[string][]string{}
	for _, f := range counters.Families(pipelines.New(pipelines.Options{})) {
		declared[f.Name] = append(f.Attributes, event.Overflow)
		for _, name := range []string{event.RunID, event.TaskID, event.DeploymentID, event.Revision, event.BaseRevision} {
			if slices.Contains(f.Attributes, name) {
				t.Errorf("%s has %s", f.Name, name)
			}
		}
	}
	seen := map[string]bool{}
	for _, f := range whole(realDeliveries(t)).Families {
		for _, p := range f.Points {
			seen[f.Name] = true
			for _, a := range p.Attrs {
				if !slices.Contains(declared[f.Name], a.Name) {
					t.Errorf("%s: undeclared attribute %s", f.Name, a.Name)
				}
			}
		}
	}
	for name := range declared {
		if !seen[name] {
			t.Errorf("the fixtures have no point of %s", name)
		}
	}
}
