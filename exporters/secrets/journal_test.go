package secrets_test

import (
	"slices"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// journal is one in memory.
type journal struct {
	state  []byte
	events []event.Event
}

func (j *journal) Append(events ...event.Event) error {
	j.events = append(j.events, events...)
	return nil
}

func (j *journal) Compact(state []byte) error {
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
