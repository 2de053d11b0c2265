package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Attribute names. Names of OpenTelemetry's semantic conventions (1.44: cicd, vcs) are used where one exists; names
// under platform. are ours. This is the whole list: an attribute that is not here does not leave a decoder.
const (
	RepositoryOwner = "vcs.owner.name"          // organisation or group path
	Repository      = "vcs.repository.name"     // without the owner
	RefKind         = "vcs.ref.kind"            // default, release, change, tag or other
	Revision        = "vcs.ref.head.revision"   // hexadecimal commit id
	PipelineName    = "cicd.pipeline.name"      // as the provider shows it
	RunID           = "cicd.pipeline.run.id"    // the provider's number
	RunState        = "cicd.pipeline.run.state" // pending, executing (semconv)
	Result          = "cicd.pipeline.result"    // success, failure, error, timeout, cancellation, skip (semconv)
	Trigger         = "cicd.pipeline.trigger"   // push, change, schedule, manual, pipeline or other
	RunURL          = "cicd.pipeline.run.url.full"
	TaskName        = "cicd.pipeline.task.name"
	TaskID          = "cicd.pipeline.task.run.id"
	TaskResult      = "cicd.pipeline.task.run.result" // as Result
	StepName        = "cicd.pipeline.step.name"
	StepNumber      = "platform.step.number"
	QueueDuration   = "platform.queue.duration" // seconds between being asked for and beginning
	RunnerPool      = "platform.runner.pool"    // what runs the task: the label or tag that picked the runner
	ErrorType       = "error.type"              // a word for why it failed, of the provider's vocabulary
	Service         = "service.name"
	Environment     = "deployment.environment.name"
	Tier            = "platform.environment.tier" // production, staging, testing, development or other
	DeploymentID    = "deployment.id"
	DeploymentState = "deployment.status"        // succeeded, failed (semconv)
	DeploymentKind  = "platform.deployment.kind" // deploy, rollback or redeploy
	LeadFrom        = "platform.lead.from"       // commit: lead time is counted from when a commit was made
	LeadReason      = "platform.lead.reason"     // why a change has no lead time: clock or unmatched
	BaseRevision    = "vcs.ref.base.revision"    // hexadecimal id of the commit before
	CommitTime      = "platform.commit.time"     // seconds since 1970
	RunAttempt      = "platform.run.attempt"     // integer, 1 is the first; absent if the provider does not count
	RunDuration     = "platform.run.duration"    // seconds this attempt took
	ResultRaw       = "platform.result.raw"      // the provider's word where Result has none for it
	Waiting         = "platform.run.waiting"     // true: a person has to act before the run goes on
	Unmapped        = "platform.event.unmapped"  // what of the delivery was not understood: status, conclusion, clock, type
	Outcome         = "platform.outcome"         // good, bad or excluded
	Attempt         = "platform.attempt"         // which attempt of a run is counted: first or final
	EventSource     = "platform.event.source"    // Event.Source
	EventVerdict    = "platform.event.verdict"   // what became of an event
	// Of secrets, never what is in them.
	SecretStore       = "secret.store"             // vault, aws, kubernetes, file
	SecretKind        = "secret.kind"              // what of the store: static-role, kv, secret, certificate
	SecretScope       = "secret.scope"             // mount, account and region, or namespace
	SecretName        = "secret.name"              // a keyed hash of the name, unless the user lets names be shown
	SecretOwner       = "secret.owner"             // who has to see to the rotation
	RotationTime      = "secret.rotation.time"     // when it was last rotated, seconds since 1970
	RotationDue       = "secret.rotation.due.time" // when it has to be rotated, seconds since 1970
	RotationInterval  = "secret.rotation.interval" // seconds between two rotations, 0 if it is not rotated by time
	RotationWindow    = "secret.rotation.window"   // seconds after the due time in which the rotation is planned
	RotationGrace     = "secret.rotation.grace"    // seconds after that
	RotationMode      = "secret.rotation.mode"     // active, paused or disabled
	RotationRefreshed = "secret.refreshed.time"    // when consumers last loaded it, seconds since 1970
	RotationTrigger   = "secret.rotation.trigger"  // automatic, manual or unknown
	RotationResult    = "secret.rotation.result"   // success, failure or abandoned
	RotationReason    = "secret.rotation.reason"   // why a rotation that was due was not good
	AccessOutcome     = "secret.access.outcome"    // ok, denied or error
	AccessOperation   = "secret.access.operation"  // read, write, delete, list or rotate
	PrincipalNovelty  = "secret.principal.novelty" // learned or new
	PrincipalKind     = "secret.principal.kind"    // what accessed a secret: service, root, role, user, batch, other
	Overflow          = "otel.metric.overflow"     // true on the series that takes what exceeds a cardinality limit
)

