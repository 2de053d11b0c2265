// Package event holds the one form in which everything that happens on a platform is passed on: a pipeline run that
// finished, a deployment, a rotated secret. Decoders turn what a provider sends into events; counters, logs and the
// durable ledger read events and know no provider.
//
// An event carries only attributes listed in this package. A decoder cannot pass on an e-mail address or a commit
// message by accident, because there is no name for it.
package event

import (
	"encoding/json"
	"time"
)

// Event is one thing that happened. The zero value is not an event; decoders fill every field but Start.
// Events are values: nothing in them is changed after the decoder returned.
type Event struct {
	// Name says what happened: one of the Name constants.
	Name string
	// Source is the kind of system that said so: "github", "gitlab".
	Source string
	// Subject identifies the thing it happened to, for example one pipeline run over all its attempts. It is unique
	// over all sources. Empty for Unused.
	Subject string
	// Key is the idempotence key: a webhook, its redelivery and a poll of the same fact carry the same key.
	// It starts with Subject. Empty for Unused.
	Key string
	// Start is when the attempt that this event is part of began; zero if the source does not say.
	Start time.Time
	// Time is when it happened by the clock of the source, but never after Observed by more than MaxSkew.
	Time time.Time
	// Observed is when the event was received, by the clock of the receiver.
	Observed time.Time
	// Attrs are the details.
	Attrs Set
}

// Names of events.
const (
	RunQueued    = "cicd.pipeline.run.queued"
	RunStarted   = "cicd.pipeline.run.started"
	RunFinished  = "cicd.pipeline.run.finished"
	TaskQueued   = "cicd.pipeline.task.queued"
	TaskStarted  = "cicd.pipeline.task.started"
	TaskFinished = "cicd.pipeline.task.finished"
	StepFinished = "cicd.pipeline.task.step.finished"

	DeploymentStarted  = "deployment.started"
	DeploymentFinished = "deployment.finished"

	// CommitPushed is one commit that arrived on a branch.
	CommitPushed = "vcs.commit.pushed"

	// RequestsServed counts requests of one kind, PolicyEvaluated decisions of one kind, in one batch; ActionTaken is one
	// change that somebody made. SecretAccessed is for the audit trail, and not counted.
	RequestsServed  = "platform.api.requests"
	PolicyEvaluated = "policy.evaluated"
	ActionTaken     = "platform.action"
	SecretAccessed  = "secret.accessed"

	// FileRead says how far a file is read. It is journaled together with what was read, and never passed on.
	FileRead = "platform.file.read"

	// RunSettled is made by the counters, not by a decoder: the run's final outcome will not change any more.
	RunSettled = "cicd.pipeline.run.settled"
	// Unused is an authentic delivery that nothing here reads.
	Unused = "platform.event.unused"
)

// MaxSkew is how far the clock of a source may run ahead of the receiver's.
const MaxSkew = 5 * time.Minute

// Clamp returns the time of an event from what the source said. A time that is missing, before 1970 or more than
// MaxSkew after observed becomes observed, and ok is false.
func Clamp(source, observed time.Time) (at time.Time, ok bool) {
	if source.Year() < 1970 || source.After(observed.Add(MaxSkew)) {
		return observed, false
	}
	return source, true
}

// MarshalJSON writes the event as one object with times in RFC 3339 and attributes by name; empty fields are left out.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name     string    `json:"name"`
		Source   string    `json:"source"`
		Subject  string    `json:"subject,omitempty"`
		Key      string    `json:"key,omitempty"`
		Start    time.Time `json:"start,omitzero"`
		Time     time.Time `json:"time"`
		Observed time.Time `json:"observed"`
		Attrs    Set       `json:"attributes,omitempty"`
	}(e))
}
