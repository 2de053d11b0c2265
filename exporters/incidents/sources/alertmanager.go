// Package sources reads what systems say of incidents: webhooks of Alertmanager and PagerDuty and incidents of CDEvents,
// and it asks Alertmanager for what its webhooks do not tell. Of labels it takes those that say what and whose an alert
// is; annotations, titles and addresses are not read.
package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// alertmanager is the source of alerts, however they came.
const alertmanager = "alertmanager"

// notification is what is read of a webhook. Source: Alertmanager documentation, webhook_config, version 4.
type notification struct {
	ExternalURL string  `json:"externalURL"`
	Truncated   float64 `json:"truncatedAlerts"`
	Alerts      []struct {
		alert
		Status string `json:"status"`
	} `json:"alerts"`
}

// alert is what is read of one alert, of a webhook or of a list.
type alert struct {
	Labels      labels       `json:"labels"`
	StartsAt    source.Stamp `json:"startsAt"`
	EndsAt      source.Stamp `json:"endsAt"`
	Fingerprint string       `json:"fingerprint"`
}

type labels struct {
	Name      string `json:"alertname"`
	Severity  string `json:"severity"`
	Service   string `json:"service"`
	Team      string `json:"team"`
	SLO       string `json:"slo"`
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
}

// Alertmanager returns the events of one webhook: one for each alert that is an incident. An alert of Plimsoll's is known
// by slo, severity, service and team, any other by alertname, severity, service, team, cluster and namespace: those of
// many instances are one incident. An alert with the severity none is not one. A notification that was cut off by
// max_alerts gives an event.Unused besides, with Unmapped "truncated".
func Alertmanager(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	var n notification
	exact, err := source.Unmarshal(body, &n)
	if err != nil {
		return nil, fmt.Errorf("decode alertmanager delivery: %w", err)
	}
	if n.Alerts == nil {
		return nil, fmt.Errorf("decode alertmanager delivery: %w", errors.New("no alerts"))
	}
	var events []event.Event
	if n.Truncated > 0 {
		unused := event.NewUnused(alertmanager, observed)
		unused.Attrs = event.NewSet(event.String(event.Unmapped, "truncated"))
		events = append(events, unused)
	}
	for _, a := range n.Alerts {
		state, at := incidents.Opened, a.StartsAt.Truncate(time.Millisecond)
		switch event.Word(a.Status) {
		case "firing":
		case "resolved":
			state, at = incidents.Resolved, a.EndsAt.Time
		default:
			continue
		}
		if r, ok := a.report(state, at, observed); ok {
			r.Unmapped = cmp.Or(r.Unmapped, source.Inexact(exact))
			r.Reporter = Reporter(n.ExternalURL)
			events = append(events, r.Event())
		}
	}
	if len(events) == 0 {
		events = append(events, event.NewUnused(alertmanager, observed))
	}
	return events, nil
}

var fingerprints = regexp.MustCompile(`^[0-9a-f]{1,32}$`)

// report returns what an alert says; ok is false if it is no incident or nobody could tell which.
func (a alert) report(state incidents.State, at, observed time.Time) (r incidents.Report, ok bool) {
	if !fingerprints.MatchString(a.Fingerprint) || a.StartsAt.IsZero() || event.Word(a.Labels.Severity) == "none" {
		return incidents.Report{}, false
	}
	start := a.StartsAt.Truncate(time.Millisecond) // lists have no more digits than that, webhooks have
	key := start.UTC().Format(time.RFC3339Nano) + "/" + [...]string{"firing", "", "", "resolved", "seen"}[state]
	l := a.Labels
	r = incidents.Report{
		Origin: event.NewOrigin(alertmanager, "am/"+a.Fingerprint, key, at, observed), State: state,
		Name: identifier(l.Name), Severity: severity(l.Severity), Service: name(l.Service), Team: name(l.Team), SLO: identifier(l.SLO),
		Start: start,
	}
	if _, believable := event.Clamp(start, observed); !believable {
		r.Start, r.Unmapped = r.Time, "clock"
	}
	if r.Fingerprint = incidents.NewFingerprint("slo", l.SLO, l.Severity, l.Service, l.Team); l.SLO == "" {
		r.Fingerprint = incidents.NewFingerprint("alert", l.Name, l.Severity, l.Service, l.Team, l.Cluster, l.Namespace)
	}
	return r, true
}

// Reporter returns what stands for the Alertmanager with an address.
func Reporter(address string) string {
	return incidents.NewFingerprint("alertmanager", strings.TrimSuffix(address, "/"))
}

// severity returns a word, or nothing.
func severity(text string) string { return event.Word(text) }

// identifier returns the name of a rule or an SLO, or nothing if it might be anything else.
func identifier(text string) string {
	if len(text) > 64 || strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-:.", c)
	}) {
		return ""
	}
	return text
}

// name returns the name of a service or a team, or nothing if it might be an address or the way to reach a person.
func name(text string) string {
	if text = event.Clean(text); len(text) > 64 || strings.ContainsAny(text, "@?#=") || strings.Contains(text, "://") {
		return ""
	}
	return text
}
