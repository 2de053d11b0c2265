package platformapi

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Values of event.Outcome.
const (
	Good     = "good"
	Bad      = "bad"
	Excluded = "excluded"
)

// Values of event.RequestReason. The first two are good, the next three bad, and how Shed counts is an option. Nothing
// else counts, but is counted apart.
const (
	Served       = "served"
	ClientError  = "client_error"  // the request was wrong or not allowed
	ServerError  = "server_error"  // 5xx
	Timeout      = "timeout"       // the server gave up
	Panicked     = "panic"         // the server fell over
	Shed         = "shed"          // 429: the server protects itself
	Health       = "health"        // a probe
	Watch        = "watch"         // lasts as long as the client wants
	Connect      = "connect"       // so do exec, attach, port-forward, proxy and logs
	Hijacked     = "hijacked"      // the connection became something else, so there is no status
	DryRun       = "dry_run"       //
	Synthetic    = "synthetic"     // a prober's
	ClientClosed = "client_closed" // the client went away before there was an answer
	Unreadable   = "unreadable"    // a line or an element that could not be read
)

// Request is everything that metrics know of a request. The texts come from fixed vocabularies, templates and names
// of resources.
type Request struct {
	Service, Method, Route, Status, Class, Reason string
}

// Evaluation is everything that metrics know of a decision.
type Evaluation struct {
	Service, Engine, Name, Decision, Namespace, Error string
}

// Values of event.PolicyDecision.
const (
	Allow = "allow"
	Deny  = "deny"
	Warn  = "warn"  // a policy that does not enforce objects
	Error = "error" // the engine failed; event.ErrorType says which way the request went
)

// Action is one change. Actor is who made it, and becomes a digest.
type Action struct {
	Service, Actor, Namespace, Channel, Target string
	Time                                       time.Time
}

// Values of event.ActionChannel.
const (
	Platform  = "platform"
	Manual    = "manual"
	Emergency = "emergency"
)

// Bounds returns the upper bounds of the buckets of durations in seconds: those of OpenTelemetry's semantic conventions
// for HTTP, and what Kubernetes allows for lists of a whole cluster.
func Bounds() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60}
}

// maxDuration is more than any server waits.
const maxDuration = 24 * time.Hour

// Batch adds up what one delivery or one piece of a file says. Its memory is bounded by what differs in it, not by how
// much there is.
type Batch struct {
	source      string
	observed    time.Time
	newest      time.Time
	bounds      []float64
	requests    map[Request]*served
	evaluations map[Evaluation]int64
	actions     map[actor][]Action
}

type served struct {
	count, timed int64
	buckets      []int64
	seconds      float64
}

type actor struct{ service, name, namespace string }

// NewBatch returns an empty batch of the given source, received at observed.
func NewBatch(source string, observed time.Time) *Batch {
	return &Batch{
		source: source, observed: observed, bounds: Bounds(), requests: map[Request]*served{}, evaluations: map[Evaluation]int64{},
		actions: map[actor][]Action{},
	}
}

// Request adds a request that ended at a time.
func (b *Batch) Request(r Request, at time.Time) { b.add(r, at).count++ }

// Timed adds a request that ended at a time and took so long.
func (b *Batch) Timed(r Request, at time.Time, took time.Duration) {
	s := b.add(r, at)
	s.count++
	if took < 0 || took > maxDuration {
		return
	}
	if s.buckets == nil {
		s.buckets = make([]int64, len(b.bounds)+1)
	}
	i, _ := slices.BinarySearch(b.bounds, took.Seconds())
	s.buckets[i]++
	s.timed++
	// In parts of a second that add up exactly, in whatever order.
	const parts = 1 << 20
	s.seconds += math.Round(took.Seconds()*parts) / parts
}

func (b *Batch) add(r Request, at time.Time) *served {
	b.heard(at)
	s := b.requests[r]
	if s == nil {
		s = &served{}
		b.requests[r] = s
	}
	return s
}

func (b *Batch) heard(at time.Time) {
	if at, ok := event.Clamp(at, b.observed); ok && at.After(b.newest) {
		b.newest = at
	}
}

// Evaluation adds a decision.
func (b *Batch) Evaluation(e Evaluation) { b.evaluations[e]++ }

// Action adds a change. One whose time can not be was made when it was received.
func (b *Batch) Action(a Action) {
	a.Time, _ = event.Clamp(a.Time, b.observed)
	who := actor{a.Service, a.Actor, a.Namespace}
	b.actions[who] = append(b.actions[who], a)
}

