package pipelines_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// journal is one in memory that can be full.
type journal struct {
	state  []byte
	events []event.Event
	full   bool
	calls  int // of Append
}

func (j *journal) Append(events ...event.Event) error {
	j.calls++
	if j.full {
		return errors.New("no space left")
	}
	j.events = append(j.events, events...)
	return nil
}

func (j *journal) Compact(state []byte) error {
	if j.full {
		return errors.New("no space left")
	}
	j.state, j.events = slices.Clone(state), nil
	return nil
}

func (j *journal) Replay(state func([]byte) error, each func(event.Event) error) error {
	if j.state != nil {
		if err := state(j.state); err != nil {
			return err
		}
	}
	for _, e := range j.events {
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

// opened returns the counters of a journal, since t0 if it is new.
func opened(t interface{ Fatal(...any) }, j counters.Journal, options pipelines.Options) *counters.Counters {
	c, err := counters.Open(j, t0, pipelines.New(options))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestJournalRefuses(t *testing.T) {
	j := &journal{}
	c := opened(t, j, pipelines.Options{})
	if err := c.Add(step{run: 1, attempt: 1, at: 1, status: "completed", result: "failure"}.event(t, 0)); err != nil {
		t.Fatal(err)
	}
	before := reading(c)
	j.full = true
	c.Reject("github", "malformed")
	e := step{run: 2, attempt: 1, at: 10, status: "completed", result: "success"}.event(t, 0)
	if err := c.Add(e); err == nil || !strings.Contains(err.Error(), e.Key) {
		t.Errorf("Add = %v, want an error that names %s", err, e.Key)
	}
	if _, err := c.Read(minutes(100), 0); err == nil {
		t.Error("Read settled a run that could not be kept")
	}
	after, err := c.Read(time.Time{}, 0)
	if err == nil {
		t.Error("Read counted a rejection that could not be kept")
	}
	if diff := cmp.Diff(before.Families, after.Families, exact); diff != "" {
		t.Errorf("something was counted that could not be kept:\n%s", diff)
	}
	j.full = false
	if err := c.Add(e); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(minutes(100), 0); err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{"first/good/success": 1, "final/good/success": 1, "first/bad/failure": 1, "final/bad/failure": 1}
	if diff := cmp.Diff(want, outcomes(reading(c))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]uint64{"counted": 2, "malformed": 1}, verdicts(reading(c))); diff != "" {
		t.Error(diff)
	}
}

// TestStart: what is counted is counted since the journal began, however often it is opened.
func TestStart(t *testing.T) {
	j := &journal{}
	opened(t, j, pipelines.Options{})
	c, err := counters.Open(j, t0.Add(time.Hour), pipelines.New(pipelines.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if got := reading(c).Start; !got.Equal(t0) {
		t.Errorf("counted since %v, want %v", got, t0)
	}
}

// TestOptionsChange: events are counted with the options of their time, also after a replay with others.
func TestOptionsChange(t *testing.T) {
	j := &journal{}
	count := func(c *counters.Counters, from, to int64) {
		t.Helper()
		for i := from; i < to; i++ {
			s := step{run: i, attempt: 1, at: float64(i), status: "completed", result: "success", workflow: fmt.Sprint("flow", i)}
			if err := c.Add(s.event(t, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wide := opened(t, j, pipelines.Options{})
	count(wide, 1, 20)
	narrow := opened(t, j, pipelines.Options{MaxSeries: 10, MaxRuns: 3})
	if diff := cmp.Diff(reading(wide), reading(narrow), exact); diff != "" {
		t.Errorf("other options changed what was counted (-want +got):\n%s", diff)
	}
	count(narrow, 20, 30)
	if diff := cmp.Diff(reading(narrow), reading(opened(t, j, pipelines.Options{})), exact); diff != "" {
		t.Errorf("other options changed what was counted (-want +got):\n%s", diff)
	}
	overflowing := 0
	for _, f := range reading(narrow).Families {
		for _, p := range f.Points {
			if p.Attrs.True(event.Overflow) {
				overflowing++
			}
		}
	}
	if overflowing == 0 {
		t.Error("the lower limit had no effect")
	}
}

// TestWaitingIsKept: a run that waited for a person when the state was saved is nobody's error later.
func TestWaitingIsKept(t *testing.T) {
	j := &journal{}
	c := opened(t, j, pipelines.Options{})
	if err := errors.Join(c.Add(step{attempt: 1, status: "waiting"}.event(t, 0)), c.Compact()); err != nil {
		t.Fatal(err)
	}
	c = opened(t, j, pipelines.Options{})
	if _, err := c.Read(t0.AddDate(0, 0, 36), 0); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(reading(c)); got["final/excluded/"] != 1 {
		t.Errorf("got %v, want the final outcome excluded", got)
	}
}

// TestWrongState: a state that is not one is an error, and the counters are not opened.
func TestWrongState(t *testing.T) {
	if _, err := counters.Open(&journal{state: []byte("hello")}, t0, pipelines.New(pipelines.Options{})); err == nil {
		t.Error("no error")
	}
	if _, err := counters.Open(&journal{full: true}, t0, pipelines.New(pipelines.Options{})); err == nil {
		t.Error("opened, though the start could not be kept")
	}
}

// TestAddTogether: whatever is added, rejected, read and compacted at the same time is counted once and in the journal.
func TestAddTogether(t *testing.T) {
	j := &journal{}
	c := opened(t, j, pipelines.Options{})
	var tasks sync.WaitGroup
	const workers, each = 16, 50
	for w := range workers {
		tasks.Go(func() {
			for i := range each {
				s := step{run: int64(w*each + i + 1), attempt: 1, at: 10, status: "completed", result: "failure"}
				if err := c.Add(s.event(t, 0)); err != nil {
					t.Error(err)
				}
				c.Reject("github", "malformed")
				if i%10 == 0 {
					if _, err := c.Read(minutes(100), 0); err != nil {
						t.Error(err)
					}
					if err := c.Compact(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	tasks.Wait()
	if _, err := c.Read(minutes(100), 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]uint64{"first/bad/failure": workers * each, "final/bad/failure": workers * each}, outcomes(reading(c))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]uint64{"counted": workers * each, "malformed": workers * each}, verdicts(reading(c))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(reading(c), reading(opened(t, j, pipelines.Options{})), exact); diff != "" {
		t.Errorf("after a replay (-want +got):\n%s", diff)
	}
}
