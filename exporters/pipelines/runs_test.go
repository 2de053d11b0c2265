package pipelines_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// afterSteps returns what is read at a minute after counters were given the steps.
func afterSteps(t testing.TB, options pipelines.Options, now float64, steps ...step) metric.Snapshot {
	t.Helper()
	var events []event.Event
	for _, s := range steps {
		events = append(events, s.event(t, 0))
	}
	c := added(t, options, events...)
	s, err := c.Read(minutes(now), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFlaky(t *testing.T) {
	f := func(name string, want int, steps ...step) {
		t.Helper()
		s := afterSteps(t, pipelines.Options{}, 60*24*60, append(steps, steps...)...)
		got := points(s, "cicd.pipeline.run.flaky", event.PipelineName)["CI "]
		if want == 0 && got != "" || want > 0 && got != fmt.Sprint(want) {
			t.Errorf("%s: %q flaky runs, want %d", name, got, want)
		}
	}
	const done = "completed"
	bad := step{attempt: 1, at: 10, status: done, result: "failure"}
	good := step{attempt: 2, started: 20, at: 25, status: done, result: "success"}
	f("good at once", 0, step{attempt: 1, at: 10, status: done, result: "success"})
	f("bad for good", 0, bad)
	f("bad, then good", 1, bad, good)
	f("the other way round", 1, good, bad)
	f("good only after it was settled", 1, bad, step{attempt: 2, started: 4000, at: 4005, status: done, result: "success"})
	f("good at the third attempt and the fourth", 1, bad, step{attempt: 2, started: 20, at: 25, status: done, result: "timed_out"},
		step{attempt: 3, started: 30, at: 35, status: done, result: "success"}, step{attempt: 4, started: 40, at: 45, status: done, result: "success"})
	f("cancelled, then good", 0, step{attempt: 1, at: 10, status: done, result: "cancelled"}, good)
	f("nobody told of the first attempt", 0, good)
	f("two runs", 2, bad, good, step{run: 2, attempt: 1, at: 10, status: done, result: "failure"}, step{run: 2, attempt: 2, started: 20, at: 25, status: done, result: "success"})
}

func TestErrors(t *testing.T) {
	const done = "completed"
	s := afterSteps(t, pipelines.Options{}, 60*24*60,
		step{run: 1, attempt: 1, at: 10, status: done, result: "failure"},
		step{run: 1, attempt: 1, at: 10, status: done, result: "failure"},
		step{run: 1, attempt: 2, started: 11, at: 15, status: done, result: "failure"},
		step{run: 2, attempt: 1, at: 10, status: done, result: "timed_out"},
		step{run: 3, attempt: 1, at: 10, status: done, result: "startup_failure"},
		step{run: 4, attempt: 1, at: 10, status: "in_progress"},
		step{run: 5, attempt: 1, at: 10, status: done, result: "cancelled"},
		step{run: 6, attempt: 1, at: 10, status: "waiting"},
		step{run: 7, attempt: 1, at: 10, status: done, result: "success"},
	)
	want := map[string]string{"failure ": "2", "timeout ": "1", "startup_failure ": "1", "lost ": "1"}
	if diff := cmp.Diff(want, points(s, "cicd.pipeline.run.errors", event.ErrorType)); diff != "" {
		t.Error(diff)
	}
	s = afterSteps(t, pipelines.Options{MaxRuns: 1}, 11,
		step{run: 1, attempt: 1, at: 10, status: "in_progress"}, step{run: 2, attempt: 1, at: 11, status: "in_progress"})
	if diff := cmp.Diff(map[string]string{"evicted ": "1"}, points(s, "cicd.pipeline.run.errors", event.ErrorType)); diff != "" {
		t.Error(diff)
	}
}

// TestErrorTypes: a source with many words for an error gets no more than twenty series of them, and one for the rest.
func TestErrorTypes(t *testing.T) {
	var events []event.Event
	for i := range 30 {
		r := pipelines.Run{
			Origin:   event.Origin{Source: "x", Subject: fmt.Sprint("x/", i), Key: fmt.Sprint("x/", i, "/end"), Time: t0, Observed: t0},
			Pipeline: pipelines.Pipeline{Name: "CI"}, State: pipelines.Finished, Result: pipelines.Errored, Error: fmt.Sprint("word", i),
		}
		events = append(events, r.Event())
	}
	got := points(reading(added(t, pipelines.Options{}, events...)), "cicd.pipeline.run.errors", event.ErrorType)
	if len(got) != 21 || got["_OTHER "] != "10" {
		t.Errorf("got %v, want 20 words and ten of _OTHER", got)
	}
}

func TestActive(t *testing.T) {
	steps := []step{
		{run: 1, attempt: 1, at: 1, status: "queued"},
		{run: 2, attempt: 1, at: 2, status: "queued"},
		{run: 3, attempt: 1, at: 3, status: "in_progress"},
		{run: 4, attempt: 1, at: 4, status: "waiting"},
		{run: 5, attempt: 1, at: 5, status: "completed", result: "failure"},
		{run: 6, attempt: 1, at: 6, status: "completed", result: "success"},
		{run: 7, attempt: 1, at: 7, status: "in_progress", workflow: "nightly"},
		{run: 8, attempt: 1, at: 8, status: "completed", result: "success", workflow: "idle"},
	}
	s := afterSteps(t, pipelines.Options{}, 10, steps...)
	want := map[string]string{"CI pending ": "2", "CI executing ": "1", "CI waiting ": "1", "nightly executing ": "1"}
	if diff := cmp.Diff(want, points(s, "cicd.pipeline.run.active", event.PipelineName, event.RunState)); diff != "" {
		t.Error(diff)
	}
	want = map[string]string{"CI pending ": "540", "CI executing ": "420", "CI waiting ": "360", "nightly executing ": "180"}
	if diff := cmp.Diff(want, points(s, "cicd.pipeline.run.oldest", event.PipelineName, event.RunState)); diff != "" {
		t.Error(diff)
	}
	zero := 0
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Kind == metric.Gauge && p.Value == 0 && p.Attrs.Text(event.PipelineName) == "idle" {
				zero++
			}
		}
	}
	if zero != 6 {
		t.Errorf("an idle pipeline has %d gauges at zero, want 6", zero)
	}
	total := 0.0
	for _, f := range afterSteps(t, pipelines.Options{MaxSeries: 2}, 10, steps...).Families {
		if f.Name == "cicd.pipeline.run.active" {
			for _, p := range f.Points {
				total += p.Value
			}
		}
	}
	if total != 5 {
		t.Errorf("%g active runs over all series with a low limit, want 5", total)
	}
}

