// Package sources reads requests for new services: tasks of Backstage's scaffolder and repositories of CDEvents.
package sources

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

const (
	backstage = "backstage"
	cdevents  = "cdevents"
	// maxTasks bounds the tasks of one delivery.
	maxTasks = 1000
)

// task is what is read of a scaffolder task. Source: Backstage documentation, ScaffolderTask and TaskSpecV1beta3. Names
// of parameters are the template's: these are common ones.
type task struct {
	ID        string       `json:"id"`
	Status    string       `json:"status"`
	CreatedAt source.Stamp `json:"createdAt"`
	Spec      struct {
		Parameters struct {
			Component      string `json:"component_id"`
			ComponentCamel string `json:"componentId"`
			Service        string `json:"service"`
			ServiceName    string `json:"serviceName"`
			Name           string `json:"name"`
			Owner          string `json:"owner"`
			Repository     string `json:"repoUrl"`
		} `json:"parameters"`
	} `json:"spec"`
}

// Backstage returns the events of one delivery: a scaffolder task as its API has it, a list of them, or the answer of its
// list. A task is a request for the service that its parameters component_id, componentId, serviceName, service or name
// say, or else the repository of repoUrl. A task that failed or was cancelled takes the request back.
func Backstage(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	parts, err := tasks(body)
	if err != nil {
		return nil, fmt.Errorf("decode backstage delivery: %w", err)
	}
	var events []event.Event
	for _, part := range parts {
		e := event.NewUnused(backstage, observed)
		var t task
		if exact, err := source.Unmarshal(part, &t); err == nil {
			if r, ok := t.request(observed); ok {
				r.Unmapped = cmp.Or(r.Unmapped, source.Inexact(exact))
				e = r.Event()
			}
		}
		events = append(events, e)
	}
	return events, nil
}

func tasks(body []byte) ([]json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	var list struct {
		Tasks []json.RawMessage `json:"tasks"`
	}
	if len(body) > 0 && body[0] == '[' {
		if _, err := source.Unmarshal(body, &list.Tasks); err != nil {
			return nil, err
		}
	} else if exact, err := source.Unmarshal(body, &list); err != nil {
		return nil, err
	} else if !exact || len(body) == 0 || body[0] != '{' {
		return nil, errors.New("not a JSON object")
	} else if list.Tasks == nil {
		list.Tasks = []json.RawMessage{body}
	}
	if len(list.Tasks) == 0 || len(list.Tasks) > maxTasks {
		return nil, fmt.Errorf("a list of %d, want 1 to %d", len(list.Tasks), maxTasks)
	}
	return list.Tasks, nil
}

func (t task) request(observed time.Time) (r onboarding.Request, ok bool) {
	p := t.Spec.Parameters
	service := identifier(cmp.Or(p.Component, p.ComponentCamel, p.ServiceName, p.Service, p.Name, repositoryIn(p.Repository)))
	status := event.Word(t.Status)
	if t.ID == "" || service == "" || status == "" {
		return onboarding.Request{}, false
	}
	r = onboarding.Request{Service: service, Team: team(p.Owner), Abandoned: status == "failed" || status == "cancelled"}
	at := t.CreatedAt.Time
	if at.IsZero() || r.Abandoned {
		at = observed
	}
	key := "requested"
	if r.Abandoned {
		key = "abandoned"
	}
	r.Origin = event.NewOrigin(backstage, "bs/task/"+source.Ident(t.ID), key, at, observed)
	return r, true
}

// repositoryIn returns the repository of an address such as github.com?owner=acme&repo=pay.
func repositoryIn(address string) string {
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil || len(query) > 1024 {
		return ""
	}
	return values.Get("repo")
}

// team returns the name of an owner such as group:default/payments. A user is no team.
func team(reference string) string {
	kind, rest, found := strings.Cut(reference, ":")
	if !found {
		kind, rest = "group", reference
	}
	if !strings.EqualFold(kind, "group") {
		return ""
	}
	return identifier(rest[strings.LastIndexByte(rest, '/')+1:])
}

// identifier returns the name of a service or a team, or nothing if it might be something else.
func identifier(text string) string {
	if len(text) > 64 || strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_'
	}) {
		return ""
	}
	return text
}
