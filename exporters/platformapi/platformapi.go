// Package platformapi counts what a platform's API served, decided and changed, from audit events and access logs: the
// requests with their outcome and their duration, the decisions of policies, and the changes that people and the
// platform itself made.
//
// A busy API server writes thousands of audit events a second, far too many to journal one by one. So a Batch adds up
// what one delivery or one piece of a file says, and becomes one event for each kind of thing in it. These parts carry
// what identifies their batch: a batch that comes again changes nothing. PlatformAPI, a domain of package counters,
// adds them to the metrics. Raw paths, names of users and anything that was in a request are not in an event.
package platformapi

import (
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Options of a PlatformAPI. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Shed is how a request counts that the API refused to protect itself (429): "bad", "good" or "excluded". Bad: who
	// asked was not served.
	Shed string
	// MaxSeries bounds the series of each metric. 2,000, plus overflow series.
	MaxSeries int
	// MaxBatches bounds the batches that are remembered to recognise copies. 100,000, some 20 MB.
	MaxBatches int
	// MaxActors bounds the pairs of somebody and a namespace whose last changes are remembered. 20,000, some 10 MB.
	MaxActors int
	// Retain is how long a batch and a change are remembered after they were heard of. 24 hours.
	Retain time.Duration
}

func (o Options) withDefaults() Options {
	if o.Shed == "" {
		o.Shed = Bad
	}
	if o.Retain <= 0 {
		o.Retain = 24 * time.Hour
	}
	for _, n := range []struct {
		field *int
		value int
	}{{&o.MaxSeries, 2000}, {&o.MaxBatches, 100_000}, {&o.MaxActors, 20_000}} {
		if *n.field <= 0 {
			*n.field = n.value
		}
	}
	return o
}

// PlatformAPI is a domain of counters.
type PlatformAPI struct {
	wanted  Options
	options Options // those that count

	batches *counters.Remembered[digest, parts]
	actors  *counters.Remembered[digest, starts]

	requests    *metric.Table
	durations   *metric.Table
	evaluations *metric.Table
	actions     *metric.Table
}

var _ counters.Domain = (*PlatformAPI)(nil)

// New returns the domain with nothing counted.
func New(options Options) *PlatformAPI {
	options = options.withDefaults()
	return &PlatformAPI{
		wanted: options, options: options,
		batches: counters.NewRemembered[digest, parts](options.MaxBatches),
		actors:  counters.NewRemembered[digest, starts](options.MaxActors),
		requests: metric.NewTable(metric.Family{
			Name: "platform.api.requests", Unit: "{request}", Kind: metric.Counter,
			From: "audit events, access logs",
			Help: "Requests to the platform's API by outcome and why they count so.",
			Attributes: []string{
				event.Service, event.Method, event.StatusCode, event.RequestClass, event.Outcome, event.RequestReason,
			},
		}, options.MaxSeries),
		durations: metric.NewTable(metric.Family{
			Name: "http.server.request.duration", Unit: "s", Kind: metric.Histogram,
			From:       "audit events, access logs",
			Help:       "Duration of each request to the platform's API that counts, good or bad.",
			Bounds:     Bounds(),
			Attributes: []string{event.Service, event.Method, event.Route, event.StatusCode, event.RequestClass},
		}, options.MaxSeries),
		evaluations: metric.NewTable(metric.Family{
			Name: "policy.evaluations", Unit: "{evaluation}", Kind: metric.Counter,
			From:       "audit events",
			Help:       "Requests by what was decided about them, one decision each, without dry runs.",
			Attributes: []string{event.Service, event.PolicyEngine, event.PolicyDecision, event.PolicyName, event.Namespace, event.ErrorType},
		}, options.MaxSeries),
		actions: metric.NewTable(metric.Family{
			Name: "platform.actions", Unit: "{action}", Kind: metric.Counter,
			From:       "audit events, CloudTrail",
			Help:       "Changes by the way they were made; what one actor does in a namespace within a minute is one change.",
			Attributes: []string{event.Service, event.ActionChannel, event.ActionTarget, event.Namespace},
		}, options.MaxSeries),
	}
}

// Name returns the word for the domain.
func (p *PlatformAPI) Name() string { return "platformapi" }

// Add counts a part of a batch, or a change.
func (p *PlatformAPI) Add(revision uint64, e event.Event) (v counters.Verdict, ok bool) {
	switch e.Name {
	case event.ActionTaken:
		return p.act(revision, e), true
	case event.RequestsServed, event.PolicyEvaluated:
	default:
		return "", false
	}
	n := e.Attrs.Integer(event.Count)
	if n <= 0 {
		return counters.Unused, true
	}
	if v := p.new(e); v != counters.Counted {
		return v, true
	}
	if e.Name == event.RequestsServed {
		p.serve(revision, e, uint64(n))
	} else {
		p.decide(revision, e, uint64(n))
	}
	return counters.Counted, true
}

