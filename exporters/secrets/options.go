package secrets

import "time"

// Options of Secrets. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Silence is how long after the end of the grace, or after counting began again, a source may say nothing before that
	// is taken for a rotation that did not happen. 15 minutes.
	Silence time.Duration
	// Retain is how long copies of attempts and accesses are recognised. 7 days.
	Retain time.Duration
	// Learn is how long after the first access to a store whoever accesses it is learned, and nobody new. 7 days.
	Learn time.Duration
	// MaxPrincipals bounds those who are known to access secrets. 20,000, some 5 MB. That not heard of for longest makes
	// room, and would be new again.
	MaxPrincipals int
	// MaxSecrets bounds the secrets in memory. 20,000, some 10 MB. That not heard of for longest makes room.
	MaxSecrets int
	// MaxSeries bounds the series of each metric. 2,000, plus one overflow series for each outcome.
	MaxSeries int
	// MaxOverdue bounds the secrets that are shown one by one while they are overdue. 100.
	MaxOverdue int
	// MaxEvents bounds the attempts and accesses that are remembered to recognise copies. 100,000, some 20 MB.
	MaxEvents int
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Silence, 15 * time.Minute}, {&o.Retain, 7 * 24 * time.Hour}, {&o.Learn, 7 * 24 * time.Hour}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&o.MaxSecrets, 20_000}, {&o.MaxSeries, 2000}, {&o.MaxOverdue, 100}, {&o.MaxEvents, 100_000}, {&o.MaxPrincipals, 20_000}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	return o
}

// Graces that count if a policy names none: a tenth of the interval within these, or the longest without an interval.
const (
	leastGrace = time.Minute
	mostGrace  = 24 * time.Hour
)

// grace returns how long after the window a rotation is still in time.
func (p Policy) grace() time.Duration {
	switch {
	case p.Grace > 0:
		return p.Grace
	case p.Interval > 0:
		return min(max(p.Interval/10, leastGrace), mostGrace)
	}
	return mostGrace
}

// early returns how long before it is due a rotation stands for the one that is due.
func (p Policy) early() time.Duration {
	if p.Interval > 0 {
		return p.Interval / 10
	}
	return mostGrace
}
