package sources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// AuditOptions say what audit events can not know. The zero value works.
type AuditOptions struct {
	// Service is the service.name of the requests: the name of the cluster's API. "kube-apiserver".
	Service string `mapstructure:"service"`
	// SyntheticAgents are patterns for the user agents of probers, whose requests do not count.
	SyntheticAgents []string `mapstructure:"synthetic_agents"`
	// PlatformUsers are patterns for users through which the platform makes changes. By default the service accounts in
	// the namespaces argocd, flux-system, crossplane-system and backstage.
	PlatformUsers []string `mapstructure:"platform_users"`
	// PlatformAgents are patterns for the user agents of tools that make changes for the platform when a service account
	// runs them. By default those of Argo CD, Flux, Crossplane, Terraform, OpenTofu, Pulumi and Backstage.
	PlatformAgents []string `mapstructure:"platform_agents"`
	// EmergencyUsers and EmergencyGroups are patterns for who breaks the glass.
	EmergencyUsers  []string `mapstructure:"emergency_users"`
	EmergencyGroups []string `mapstructure:"emergency_groups"`
}

// auditSource is the kind, and the source of its events.
const auditSource = "kubernetes_audit"

// KubernetesAudit returns the decoder of audit events of the version audit.k8s.io/v1: an EventList as the API server's
// webhook posts it, or lines as it writes them to its log. A request counts once, when it is complete. What identifies
// a list is the events in it, so that one that is posted again counts once.
func KubernetesAudit(o AuditOptions) source.Kind {
	if o.Service == "" {
		o.Service = "kube-apiserver"
	}
	o.Service = event.Clean(o.Service)
	o.PlatformUsers = orDefault(o.PlatformUsers, "system:serviceaccount:argocd:*", "system:serviceaccount:flux-system:*",
		"system:serviceaccount:crossplane-system:*", "system:serviceaccount:backstage:*")
	o.PlatformAgents = orDefault(o.PlatformAgents, "argocd*", "flux*", "kustomize-controller*", "helm-controller*", "crossplane*",
		"*erraform*", "*penTofu*", "pulumi*", "backstage*")
	return source.Kind{Name: auditSource, Decode: audit{o}.decode, Frame: source.Lines}
}

// audit reads audit events with some options.
type audit struct{ options AuditOptions }

// auditEvent is what is read of an audit event.
type auditEvent struct {
	AuditID          string            `json:"auditID"`
	Stage            string            `json:"stage"`
	RequestURI       string            `json:"requestURI"`
	Verb             string            `json:"verb"`
	User             auditUser         `json:"user"`
	ImpersonatedUser *auditUser        `json:"impersonatedUser"`
	UserAgent        string            `json:"userAgent"`
	Object           auditObject       `json:"objectRef"`
	Response         auditResponse     `json:"responseStatus"`
	Received         source.Stamp      `json:"requestReceivedTimestamp"`
	Staged           source.Stamp      `json:"stageTimestamp"`
	Timestamp        source.Stamp      `json:"timestamp"` // of versions before 1.8
	Annotations      map[string]string `json:"annotations"`
}

type auditUser struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

type auditObject struct {
	Resource    string `json:"resource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	APIGroup    string `json:"apiGroup"`
	APIVersion  string `json:"apiVersion"`
	Subresource string `json:"subresource"`
}

type auditResponse struct {
	Code    int64  `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// at is when the event came about.
func (e *auditEvent) at() time.Time {
	if e.Staged.IsZero() {
		return e.Timestamp.Time
	}
	return e.Staged.Time
}

// actor is whom the request counts for.
func (e *auditEvent) actor() auditUser {
	if e.ImpersonatedUser != nil {
		return *e.ImpersonatedUser
	}
	return e.User
}

// path is the request's path without its query.
func (e *auditEvent) path() string {
	path, _, _ := strings.Cut(e.RequestURI, "?")
	return path
}

// complete tells whether the request is over: it counts then, and at no other stage. One whose sender is not known is over
// when its answer begins, and there is no other event of it.
func (e *auditEvent) complete() bool {
	unknown := e.Response.Code == http.StatusUnauthorized && e.User.Username == ""
	return e.Stage == "ResponseComplete" || e.Stage == "Panic" || e.Stage == "ResponseStarted" && unknown
}

// auditReading is one delivery or one piece of a file as it is read.
type auditReading struct {
	audit
	batch    *platformapi.Batch
	id       *[sha256.Size]byte // of the events so far
	seen     map[string]bool    // audit ids that count
	events   []event.Event      // that are not of the batch
	observed time.Time
}

func (a audit) decode(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	r := &auditReading{
		audit: a, batch: platformapi.NewBatch(auditSource, observed), id: new([sha256.Size]byte), seen: map[string]bool{}, observed: observed,
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if err := r.body(body); err != nil {
		return nil, fmt.Errorf("decode %s delivery: %w", auditSource, err)
	}
	id := header.Get(source.BatchHeader)
	if id == "" {
		id = a.options.Service + "\x00" + hex.EncodeToString(r.id[:])
	}
	events := append(r.batch.Events(id), r.events...)
	if len(events) == 0 {
		events = append(events, event.NewUnused(auditSource, observed))
	}
	return events, nil
}

// auditList is a list of events, or one.
type auditList struct {
	Items elements[auditEvent] `json:"items"`
	auditEvent
}

// body reads one JSON document, or lines of them. A line that can not be read is counted and passed over.
func (r *auditReading) body(body []byte) error {
	line, rest, several := bytes.Cut(body, []byte("\n"))
	if !several || !json.Valid(line) {
		if err := r.document(body); err == nil || !several {
			return err
		}
	}
	lines := 0
	for ; len(line)+len(rest) > 0; line, rest, _ = bytes.Cut(rest, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if r.document(line) != nil {
			r.batch.Request(platformapi.Request{Service: r.options.Service, Reason: platformapi.Unreadable}, time.Time{})
			r.identify(string(line))
			continue
		}
		lines++
	}
	if lines == 0 {
		return errors.New("no line is an audit event")
	}
	return nil
}

// document reads the events of a list, or the one that it is.
func (r *auditReading) document(text []byte) error {
	events := 0
	list := auditList{Items: elements[auditEvent]{each: func(e *auditEvent) {
		events++
		r.event(e)
	}}}
	if _, err := source.Unmarshal(text, &list); err != nil {
		return err
	}
	if list.Stage != "" {
		events++
		r.event(&list.auditEvent)
	}
	if events == 0 {
		return errors.New("neither an audit event nor a list of them")
	}
	return nil
}

// identify makes a text part of what identifies the batch.
func (r *auditReading) identify(text string) {
	*r.id = sha256.Sum256(append(r.id[:], text...))
}

// event counts one event.
func (r *auditReading) event(e *auditEvent) {
	r.identify(e.AuditID + "\x00" + e.Stage)
	if !e.complete() || r.seen[e.AuditID] {
		return
	}
	if e.AuditID != "" {
		r.seen[e.AuditID] = true
	}
	request := r.request(e)
	if e.Received.IsZero() || e.Staged.IsZero() {
		r.batch.Request(request, e.at())
	} else {
		r.batch.Timed(request, e.at(), e.Staged.Sub(e.Received.Time))
	}
	if request.Reason != platformapi.DryRun && request.Reason != platformapi.Synthetic {
		r.decisions(e)
		r.action(e)
	}
	r.access(e)
}