// serve counts requests.
func (p *PlatformAPI) serve(revision uint64, e event.Event, n uint64) {
	text := func(name string) event.Attr { return event.String(name, e.Attrs.Text(name)) }
	reason := e.Attrs.Text(event.RequestReason)
	outcome := p.outcome(reason)
	p.requests.At(revision,
		[]event.Attr{text(event.Service), text(event.Method), text(event.StatusCode), text(event.RequestClass)},
		[]event.Attr{event.String(event.Outcome, outcome), event.String(event.RequestReason, reason)},
	).Add(revision, n)
	buckets, ok := readBuckets(e.Attrs.Text(event.RequestBuckets))
	sum, _ := e.Attrs.Number(event.RequestSeconds)
	if outcome == Excluded || !ok || !(sum >= 0) {
		return
	}
	p.durations.At(revision,
		[]event.Attr{text(event.Service), text(event.Method), text(event.Route), text(event.StatusCode)},
		[]event.Attr{text(event.RequestClass)},
	).Merge(revision, buckets, sum)
}

// decide counts decisions.
func (p *PlatformAPI) decide(revision uint64, e event.Event, n uint64) {
	text := func(name string) event.Attr { return event.String(name, e.Attrs.Text(name)) }
	p.evaluations.At(revision,
		[]event.Attr{text(event.Service), text(event.PolicyName), text(event.Namespace)},
		[]event.Attr{text(event.PolicyEngine), text(event.PolicyDecision), text(event.ErrorType)},
	).Add(revision, n)
}

// act counts a change unless it is part of one that is counted.
func (p *PlatformAPI) act(revision uint64, e event.Event) counters.Verdict {
	p.actors.Forget(e.Observed.Add(-p.options.Retain))
	known, _ := p.actors.Heard(digestOf(e.Subject), e.Observed)
	if !known.begin(e.Time.UnixNano()) {
		return counters.Duplicate
	}
	text := func(name string) event.Attr { return event.String(name, e.Attrs.Text(name)) }
	p.actions.At(revision,
		[]event.Attr{text(event.Service), text(event.ActionTarget), text(event.Namespace)}, []event.Attr{text(event.ActionChannel)},
	).Add(revision, 1)
	return counters.Counted
}

// outcome says how a reason counts.
func (p *PlatformAPI) outcome(reason string) string {
	switch reason {
	case Served, ClientError:
		return Good
	case ServerError, Timeout, Panicked:
		return Bad
	case Shed:
		return p.options.Shed
	}
	return Excluded
}

// Settled returns nothing: time alone decides nothing.
func (p *PlatformAPI) Settled(time.Time) []event.Event { return nil }

// Tables returns the metrics.
func (p *PlatformAPI) Tables() []*metric.Table {
	return []*metric.Table{p.requests, p.durations, p.evaluations, p.actions}
}

// Gauges returns nothing: an API has no state here.
func (p *PlatformAPI) Gauges(time.Time) []*metric.Table { return nil }

// savedAPI is the state. Fields may be added; old ones keep their name and meaning.
type savedAPI struct {
	Options Options
	Batches []savedBatch // least recently heard of first, as below
	Actors  []savedActor
}

type savedBatch struct {
	ID    digest
	Heard time.Time
	Parts []uint64
}

type savedActor struct {
	ID     digest
	Heard  time.Time
	Starts []int64
}

// Save returns the state.
func (p *PlatformAPI) Save() ([]byte, error) {
	s := savedAPI{Options: p.options}
	p.batches.All(func(id digest, heard time.Time, known *parts) {
		s.Batches = append(s.Batches, savedBatch{id, heard, known.seen})
	})
	p.actors.All(func(id digest, heard time.Time, known *starts) {
		s.Actors = append(s.Actors, savedActor{id, heard, known.at})
	})
	return counters.Encode(s)
}

// Restore takes the state up.
func (p *PlatformAPI) Restore(state []byte) error {
	var s savedAPI
	if err := counters.Decode(state, &s); err != nil {
		return err
	}
	p.adopt(s.Options.withDefaults())
	for _, b := range s.Batches {
		known, _ := p.batches.Heard(b.ID, b.Heard)
		known.seen = b.Parts
	}
	for _, a := range s.Actors {
		known, _ := p.actors.Heard(a.ID, a.Heard)
		known.at = a.Starts
	}
	return nil
}

// Adopt makes the options that New was given count from now on.
func (p *PlatformAPI) Adopt() bool {
	if p.options == p.wanted {
		return false
	}
	p.adopt(p.wanted)
	return true
}

func (p *PlatformAPI) adopt(options Options) {
	p.options = options
	p.batches.SetLimit(options.MaxBatches)
	p.actors.SetLimit(options.MaxActors)
	for _, t := range p.Tables() {
		t.SetLimit(options.MaxSeries)
	}
}

// new tells whether the part of a batch is heard of for the first time, and notes it.
func (p *PlatformAPI) new(e event.Event) counters.Verdict {
	part := e.Attrs.Integer(event.BatchPart)
	if part < 0 || part >= maxParts || !strings.HasPrefix(e.Key, e.Subject) {
		return counters.Unused
	}
	p.batches.Forget(e.Observed.Add(-p.options.Retain))
	known, _ := p.batches.Heard(digestOf(e.Subject), e.Observed)
	if !known.note(int(part)) {
		return counters.Duplicate
	}
	return counters.Counted
}