// TestBranches: the kind of branch and what started a run are part of its outcome, and a record that does not know the
// kind does not take it away.
func TestBranches(t *testing.T) {
	run := func(id int, state pipelines.State, kind, trigger string) event.Event {
		r := pipelines.Run{
			Origin:   event.Origin{Source: "github", Subject: fmt.Sprint("gh/7/run/", id), Key: fmt.Sprint("gh/7/run/", id, "/", state), Time: t0, Observed: t0},
			Pipeline: pipelines.Pipeline{Name: "CI"}, State: state, RefKind: kind, Trigger: trigger,
		}
		if state == pipelines.Finished {
			r.Result = pipelines.Success
		}
		return r.Event()
	}
	c := added(
		t, pipelines.Options{},
		run(1, pipelines.Executing, "default", "push"), run(1, pipelines.Finished, "other", "push"),
		run(2, pipelines.Executing, "other", "push"), run(2, pipelines.Finished, "default", "push"),
		run(3, pipelines.Finished, "change", "change"),
		run(4, pipelines.Finished, "", ""),
	)
	want := map[string]string{"default push final ": "2", "change change final ": "1", "other other final ": "1"}
	for key, n := range map[string]string{"default push first ": "2", "change change first ": "1", "other other first ": "1"} {
		want[key] = n
	}
	if diff := cmp.Diff(want, points(reading(c), "cicd.pipeline.run.outcomes", event.RefKind, event.Trigger, event.Attempt)); diff != "" {
		t.Error(diff)
	}
}

// TestOldState: the state that the version before this one kept, which followed runs alone, is taken up. It has five
// runs: a success, a failure that settled, a run in progress, one that waits and one that timed out and is not settled.
func TestOldState(t *testing.T) {
	j := &journal{state: exportertest.Read(t, "testdata/state.v1.gob")}
	c := opened(t, j, pipelines.Options{})
	want := map[string]uint64{"final/bad/failure": 1, "final/good/success": 1, "first/bad/failure": 1, "first/bad/timeout": 1, "first/good/success": 1}
	if diff := cmp.Diff(want, outcomes(reading(c))); diff != "" {
		t.Errorf("as it was (-want +got):\n%s", diff)
	}
	d := deploys{id: 1, at: 50, revision: 3}
	if err := c.Add(commit(3, 2, 40), d.event(), job{id: 1, state: pipelines.Executing, at: 50, began: 2, pool: "linux"}.event(),
		step{run: 2, attempt: 2, started: 45, at: 50, status: "completed", result: "success"}.event(t, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(minutes(60*24*60), 0); err != nil {
		t.Fatal(err)
	}
	want = map[string]uint64{
		"final/bad/failure": 1, "final/good/success": 1, "first/bad/failure": 1, "first/bad/timeout": 1, "first/good/success": 1,
		"final/bad/timeout": 1, "first/bad/error": 1, "final/bad/error": 1, "first/excluded/": 1, "final/excluded/": 1,
	}
	if diff := cmp.Diff(want, outcomes(reading(c))); diff != "" {
		t.Errorf("continued (-want +got):\n%s", diff)
	}
	for metric, want := range map[string]string{"cicd.pipeline.run.flaky": "1", "deployment.outcomes": "1", "deployment.lead_time": "1 600s", queueDuration: "1 120s"} {
		if got := points(reading(c), metric)[""]; got != want {
			t.Errorf("%s: %q, want %q", metric, got, want)
		}
	}
	if diff := cmp.Diff(reading(c), reading(opened(t, j, pipelines.Options{})), exact); diff != "" {
		t.Errorf("opened again (-want +got):\n%s", diff)
	}
}
