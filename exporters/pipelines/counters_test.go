package pipelines_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// t0 is when the runs of the tests begin.
var t0 = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// step is one state of an attempt of a run. Times are minutes after t0.
type step struct {
	run            int64
	attempt        int64
	started, at    float64
	status, result string
	workflow       string
}

func minutes(m float64) time.Time { return t0.Add(time.Duration(m * float64(time.Minute))) }

// event decodes the step as a record of the REST API, received delay minutes after it happened.
func (s step) event(t interface{ Fatal(...any) }, delay float64) event.Event {
	if s.workflow == "" {
		s.workflow = "CI"
	}
	if s.run == 0 {
		s.run = 1
	}
	record, err := json.Marshal(map[string]any{
		"id": s.run, "name": s.workflow, "run_attempt": s.attempt, "status": s.status, "conclusion": s.result,
		"run_started_at": minutes(s.started), "updated_at": minutes(s.at), "repository": map[string]any{"id": 7, "full_name": "acme/shop"},
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := sources.GitHubRun(record, minutes(s.at+delay))
	if err != nil {
		t.Fatal(err)
	}
	return events[0]
}

// since returns what changed, without moving time on.
func since(c *counters.Counters, revision uint64) metric.Snapshot {
	s, err := c.Read(time.Time{}, revision)
	if err != nil {
		panic(err)
	}
	return s
}

func reading(c *counters.Counters) metric.Snapshot { return since(c, 0) }

// outcomes returns the outcome counters by "attempt/outcome/result", zero ones left out.
func outcomes(s metric.Snapshot) map[string]uint64 {
	counts := map[string]uint64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name == "cicd.pipeline.run.outcomes" && p.Count > 0 {
				counts[p.Attrs.Text(event.Attempt)+"/"+p.Attrs.Text(event.Outcome)+"/"+p.Attrs.Text(event.Result)] += p.Count
			}
		}
	}
	return counts
}

// verdicts returns how many events met which fate.
func verdicts(s metric.Snapshot) map[string]uint64 {
	counts := map[string]uint64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name == "platform.events.received" {
				counts[p.Attrs.Text(event.EventVerdict)] += p.Count
			}
		}
	}
	return counts
}

