package incidents

import "time"

// Options of Incidents. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Reopen is how soon after its end an incident comes again as the same one, whose clock then goes on; and how long its
	// end waits to be final. 30 minutes.
	Reopen time.Duration
	// Recur is how soon after its end an incident comes again as a recurrence of it, and how long an incident is
	// remembered after its last sign. An open one without a sign for so long is lost. 30 days.
	Recur time.Duration
	// Absent is how long an alert has to be missing in the lists of the Alertmanager that had it before it has ended. A
	// restarted Alertmanager has its alerts again when Prometheus repeats them. 5 minutes.
	Absent time.Duration
	// MaxSeries bounds the series of each metric. 2,000, plus overflow series.
	MaxSeries int
	// MaxIncidents bounds the incidents in memory. 20,000, some 15 MB. That without a sign for longest makes room.
	MaxIncidents int
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Reopen, 30 * time.Minute}, {&o.Recur, 30 * 24 * time.Hour}, {&o.Absent, 5 * time.Minute}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.MaxSeries <= 0 {
		o.MaxSeries = 2000
	}
	if o.MaxIncidents <= 0 {
		o.MaxIncidents = 20_000
	}
	return o
}
