package pipelines

import (
	"container/list"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

type savedRun struct {
	Subject                         string
	Owner, Repository, Pipeline     string
	RefKind, Trigger                string
	Attempts                        []savedAttempt
	FirstDone, FinalDone, FlakyDone bool
	Observed                        time.Time
}

type savedAttempt struct {
	Number        int64
	Start         time.Time
	Began         time.Time
	State         int
	Waiting, Lost bool
	Time, Heard   time.Time
	Key, Result   string
}

type savedTask struct {
	Subject                   string
	Heard                     time.Time
	State                     int
	Waiting, Waited, Measured bool
}

func (f *runs) save(s *savedPipelines) { s.Open, s.Done = saveRuns(f.open), saveRuns(f.done) }

func (f *runs) restore(s *savedPipelines) {
	f.restoreRuns(f.open, s.Open)
	f.restoreRuns(f.done, s.Done)
	for r := range f.errors.All() {
		f.words[r.Attrs.Text(event.ErrorType)] = true
	}
}

func saveRuns(runs *list.List) []savedRun {
	saved := make([]savedRun, 0, runs.Len())
	for at := runs.Front(); at != nil; at = at.Next() {
		t := at.Value.(*tracked)
		r := savedRun{
			Subject: t.subject, Owner: t.identity.Owner, Repository: t.identity.Repository, Pipeline: t.identity.Name,
			RefKind: t.refKind, Trigger: t.trigger, Attempts: make([]savedAttempt, len(t.attempts)),
			FirstDone: t.firstDone, FinalDone: t.finalDone, FlakyDone: t.flakyDone, Observed: t.observed,
		}
		for i, a := range t.attempts {
			r.Attempts[i] = savedAttempt{
				Number: a.number, Start: a.start, Began: a.began, State: int(a.state), Waiting: a.waiting, Lost: a.lost,
				Time: a.time, Heard: a.heard, Key: a.key, Result: a.result,
			}
		}
		saved = append(saved, r)
	}
	return saved
}

func (f *runs) restoreRuns(runs *list.List, saved []savedRun) {
	for _, r := range saved {
		t := &tracked{
			subject: r.Subject, identity: Pipeline{r.Owner, r.Repository, r.Pipeline}, refKind: r.RefKind, trigger: r.Trigger,
			attempts:  make([]attempt, len(r.Attempts)),
			firstDone: r.FirstDone, finalDone: r.FinalDone, flakyDone: r.FlakyDone, observed: r.Observed,
		}
		for i, a := range r.Attempts {
			t.attempts[i] = attempt{
				number: a.Number, start: a.Start, began: a.Began, state: State(a.State), waiting: a.Waiting, lost: a.Lost,
				time: a.Time, heard: a.Heard, key: a.Key, result: a.Result,
			}
		}
		t.element = runs.PushBack(t)
		f.bySubject[t.subject] = t
	}
}

func (f *tasks) save(s *savedPipelines) {
	f.bySubject.All(func(subject string, heard time.Time, t *task) {
		s.Tasks = append(s.Tasks, savedTask{subject, heard, int(t.state), t.waiting, t.waited, t.measured})
	})
}

func (f *tasks) restore(s *savedPipelines) {
	for _, t := range s.Tasks {
		known, _ := f.bySubject.Heard(t.Subject, t.Heard)
		*known = task{State(t.State), t.Waiting, t.Waited, t.Measured}
	}
}