// Events returns the parts of the batch, and a change for each minute in which an actor did something in a namespace.
// id is what identifies the batch; it is not shown. The parts are in the same order for the same content.
func (b *Batch) Events(id string) []event.Event {
	if b.newest.IsZero() {
		b.newest = b.observed
	}
	sum := digestOf(b.source + "\x00" + id)
	subject := "batch/" + hex.EncodeToString(sum[:])
	var events []event.Event
	part := func(name string, n int64, attrs ...event.Attr) {
		number := len(events)
		if number >= maxParts {
			return
		}
		o := event.NewOrigin(b.source, subject, strconv.Itoa(number), b.newest, b.observed)
		events = append(events, o.Event(name, time.Time{}, append(attrs, event.Int(event.Count, n), event.Int(event.BatchPart, int64(number)))...))
	}
	for _, r := range slices.SortedFunc(maps.Keys(b.requests), compareRequests) {
		b.requestEvents(part, r, b.requests[r])
	}
	for _, e := range slices.SortedFunc(maps.Keys(b.evaluations), compareEvaluations) {
		part(event.PolicyEvaluated, b.evaluations[e], event.String(event.Service, e.Service),
			event.String(event.PolicyEngine, e.Engine), event.String(event.PolicyName, e.Name), event.String(event.PolicyDecision, e.Decision),
			event.String(event.Namespace, e.Namespace), event.String(event.ErrorType, e.Error))
	}
	return append(events, b.changes()...)
}

// requestEvents makes a part of the requests whose duration is known, and one of the others.
func (b *Batch) requestEvents(part func(string, int64, ...event.Attr), r Request, s *served) {
	attrs := func() []event.Attr {
		return []event.Attr{
			event.String(event.Service, r.Service), event.String(event.Method, r.Method), event.String(event.Route, r.Route),
			event.String(event.StatusCode, r.Status), event.String(event.RequestClass, r.Class), event.String(event.RequestReason, r.Reason),
		}
	}
	if s.timed > 0 {
		part(event.RequestsServed, s.timed,
			append(attrs(), event.Float(event.RequestSeconds, s.seconds), event.String(event.RequestBuckets, bucketText(s.buckets)))...)
	}
	if rest := s.count - s.timed; rest > 0 {
		part(event.RequestsServed, rest, attrs()...)
	}
}

// changes returns the events of the changes, those of one actor in order of time.
func (b *Batch) changes() (events []event.Event) {
	for _, who := range slices.SortedFunc(maps.Keys(b.actions), func(x, y actor) int {
		return cmp.Or(cmp.Compare(x.service, y.service), cmp.Compare(x.name, y.name), cmp.Compare(x.namespace, y.namespace))
	}) {
		actions := b.actions[who]
		slices.SortStableFunc(actions, func(x, y Action) int { return x.Time.Compare(y.Time) })
		var began time.Time
		for _, a := range actions {
			if !began.IsZero() && a.Time.Sub(began) < ActionWindow {
				continue
			}
			began = a.Time
			sum := digestOf(b.source + "\x00" + a.Service + "\x00" + a.Actor + "\x00" + a.Namespace)
			o := event.NewOrigin(b.source, "action/"+hex.EncodeToString(sum[:]), strconv.FormatInt(a.Time.UnixNano(), 10), a.Time, b.observed)
			events = append(events, o.Event(event.ActionTaken, time.Time{},
				event.String(event.Service, a.Service), event.String(event.ActionChannel, a.Channel), event.String(event.ActionTarget, a.Target), event.String(event.Namespace, a.Namespace)))
		}
	}
	return events
}

func compareRequests(x, y Request) int {
	return cmp.Or(
		cmp.Compare(x.Service, y.Service), cmp.Compare(x.Method, y.Method), cmp.Compare(x.Route, y.Route),
		cmp.Compare(x.Status, y.Status), cmp.Compare(x.Class, y.Class), cmp.Compare(x.Reason, y.Reason),
	)
}

func compareEvaluations(x, y Evaluation) int {
	return cmp.Or(
		cmp.Compare(x.Service, y.Service), cmp.Compare(x.Engine, y.Engine), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Decision, y.Decision),
		cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Error, y.Error),
	)
}

// bucketText returns the counts as the number of the first bucket that has one, and from there each, in base 36: 1,200
// requests in bucket 3 and 7 in bucket 5 are 3:xc,,7. It fits into a text of an event as long as there are less than two
// billion of each.
func bucketText(buckets []int64) string {
	first, last := -1, 0
	for i, n := range buckets {
		if n > 0 && first < 0 {
			first = i
		}
		if n > 0 {
			last = i
		}
	}
	if first < 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", strconv.FormatInt(int64(first), 36))
	for i := first; i <= last; i++ {
		if i > first {
			b.WriteByte(',')
		}
		if buckets[i] > 0 {
			b.WriteString(strconv.FormatInt(buckets[i], 36))
		}
	}
	return b.String()
}

// readBuckets reads what bucketText wrote; ok is false for anything else.
func readBuckets(text string) (buckets []uint64, ok bool) {
	head, rest, found := strings.Cut(text, ":")
	first, err := strconv.ParseUint(head, 36, 8)
	buckets = make([]uint64, len(Bounds())+1)
	if !found || err != nil {
		return nil, false
	}
	for i, number := range strings.Split(rest, ",") {
		if first+uint64(i) >= uint64(len(buckets)) {
			return nil, false
		}
		if number == "" {
			continue
		}
		if buckets[first+uint64(i)], err = strconv.ParseUint(number, 36, 40); err != nil {
			return nil, false
		}
	}
	return buckets, true
}
