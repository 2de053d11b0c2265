// Package incidents follows incidents from the first sign of trouble to the end of the last, and counts how often they
// came, whether they came again, and how long it took to acknowledge and to end them.
//
// An incident is all alerts with one fingerprint. Its clock runs from the beginning of the first to the end of the last;
// if one begins again soon after that, the clock goes on. Only when it can not go on any more the time is counted.
package incidents

import (
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Incidents is a domain of counters.
type Incidents struct {
	wanted    Options
	options   Options // those that count
	revision  uint64
	known     *counters.Remembered[string, incident] // by fingerprint
	ending    []ending                               // incidents whose end may be final, in the order in which they ended
	reporters map[string]string                      // who is asked for the alerts that another tells of
	count     *counts
}

var _ counters.Domain = (*Incidents)(nil)

// ending is an incident that was heard to end at a moment.
type ending struct {
	fingerprint string
	heard       time.Time
}

const (
	// settled is the event that makes an end final, forgotten the one that drops an incident nobody speaks of. They are made
	// and known here only.
	settled   = event.IncidentSettled
	forgotten = event.IncidentForgotten
	// surplus is the verdict for an alert of an incident with more than maxAlerts that go on.
	surplus counters.Verdict = "surplus"
	// maxReporters is how many Alertmanagers are told apart.
	maxReporters = 100
)

// New returns the domain with nothing counted.
func New(options Options) *Incidents {
	options = options.withDefaults()
	return &Incidents{
		wanted: options, options: options, reporters: map[string]string{},
		known: counters.NewRemembered[string, incident](options.MaxIncidents), count: newCounts(options.MaxSeries),
	}
}

// Name returns the word for the domain.
func (d *Incidents) Name() string { return "incidents" }

// Tables returns the metrics.
func (d *Incidents) Tables() []*metric.Table { return d.count.tables() }

// Adopt makes the options that New was given count from now on.
func (d *Incidents) Adopt() bool {
	if d.options == d.wanted {
		return false
	}
	d.adopt(d.wanted)
	return true
}

func (d *Incidents) adopt(options Options) {
	d.options = options
	d.known.SetLimit(options.MaxIncidents)
	for _, t := range d.Tables() {
		t.SetLimit(options.MaxSeries)
	}
}

// Add counts an event about an incident.
func (d *Incidents) Add(revision uint64, e event.Event) (counters.Verdict, bool) {
	d.revision = revision
	switch e.Name {
	case settled:
		if in := d.known.Get(e.Subject); in != nil && in.heard.Equal(e.Observed) {
			d.settle(in)
		}
		d.ending = slices.DeleteFunc(d.ending, func(x ending) bool {
			return x.fingerprint == e.Subject && x.heard.Equal(e.Observed)
		})
		return "", true
	case forgotten:
		if in := d.known.Get(e.Subject); in != nil {
			d.forget(in, "lost")
			d.known.Drop(e.Subject)
		}
		return "", true
	}
	if l, ok := listingOf(e); ok {
		d.listed(l)
		return "", true
	}
	r, ok := reportOf(e)
	if !ok {
		return "", false
	}
	return d.follow(r), true
}

// follow works a report in.
func (d *Incidents) follow(r Report) counters.Verdict {
	in := d.known.Get(r.Fingerprint)
	if r.State == Seen && (in == nil || in.alert(r.Subject) == nil) && (r.Condition == Maintenance || r.Condition == Inhibited) {
		return ""
	}
	if in == nil && d.known.Full() {
		_, _, oldest, _ := d.known.Oldest()
		d.forget(oldest, "evicted")
	}
	in, isNew := d.known.Heard(r.Fingerprint, r.Observed)
	if isNew {
		in.fingerprint = r.Fingerprint
		d.describe(in, r)
	}
	switch r.State {
	case Seen:
		return d.seen(in, r)
	case Resolved:
		return d.resolved(in, r)
	case Acknowledged:
		return d.acknowledged(in, r)
	case Reopened:
		return d.opened(in, r, r.Time)
	}
	return d.opened(in, r, began(r))
}

// describe takes over whose an incident is and how bad. It stays so as long as its clock runs.
func (d *Incidents) describe(in *incident, r Report) {
	in.source, in.severity, in.service, in.team = r.Source, r.Severity, r.Service, r.Team
	d.count.begin(d.revision, in)
}

// began returns when what a report is about began.
func began(r Report) time.Time {
	if r.Start.IsZero() {
		return r.Time
	}
	return r.Start
}

// opened works in that an alert began. Alerts of an Alertmanager say with each report since when they go on; if that is
// another time than before, the end in between was not told, and its last sign stands for it.
func (d *Incidents) opened(in *incident, r Report, at time.Time) counters.Verdict {
	a := in.alert(r.Subject)
	if a == nil {
		if a = in.add(r.Subject); a == nil {
			return surplus
		}
	} else {
		switch {
		case at.Before(a.start) && a.ended() || at.Before(a.start) && r.Reporter != "":
			return counters.Late
		case !a.ended() && (r.Reporter == "" || at.Equal(a.start)):
			a.sign, a.condition = event.Latest(a.sign, r.Observed), Triggered
			if at.Before(a.start) { // of two that told of it the second knew better, or it is from before it came again
				d.clock(in, r, at)
			}
			return counters.Duplicate
		case at.Equal(a.start) && a.vanished && r.Observed.After(a.end):
			return d.back(in, a, r)
		case at.Equal(a.start):
			return counters.Duplicate
		case a.ended() && a.start.IsZero() && !at.After(a.end): // its end came first
			a.start = at
			d.clock(in, r, at)
			d.close(in, r.Observed)
			return counters.Counted
		case a.ended() && at.Before(a.end):
			return counters.Late
		case !a.ended():
			a.end = event.Latest(a.sign, a.start)
			if a.end.After(at) {
				a.end = at
			}
			d.close(in, r.Observed)
		}
	}
	*a = alert{subject: a.subject, start: at, sign: r.Observed, reporter: d.reporter(r), condition: Triggered}
	d.clock(in, r, at)
	return counters.Counted
}

// back takes back that an alert had vanished.
func (d *Incidents) back(in *incident, a *alert, r Report) counters.Verdict {
	since := a.end
	a.end, a.vanished, a.sign, a.condition = time.Time{}, false, event.Latest(a.sign, r.Observed), Triggered
	if r.State == Seen {
		a.condition = r.Condition
	}
	d.clock(in, r, since)
	return counters.Counted
}

// resolved works in that an alert ended.
func (d *Incidents) resolved(in *incident, r Report) counters.Verdict {
	a := in.alert(r.Subject)
	switch {
	case a == nil && r.Start.IsZero():
		if a = in.add(r.Subject); a != nil { // what began is not known yet
			a.end = r.Time
			return counters.Counted
		}
		return surplus
	case a != nil && (r.Time.Before(a.start) || r.Reporter != "" && r.Start.Before(a.start)):
		return counters.Late
	case a != nil && a.ended() && !a.vanished && (r.Reporter == "" || r.Start.Equal(a.start)):
		return counters.Duplicate
	case a == nil || r.Reporter != "" && r.Start.After(a.start):
		if v := d.opened(in, r, r.Start); v == surplus {
			return v
		}
		a = in.alert(r.Subject)
	}
	a.end, a.vanished = event.Latest(r.Time, a.start), false
	in.merged = in.merged || r.Merged
	d.close(in, r.Observed)
	return counters.Counted
}

func (d *Incidents) acknowledged(in *incident, r Report) counters.Verdict {
	if in.alert(r.Subject) == nil {
		if v := d.opened(in, r, began(r)); v == surplus {
			return v
		}
	}
	a := in.alert(r.Subject)
	switch {
	case a.ended() || in.first.IsZero() || r.Time.Before(in.first):
		return counters.Late
	case in.acknowledged:
		return counters.Duplicate
	}
	in.acknowledged = true
	d.count.acknowledge(d.revision, in, r.Time.Sub(in.first))
	return counters.Counted
}

// seen works in that an alert was in a list.
func (d *Incidents) seen(in *incident, r Report) counters.Verdict {
	a := in.alert(r.Subject)
	if a != nil && a.start.Equal(r.Start) {
		if a.reporter != r.Reporter && a.reporter != "" && len(d.reporters) < maxReporters {
			d.reporters[a.reporter] = r.Reporter
		}
		if a.vanished && r.Time.After(a.end) {
			a.reporter = r.Reporter
			return d.back(in, a, r)
		}
		if !a.ended() {
			a.sign, a.reporter, a.condition = event.Latest(a.sign, r.Time), r.Reporter, r.Condition
		}
		return ""
	}
	if a != nil && r.Start.Before(a.start) || r.Condition == Maintenance || r.Condition == Inhibited {
		return ""
	}
	v := d.opened(in, r, r.Start)
	if a := in.alert(r.Subject); a != nil && a.start.Equal(r.Start) {
		a.condition = r.Condition
	}
	return v
}

// reporter returns who is asked for what a report is about.
func (d *Incidents) reporter(r Report) string {
	if known := d.reporters[r.Reporter]; known != "" {
		return known
	}
	return r.Reporter
}

// listed ends the alerts that are missing in the lists of who had them: at their last sign, which nobody can know better.
func (d *Incidents) listed(l Listing) {
	before := l.Time.Add(-d.options.Absent)
	d.known.All(func(_ string, _ time.Time, in *incident) {
		gone := false
		for i := range in.alerts {
			a := &in.alerts[i]
			if a.ended() || !a.sign.Before(before) || a.reporter != l.Reporter && d.reporters[a.reporter] != l.Reporter {
				continue
			}
			a.end, a.vanished, gone = event.Latest(a.sign, a.start), true, true
		}
		if gone {
			d.close(in, l.Observed)
		}
	})
}

// Settled returns events for the ends that are final by now, and for what nobody has spoken of for too long.
func (d *Incidents) Settled(now time.Time) (events []event.Event) {
	made := func(name, fingerprint string, observed time.Time) event.Event {
		return event.Event{
			Name: name, Source: "plimsoll", Subject: fingerprint, Key: fingerprint + "/" + name, Time: now, Observed: observed,
		}
	}
	for _, x := range d.ending {
		if now.After(x.heard.Add(d.options.Reopen)) {
			events = append(events, made(settled, x.fingerprint, x.heard))
		}
	}
	if _, heard, _, ok := d.known.Oldest(); ok && !now.Before(heard.Add(d.options.Recur)) {
		d.known.All(func(fingerprint string, heard time.Time, _ *incident) {
			if !now.Before(heard.Add(d.options.Recur)) {
				events = append(events, made(forgotten, fingerprint, heard))
			}
		})
	}
	return events
}
