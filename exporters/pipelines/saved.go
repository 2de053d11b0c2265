package pipelines

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// savedCounters is the whole of Counters in a form that encoding/gob can write: from the same saved counters the same
// events give the same readings. Fields may be added; old ones keep their name and meaning.
type savedCounters struct {
	Start    time.Time
	Revision uint64
	Options  Options
	Tables   map[string][]savedRow

	// Of runs, in the order of the lists.
	Open, Done []savedRun

	Tasks []savedTask // least recently heard of first, as everything below

	Deployments []savedDeployment
	Targets     []savedTarget
	LastTarget  uint32
	Commits     []savedCommit
	Arrivals    []savedArrival
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
	s := savedCounters{Start: c.start.Round(0), Revision: c.revision, Options: c.options, Tables: map[string][]savedRow{}}
	for _, t := range c.tables() {
		s.Tables[t.family.Name] = t.save()
	}
	for _, f := range c.followers {
		f.save(&s)
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
	c.adopt(s.Options.withDefaults()) // an older version had fewer
	for _, t := range c.tables() {
		t.restore(s.Tables[t.family.Name])
	}
	for _, f := range c.followers {
		f.restore(&s)
	}
	return nil
}

// save returns the series, the least recently changed first.
func (t *table) save() []savedRow {
	keys := make(map[*row]string, len(t.rows))
	for key, r := range t.rows {
		keys[r] = key
	}
	rows := make([]savedRow, 0, len(t.rows))
	for at := t.changed.Front(); at != nil; at = at.Next() {
		r := at.Value.(*row)
		s := savedRow{Key: keys[r], Revision: r.revision, Count: r.Count, Sum: r.Sum, Buckets: r.Buckets}
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

// restore takes up the series, which an older version saved in no order.
func (t *table) restore(rows []savedRow) {
	slices.SortStableFunc(rows, func(a, b savedRow) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, s := range rows {
		var attrs []event.Attr
		if s.Overflow {
			attrs = append(attrs, event.Bool(event.Overflow, true))
		}
		for i, name := range s.Names {
			attrs = append(attrs, event.String(name, s.Texts[i]))
		}
		t.put(s.Key, Point{Attrs: event.NewSet(attrs...), Count: s.Count, Sum: s.Sum, Buckets: s.Buckets}, s.Revision)
	}
}
