package incidents

import (
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// incident is what is remembered of one.
type incident struct {
	fingerprint, source, severity, service, team string

	first, ended time.Time // of its clock; first is zero if it does not run, ended while it runs
	heard        time.Time // when its end was heard of
	acknowledged bool
	merged       bool
	previous     time.Time // when it ended the time before, once that was final

	alerts []alert // in the order in which they were first heard of, at most maxAlerts
}

// maxAlerts is how many alerts of an incident are told apart at a time.
const maxAlerts = 100

// alert is one of the alerts of an incident.
type alert struct {
	subject    string
	start, end time.Time // end is zero while it goes on
	sign       time.Time // when somebody last said that it goes on
	vanished   bool      // nobody said that it ended
	reporter   string
	condition  string // as in Report
}

func (a *alert) ended() bool { return !a.end.IsZero() }

func (in *incident) alert(subject string) *alert {
	for i := range in.alerts {
		if in.alerts[i].subject == subject {
			return &in.alerts[i]
		}
	}
	return nil
}

// add returns a new alert. The first that has ended makes room; if none has, it returns nil.
func (in *incident) add(subject string) *alert {
	if len(in.alerts) >= maxAlerts {
		i := slices.IndexFunc(in.alerts, func(a alert) bool { return a.ended() })
		if i < 0 {
			return nil
		}
		in.alerts = slices.Delete(in.alerts, i, i+1)
	}
	in.alerts = append(in.alerts, alert{subject: subject})
	return &in.alerts[len(in.alerts)-1]
}

// open tells whether the clock runs.
func (in *incident) open() bool { return !in.first.IsZero() && in.ended.IsZero() }

// condition returns the state that stands for all alerts.
func (in *incident) condition() string {
	switch {
	case in.acknowledged:
		return Known
	case slices.ContainsFunc(in.alerts, func(a alert) bool { return !a.ended() && a.condition != Silenced }):
		return Triggered
	}
	return Silenced
}

// Values of event.Recurrence.
const (
	isNew    = "new"
	reopened = "reopened"
	recurred = "recurred"
)

// clock starts the clock of an incident that has an alert since a time, or lets it go on.
func (d *Incidents) clock(in *incident, r Report, at time.Time) {
	soon := func(end time.Time) bool { return r.State == Reopened || at.Sub(end) <= d.options.Reopen }
	switch {
	case in.open():
		if at.Before(in.first) && at.After(in.previous) {
			in.first = at
		}
		return
	case !in.first.IsZero() && soon(in.ended):
		overlaps := !at.After(in.ended)
		in.ended, in.merged = time.Time{}, false
		if at.Before(in.first) {
			in.first = at
		}
		if overlaps { // a part of it that is heard of late
			return
		}
		d.count.open(d.revision, in, reopened)
		return
	case !in.first.IsZero():
		d.settle(in)
	}
	in.first, in.ended = at, time.Time{}
	d.describe(in, r)
	switch {
	case in.previous.IsZero() || at.Sub(in.previous) > d.options.Recur:
		d.count.open(d.revision, in, isNew)
	case soon(in.previous):
		d.count.open(d.revision, in, reopened)
	default:
		d.count.open(d.revision, in, recurred)
	}
}

// close stops the clock if no alert goes on.
func (d *Incidents) close(in *incident, heard time.Time) {
	if in.first.IsZero() {
		return
	}
	end := in.first
	for i := range in.alerts {
		if !in.alerts[i].ended() {
			return
		}
		end = event.Latest(end, in.alerts[i].end)
	}
	in.ended, in.heard = end, heard
	d.ending = slices.DeleteFunc(d.ending, func(x ending) bool { return x.fingerprint == in.fingerprint })
	d.ending = append(d.ending, ending{in.fingerprint, heard})
}

// settle counts the time of an incident whose clock does not go on any more.
func (d *Incidents) settle(in *incident) {
	if in.first.IsZero() || in.ended.IsZero() {
		return
	}
	took := in.ended.Sub(in.first)
	switch {
	case in.merged:
		d.count.exclude(d.revision, in, merged)
	case took <= 0: // somebody wrote it down when it was over
		d.count.exclude(d.revision, in, "instant")
	default:
		d.count.restore(d.revision, in, took)
	}
	in.previous, in.first, in.ended = in.ended, time.Time{}, time.Time{}
	in.acknowledged, in.merged = false, false
}

// forget counts what is lost with an incident that is dropped.
func (d *Incidents) forget(in *incident, reason string) {
	if in.open() {
		d.count.exclude(d.revision, in, reason)
		return
	}
	d.settle(in)
}
