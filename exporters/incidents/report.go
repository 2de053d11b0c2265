package incidents

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// State is what a Report says has become of an incident.
type State int

// The states. Seen is for an alert that is still there when somebody asks, which is no news by itself.
const (
	Opened State = iota
	Acknowledged
	Reopened
	Resolved
	Seen
)

var names = [...]string{
	event.IncidentOpened, event.IncidentAcknowledged, event.IncidentReopened, event.IncidentResolved, event.IncidentSeen,
}

// Values of event.IncidentState. The last two are of alerts that are no incidents: somebody silenced them before they
// began, or another alert that has the same cause is in front of them.
const (
	Triggered   = "triggered"
	Known       = "acknowledged"
	Silenced    = "silenced"
	Maintenance = "maintenance"
	Inhibited   = "inhibited"
)

// Report is what a source says of an incident, or of one of the alerts that make it up. Origin.Subject is the alert, or
// the incident if the source has no alerts; Origin.Time is when what State says happened.
type Report struct {
	event.Origin
	State State
	// Fingerprint is the same for all alerts of an incident, and for the incident if it comes again; see NewFingerprint.
	Fingerprint string
	// Name is the rule that raised it. All five may be empty.
	Name, Severity, Service, Team, SLO string
	// Start is when it began by the source; zero if it does not say.
	Start time.Time
	// Reporter is the Alertmanager that says so, or empty. Of an alert with a reporter every beginning has a Start of its
	// own, and an end belongs to the beginning with the same Start.
	Reporter string
	// Condition of an alert that is seen: Triggered, Silenced, Maintenance or Inhibited.
	Condition string
	// Merged says of a resolved incident that it goes on as part of another.
	Merged bool
}

// merged is a value of event.IncidentReason.
const merged = "merged"

// Event returns the report as an event.
func (r Report) Event() event.Event {
	reason := ""
	if r.Merged {
		reason = merged
	}
	return r.Origin.Event(names[r.State], r.Start,
		event.String(event.Fingerprint, r.Fingerprint),
		event.String(event.IncidentName, r.Name),
		event.String(event.Severity, r.Severity),
		event.String(event.Service, r.Service),
		event.String(event.Team, r.Team),
		event.String(event.SLO, r.SLO),
		event.String(event.Reporter, r.Reporter),
		event.String(event.IncidentState, r.Condition),
		event.String(event.IncidentReason, reason),
	)
}

// reportOf reads back what Event wrote; ok is false if the event is not about an incident.
func reportOf(e event.Event) (r Report, ok bool) {
	for state, name := range names {
		if name == e.Name {
			r.State, ok = State(state), true
		}
	}
	if !ok || e.Attrs.Text(event.Fingerprint) == "" {
		return Report{}, false
	}
	r.Origin = e.Origin()
	r.Start = e.Start.Round(0)
	r.Fingerprint, r.Name = e.Attrs.Text(event.Fingerprint), e.Attrs.Text(event.IncidentName)
	r.Severity, r.Service = e.Attrs.Text(event.Severity), e.Attrs.Text(event.Service)
	r.Team, r.SLO = e.Attrs.Text(event.Team), e.Attrs.Text(event.SLO)
	r.Reporter, r.Condition = e.Attrs.Text(event.Reporter), e.Attrs.Text(event.IncidentState)
	r.Merged = e.Attrs.Text(event.IncidentReason) == merged
	return r, true
}

// Listing says that a reporter was asked for all its alerts, and that all that were there have been reported as Seen.
type Listing struct {
	event.Origin
	Reporter string
}

// Event returns the listing as an event.
func (l Listing) Event() event.Event {
	return l.Origin.Event(event.IncidentsListed, time.Time{}, event.String(event.Reporter, l.Reporter))
}

// listingOf reads back what Event wrote.
func listingOf(e event.Event) (l Listing, ok bool) {
	l = Listing{Origin: e.Origin(), Reporter: e.Attrs.Text(event.Reporter)}
	return l, e.Name == event.IncidentsListed && l.Reporter != ""
}
