// Package sources reads what Gatekeeper and Kyverno say of their decisions: as events of Kubernetes', which any of the
// exporters of events can post, and as reports and violations, which they or their companions post themselves. Names of
// policies and namespaces are read, but no message, no user and no name of an object.
package sources

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// maxItems bounds the objects of one delivery.
const maxItems = 1000

// object is what is read of any object of Kubernetes'.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		UID         string            `json:"uid"`
		Namespace   string            `json:"namespace"`
		Name        string            `json:"name"`
		Created     source.Stamp      `json:"creationTimestamp"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

// kubernetesEvent is what is read of an event, in the form of v1 or of events.k8s.io/v1.
type kubernetesEvent struct {
	object
	Reason    string       `json:"reason"`
	Action    string       `json:"action"`
	Count     float64      `json:"count"`
	OldCount  float64      `json:"deprecatedCount"`
	Last      source.Stamp `json:"lastTimestamp"`
	OldLast   source.Stamp `json:"deprecatedLastTimestamp"`
	EventTime source.Stamp `json:"eventTime"`
	Series    struct {
		Count float64      `json:"count"`
		Last  source.Stamp `json:"lastObservedTime"`
	} `json:"series"`
	Involved   reference `json:"involvedObject"`
	Regarding  reference `json:"regarding"`
	Related    reference `json:"related"`
	Component  string    `json:"reportingComponent"`
	Controller string    `json:"reportingController"`
	Source     struct {
		Component string `json:"component"`
	} `json:"source"`
}

// reference names another object.
type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// items returns the parts of a delivery: the elements of a list, the items of a list of Kubernetes', or the whole.
func items(body []byte) ([]json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	var parts []json.RawMessage
	if len(body) > 0 && body[0] == '[' {
		if _, err := source.Unmarshal(body, &parts); err != nil {
			return nil, err
		}
	} else {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if exact, err := source.Unmarshal(body, &list); err != nil {
			return nil, err
		} else if parts = list.Items; !exact || len(body) == 0 || body[0] != '{' {
			return nil, errors.New("not a JSON object")
		} else if parts == nil {
			parts = []json.RawMessage{body}
		}
	}
	if len(parts) == 0 || len(parts) > maxItems {
		return nil, fmt.Errorf("a list of %d, want 1 to %d", len(parts), maxItems)
	}
	return parts, nil
}

// each returns the events that decode makes of every part of a delivery; a part it makes nothing of is event.Unused.
func each(kind string, body []byte, observed time.Time, decode func(json.RawMessage) []policy.Decision) ([]event.Event, error) {
	parts, err := items(body)
	if err != nil {
		return nil, fmt.Errorf("decode %s delivery: %w", kind, err)
	}
	var events []event.Event
	for _, part := range parts {
		decisions := decode(part)
		for _, d := range decisions {
			events = append(events, d.Event())
		}
		if len(decisions) == 0 {
			events = append(events, event.NewUnused(kind, observed))
		}
	}
	return events, nil
}

// of returns the decision about the requests that an event counts. A new event has the number 1, or none.
func (e kubernetesEvent) of(kind string, observed time.Time) policy.Decision {
	count := max(e.Count, e.OldCount, e.Series.Count, 1)
	if count > 1e9 {
		count = 1
	}
	at := cmp.Or(e.Series.Last.Time, e.Last.Time, e.OldLast.Time, e.EventTime.Time, e.Metadata.Created.Time)
	d := policy.Decision{Engine: kind, Count: int64(count)}
	d.Origin = event.NewOrigin(kind, "k8s/event/"+source.Ident(e.Metadata.UID), fmt.Sprint(d.Count), at, observed)
	return d
}

func (e kubernetesEvent) component() string {
	return cmp.Or(e.Component, e.Controller, e.Source.Component)
}

// about returns the subject of what is said of an object by a policy. None of the names can be read from it.
func about(kind string, o reference, names ...string) string {
	return "policy/" + kind + "/" + source.Ident("?"+strings.Join(append([]string{o.UID, o.APIVersion, o.Kind, o.Namespace, o.Name}, names...), "\x00"))
}

// label returns the name of an object of Kubernetes', or nothing if it can not be one.
func label(text string) string {
	if len(text) > 128 || strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != ':' && c != '_'
	}) {
		return ""
	}
	return text
}
