package sources

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

const kyverno = "kyverno"

// report is what is read of a PolicyReport of wgpolicyk8s.io, of a Report of openreports.io, and of a result that Policy
// Reporter posts, which is a result with its resource and nothing around it.
type report struct {
	object
	Source  string    `json:"source"`
	Scope   reference `json:"scope"`
	Results []result  `json:"results"`
}

type result struct {
	Source    string      `json:"source"`
	Policy    string      `json:"policy"`
	Rule      string      `json:"rule"`
	Result    string      `json:"result"`
	Status    string      `json:"status"` // Policy Reporter's word for it
	Resources []reference `json:"resources"`
	Resource  reference   `json:"resource"`
	Timestamp struct {
		Seconds float64 `json:"seconds"`
	} `json:"timestamp"`
	Created source.Stamp `json:"creationTimestamp"`
}

// Kyverno returns the events of one delivery: events of Kubernetes' that Kyverno makes about its policies, policy reports
// of any engine, or results that Policy Reporter posts; alone or in a list. Results of reports are about objects that are
// there: each counts once until it changes. Events about objects say again what those about policies do, and are unused.
func Kyverno(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	return each(kyverno, body, observed, func(part json.RawMessage) []policy.Decision {
		var r report
		if _, err := source.Unmarshal(part, &r); err != nil {
			return nil
		}
		if r.Results != nil {
			return r.decisions(observed)
		}
		var one result
		if exact, err := source.Unmarshal(part, &one); err == nil && exact && one.Policy != "" {
			return one.decisions(r.Source, one.Resource, observed)
		}
		var e kubernetesEvent
		if _, err := source.Unmarshal(part, &e); err != nil {
			return nil
		}
		return policyEvent(e, observed)
	})
}

// policyEvent reads an event of Kubernetes' about a policy.
func policyEvent(e kubernetesEvent, observed time.Time) []policy.Decision {
	about := cmp.Or(e.Involved, e.Regarding)
	if !strings.HasSuffix(about.Kind, "Policy") || strings.HasSuffix(about.Kind, "CleanupPolicy") || label(about.Name) == "" || e.Metadata.UID == "" {
		return nil
	}
	d := e.of(kyverno, observed)
	d.Policy, d.Namespace = label(about.Name), label(e.Related.Namespace)
	switch {
	case e.Reason == "PolicyError":
		d.Decision = policy.Error
	case e.Reason == "PolicyApplied" && e.Action == "Resource Passed":
		d.Decision = policy.Allow
	case e.Reason != "PolicyViolation":
		return nil
	case e.Action == "Resource Blocked":
		d.Decision = policy.Deny
	default:
		d.Decision = policy.Audit
	}
	if e.component() == "kyverno-scan" && d.Decision == policy.Allow {
		return nil // nobody asked
	}
	return []policy.Decision{d}
}

func (r report) decisions(observed time.Time) (all []policy.Decision) {
	for i, one := range r.Results {
		if i >= maxItems {
			break
		}
		objects := one.Resources
		if len(objects) == 0 {
			objects = []reference{r.Scope}
		}
		for _, o := range objects[:min(len(objects), maxItems/len(r.Results)+1)] {
			o.Namespace = cmp.Or(o.Namespace, r.Metadata.Namespace)
			all = append(all, one.decisions(r.Source, o, observed)...)
		}
	}
	return all
}

// decisions returns what a result says of one object, if it says something.
func (r result) decisions(engine string, o reference, observed time.Time) []policy.Decision {
	decision, known := map[string]string{
		"fail": policy.Audit, "warn": policy.Warn, "error": policy.Error, "pass": "", "skip": "",
	}[event.Word(cmp.Or(r.Result, r.Status))]
	name := label(r.Policy)
	if !known || name == "" {
		return nil
	}
	at := r.Created.Time
	if r.Timestamp.Seconds > 0 && r.Timestamp.Seconds < 1e11 {
		at = time.Unix(int64(r.Timestamp.Seconds), 0).UTC()
	}
	if at.IsZero() {
		at = observed
	}
	engine = cmp.Or(event.Word(cmp.Or(r.Source, engine)), kyverno)
	return []policy.Decision{{
		Origin: event.NewOrigin(kyverno, about(engine, o, r.Policy, r.Rule), at.UTC().Format(time.RFC3339)+"/"+cmp.Or(decision, "pass"), at, observed),
		Engine: engine, Policy: name, Decision: decision, Namespace: label(o.Namespace),
	}}
}
