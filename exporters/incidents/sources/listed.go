package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// MaxAlerts is the most alerts of one list.
const MaxAlerts = 5000

// listedAlert is an alert as GET /api/v2/alerts has it.
type listedAlert struct {
	alert
	Receivers []struct {
		Name string `json:"name"`
	} `json:"receivers"`
	Status struct {
		SilencedBy  []string `json:"silencedBy"`
		InhibitedBy []string `json:"inhibitedBy"`
		MutedBy     []string `json:"mutedBy"` // since 0.28
	} `json:"status"`
}

// AlertmanagerList returns the events of the answers of GET /api/v2/alerts and GET /api/v2/silences of one Alertmanager at
// one moment: each alert that is an incident, as Seen, and at last a Listing. With a receiver it is only the alerts that
// are routed to the receiver with that name. An alert is in maintenance if it was muted, or silenced before it began.
func AlertmanagerList(reporter, receiver string, alerts, silences []byte, now time.Time) ([]event.Event, error) {
	var listed []listedAlert
	var silenced []struct {
		ID       string       `json:"id"`
		StartsAt source.Stamp `json:"startsAt"`
	}
	if err := json.Unmarshal(alerts, &listed); err != nil || listed == nil {
		return nil, errors.New("the alerts are not a list of alerts")
	}
	if err := json.Unmarshal(silences, &silenced); err != nil || silenced == nil {
		return nil, errors.New("the silences are not a list of silences")
	}
	if len(listed) > MaxAlerts {
		return nil, fmt.Errorf("want at most %d alerts, have %d", MaxAlerts, len(listed))
	}
	since := map[string]time.Time{}
	for _, s := range silenced {
		since[s.ID] = s.StartsAt.Time
	}
	at := strconv.FormatInt(now.UnixMilli(), 10)
	var events []event.Event
	for _, a := range listed {
		r, ok := a.report(incidents.Seen, now, now)
		if !ok || !a.routedTo(receiver) {
			continue
		}
		r.Key += "/" + at
		r.Reporter, r.Condition = reporter, a.condition(since)
		events = append(events, r.Event())
	}
	l := incidents.Listing{Origin: event.NewOrigin(alertmanager, "am/list/"+reporter, at, now, now), Reporter: reporter}
	return append(events, l.Event()), nil
}

func (a listedAlert) routedTo(receiver string) bool {
	for _, r := range a.Receivers {
		if r.Name == receiver {
			return true
		}
	}
	return receiver == ""
}

// condition tells what is done about an alert; since has the beginnings of silences.
func (a listedAlert) condition(since map[string]time.Time) string {
	for _, id := range a.Status.SilencedBy {
		if began, known := since[id]; known && !began.After(a.StartsAt.Time) {
			return incidents.Maintenance
		}
	}
	switch {
	case len(a.Status.SilencedBy) > 0:
		return incidents.Silenced
	case len(a.Status.MutedBy) > 0:
		return incidents.Maintenance
	case len(a.Status.InhibitedBy) > 0:
		return incidents.Inhibited
	}
	return incidents.Triggered
}
