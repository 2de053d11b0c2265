package incidents

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// counts are the cumulative metrics.
type counts struct {
	opened, excluded, restored, answered *metric.Table
}

// attributes returns the names of those that every metric has, and more.
func attributes(more ...string) []string {
	return append([]string{event.EventSource, event.Severity, event.Service, event.Team}, more...)
}

func newCounts(limit int) *counts {
	bounds := []float64{
		60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, // 1 minute to 8 hours
		86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000, // 1 day to 30 days
	}
	return &counts{
		opened: metric.NewTable(metric.Family{
			Name: "incident.opened", Unit: "{incident}", Kind: metric.Counter, From: "incidents",
			Help:       "Incidents that began, by whether the same one had ended before.",
			Attributes: attributes(event.Recurrence),
		}, limit),
		restored: metric.NewTable(metric.Family{
			Name: "incident.time_to_restore", Unit: "s", Kind: metric.Histogram, From: "incidents",
			Help:   "Time between the first sign of an incident and its last end.",
			Bounds: bounds, Attributes: attributes(),
		}, limit),
		answered: metric.NewTable(metric.Family{
			Name: "incident.time_to_ack", Unit: "s", Kind: metric.Histogram, From: "incidents",
			Help:   "Time between the first sign of an incident and a person acknowledging it, where the source says so.",
			Bounds: bounds, Attributes: attributes(),
		}, limit),
		excluded: metric.NewTable(metric.Family{
			Name: "incident.excluded", Unit: "{incident}", Kind: metric.Counter, From: "incidents",
			Help:       "Incidents that have no time to restore, by why.",
			Attributes: attributes(event.IncidentReason),
		}, limit),
	}
}

func (c *counts) tables() []*metric.Table {
	return []*metric.Table{c.opened, c.restored, c.answered, c.excluded}
}

func (in *incident) attrs() (unbounded, bounded []event.Attr) {
	return []event.Attr{event.String(event.Severity, in.severity), event.String(event.Service, in.service), event.String(event.Team, in.team)},
		[]event.Attr{event.String(event.EventSource, in.source)}
}

func (c *counts) series(t *metric.Table, revision uint64, in *incident, more ...event.Attr) *metric.Series {
	unbounded, bounded := in.attrs()
	return t.At(revision, unbounded, append(bounded, more...))
}

// begin makes the zero series of an incident that is new, so that its first increment is seen.
func (c *counts) begin(revision uint64, in *incident) {
	for _, recurrence := range []string{isNew, reopened, recurred} {
		c.series(c.opened, revision, in, event.String(event.Recurrence, recurrence))
	}
	c.series(c.restored, revision, in)
}

func (c *counts) open(revision uint64, in *incident, recurrence string) {
	c.series(c.opened, revision, in, event.String(event.Recurrence, recurrence)).Add(revision, 1)
}

func (c *counts) restore(revision uint64, in *incident, took time.Duration) {
	c.series(c.restored, revision, in).Observe(revision, took.Seconds())
}

func (c *counts) acknowledge(revision uint64, in *incident, took time.Duration) {
	c.series(c.answered, revision, in).Observe(revision, took.Seconds())
}

func (c *counts) exclude(revision uint64, in *incident, reason string) {
	c.series(c.excluded, revision, in, event.String(event.IncidentReason, reason)).Add(revision, 1)
}

// Gauges returns how many incidents are open, by what is done about them, and the age of the oldest; 0 for those that are
// remembered and not open.
func (d *Incidents) Gauges(now time.Time) []*metric.Table {
	open := metric.NewTable(metric.Family{
		Name: "incident.open", Unit: "{incident}", Kind: metric.Gauge, From: "incidents",
		Help:       "Incidents that have not ended, by whether somebody knows of them.",
		Attributes: attributes(event.IncidentState),
	}, d.options.MaxSeries)
	oldest := metric.NewTable(metric.Family{
		Name: "incident.oldest", Unit: "s", Kind: metric.Gauge, From: "incidents",
		Help:       "Time since the first sign of the incident that has been open for longest, 0 if none is.",
		Attributes: attributes(),
	}, d.options.MaxSeries)
	d.known.All(func(_ string, _ time.Time, in *incident) {
		unbounded, bounded := in.attrs()
		for _, state := range []string{Triggered, Known, Silenced} {
			s := open.At(1, unbounded, append(bounded[:1:1], event.String(event.IncidentState, state)))
			if in.open() && in.condition() == state {
				s.Value++
			}
		}
		age := oldest.At(1, unbounded, bounded)
		if in.open() {
			age.Value = max(age.Value, now.Sub(in.first).Seconds())
		}
	})
	return []*metric.Table{open, oldest}
}
