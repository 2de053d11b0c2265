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

	// SecretObserved is what a source says of a secret: when it was last rotated and when it has to be.
	SecretObserved = "secret.rotation.observed"
	// SecretsListed says that everything a source knows below Subject was told since Start, and is so at Time.
	SecretsListed = "secret.listed"
	SecretRemoved = "secret.removed"

	RotationStarted   = "secret.rotation.started"
	RotationSucceeded = "secret.rotation.succeeded"
	RotationFailed    = "secret.rotation.failed"
	RotationAbandoned = "secret.rotation.abandoned"

	// SecretAccessed is one access to a secret, for the audit trail.
	SecretAccessed = "secret.accessed"
	// SecretLeaked is a secret that was found where it must not be.
	SecretLeaked = "secret.leaked"

	// Incidents. Seen is an alert that was still there when somebody asked, Listed the end of the list of those that were.
	IncidentOpened       = "incident.opened"
	IncidentAcknowledged = "incident.acknowledged"
	IncidentReopened     = "incident.reopened"
	IncidentResolved     = "incident.resolved"
	IncidentSeen         = "incident.seen"
	IncidentsListed      = "incident.listed"

	// PolicyDecided is what a policy engine decided about one object.
	PolicyDecided = "policy.decided"

	// Onboarding of a service: asked for, and given up. It is completed by a deployment.
	OnboardingRequested = "platform.onboarding.requested"
	OnboardingAbandoned = "platform.onboarding.abandoned"

	// TelemetrySeen is a signal of a service that has come.
	TelemetrySeen = "platform.telemetry.seen"

	// RequestsServed counts requests of one kind, PolicyEvaluated decisions of one kind, in one batch; ActionTaken is one
	// change that somebody made.
	RequestsServed  = "platform.api.requests"
	PolicyEvaluated = "policy.evaluated"
	ActionTaken     = "platform.action"
	// AccessAudited is one access to a secret that an API's audit log has. It is for the audit trail, and nothing counts it:
	// those of every controller would fill the journal.
	AccessAudited = "secret.access.audited"

	// Unused is an authentic delivery that nothing here reads.
	Unused = "platform.event.unused"
)

// Names of events that never come from outside: counters make them of what the passing of time has decided, and journal
// them beside the others.
const (
	// FileRead says how far a file is read. It is journaled together with what was read, and never passed on.
	FileRead = "platform.file.read"
	// Rejected are deliveries that were not read.
	Rejected = "platform.event.rejected"

	// RunSettled: the run's final outcome will not change any more.
	RunSettled = "cicd.pipeline.run.settled"
	// LeadSettled ends the wait for the commits of a deployment.
	LeadSettled = "platform.deployment.lead.settled"
	// RotationCame and RotationDecided: a rotation has become due; whether it was done in time.
	RotationCame    = "secret.rotation.due"
	RotationDecided = "secret.rotation.decided"
	// IncidentSettled: its end is final. IncidentForgotten: nobody has spoken of it for too long.
	IncidentSettled   = "incident.settled"
	IncidentForgotten = "incident.forgotten"
	// OnboardingAsked counts the request for a service, OnboardingSettled what became of it.
	OnboardingAsked   = "platform.onboarding.asked"
	OnboardingSettled = "platform.onboarding.settled"
)

// Inner tells whether a name is one of those that never come from outside. Whoever takes events from others has to refuse
// them: they decide.
func Inner(name string) bool {
	switch name {
	case FileRead, Rejected, RunSettled, LeadSettled, RotationCame, RotationDecided, IncidentSettled, IncidentForgotten, OnboardingAsked, OnboardingSettled:
		return true
	}
	return false
}

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

// Latest returns the later of two times.
func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
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
