package sources

import (
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
)

// action counts a change that somebody made, other than the cluster itself.
func (r *auditReading) action(e *auditEvent) {
	if !isWrite(e.Verb) || e.Response.Code < 200 || e.Response.Code > 299 || isBookkeeping(e.Object) || e.lasting() {
		return
	}
	if channel := r.channel(e); channel != "" {
		r.batch.Action(platformapi.Action{
			Service: r.options.Service, Actor: e.actor().Username, Namespace: label(e.Object.Namespace), Channel: channel, Target: label(e.Object.Resource), Time: e.at(),
		})
	}
}

// isBookkeeping tells whether a write changes nothing that anybody asked for: what clients note while they work.
func isBookkeeping(o auditObject) bool {
	switch o.Resource {
	case "events", "leases", "endpoints", "endpointslices", "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews",
		"selfsubjectrulesreviews", "localsubjectaccessreviews", "selfsubjectreviews", "certificatesigningrequests":
		return true
	}
	switch o.Subresource {
	case "status", "token", "binding", "finalize":
		return true
	}
	return false
}

// serviceAccount begins the names of service accounts, and systemUser those of everything that belongs to Kubernetes.
const (
	systemUser     = "system:"
	serviceAccount = "system:serviceaccount:"
)

// channel says which way a change came, or "" if it is not somebody's: the cluster's own, or a controller's that is not
// the platform's.
func (r *auditReading) channel(e *auditEvent) string {
	o, actor := r.options, e.actor()
	switch {
	case matches(actor.Username, o.EmergencyUsers) || anyMatches(actor.Groups, o.EmergencyGroups):
		return platformapi.Emergency
	case matches(actor.Username, o.PlatformUsers) || e.ImpersonatedUser != nil && matches(e.User.Username, o.PlatformUsers):
		return platformapi.Platform
	case actor.Username == "":
		return ""
	case strings.HasPrefix(actor.Username, serviceAccount):
		if !strings.HasPrefix(actor.Username, serviceAccount+"kube-system:") && matches(e.UserAgent, o.PlatformAgents) {
			return platformapi.Platform
		}
		return ""
	case strings.HasPrefix(actor.Username, systemUser) && actor.Username != "system:admin":
		return ""
	}
	return platformapi.Manual
}

func anyMatches(texts, patterns []string) bool {
	for _, text := range texts {
		if matches(text, patterns) {
			return true
		}
	}
	return false
}

// principal returns what kind of one made a request, and what the audit trail knows it by: the name of a service account
// or of a part of Kubernetes, the digest of a person's.
func principal(u auditUser) (kind, id string) {
	name := label(u.Username)
	switch {
	case u.Username == "" || u.Username == "system:anonymous":
		return "anonymous", ""
	case strings.HasPrefix(u.Username, serviceAccount) && name != other:
		return "service_account", name
	case strings.HasPrefix(u.Username, "system:node:"):
		return "node", hashed(u.Username)
	case strings.HasPrefix(u.Username, systemUser) && name != other:
		return "system", name
	}
	return "user", hashed(u.Username)
}

// access notes that somebody asked for secrets. Which one is a digest, and what it says is not in an audit event's
// metadata.
func (r *auditReading) access(e *auditEvent) {
	if e.Object.Resource != "secrets" || e.AuditID == "" {
		return
	}
	kind, id := principal(e.actor())
	secret := ""
	if e.Object.Name != "" {
		secret = hashed("kubernetes", e.Object.Namespace, e.Object.Name)
	}
	ns := label(e.Object.Namespace)
	if !e.known() {
		ns = ""
	}
	o := event.NewOrigin(auditSource, "k8s/"+hashed(e.AuditID), e.Stage, e.at(), r.observed)
	r.events = append(r.events, o.Event(event.AccessAudited, time.Time{},
		event.String(event.Service, r.options.Service), event.String(event.SecretStore, "kubernetes"), event.String(event.SecretID, secret), event.String(event.Namespace, ns),
		event.String(event.AccessOperation, operation(e.Verb)), event.String(event.AccessOutcome, accessOutcome(e.Response.Code)),
		event.String(event.PrincipalKind, kind), event.String(event.Principal, id)))
}

// operation says what a verb does to a secret.
func operation(verb string) string {
	switch verb {
	case "get":
		return "read"
	case "list", "watch", "watchlist": // both give the content of all
		return "list"
	case "delete", "deletecollection":
		return "delete"
	}
	if isWrite(verb) {
		return "write"
	}
	return other
}

func accessOutcome(status int64) string {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "denied"
	case status >= 400:
		return "error"
	}
	return "ok"
}
