package sources

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// source.Decoder returns the decoder that the mapping describes. The error is Check's. It does not keep m.
func (m Mapping) Decoder() (source.Decoder, error) {
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	d := mapped{source: m.Source, fact: m.Fact, fields: map[string]value{}, statuses: map[string]string{}, times: slices.Clone(m.Times)}
	for name, text := range m.Fields {
		d.fields[name], _ = parseValue(text)
	}
	for status, meaning := range m.Statuses {
		d.statuses[fold(status)] = meaning
	}
	if len(d.times) == 0 {
		d.times = []string{"rfc3339"}
	}
	d.unit = map[string]float64{"": 1, "s": 1, "ms": 1e-3, "ns": 1e-9}[m.Unit]
	for _, place := range slices.Sorted(maps.Keys(m.Match)) {
		p, _ := parsePointer(place)
		d.match = append(d.match, condition{p, m.Match[place]})
	}
	return d.decode, nil
}

// mapped is a mapping that is ready to be used. It is not changed any more.
type mapped struct {
	source, fact string
	match        []condition
	fields       map[string]value
	statuses     map[string]string
	times        []string
	unit         float64
}

type condition struct {
	place pointer
	text  string
}

// reading is one document as a mapping sees it.
type reading struct {
	mapped
	document any
	unmapped string
	observed time.Time
}

func (d mapped) decode(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	document, err := parseDocument(body)
	if err != nil {
		return nil, fmt.Errorf("decode %s delivery: %w", d.source, err)
	}
	for _, c := range d.match {
		if text, ok := textOf(c.place.in(document)); !ok || text != c.text {
			return []event.Event{event.NewUnused(d.source, observed)}, nil
		}
	}
	r := &reading{mapped: d, document: document, observed: observed}
	if d.fact == "commit" {
		return r.commit()
	}
	id := r.text("id")
	if id == "" {
		return nil, fmt.Errorf("decode %s delivery: %w", d.source, errors.New("no id"))
	}
	meaning, known := d.statuses[fold(r.text("status"))]
	if !known {
		r.unmapped = cmp.Or(r.unmapped, "status")
	}
	if !known && (d.fact == "incident" || d.fact == "onboarding") { // it would begin something
		unused := event.NewUnused(d.source, observed)
		unused.Attrs = event.NewSet(event.String(event.Unmapped, "status"))
		return []event.Event{unused}, nil
	}
	if meaning == "ignore" {
		return []event.Event{event.NewUnused(d.source, observed)}, nil
	}
	var fact interface{ Event() event.Event }
	switch d.fact {
	case "run":
		fact = r.run(id, meaning)
	case "task":
		fact = r.task(id, meaning)
	case "incident":
		fact = r.incident(id, meaning)
	case "onboarding":
		fact = r.onboarding(id, meaning)
	default:
		fact = r.deployment(id, meaning)
	}
	return []event.Event{fact.Event()}, nil
}

// text returns a field as text, or "". One that is an object or a list is noted.
func (r *reading) text(name string) string {
	v, found := r.fields[name]
	if !found || v.place == nil {
		return v.constant
	}
	text, ok := textOf(v.place.in(r.document))
	if !ok {
		r.unmapped = cmp.Or(r.unmapped, "type")
	}
	return text
}

// time returns a field that is a time, or the zero time. One that can not be read is noted.
func (r *reading) time(name string) time.Time {
	text := r.text(name)
	for _, form := range r.times {
		switch form {
		case "unix", "unix_ms":
			scale := map[string]float64{"unix": 1000, "unix_ms": 1}[form]
			n, err := strconv.ParseFloat(text, 64)
			if at := milliseconds(n * scale); err == nil && !at.IsZero() {
				return at
			}
			continue
		case "rfc3339":
			form = time.RFC3339
		}
		if at, err := time.Parse(form, text); err == nil && at.UTC().Year() <= 9999 {
			return at.UTC()
		}
	}
	if text != "" {
		r.unmapped = cmp.Or(r.unmapped, "clock")
	}
	return time.Time{}
}

