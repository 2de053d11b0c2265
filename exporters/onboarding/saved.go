package onboarding

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
)

// savedOnboarding is the state in a form that encoding/gob can write. Fields may be added; old ones keep their name and
// meaning.
type savedOnboarding struct {
	Options  Options
	Services []savedService // least recently heard of first
}

type savedService struct {
	Name, Team, Subject            string
	Heard, Changed                 time.Time
	Requested, Deployed, Abandoned time.Time
	Done, Open, Asked              bool
}

// Save returns the state.
func (d *Onboarding) Save() ([]byte, error) {
	saved := savedOnboarding{Options: d.options}
	d.services.All(func(name string, heard time.Time, s *service) {
		saved.Services = append(saved.Services, savedService{
			name, s.team, s.subject, heard, s.heard, s.requested, s.deployed, s.abandoned, s.done, d.open[name], s.asked,
		})
	})
	return counters.Encode(saved)
}

// Restore takes the state up.
func (d *Onboarding) Restore(state []byte) error {
	var saved savedOnboarding
	if err := counters.Decode(state, &saved); err != nil {
		return err
	}
	d.adopt(saved.Options.withDefaults())
	for _, x := range saved.Services {
		s, _ := d.services.Heard(x.Name, x.Heard)
		*s = service{x.Team, x.Subject, x.Requested, x.Deployed, x.Abandoned, x.Changed, x.Asked, x.Done}
		if x.Open {
			d.open[x.Name] = true
		}
	}
	return nil
}
