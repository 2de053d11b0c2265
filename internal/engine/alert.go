package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/strutil"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// State is the state of an alert in Prometheus.
type State string

// The states of an alert.
const (
	Pending  State = "pending"  // the expression holds, but not yet as long as `for`
	Firing   State = "firing"   // the expression held as long as `for`, or keep_firing_for still runs
	Inactive State = "inactive" // resolved; kept for 15 minutes so that Alertmanager learns of it
)

// Alert is one instance of an alert rule: one set of labels.
type Alert struct {
	Name        string
	Labels      store.Labels
	Annotations store.Labels
	State       State
	Value       float64   // of the expression at the last evaluation
	ActiveAt    time.Time // when the expression began to hold
	FiredAt     time.Time // zero while pending
	ResolvedAt  time.Time // zero while active
	ValidUntil  time.Time // when Alertmanager takes a firing alert for resolved if it is not sent again
	Source      string    // link to the expression in Prometheus; set on alerts that were sent
}

// Alerts returns the alerts that Prometheus holds in memory, in the order of the rules, and by labels within a rule.
// Those of rules that were never evaluated, or not since Restart, are absent.
func (e *Engine) Alerts() []Alert {
	var out []Alert
	for _, g := range e.groups {
		for _, r := range g.Rules() {
			ar, ok := r.(*rules.AlertingRule)
			if !ok {
				continue
			}
			var of []Alert
			ar.ForEachActiveAlert(func(a *rules.Alert) { of = append(of, e.alert(a, "")) })
			sortAlerts(of)
			out = append(out, of...)
		}
	}
	return out
}

// alert converts a; an empty expr leaves Source empty.
func (e *Engine) alert(a *rules.Alert, expr string) Alert {
	out := Alert{
		Labels: a.Labels.Map(), Annotations: a.Annotations.Map(), State: State(a.State.String()), Value: a.Value,
		ActiveAt: utc(a.ActiveAt), FiredAt: utc(a.FiredAt), ResolvedAt: utc(a.ResolvedAt), ValidUntil: utc(a.ValidUntil),
	}
	out.Name = out.Labels["alertname"]
	if expr != "" {
		out.Source = e.external.String() + strutil.TableLinkForExpression(expr)
	}
	return out
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

func sortAlerts(as []Alert) {
	slices.SortFunc(as, func(a, b Alert) int { return strings.Compare(a.Labels.String(), b.Labels.String()) })
}

// EventKind says what happened to an alert.
type EventKind string

// The kinds of events.
const (
	Fired    EventKind = "fired"    // Alertmanager received an alert that it did not know as firing: a page
	Resolved EventKind = "resolved" // Alertmanager was told that the alert is over
	Expired  EventKind = "expired"  // Alertmanager heard nothing until Alert.ValidUntil and takes it for resolved
)

// Event is a transition of an alert as an Alertmanager sees it that receives every send at once. Prometheus sends a
// firing alert again every ResendDelay, with an end four times the longer of ResendDelay and group interval ahead;
// so an alert expires, and may fire again, when evaluations are missed, and it may survive a restart.
// Routing, grouping, inhibition and silences of Alertmanager come after this.
type Event struct {
	At    time.Time // virtual; for Expired it is Alert.ValidUntil, which may lie between two evaluations
	Kind  EventKind
	Alert Alert // as last received
}

// ledger is what Alertmanager knows: the firing alerts by labels, and the events not yet handed out.
type ledger struct {
	firing map[string]Alert
	events []Event
}

// receive takes in one alert sent at ts.
func (l *ledger) receive(ts time.Time, a Alert) {
	key := a.Labels.String()
	_, known := l.firing[key]
	switch {
	case a.ResolvedAt.IsZero():
		if !known {
			l.events = append(l.events, Event{At: ts.UTC(), Kind: Fired, Alert: a})
		}
		if l.firing == nil {
			l.firing = map[string]Alert{}
		}
		l.firing[key] = a
	case known:
		delete(l.firing, key)
		l.events = append(l.events, Event{At: ts.UTC(), Kind: Resolved, Alert: a})
	}
}

// expire forgets the alerts whose end lies at or before ts and returns their events, by time and labels.
func (l *ledger) expire(ts time.Time) []Event {
	var out []Event
	for _, key := range slices.Sorted(maps.Keys(l.firing)) {
		a := l.firing[key]
		if a.ValidUntil.After(ts) {
			continue
		}
		delete(l.firing, key)
		out = append(out, Event{At: a.ValidUntil, Kind: Expired, Alert: a})
	}
	slices.SortStableFunc(out, func(a, b Event) int { return a.At.Compare(b.At) })
	return out
}

// take returns the events since the last call and forgets them.
func (l *ledger) take() []Event {
	out := l.events
	l.events = nil
	return out
}
