package policy

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Values of event.PolicyDecision.
const (
	Allow = "allow"
	Deny  = "deny"
	Warn  = "warn"  // let through with a warning to whoever asked
	Audit = "audit" // an object that is there, or was let through, violates the policy
	Error = "error" // the engine could not tell
)

// Decision is what a policy engine decided. There are two kinds. One with a Count is about requests: Origin.Subject is
// what the engine counts them by, such as an event of Kubernetes', and Count how many there were so far. One without is
// about an object: Subject is the object and the policy, and what is said of it holds until something else is said.
type Decision struct {
	event.Origin
	Engine    string // gatekeeper, kyverno, or another word
	Policy    string // its name
	Decision  string // a value of event.PolicyDecision; of an object it is empty if nothing is wrong any more
	Namespace string // where the object is, or empty
	Count     int64
}

// Event returns the decision as an event.
func (d Decision) Event() event.Event {
	attrs := []event.Attr{
		event.String(event.PolicyEngine, d.Engine), event.String(event.PolicyName, d.Policy),
		event.String(event.PolicyDecision, d.Decision), event.String(event.Namespace, d.Namespace),
	}
	if d.Count > 0 {
		attrs = append(attrs, event.Int(event.Count, d.Count))
	}
	return d.Origin.Event(event.PolicyDecided, time.Time{}, attrs...)
}

// decisionOf reads back what Event wrote.
func decisionOf(e event.Event) (d Decision, ok bool) {
	return Decision{
		Origin: e.Origin(), Engine: e.Attrs.Text(event.PolicyEngine), Policy: e.Attrs.Text(event.PolicyName),
		Decision: e.Attrs.Text(event.PolicyDecision), Namespace: e.Attrs.Text(event.Namespace), Count: e.Attrs.Integer(event.Count),
	}, e.Name == event.PolicyDecided
}