// Attributes of incidents.
const (
	Team           = "platform.team"        // who owns it
	Fingerprint    = "incident.fingerprint" // 32 hexadecimal digits: the same for what is the same incident, also when it comes again
	IncidentName   = "incident.name"        // the name of the rule that raised it
	Severity       = "incident.severity"    // a word of the source: page, critical, p1
	IncidentState  = "incident.state"       // triggered, acknowledged, silenced; of an alert also maintenance or inhibited
	Recurrence     = "incident.recurrence"  // new, reopened or recurred
	IncidentReason = "incident.reason"      // why an incident has no time to restore: instant, merged, lost or evicted
	Reporter       = "incident.reporter"    // who says so of several that may: a hash
	SLO            = "slo.name"             // the SLO whose alert it is
)

// Attributes of policies, whatever decides on them.
const (
	PolicyEngine   = "policy.engine"      // gatekeeper, kyverno, or what else decides
	PolicyName     = "policy.name"        // of the policy or constraint
	PolicyDecision = "policy.decision"    // allow, deny, warn, audit or error
	Namespace      = "k8s.namespace.name" // where the object is; absent if it is in none
	Count          = "platform.count"     // how many things an event stands for
)

// Attributes of onboarding and of the telemetry of services.
const (
	OnboardingOutcome = "platform.onboarding.outcome" // completed or abandoned
	Signal            = "platform.telemetry.signal"   // metrics, logs or traces
)

// Attribute names of the platform's API: what it served, decided and changed.
const (
	Method         = "http.request.method"       // GET, ...; _OTHER for what is no method of HTTP (semconv)
	StatusCode     = "http.response.status_code" // as text, so that it is the same after a restart
	Route          = "http.route"                // a template, never a path; absent if none is known
	RequestReason  = "platform.request.reason"   // why a request counts as it does: served, server_error, watch, ...
	RequestClass   = "platform.request.class"    // what latency may be asked of it: write, resource, namespace or cluster
	RequestSeconds = "platform.request.seconds"  // sum of the durations of the requests that an event counts
	RequestBuckets = "platform.request.buckets"  // their numbers by bucket, such as 3:120,4:7
	BatchPart      = "platform.batch.part"       // which part of a batch an event is, from 0
	ActionChannel  = "platform.channel"          // platform, manual or emergency
	ActionTarget   = "platform.target.kind"      // what was changed: deployments, s3:CreateBucket
	SecretID       = "secret.id"                 // a digest of what names it, for the audit trail
	Principal      = "secret.principal.id"       // of a service account its name, otherwise a digest
)

// Attribute names of what is read from files. They are for the journal only.
const (
	FileSource = "platform.file.source" // the name that the configuration gives
	FilePath   = "platform.file.path"
	FileHead   = "platform.file.head"   // how many bytes of the beginning the file is recognised by
	FileDigest = "platform.file.digest" // their digest
	FileOffset = "platform.file.offset" // bytes that were read, as they are uncompressed
	FileSkip   = "platform.file.skip"   // the line that goes on at the offset is too long to be read
)

// Attr is a named value: a string, an integer, a number or a truth value.
type Attr struct {
	Name  string
	value any
}

// String returns a text attribute. An empty text means that the attribute is absent.
func String(name, value string) Attr { return Attr{name, value} }

// Int returns an integer attribute.
func Int(name string, value int64) Attr { return Attr{name, value} }

// Float returns a number attribute. value must be finite.
func Float(name string, value float64) Attr { return Attr{name, value} }

// Bool returns a truth attribute.
func Bool(name string, value bool) Attr { return Attr{name, value} }

// Value returns the value: its dynamic type is string, int64, float64 or bool.
func (a Attr) Value() any { return a.value }

// Text returns the value as Prometheus would show it in a label.
func (a Attr) Text() string {
	if s, ok := a.value.(string); ok {
		return s
	}
	return fmt.Sprint(a.value)
}

// Set is a set of attributes, sorted by name, each name at most once.
type Set []Attr

// NewSet returns the attributes as a set. Empty texts are left out. It keeps and reorders attrs. A name given twice is
// a bug in the caller and panics.
func NewSet(attrs ...Attr) Set {
	attrs = slices.DeleteFunc(attrs, func(a Attr) bool { return a.value == "" })
	slices.SortFunc(attrs, func(a, b Attr) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(attrs); i++ {
		if attrs[i].Name == attrs[i-1].Name {
			panic("event: attribute given twice: " + attrs[i].Name)
		}
	}
	return attrs
}

// Text returns the text with that name, or "".
func (s Set) Text(name string) string {
	v, _ := s.find(name).(string)
	return v
}

// Integer returns the integer with that name, or 0.
func (s Set) Integer(name string) int64 {
	v, _ := s.find(name).(int64)
	return v
}

// Number returns the number with that name, and whether there is one.
func (s Set) Number(name string) (float64, bool) {
	v, ok := s.find(name).(float64)
	return v, ok
}

// True tells whether the truth value with that name is there and true.
func (s Set) True(name string) bool {
	v, _ := s.find(name).(bool)
	return v
}

func (s Set) find(name string) any {
	i, ok := slices.BinarySearchFunc(s, name, func(a Attr, name string) int { return cmp.Compare(a.Name, name) })
	if !ok {
		return nil
	}
	return s[i].value
}

// MarshalJSON writes the set as one object.
func (s Set) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, a := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(a.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(a.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
