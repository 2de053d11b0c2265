package incidents

import (
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
)

// savedIncidents is the state in a form that encoding/gob can write. Fields may be added; old ones keep their name and
// meaning.
type savedIncidents struct {
	Options   Options
	Known     []savedIncident // least recently heard of first
	Ending    []savedEnding
	Reporters []savedReporter // by Teller
}

type savedReporter struct{ Teller, Asked string }

type savedIncident struct {
	Fingerprint, Source, Severity, Service, Team string

	Heard                 time.Time
	First, Ended, EndedAt time.Time // EndedAt is when the end was heard of
	Acknowledged, Merged  bool
	Previous              time.Time
	Alerts                []savedAlert
}

type savedAlert struct {
	Subject, Reporter, Condition string
	Start, End, Sign             time.Time
	Vanished                     bool
}

type savedEnding struct {
	Fingerprint string
	Heard       time.Time
}

// Save returns the state.
func (d *Incidents) Save() ([]byte, error) {
	s := savedIncidents{Options: d.options}
	for _, teller := range slices.Sorted(maps.Keys(d.reporters)) {
		s.Reporters = append(s.Reporters, savedReporter{teller, d.reporters[teller]})
	}
	d.known.All(func(_ string, heard time.Time, in *incident) {
		saved := savedIncident{
			in.fingerprint, in.source, in.severity, in.service, in.team,
			heard, in.first, in.ended, in.heard, in.acknowledged, in.merged, in.previous, nil,
		}
		for _, a := range in.alerts {
			saved.Alerts = append(saved.Alerts, savedAlert{a.subject, a.reporter, a.condition, a.start, a.end, a.sign, a.vanished})
		}
		s.Known = append(s.Known, saved)
	})
	for _, x := range d.ending {
		s.Ending = append(s.Ending, savedEnding{x.fingerprint, x.heard})
	}
	return counters.Encode(s)
}

// Restore takes the state up.
func (d *Incidents) Restore(state []byte) error {
	var s savedIncidents
	if err := counters.Decode(state, &s); err != nil {
		return err
	}
	d.adopt(s.Options.withDefaults())
	for _, x := range s.Reporters {
		d.reporters[x.Teller] = x.Asked
	}
	for _, x := range s.Known {
		in, _ := d.known.Heard(x.Fingerprint, x.Heard)
		*in = incident{
			x.Fingerprint, x.Source, x.Severity, x.Service, x.Team,
			x.First, x.Ended, x.EndedAt, x.Acknowledged, x.Merged, x.Previous, nil,
		}
		for _, a := range x.Alerts {
			in.alerts = append(in.alerts, alert{a.Subject, a.Start, a.End, a.Sign, a.Vanished, a.Reporter, a.Condition})
		}
	}
	for _, x := range s.Ending {
		d.ending = append(d.ending, ending{x.Fingerprint, x.Heard})
	}
	return nil
}
