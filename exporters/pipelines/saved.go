package pipelines

import (
	"bytes"
	"container/list"
	"encoding/gob"
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// savedCounters is the whole of Counters in a form that encoding/gob can write: from the same saved counters the same
// events give the same readings. Fields may be added; old ones keep their name and meaning.
type savedCounters struct {
	Start      time.Time
	Revision   uint64
	Options    Options
	Open, Done []savedRun // in the order of the lists
	Tables     map[string][]savedRow
}

type savedRun struct {
	Subject                     string
	Owner, Repository, Pipeline string
	Attempts                    []savedAttempt
	FirstDone, FinalDone        bool
	Observed                    time.Time
}

type savedAttempt struct {
	Number      int64
	Start       time.Time
	Began       time.Time
	State       int
	Waiting     bool
	Time, Heard time.Time
	Key, Result string
}

type savedRow struct {
	Key          string
	Names, Texts []string // of the attributes, without event.Overflow
	Overflow     bool
	Revision     uint64
	Count        uint64
	Sum          float64
	Buckets      []uint64
}

// save returns the state of the counters. c.mu is held.
func (c *Counters) save() ([]byte, error) {
	s := savedCounters{
		Start: c.start.Round(0), Revision: c.revision, Options: c.options,
		Open: saveRuns(c.open), Done: saveRuns(c.done), Tables: map[string][]savedRow{},
	}
	for _, t := range c.tables() {
		s.Tables[t.family.Name] = t.save()
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return nil, fmt.Errorf("save counters: %w", err)
	}
	return b.Bytes(), nil
}

// restore makes c, which is new, what was saved.
func (c *Counters) restore(state []byte) error {
	var s savedCounters
	if err := gob.NewDecoder(bytes.NewReader(state)).Decode(&s); err != nil {
		return fmt.Errorf("restore counters: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.revision = s.Start, s.Revision
	c.adopt(s.Options)
	c.restoreRuns(c.open, s.Open)
	c.restoreRuns(c.done, s.Done)
	for _, t := range c.tables() {
		t.restore(s.Tables[t.family.Name])
	}
	return nil
}

func saveRuns(runs *list.List) []savedRun {
	saved := make([]savedRun, 0, runs.Len())
	for at := runs.Front(); at != nil; at = at.Next() {
		t := at.Value.(*tracked)
		r := savedRun{
			Subject: t.subject, Owner: t.identity.Owner, Repository: t.identity.Repository, Pipeline: t.identity.Name,
			Attempts:  make([]savedAttempt, len(t.attempts)),
			FirstDone: t.firstDone, FinalDone: t.finalDone, Observed: t.observed,
		}
		for i, a := range t.attempts {
			r.Attempts[i] = savedAttempt{
				Number: a.number, Start: a.start, Began: a.began, State: int(a.state), Waiting: a.waiting,
				Time: a.time, Heard: a.heard, Key: a.key, Result: a.result,
			}
		}
		saved = append(saved, r)
	}
	return saved
}

func (c *Counters) restoreRuns(runs *list.List, saved []savedRun) {
	for _, r := range saved {
		t := &tracked{
			subject: r.Subject, identity: Pipeline{r.Owner, r.Repository, r.Pipeline},
			attempts:  make([]attempt, len(r.Attempts)),
			firstDone: r.FirstDone, finalDone: r.FinalDone, observed: r.Observed,
		}
		for i, a := range r.Attempts {
			t.attempts[i] = attempt{
				number: a.Number, start: a.Start, began: a.Began, state: State(a.State), waiting: a.Waiting,
				time: a.Time, heard: a.Heard, key: a.Key, result: a.Result,
			}
		}
		t.element = runs.PushBack(t)
		c.runs[t.subject] = t
	}
}

func (t *table) save() []savedRow {
	rows := make([]savedRow, 0, len(t.rows))
	for key, r := range t.rows {
		s := savedRow{Key: key, Revision: r.revision, Count: r.Count, Sum: r.Sum, Buckets: r.Buckets}
		for _, a := range r.Attrs {
			if a.Name == event.Overflow {
				s.Overflow = true
				continue
			}
			s.Names, s.Texts = append(s.Names, a.Name), append(s.Texts, a.Text())
		}
		rows = append(rows, s)
	}
	return rows
}

func (t *table) restore(rows []savedRow) {
	for _, s := range rows {
		var attrs []event.Attr
		if s.Overflow {
			attrs = append(attrs, event.Bool(event.Overflow, true))
		}
		for i, name := range s.Names {
			attrs = append(attrs, event.String(name, s.Texts[i]))
		}
		t.rows[s.Key] = &row{
			Point:    Point{Attrs: event.NewSet(attrs...), Count: s.Count, Sum: s.Sum, Buckets: s.Buckets},
			revision: s.Revision,
		}
	}
}
