package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

const pagerduty = "pagerduty"

// page is what is read of a webhook. Source: PagerDuty documentation, "Webhooks V3".
type page struct {
	Event struct {
		ID         string       `json:"id"`
		Type       string       `json:"event_type"`
		OccurredAt source.Stamp `json:"occurred_at"`
		Data       struct {
			ID        string       `json:"id"`
			Key       string       `json:"incident_key"`
			CreatedAt source.Stamp `json:"created_at"`
			Urgency   string       `json:"urgency"`
			Priority  summary      `json:"priority"`
			Service   summary      `json:"service"`
			Teams     []summary    `json:"teams"`
			Reason    struct {
				Type string `json:"type"`
			} `json:"resolve_reason"`
		} `json:"data"`
	} `json:"event"`
}

type summary struct {
	ID      string `json:"id"`
	Summary string `json:"summary"`
}

// PagerDuty returns the event of one webhook of version 3. An incident with the same incident_key in the same service as
// an earlier one is that one again; the severity is the priority, or else the urgency. Everything but incidents that are
// triggered, acknowledged, reopened or resolved is event.Unused.
func PagerDuty(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	var p page
	exact, err := source.Unmarshal(body, &p)
	if err != nil {
		return nil, fmt.Errorf("decode pagerduty delivery: %w", err)
	}
	e := p.Event
	state, used := map[string]incidents.State{
		"incident.triggered": incidents.Opened, "incident.acknowledged": incidents.Acknowledged,
		"incident.reopened": incidents.Reopened, "incident.resolved": incidents.Resolved,
	}[e.Type]
	if e.Type == "" || used && (e.ID == "" || e.Data.ID == "") {
		return nil, fmt.Errorf("decode pagerduty delivery: %w", errors.New("no type, or no id of the event or its incident"))
	}
	if !used {
		return []event.Event{event.NewUnused(pagerduty, observed)}, nil
	}
	r := incidents.Report{
		Origin: event.NewOrigin(pagerduty, "pd/"+source.Ident(e.Data.ID), source.Ident(e.ID), e.OccurredAt.Time, observed), State: state,
		Fingerprint: incidents.NewFingerprint(pagerduty, e.Data.Service.ID, cmp.Or(e.Data.Key, e.Data.ID)),
		Severity:    cmp.Or(severity(e.Data.Priority.Summary), severity(e.Data.Urgency)),
		Service:     name(e.Data.Service.Summary), Start: source.Began(e.Data.CreatedAt.Time, observed),
		Merged: e.Data.Reason.Type == "merge_resolve_reason",
	}
	if len(e.Data.Teams) > 0 {
		r.Team = name(e.Data.Teams[0].Summary)
	}
	r.Unmapped = cmp.Or(r.Unmapped, source.Inexact(exact))
	return []event.Event{r.Event()}, nil
}
