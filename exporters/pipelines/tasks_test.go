package pipelines_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// job is one state of a task. Times are minutes after t0; it was asked for at t0.
type job struct {
	id      int
	state   pipelines.State
	at      float64
	began   float64
	waiting bool
	pool    string
}

func (j job) event() event.Event {
	t := pipelines.Task{
		Origin: event.Origin{
			Source: "github", Subject: fmt.Sprintf("gh/7/job/%d", j.id), Time: minutes(j.at), Observed: minutes(j.at),
		},
		Pipeline: pipelines.Pipeline{Owner: "acme", Repository: "shop", Name: "CI"},
		ID:       fmt.Sprint(j.id), State: j.state, Waiting: j.waiting, Pool: j.pool,
	}
	if j.state != pipelines.Pending {
		t.Queued, t.Waited = minutes(j.began).Sub(t0), true
	}
	t.Key = fmt.Sprintf("%s/%v/%v", t.Subject, t.State, t.Waiting)
	return t.Event()
}

// added returns counters with these events.
func added(t testing.TB, options pipelines.Options, events ...event.Event) *counters.Counters {
	t.Helper()
	c := counters.New(t0, pipelines.New(options))
	if err := c.Add(events...); err != nil {
		t.Fatal(err)
	}
	return c
}

// points returns the points of one metric by the values of some attributes, each as a count, and the sum of a
// histogram after it. Zero points are left out, and there is a + between points with the same values.
func points(s metric.Snapshot, name string, names ...string) map[string]string {
	all := map[string]string{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name != name || p.Count == 0 && p.Value == 0 {
				continue
			}
			key := ""
			for _, attr := range names {
				key += p.Attrs.Text(attr) + " "
			}
			if p.Attrs.True(event.Overflow) {
				key += "overflow "
			}
			value := fmt.Sprint(p.Count)
			switch f.Kind {
			case metric.Histogram:
				value = fmt.Sprintf("%d %gs", p.Count, p.Sum)
			case metric.Gauge:
				value = fmt.Sprint(p.Value)
			}
			if all[key] != "" {
				value = all[key] + "+" + value
			}
			all[key] = value
		}
	}
	return all
}

const queueDuration = "cicd.pipeline.task.queue.duration"

func TestTaskQueue(t *testing.T) {
	f := func(name string, want map[string]string, jobs ...job) {
		t.Helper()
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		for _, j := range jobs {
			for range 2 { // each is delivered twice
				if err := c.Add(j.event()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if diff := cmp.Diff(want, points(reading(c), queueDuration, event.RunnerPool)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	const pending, executing, finished = pipelines.Pending, pipelines.Executing, pipelines.Finished
	one := map[string]string{"linux ": "1 120s"}
	asked := job{state: pending, pool: "linux"}
	began := job{state: executing, at: 2, began: 2, pool: "linux"}
	ended := job{state: finished, at: 9, began: 2, pool: "linux"}
	f("asked for", map[string]string{}, asked)
	f("began", one, asked, began)
	f("ended", one, asked, began, ended)
	f("only the end is heard of", one, ended)
	f("in the wrong order", one, ended, began, asked)
	f("waited for a person", map[string]string{}, asked, job{state: pending, waiting: true, pool: "linux"}, asked, began, ended)
	f("asked for again after the approval", map[string]string{}, job{state: pending, waiting: true, pool: "linux"}, asked, ended)
	f("two pools", map[string]string{"linux ": "1 120s", "gpu ": "1 600s"}, ended, job{id: 2, state: executing, at: 10, began: 10, pool: "gpu"})
	f("nobody says which", map[string]string{" ": "1 120s"}, job{state: finished, at: 9, began: 2})
}

func TestTaskBounds(t *testing.T) {
	var events []event.Event
	for i := range 20 {
		events = append(events, job{id: i, state: pipelines.Executing, at: 1, began: 1, pool: fmt.Sprint("pool", i)}.event())
	}
	c := added(t, pipelines.Options{MaxPools: 3, MaxTasks: 5}, events...)
	want := map[string]string{"pool0 ": "1 60s", "pool1 ": "1 60s", "pool2 ": "1 60s", " overflow ": "17 1020s"}
	if diff := cmp.Diff(want, points(reading(c), queueDuration, event.RunnerPool)); diff != "" {
		t.Error(diff)
	}
	// The last five are remembered, the others are not: they count again, which is what a bound costs.
	if err := c.Add(events[15:]...); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(events[0]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]uint64{"counted": 21, "duplicate": 5}, verdicts(reading(c))); diff != "" {
		t.Error(diff)
	}
}

// TestSteps: steps are for traces, and neither counted nor kept.
func TestSteps(t *testing.T) {
	j := &journal{}
	c := opened(t, j, pipelines.Options{})
	step := pipelines.Step{Origin: event.Origin{Source: "github", Subject: "gh/7/job/1", Key: "gh/7/job/1/step/1", Time: t0, Observed: t0}, Name: "build"}
	calls := j.calls
	if err := c.Add(step.Event()); err != nil || j.calls != calls {
		t.Errorf("a step alone: %v, %d calls of Append", err, j.calls-calls)
	}
	if err := c.Add(job{id: 1}.event(), step.Event(), step.Event()); err != nil || len(j.events) != 1 {
		t.Errorf("a task with steps: %v, %d events kept, want 1", err, len(j.events))
	}
	if diff := cmp.Diff(map[string]uint64{"counted": 1}, verdicts(reading(c))); diff != "" {
		t.Error(diff)
	}
}
