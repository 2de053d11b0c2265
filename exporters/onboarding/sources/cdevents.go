package sources

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// cdRepository is what is read of a CDEvent about a repository.
type cdRepository struct {
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
			Name  string `json:"name"`
			Owner string `json:"owner"`
		} `json:"content"`
	} `json:"subject"`
}

// CDEvents returns the events of one HTTP request with CDEvents of any version: a repository that is created is a request
// for a service of its name, one that is deleted takes it back. Everything else is event.Unused.
func CDEvents(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	return source.EachCloudEvent(cdevents, header, body, observed, func(ce source.CloudEvent) ([]event.Event, error) {
		var e cdRepository
		exact, err := source.Unmarshal(ce.Data, &e)
		if err != nil {
			return nil, err
		}
		kind := cmp.Or(e.Context.Type, ce.Type)
		if kind == "" {
			return nil, errors.New("no type")
		}
		about, found := strings.CutPrefix(kind, "dev.cdevents.repository.")
		predicate, _, _ := strings.Cut(about, ".")
		if !found || predicate != "created" && predicate != "deleted" {
			return nil, nil
		}
		id := e.Subject.ID
		name := identifier(cmp.Or(e.Subject.Content.Name, id[strings.LastIndexByte(id, '/')+1:]))
		if id == "" || name == "" {
			return nil, nil
		}
		subject := "ce/" + source.Ident(cmp.Or(e.Subject.Source, e.Context.Source, ce.Source)) + "/repository/" + source.Ident(id)
		r := onboarding.Request{
			Origin:  event.NewOrigin(cdevents, subject, predicate, cmp.Or(e.Context.Timestamp.Time, ce.Time.Time), observed),
			Service: name, Team: team(e.Subject.Content.Owner), Abandoned: predicate == "deleted",
		}
		r.Unmapped = cmp.Or(r.Unmapped, source.Inexact(exact))
		return []event.Event{r.Event()}, nil
	})
}

// Kinds returns every kind of system that tells of requests, sorted by name.
func Kinds() []source.Kind {
	return []source.Kind{
		{Name: backstage, Decode: Backstage},
		{Name: cdevents, Decode: CDEvents},
	}
}
