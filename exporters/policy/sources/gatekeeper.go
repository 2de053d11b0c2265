package sources

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

const gatekeeper = "gatekeeper"

// violation is what is read of a violation that Gatekeeper's audit exports. Source: Gatekeeper documentation, "Consuming
// violations using pubsub".
type violation struct {
	ID        string `json:"id"`
	Type      string `json:"eventType"`
	Kind      string `json:"kind"` // of the constraint
	Name      string `json:"name"`
	Version   string `json:"resourceAPIVersion"`
	Resource  string `json:"resourceKind"`
	Namespace string `json:"resourceNamespace"`
	Object    string `json:"resourceName"`
}

// Gatekeeper returns the events of one delivery: events of Kubernetes' that Gatekeeper makes with --emit-admission-events
// and --emit-audit-events, alone or in a list, or a violation that its audit exports. The policy is the constraint. What an
// audit finds again counts once as long as it is found.
func Gatekeeper(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	return each(gatekeeper, body, observed, func(part json.RawMessage) []policy.Decision {
		var e kubernetesEvent
		if _, err := source.Unmarshal(part, &e); err != nil {
			return nil
		}
		if e.Metadata.Annotations["constraint_name"] != "" {
			return constraintEvent(e, observed)
		}
		var v violation
		if exact, err := source.Unmarshal(part, &v); err != nil || !exact || v.Type != "violation_audited" || label(v.Name) == "" {
			return nil
		}
		object := reference{APIVersion: v.Version, Kind: v.Resource, Namespace: v.Namespace, Name: v.Object}
		return []policy.Decision{audited(object, v.Kind, v.Name, observed, observed)}
	})
}

// constraintEvent reads an event of Kubernetes'. Its annotations say what the message says in words.
func constraintEvent(e kubernetesEvent, observed time.Time) []policy.Decision {
	a := e.Metadata.Annotations
	name, namespace := label(a["constraint_name"]), label(a["resource_namespace"])
	switch {
	case name == "":
		return nil
	case a["process"] == "audit":
		object := reference{APIVersion: a["resource_api_version"], Kind: a["resource_kind"], Namespace: a["resource_namespace"], Name: a["resource_name"]}
		at := cmp.Or(e.Series.Last.Time, e.Last.Time, e.EventTime.Time, e.Metadata.Created.Time, observed)
		return []policy.Decision{audited(object, a["constraint_kind"], name, at, observed)}
	case a["process"] != "admission" || e.Metadata.UID == "":
		return nil
	}
	d := e.of(gatekeeper, observed)
	d.Policy, d.Namespace = name, namespace
	d.Decision = cmp.Or(map[string]string{"deny": policy.Deny, "warn": policy.Warn, "dryrun": policy.Audit}[a["constraint_action"]], policy.Deny)
	if a["constraint_action"] == "scoped" { // the reason tells what it came to
		d.Decision = cmp.Or(map[string]string{"DryrunViolation": policy.Audit, "WarningAdmission": policy.Warn}[e.Reason], policy.Deny)
	}
	return []policy.Decision{d}
}

func audited(o reference, constraint, name string, at, observed time.Time) policy.Decision {
	return policy.Decision{
		Origin: event.NewOrigin(gatekeeper, about(gatekeeper, o, constraint, name), at.UTC().Format(time.RFC3339), at, observed),
		Engine: gatekeeper, Policy: name, Decision: policy.Audit, Namespace: label(o.Namespace),
	}
}