// duration returns a field that is a duration; ok is false if there is none.
func (r *reading) duration(name string) (d time.Duration, ok bool) {
	text := r.text(name)
	n, err := strconv.ParseFloat(text, 64)
	if n *= r.unit; err == nil {
		d, ok = seconds(&n)
	}
	if text != "" && !ok {
		r.unmapped = cmp.Or(r.unmapped, "type")
	}
	return d, ok
}

// attempt returns a field that is a small number from 1, or 0.
func (r *reading) attempt() int64 {
	text := r.text("attempt")
	n, err := strconv.ParseInt(text, 10, 32)
	if text != "" && (err != nil || n < 1) {
		r.unmapped = cmp.Or(r.unmapped, "type")
	}
	return max(n, 0)
}

// origin identifies the state. Without a number of the attempt, an end at another second is another end.
func (r *reading) origin(id string, s pipelines.State) event.Origin {
	at := r.time("time")
	key := s.String()
	switch attempt := r.attempt(); {
	case attempt > 0:
		key = fmt.Sprintf("%d/%s", attempt, key)
	case !at.IsZero():
		key = at.Truncate(time.Second).Format(time.RFC3339) + "/" + key
	}
	if _, said := r.fields["time"]; !said {
		at = r.observed
	}
	o := event.NewOrigin(r.source, fmt.Sprintf("js/%s/%s/%s", r.source, r.fact, source.Ident(id)), key, at, r.observed)
	o.Unmapped = cmp.Or(r.unmapped, o.Unmapped)
	return o
}

// stateOf returns what a meaning says of a fact; waiting is pending.
func stateOf(meaning string) (s pipelines.State, result string) {
	switch meaning {
	case "", "pending", "waiting":
		return pipelines.Pending, ""
	case "executing":
		return pipelines.Executing, ""
	}
	return pipelines.Finished, meaning
}

// run returns a run. It does not say when it began: a system that only says so later would seem to begin again.
func (r *reading) run(id, meaning string) pipelines.Run {
	state, result := stateOf(meaning)
	run := pipelines.Run{
		ID: event.Clean(id), State: state, Waiting: meaning == "waiting", Result: result, Attempt: r.attempt(),
		Revision: commitID(r.text("revision")),
		Trigger:  oneOf(r.text("trigger"), "push", "change", "schedule", "manual", "pipeline", "other"),
	}
	run.Pipeline.Owner, run.Pipeline.Repository = pipelines.Split(r.text("repository"))
	run.Pipeline.Name = event.Clean(r.text("pipeline"))
	if _, said := r.fields["ref"]; said {
		run.RefKind = refKindOf(r.text("ref"), r.text("default_branch"), run.Trigger)
	}
	if state == pipelines.Finished {
		if run.Duration, run.Timed = r.duration("duration"); !run.Timed {
			run.Duration, run.Timed = between(r.time("start"), r.time("time"))
		}
	}
	run.Origin = r.origin(id, state)
	return run
}

func (r *reading) task(id, meaning string) pipelines.Task {
	state, result := stateOf(meaning)
	t := pipelines.Task{
		ID: event.Clean(id), Name: event.Clean(r.text("name")), RunID: event.Clean(r.text("run_id")), State: state, Result: result,
		Attempt: r.attempt(), Start: source.Began(r.time("start"), r.observed), Pool: event.Clean(r.text("pool")),
	}
	t.Pipeline.Owner, t.Pipeline.Repository = pipelines.Split(r.text("repository"))
	t.Pipeline.Name = event.Clean(r.text("pipeline"))
	t.Queued, t.Waited = r.duration("queued")
	if state == pipelines.Finished {
		t.Error = event.Word(r.text("error"))
		if t.Duration, t.Timed = r.duration("duration"); !t.Timed {
			t.Duration, t.Timed = between(t.Start, r.time("time"))
		}
	}
	t.Origin = r.origin(id, state)
	return t
}

