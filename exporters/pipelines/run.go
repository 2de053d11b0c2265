// Package pipelines turns what CI systems say about their runs into counters an SLO can be written on.
//
// There are three steps. Decoders (DecodeGitHub, DecodeGitHubRun, DecodeGitLabPipeline) are pure functions from a
// delivery or a history record to events. Counters follows each run through its attempts and counts outcomes once,
// however often an event is delivered. A Snapshot is what the counters read, as plain data; the Prometheus face
// (Collector, here) and the OTLP face (the collector's platform_events receiver) both print it and add nothing.
//
// Two outcomes of a run are counted: of its first attempt, which shows flakiness, and its final one, which is what the
// developer was left with. No run number, commit or branch is ever part of a metric.
package pipelines

import (
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// state is how far an attempt has come. Order matters: an attempt never goes back.
type state int

const (
	pending state = iota
	executing
	finished
)

// String returns the word that stands for the state in idempotence keys.
func (s state) String() string { return [...]string{"pending", "executing", "finished"}[s] }

func (s state) eventName() string {
	return [...]string{event.RunQueued, event.RunStarted, event.RunFinished}[s]
}

// Values of event.Result. A conclusion that has no semconv word is the empty result.
const (
	success      = "success"
	failure      = "failure"
	errored      = "error"
	timeout      = "timeout"
	cancellation = "cancellation"
	skip         = "skip"
)

// Values of event.Outcome.
const (
	good     = "good"
	bad      = "bad"
	excluded = "excluded"
)

// outcome says how a result counts: what nobody wanted to run to its end, or has no semconv result, is excluded.
func outcome(result string) string {
	switch result {
	case success:
		return good
	case failure, errored, timeout:
		return bad
	}
	return excluded
}

// identity is what the runs of one pipeline share, and all that metrics know of them.
type identity struct {
	owner, repository, pipeline string
}

// split returns owner and name of a repository path such as "octo-org/octo-repo" or "group/subgroup/project".
func split(path string) (owner, name string) {
	path = event.Clean(path)
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// run is what a run event says. Decoders fill it and call event; the counters read it back with runOf.
type run struct {
	source, subject, key string
	identity             identity
	id                   int64
	state                state
	waiting              bool  // for a person
	number               int64 // of the attempt, 0 if the source does not count
	start                time.Time
	time, observed       time.Time
	result, raw          string
	duration             time.Duration
	hasDuration          bool
	trigger, refKind     string
	revision, unmapped   string
	settled              bool // the event is RunSettled
}

func (r run) event() event.Event {
	attrs := []event.Attr{
		event.String(event.RepositoryOwner, r.identity.owner),
		event.String(event.Repository, r.identity.repository),
		event.String(event.PipelineName, r.identity.pipeline),
		event.String(event.Result, r.result),
		event.String(event.ResultRaw, r.raw),
		event.String(event.Trigger, r.trigger),
		event.String(event.RefKind, r.refKind),
		event.String(event.Revision, r.revision),
		event.String(event.Unmapped, r.unmapped),
	}
	if r.id > 0 {
		attrs = append(attrs, event.String(event.RunID, strconv.FormatInt(r.id, 10)))
	}
	if r.number > 0 {
		attrs = append(attrs, event.Int(event.RunAttempt, r.number))
	}
	if r.hasDuration {
		attrs = append(attrs, event.Float(event.RunDuration, r.duration.Seconds()))
	}
	if r.waiting {
		attrs = append(attrs, event.Bool(event.Waiting, true))
	}
	name := r.state.eventName()
	if r.settled {
		name = event.RunSettled
	}
	return event.Event{
		Name: name, Source: r.source, Subject: r.subject, Key: r.key,
		Start: r.start, Time: r.time, Observed: r.observed, Attrs: event.NewSet(attrs...),
	}
}

// runOf reads an event back; ok is false if it is not about a pipeline run.
func runOf(e event.Event) (r run, ok bool) {
	switch e.Name {
	case event.RunQueued:
		r.state = pending
	case event.RunStarted:
		r.state = executing
	case event.RunFinished:
		r.state = finished
	case event.RunSettled:
		r.state, r.settled = finished, true
	default:
		return run{}, false
	}
	r.source, r.subject, r.key = e.Source, e.Subject, e.Key
	// Without a reading of the monotonic clock, which does not survive in a journal.
	r.start, r.time, r.observed = e.Start.Round(0), e.Time.Round(0), e.Observed.Round(0)
	r.identity = identity{e.Attrs.Text(event.RepositoryOwner), e.Attrs.Text(event.Repository), e.Attrs.Text(event.PipelineName)}
	r.number = e.Attrs.Integer(event.RunAttempt)
	r.result, r.raw = e.Attrs.Text(event.Result), e.Attrs.Text(event.ResultRaw)
	r.waiting = e.Attrs.True(event.Waiting)
	r.unmapped = e.Attrs.Text(event.Unmapped)
	seconds, has := e.Attrs.Number(event.RunDuration)
	r.duration, r.hasDuration = time.Duration(seconds*float64(time.Second)), has
	return r, true
}

// unused is the event for an authentic delivery that this package does not read.
func unused(source string, observed time.Time) event.Event {
	return event.Event{Name: event.Unused, Source: source, Time: observed, Observed: observed}
}
