package coverage

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
)

// savedCoverage is the state in a form that encoding/gob can write. Fields may be added; old ones keep their name and
// meaning.
type savedCoverage struct {
	Options        Options
	Since, Watched time.Time
	Services       []savedService // least recently heard of first
}

type savedService struct {
	Name                  string
	Heard                 time.Time
	Metrics, Logs, Traces time.Time
}

// Save returns the state.
func (c *Coverage) Save() ([]byte, error) {
	saved := savedCoverage{Options: c.options, Since: c.since, Watched: c.watched}
	c.services.All(func(name string, heard time.Time, s *seen) {
		saved.Services = append(saved.Services, savedService{name, heard, s[Metrics], s[Logs], s[Traces]})
	})
	return counters.Encode(saved)
}

// Restore takes the state up.
func (c *Coverage) Restore(state []byte) error {
	var saved savedCoverage
	if err := counters.Decode(state, &saved); err != nil {
		return err
	}
	c.adopt(saved.Options.withDefaults())
	c.since, c.watched = saved.Since, saved.Watched
	for _, x := range saved.Services {
		s, _ := c.services.Heard(x.Name, x.Heard)
		*s = seen{x.Metrics, x.Logs, x.Traces}
	}
	return nil
}
