package pipelines_test

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// history is a random CI history and what must be counted of it.
type history struct {
	steps []step
	want  map[string]uint64
}

var classes = map[string]string{
	"success": "good/success", "failure": "bad/failure", "timed_out": "bad/timeout", "startup_failure": "bad/error",
	"cancelled": "excluded/cancellation", "skipped": "excluded/skip", "neutral": "excluded/",
}

// drawHistory plays runs through attempts by the definition: a rerun changes the final outcome if it began less than
// 30 minutes after an end that was not a success. The beginning of a rerun is always heard of.
func drawHistory(t *rapid.T) history {
	results := []string{"success", "failure", "timed_out", "startup_failure", "cancelled", "skipped", "neutral"}
	h := history{want: map[string]uint64{}}
	for run := range rapid.Int64Range(1, 6).Draw(t, "runs") {
		at := float64(rapid.IntRange(0, 500).Draw(t, "begin"))
		stuck := rapid.Bool().Draw(t, "attempt number stands still")
		var final string
		open := true
		for attempt := range rapid.Int64Range(1, 4).Draw(t, "attempts") {
			started, number := at, attempt+1
			if stuck {
				number = 1
			}
			s := step{run: run + 1, attempt: number, started: started}
			for _, status := range []string{"queued", "in_progress", "completed"} {
				s.status, s.at = status, at
				if status == "completed" {
					s.result = rapid.SampledFrom(results).Draw(t, "result")
				}
				rerun := attempt > 0 && status == "queued"
				if rerun || status == "completed" || rapid.Bool().Draw(t, status+" is heard of") {
					h.steps = append(h.steps, s)
				}
				at += float64(rapid.IntRange(1, 20).Draw(t, "took"))
			}
			ended := s.at
			if attempt == 0 {
				h.want["first/"+classes[s.result]]++
			}
			if open {
				final = s.result
			}
			at = ended + float64(rapid.IntRange(1, 60).Draw(t, "pause"))
			open = open && final != "success" && at < ended+30
		}
		h.want["final/"+classes[final]]++
	}
	slices.SortStableFunc(h.steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return h
}

// TestCountingLaws: whatever is delivered twice, however often time moves on, and whether events come as they happen or
// all at once much later, each run is counted once as first and once as final, as the definition says; and counters that
// are opened again and again, of a journal that is compacted now and then, read what those read that never stopped.
func TestCountingLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		j := &journal{}
		c, undisturbed := opened(t, j, pipelines.Options{}), counters.New(t0, pipelines.New(pipelines.Options{}))
		add := func(e event.Event) {
			if err := errors.Join(c.Add(e), undisturbed.Add(e)); err != nil {
				t.Fatal(err)
			}
		}
		read := func(now time.Time) {
			_, err := c.Read(now, 0)
			if _, other := undisturbed.Read(now, 0); err != nil || other != nil {
				t.Fatal(err, other)
			}
		}
		backfill := rapid.Bool().Draw(t, "backfill")
		var sent []event.Event
		for _, s := range h.steps {
			received, delay := s.at, 0.0
			if backfill {
				received, delay = 5000, 5000-s.at
			}
			sent = append(sent, s.event(t, delay))
			add(sent[len(sent)-1])
			if rapid.Bool().Draw(t, "a copy follows") {
				again := rapid.SampledFrom(sent).Draw(t, "copy")
				again.Observed = minutes(received)
				add(again)
			}
			if rapid.Bool().Draw(t, "time moves on") {
				read(minutes(received))
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
		read(minutes(1e4))
		if diff := gocmp.Diff(h.want, outcomes(reading(c))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if got, want := verdicts(reading(c))["counted"], uint64(len(h.steps)); got != want {
			t.Fatalf("%d events counted, want %d", got, want)
		}
		for _, got := range []*counters.Counters{c, opened(t, j, pipelines.Options{})} {
			if diff := gocmp.Diff(reading(undisturbed), reading(got), exact); diff != "" {
				t.Fatalf("after a replay of the journal (-want +got):\n%s", diff)
			}
		}
	})
}

// exact compares attributes with their types.
var exact = gocmp.Comparer(func(a, b event.Attr) bool { return a == b })

// TestSnapshotSince: readings taken piece by piece add up to the whole.
func TestSnapshotSince(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		pieces := map[string]metric.Point{}
		var revision uint64
		for _, s := range drawHistory(t).steps {
			if err := c.Add(s.event(t, 0)); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "read") {
				s := since(c, revision)
				revision = s.Revision
				index(pieces, s)
			}
		}
		index(pieces, since(c, revision))
		whole := map[string]metric.Point{}
		index(whole, reading(c))
		if diff := gocmp.Diff(whole, pieces, exact); diff != "" {
			t.Fatalf("(-whole +pieces):\n%s", diff)
		}
	})
}

func index(points map[string]metric.Point, s metric.Snapshot) {
	for _, f := range s.Families {
		for _, p := range f.Points {
			key := f.Name
			for _, a := range p.Attrs {
				key += "|" + a.Name + "=" + a.Text()
			}
			points[key] = p
		}
	}
}