func TestOutcomes(t *testing.T) {
	const done, run, wait = "completed", "in_progress", "queued"
	f := func(name string, now float64, want map[string]uint64, steps ...step) {
		t.Helper()
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		for _, s := range steps {
			if err := c.Add(s.event(t, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Read(minutes(now), 0); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, outcomes(reading(c))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	const never = 36 * 24 * 60
	fail1 := step{attempt: 1, started: 0, at: 10, status: done, result: "failure"}
	f("success is final at once", 10, map[string]uint64{"first/good/success": 1, "final/good/success": 1},
		step{attempt: 1, at: 10, status: done, result: "success"})
	f("failure waits for a rerun", 39, map[string]uint64{"first/bad/failure": 1}, fail1)
	f("failure settles", 40, map[string]uint64{"first/bad/failure": 1, "final/bad/failure": 1}, fail1)
	f("rerun in time saves the run", 500, map[string]uint64{"first/bad/failure": 1, "final/good/success": 1}, fail1,
		step{attempt: 2, started: 39, at: 39, status: wait}, step{attempt: 2, started: 39, at: 45, status: done, result: "success"})
	f("a rerun that runs is waited for", 100, map[string]uint64{"first/bad/failure": 1}, fail1,
		step{attempt: 2, started: 39, at: 39, status: run})
	f("rerun after the settle time does not count", 500, map[string]uint64{"first/bad/failure": 1, "final/bad/failure": 1}, fail1,
		step{attempt: 2, started: 41, at: 45, status: done, result: "success"})
	f("attempt number may stand still", 500, map[string]uint64{"first/bad/failure": 1, "final/good/success": 1}, fail1,
		step{attempt: 1, started: 20, at: 20, status: wait}, step{attempt: 1, started: 20, at: 25, status: done, result: "success"})
	f("and the start time too", 500, map[string]uint64{"first/bad/failure": 1, "final/good/success": 1}, fail1,
		step{attempt: 1, started: 0, at: 20, status: wait}, step{attempt: 1, started: 0, at: 25, status: done, result: "success"})
	f("a later updated_at of the same end is no rerun", 500, map[string]uint64{"first/bad/failure": 1, "final/bad/failure": 1}, fail1,
		step{attempt: 1, started: 0, at: 12, status: done, result: "failure"})
	f("attempts in the wrong order", 500, map[string]uint64{"first/bad/failure": 1, "final/good/success": 1},
		step{attempt: 2, started: 20, at: 25, status: done, result: "success"}, fail1)
	f("an attempt nobody told of is not the first", 500, map[string]uint64{"final/good/success": 1},
		step{attempt: 2, started: 20, at: 25, status: done, result: "success"})
	f("states in the wrong order", 500, map[string]uint64{"first/good/success": 1, "final/good/success": 1},
		step{attempt: 1, at: 10, status: done, result: "success"}, step{attempt: 1, at: 1, status: run}, step{attempt: 1, at: 0, status: wait})
	f("cancelled, then run again", 500, map[string]uint64{"first/excluded/cancellation": 1, "final/bad/timeout": 1},
		step{attempt: 1, at: 1, status: done, result: "cancelled"}, step{attempt: 2, started: 2, at: 9, status: done, result: "timed_out"})
	f("no semconv result", 500, map[string]uint64{"first/excluded/": 1, "final/excluded/": 1},
		step{attempt: 1, at: 1, status: done, result: "stale"})
	f("an approved run is its own first attempt", 5000, map[string]uint64{"first/good/success": 1, "final/good/success": 1},
		step{attempt: 1, at: 0, status: done, result: "action_required"}, step{attempt: 1, started: 3000, at: 3009, status: done, result: "success"})
	f("a run nobody approves is nobody's error", never, map[string]uint64{"first/excluded/": 1, "final/excluded/": 1},
		step{attempt: 1, at: 0, status: done, result: "action_required"})
	f("a run that never ends is lost", never, map[string]uint64{"first/bad/error": 1, "final/bad/error": 1},
		step{attempt: 1, at: 0, status: run})
	f("startup failure", 500, map[string]uint64{"first/bad/error": 1, "final/bad/error": 1},
		step{attempt: 1, at: 0, status: done, result: "startup_failure"})
}

func TestDuplicates(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{}))
	s := step{attempt: 1, at: 10, status: "completed", result: "success"}
	for delay := range 5 {
		if err := c.Add(s.event(t, float64(delay))); err != nil {
			t.Fatal(err)
		}
	}
	got := reading(c)
	if diff := cmp.Diff(map[string]uint64{"first/good/success": 1, "final/good/success": 1}, outcomes(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]uint64{"counted": 1, "duplicate": 4}, verdicts(got)); diff != "" {
		t.Error(diff)
	}
}

// TestGitLabRetry: a retried pipeline keeps its id, and its duration leaves out the pause.
func TestGitLabRetry(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{}))
	for _, end := range []string{`"failed","finished_at":"2026-03-02T10:10:00Z"`, `"running"`, `"success","finished_at":"2026-03-02T10:20:00Z"`, `"success","finished_at":"2026-03-02T10:20:00Z"`} {
		record := `{"id":5,"project_id":6,"web_url":"https://git.example/a/b/c/-/pipelines/5","duration":60,"updated_at":"2026-03-02T10:15:00Z","status":` + end + `}`
		events, err := sources.GitLabPipeline([]byte(record), minutes(30))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(events...); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]uint64{"first/bad/failure": 1, "final/good/success": 1}, outcomes(reading(c))); diff != "" {
		t.Error(diff)
	}
}

