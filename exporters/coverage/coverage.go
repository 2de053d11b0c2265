// Package coverage tells which services of an inventory send metrics, logs and traces. A service that sends nothing is
// in the inventory all the same, so that it does not vanish from the total with its telemetry.
package coverage

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Options of Coverage. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Metrics, Logs and Traces are how long a service counts as covered after it last sent one. 10 minutes, 1 hour and 24
	// hours, since traces are sampled.
	Metrics, Logs, Traces time.Duration
	// MaxServices bounds the services in memory. 10,000, some 3 MB. That not heard of for longest makes room.
	MaxServices int
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Metrics, 10 * time.Minute}, {&o.Logs, time.Hour}, {&o.Traces, 24 * time.Hour}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.MaxServices <= 0 {
		o.MaxServices = 10_000
	}
	return o
}

// window returns how long a signal counts.
func (o Options) window(s Signal) time.Duration {
	return [...]time.Duration{o.Metrics, o.Logs, o.Traces}[s]
}

// Signal is a kind of telemetry.
type Signal int

// The signals.
const (
	Metrics Signal = iota
	Logs
	Traces
	signals = 3
)

// String returns the word for the signal.
func (s Signal) String() string { return [...]string{"metrics", "logs", "traces"}[s] }

// Coverage is a domain of counters. It counts nothing; its gauges say what is the case.
type Coverage struct {
	wanted    Options
	options   Options // those that count
	inventory *Inventory
	services  *counters.Remembered[string, seen]
	since     time.Time // since when signals are watched
	watched   time.Time // until when they were
}

var _ counters.Domain = (*Coverage)(nil)

// seen is when the last of each signal of a service came; zero if none did.
type seen [signals]time.Time

// Watching and watchedAgain are events that say that signals are watched: now as before, and again after a time in which
// nobody watched.
const (
	watching     = "platform.telemetry.watching"
	watchedAgain = "platform.telemetry.watched"
)

// New returns the domain for the services of an inventory.
func New(options Options, inventory *Inventory) *Coverage {
	options = options.withDefaults()
	return &Coverage{
		wanted: options, options: options, inventory: inventory,
		services: counters.NewRemembered[string, seen](options.MaxServices),
	}
}

// Begin returns the event that has to be added first, when signals begin to be watched: for a service, the time in which
// nobody watched does not pass.
func Begin(now time.Time) event.Event { return made(watchedAgain, "watch", now) }

// Watch returns the event that has to be added now and then as long as signals are watched.
func Watch(now time.Time) event.Event { return made(watching, "watch", now) }

// Seen returns the event that a signal of a service came.
func Seen(service string, s Signal, now time.Time) event.Event {
	return made(event.TelemetrySeen, service+"/"+s.String(), now, event.String(event.Service, service), event.String(event.Signal, s.String()))
}

func made(name, subject string, now time.Time, attrs ...event.Attr) event.Event {
	return event.NewOrigin("collector", "telemetry/"+subject, now.UTC().Format(time.RFC3339Nano), now, now).Event(name, time.Time{}, attrs...)
}

// Slack is how much later than a window a service loses its coverage: sightings are kept this coarsely.
func Slack(window time.Duration) time.Duration { return window / 10 }

// Name returns the word for the domain.
func (c *Coverage) Name() string { return "coverage" }

// Settled returns nothing: time decides nothing that is kept.
func (c *Coverage) Settled(time.Time) []event.Event { return nil }

// Tables returns nothing.
func (c *Coverage) Tables() []*metric.Table { return nil }

// Add notes a sighting.
func (c *Coverage) Add(_ uint64, e event.Event) (counters.Verdict, bool) {
	now := e.Observed.Round(0)
	switch e.Name {
	case watchedAgain:
		c.resume(now)
	case watching:
		c.watched = event.Latest(c.watched, now)
	case event.TelemetrySeen:
		name := e.Attrs.Text(event.Service)
		s, _ := c.services.Heard(name, now)
		for signal := range Signal(signals) {
			if signal.String() == e.Attrs.Text(event.Signal) {
				s[signal] = event.Latest(s[signal], now)
			}
		}
		c.watched = event.Latest(c.watched, now)
	default:
		return "", false
	}
	return "", true
}

// resume moves everything that was seen by the time in which nobody watched.
func (c *Coverage) resume(now time.Time) {
	if c.since.IsZero() {
		c.since, c.watched = now, now
		return
	}
	away := now.Sub(c.watched)
	if away <= 0 {
		return
	}
	c.since, c.watched = c.since.Add(away), now
	c.services.All(func(_ string, _ time.Time, s *seen) {
		for signal := range s {
			if !s[signal].IsZero() {
				s[signal] = s[signal].Add(away)
			}
		}
	})
}

// covers tells whether a service is covered for a signal at now. It is not known if nothing came, and could not have yet.
func (c *Coverage) covers(s *seen, signal Signal, now time.Time) (covered, known bool) {
	window := c.options.window(signal)
	if s != nil && !s[signal].IsZero() {
		return !now.After(s[signal].Add(window + Slack(window))), true
	}
	return false, now.After(c.since.Add(window + Slack(window)))
}

// Adopt makes the options that New was given count from now on.
func (c *Coverage) Adopt() bool {
	if c.options == c.wanted {
		return false
	}
	c.adopt(c.wanted)
	return true
}

func (c *Coverage) adopt(options Options) {
	c.options = options
	c.services.SetLimit(options.MaxServices)
}
