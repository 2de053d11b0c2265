package exportertest

import (
	"slices"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Journal is one in memory for counters.
type Journal struct {
	state  []byte
	events []event.Event
}

// Append keeps the events.
func (j *Journal) Append(events ...event.Event) error {
	j.events = append(j.events, events...)
	return nil
}

// Compact keeps the state in place of them.
func (j *Journal) Compact(state []byte) error {
	j.state, j.events = slices.Clone(state), nil
	return nil
}

// Replay gives both back.
func (j *Journal) Replay(state func([]byte) error, each func(event.Event) error) error {
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
