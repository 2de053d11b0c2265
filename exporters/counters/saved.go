package counters

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// savedCounters is the whole of Counters in a form that encoding/gob can write: from the same saved counters the same
// events give the same readings. Fields may be added; old ones keep their name and meaning.
type savedCounters struct {
	Start    time.Time
	Revision uint64
	Tables   map[string][]metric.Saved
	Domains  map[string][]byte
}

// Encode returns the state of a domain, a struct of exported fields, in the form in which it is kept.
func Encode(state any) ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return b.Bytes(), nil
}

// Decode reads what Encode wrote, possibly of an older version, into the struct that state points to. Fields that were not
// saved stay as they are.
func Decode(saved []byte, state any) error {
	if err := gob.NewDecoder(bytes.NewReader(saved)).Decode(state); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}

// firstDomain had the whole state for itself in versions that knew no other.
const firstDomain = "pipelines"

// save returns the state of the counters. c.mu is held.
func (c *Counters) save() ([]byte, error) {
	s := savedCounters{
		Start: c.start.Round(0), Revision: c.revision, Tables: map[string][]metric.Saved{}, Domains: map[string][]byte{},
	}
	for _, t := range c.tables() {
		s.Tables[t.Name()] = t.Save()
	}
	for _, d := range c.domains {
		state, err := d.Save()
		if err != nil {
			return nil, fmt.Errorf("save counters of %s: %w", d.Name(), err)
		}
		s.Domains[d.Name()] = state
	}
	all, err := Encode(s)
	if err != nil {
		return nil, fmt.Errorf("save counters: %w", err)
	}
	return all, nil
}

// restore makes c, which is new, what was saved, and tells whether every domain was saved.
func (c *Counters) restore(state []byte) (whole bool, err error) {
	var s savedCounters
	if err := Decode(state, &s); err != nil {
		return false, fmt.Errorf("restore counters: %w", err)
	}
	if s.Domains == nil {
		s.Domains = map[string][]byte{firstDomain: state}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start, c.revision, whole = s.Start, s.Revision, true
	for _, d := range c.domains {
		own, ok := s.Domains[d.Name()]
		if !ok {
			whole = false // it is new
			continue
		}
		for _, t := range d.Tables() {
			t.Restore(s.Tables[t.Name()])
		}
		if err := d.Restore(own); err != nil {
			return false, fmt.Errorf("restore counters of %s: %w", d.Name(), err)
		}
	}
	c.events.Restore(s.Tables[c.events.Name()])
	return whole, nil
}