func (r *reading) deployment(id, meaning string) pipelines.Deployment {
	state, result := stateOf(meaning)
	d := pipelines.Deployment{
		ID: event.Clean(id), Environment: event.Clean(r.text("environment")), State: state, Start: source.Began(r.time("start"), r.observed),
		Succeeded: result == pipelines.Success, Cancelled: result == pipelines.Cancellation || result == pipelines.Skip,
		Rollback: r.text("rollback") == "true", Revision: commitID(r.text("revision")),
	}
	d.Owner, d.Repository = pipelines.Split(r.text("repository"))
	d.Service = cmp.Or(event.Clean(r.text("service")), d.Repository)
	d.Tier = oneOf(r.text("tier"), pipelines.Production, pipelines.Staging, pipelines.Testing, pipelines.Development, "other", "")
	if d.Tier == "" {
		d.Tier = tierByName(d.Environment)
	}
	d.Origin = r.origin(id, state)
	return d
}

// incident returns an incident, which is open while it is pending or executing, known while it waits, and otherwise over.
func (r *reading) incident(id, meaning string) incidents.Report {
	i := incidents.Report{
		State: incidents.Opened, Severity: event.Word(r.text("severity")), Service: event.Clean(r.text("service")), Team: event.Clean(r.text("team")),
		Fingerprint: incidents.NewFingerprint(r.source, cmp.Or(r.text("key"), id)), Start: source.Began(r.time("start"), r.observed),
	}
	state, _ := stateOf(meaning)
	switch {
	case meaning == "waiting":
		i.State = incidents.Acknowledged
	case state == pipelines.Finished:
		i.State = incidents.Resolved
	}
	i.Origin = r.origin(id, state)
	return i
}

// onboarding returns a request for a service, which any bad end takes back.
func (r *reading) onboarding(id, meaning string) onboarding.Request {
	state, result := stateOf(meaning)
	q := onboarding.Request{
		Service: event.Clean(r.text("service")), Team: event.Clean(r.text("team")),
		Abandoned: state == pipelines.Finished && result != pipelines.Success,
	}
	q.Origin = r.origin(id, state)
	return q
}

// commit returns a commit; what identifies it is the repository and its id.
func (r *reading) commit() ([]event.Event, error) {
	repository := r.text("repository")
	c := pipelines.Commit{Revision: commitID(r.text("revision")), Base: commitID(r.text("base"))}
	if c.Revision == "" || repository == "" {
		return nil, fmt.Errorf("decode %s delivery: %w", r.source, errors.New("no commit id or repository"))
	}
	c.Owner, c.Repository = pipelines.Split(repository)
	at, committed := cmp.Or(r.time("time"), r.observed), r.time("committed")
	c.Origin = event.NewOrigin(r.source, fmt.Sprintf("js/%s/commit/%s/%s", r.source, source.Ident(repository), c.Revision), "pushed", at, r.observed)
	c.Committed = cmp.Or(source.Began(committed, r.observed), c.Time)
	c.Unmapped = cmp.Or(r.unmapped, c.Unmapped)
	return []event.Event{c.Event()}, nil
}

// oneOf returns the word if it is one of words, otherwise the last of them.
func oneOf(word string, words ...string) string {
	if word = strings.ToLower(word); slices.Contains(words, word) {
		return word
	}
	return words[len(words)-1]
}

// refKindOf maps a branch or tag to a word of fixed vocabulary.
func refKindOf(ref, defaultBranch, trigger string) string {
	branch := strings.TrimPrefix(ref, "refs/heads/")
	switch {
	case trigger == "change" || strings.HasPrefix(ref, "refs/pull/") || strings.HasPrefix(ref, "refs/merge-requests/"):
		return "change"
	case strings.HasPrefix(ref, "refs/tags/"):
		return "tag"
	case branch != "" && branch == strings.TrimPrefix(defaultBranch, "refs/heads/"):
		return "default"
	case strings.HasPrefix(branch, "release/"):
		return "release"
	}
	return "other"
}