// TestHistory compares the counters with a plain count of the status column.
func TestHistory(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{}))
	class := map[string]string{
		"success": "final/good/success", "failed": "final/bad/failure", "canceled": "final/excluded/cancellation",
		"skipped": "final/excluded/skip", "manual": "final/excluded/", "scheduled": "final/excluded/",
	}
	want := map[string]uint64{}
	for _, name := range []string{"gitlab/pipelines.csv", "gitlab/pipeline_details.csv"} {
		rows, err := csv.NewReader(bytes.NewReader(exportertest.Read(t, "sources/testdata/"+name))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			var p struct{ Status string }
			if err := json.Unmarshal([]byte(row[2]), &p); err != nil {
				t.Fatal(err)
			}
			key, ended := class[p.Status]
			if !ended { // running since 2022: lost
				key = "final/bad/error"
			}
			want[key]++
			want[strings.Replace(key, "final", "first", 1)]++
		}
		events, err := sources.History(exportertest.Read(t, "sources/testdata/"+name), observed, sources.GitLabPipeline)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // importing twice changes nothing
			if err := c.Add(events...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.Read(observed.AddDate(0, 2, 0), 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, outcomes(reading(c))); diff != "" {
		t.Error(diff)
	}
	if want["final/good/success"] < 12 || want["final/bad/failure"] < 20 {
		t.Errorf("the history has hardly any runs: %v", want)
	}
}

func TestOverflow(t *testing.T) {
	const limit, workflows = 10, 50
	c := counters.New(t0, pipelines.New(pipelines.Options{MaxSeries: limit}))
	for i := range workflows {
		s := step{run: int64(i + 1), attempt: 1, at: 10, status: "completed", result: "success", workflow: fmt.Sprint("flow", i)}
		if i%2 == 1 {
			s.result = "failure"
		}
		if err := c.Add(s.event(t, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Read(minutes(100), 0); err != nil {
		t.Fatal(err)
	}
	s := reading(c)
	half := uint64(workflows / 2)
	want := map[string]uint64{"first/good/success": half, "final/good/success": half, "first/bad/failure": half, "final/bad/failure": half}
	if diff := cmp.Diff(want, outcomes(s)); diff != "" {
		t.Errorf("sums over all series (-want +got):\n%s", diff)
	}
	for _, f := range s.Families {
		overflow := 0
		for _, p := range f.Points {
			if p.Attrs.True(event.Overflow) {
				overflow++
				if p.Attrs.Text(event.PipelineName) != "" || p.Attrs.Text(event.Repository) != "" {
					t.Errorf("%s: overflow series with %v", f.Name, p.Attrs)
				}
			}
		}
		if len(f.Points)-overflow > limit || f.Name != "platform.events.received" && overflow == 0 {
			t.Errorf("%s: %d series, %d of them overflow, want at most %d and some", f.Name, len(f.Points), overflow, limit)
		}
	}
}

func TestMaxRuns(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{MaxRuns: 3}))
	for i := range 10 {
		if err := c.Add(step{run: int64(i + 1), attempt: 1, at: float64(i), status: "in_progress"}.event(t, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]uint64{"first/bad/error": 7, "final/bad/error": 7}, outcomes(reading(c))); diff != "" {
		t.Error(diff)
	}
}

func TestRetain(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{}))
	s := step{attempt: 1, at: 10, status: "completed", result: "success"}
	for _, days := range []float64{0, 6, 12, 20} { // each within seven days of the one before, but not the last
		if err := c.Add(s.event(t, days*24*60)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]uint64{"counted": 2, "duplicate": 2}, verdicts(reading(c))); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkDecodeAndCount(b *testing.B) {
	for kind, file := range map[string]string{
		"workflow_run": "completed", "workflow_job": "workflow_job.in_progress.with-queued-steps",
		"deployment_status": "deployment_status", "push": "push.with-new-branch",
	} {
		b.Run(kind, func(b *testing.B) {
			body, header := exportertest.Read(b, "sources/testdata/github/"+file+".payload.json"), delivery(kind)
			c := counters.New(observed, pipelines.New(pipelines.Options{}))
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				events, err := sources.GitHub(header, body, observed)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Add(events...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkFollow counts 10,000 events of each kind that change something.
func BenchmarkFollow(b *testing.B) {
	kinds := map[string]func(i int) event.Event{
		"tasks": func(i int) event.Event {
			return job{id: i, state: pipelines.Executing, at: 1, began: 1, pool: "linux"}.event()
		},
		"commits":     func(i int) event.Event { return commit(i+1, i, float64(i)) },
		"deployments": func(i int) event.Event { return deploys{id: i, at: float64(i), revision: i + 1}.event() },
	}
	for kind, at := range kinds {
		b.Run(kind, func(b *testing.B) {
			events := make([]event.Event, 10_000)
			for i := range events {
				events[i] = at(i)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := counters.New(t0, pipelines.New(pipelines.Options{})).Add(events...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkCount(b *testing.B) {
	var events []event.Event
	for i := range 10_000 {
		result := []string{"success", "success", "failure"}[i%3]
		events = append(events, step{run: int64(i + 1), attempt: 1, at: 10, status: "completed", result: result, workflow: fmt.Sprint("flow", i%100)}.event(b, 0))
	}
	b.ReportAllocs()
	for b.Loop() {
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		if err := c.Add(events...); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(minutes(100), 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
}

func BenchmarkSnapshot(b *testing.B) {
	c := counters.New(t0, pipelines.New(pipelines.Options{}))
	for i := range 1000 {
		if err := c.Add(step{run: int64(i + 1), attempt: 1, at: 10, status: "completed", result: "success", workflow: fmt.Sprint("flow", i)}.event(b, 0)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		reading(c)
	}
}

// BenchmarkReadChanged reads what one event changed among thousands of series, as the receiver does for each delivery.
func BenchmarkReadChanged(b *testing.B) {
	c := counters.New(t0, pipelines.New(pipelines.Options{MaxSeries: 10_000}))
	for i := range 2000 {
		if err := c.Add(step{run: int64(i + 1), attempt: 1, at: 10, status: "completed", result: "success", workflow: fmt.Sprint("flow", i)}.event(b, 0)); err != nil {
			b.Fatal(err)
		}
	}
	e := step{run: 1, attempt: 1, at: 10, status: "completed", result: "success", workflow: "flow1"}.event(b, 0)
	b.ReportAllocs()
	revision := reading(c).Revision
	for b.Loop() {
		if err := c.Add(e); err != nil {
			b.Fatal(err)
		}
		s := since(c, revision)
		if revision = s.Revision; len(s.Families) != 1 {
			b.Fatalf("%d families changed, want 1", len(s.Families))
		}
	}
}
