package sources

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

const cdevents = "cdevents"

// cdIncident is what is read of a CDEvent about an incident.
type cdIncident struct {
	Context struct {
		ID        string       `json:"id"`
		Source    string       `json:"source"`
		Type      string       `json:"type"`
		Timestamp source.Stamp `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string `json:"id"`
		Source  string `json:"source"`
		Content struct {
			Service struct {
				ID string `json:"id"`
			} `json:"service"`
		} `json:"content"`
	} `json:"subject"`
	Custom struct {
		Severity string `json:"severity"`
		Team     string `json:"team"`
	} `json:"customData"`
}

// CDEvents returns the events of one HTTP request with CDEvents of any version: an incident that is detected or reported,
// and one that is resolved. An incident is known by its source and id. Everything else is event.Unused.
func CDEvents(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	return source.EachCloudEvent(cdevents, header, body, observed, func(ce source.CloudEvent) ([]event.Event, error) {
		var e cdIncident
		exact, err := source.Unmarshal(ce.Data, &e)
		if err != nil {
			return nil, err
		}
		e.Context.ID, e.Context.Source = cmp.Or(e.Context.ID, ce.ID), cmp.Or(e.Context.Source, ce.Source)
		e.Context.Type = cmp.Or(e.Context.Type, ce.Type)
		if e.Context.Timestamp.IsZero() {
			e.Context.Timestamp = ce.Time
		}
		return e.events(exact, observed)
	})
}

func (e cdIncident) events(exact bool, observed time.Time) ([]event.Event, error) {
	if e.Context.Type == "" {
		return nil, errors.New("no type")
	}
	about, found := strings.CutPrefix(e.Context.Type, "dev.cdevents.incident.")
	if !found {
		return nil, nil
	}
	predicate, _, _ := strings.Cut(about, ".")
	state, used := map[string]incidents.State{
		"detected": incidents.Opened, "reported": incidents.Opened, "resolved": incidents.Resolved,
	}[predicate]
	if !used {
		return nil, nil
	}
	if e.Subject.ID == "" || e.Context.ID == "" {
		return nil, errors.New("no id of the event or of its subject")
	}
	from := cmp.Or(e.Subject.Source, e.Context.Source)
	subject := "ce/" + source.Ident(from) + "/incident/" + source.Ident(e.Subject.ID)
	r := incidents.Report{
		Origin: event.NewOrigin(cdevents, subject, source.Ident(e.Context.ID), e.Context.Timestamp.Time, observed), State: state,
		Fingerprint: incidents.NewFingerprint(cdevents, from, e.Subject.ID),
		Severity:    severity(e.Custom.Severity), Service: name(e.Subject.Content.Service.ID), Team: name(e.Custom.Team),
	}
	r.Unmapped = cmp.Or(r.Unmapped, source.Inexact(exact))
	return []event.Event{r.Event()}, nil
}
