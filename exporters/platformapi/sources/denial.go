package sources

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
)

// Annotations of audit events. Source: Kubernetes, "Audit Annotations".
const (
	decisionAnnotation = "authorization.k8s.io/decision"
	warnedAnnotation   = "validation.policy.admission.k8s.io/validation_failure"
	failedOpen         = "failed-open."
)

// Values of event.PolicyEngine.
const (
	engineRBAC        = "rbac" // authorization: who may do what, before any policy
	engineWebhook     = "webhook"
	enginePolicy      = "validating_admission_policy"
	engineQuota       = "quota"
	engineLimits      = "limit_range"
	enginePodSecurity = "pod_security"
	engineAdmission   = "admission" // all of them together, or one that the server does not name
)

// decisions counts what was decided about a request: at most one denial, however many policies it broke, or that it was
// let through, besides warnings and failures of engines.
func (r *auditReading) decisions(e *auditEvent) {
	if e.Object.Resource == "" {
		return
	}
	ns := label(e.Object.Namespace)
	if ns == "" && e.Object.Resource == "namespaces" {
		ns = label(e.Object.Name)
	}
	if e.Response.Code == http.StatusNotFound || !isWrite(e.Verb) {
		if ns != "" && !e.known() {
			ns = "" // whatever the client wrote
		}
	}
	add := func(d platformapi.Evaluation) {
		d.Service, d.Namespace = r.options.Service, ns
		r.batch.Evaluation(d)
	}
	switch denial, denied := denialOf(e); {
	case denied && denial.Engine == engineRBAC:
		ns = "" // it may not even exist
		add(denial)
		return
	case !isWrite(e.Verb):
		return
	case denied:
		add(denial)
	case e.Response.Code >= 200 && e.Response.Code < 300:
		add(platformapi.Evaluation{Engine: engineAdmission, Decision: platformapi.Allow})
	}
	for name, value := range e.Annotations {
		if strings.HasPrefix(name, failedOpen) && strings.Contains(name, "webhook.admission.k8s.io/") {
			add(platformapi.Evaluation{Engine: engineWebhook, Name: label(value), Decision: platformapi.Error, Error: "fail_open"})
		}
	}
	for _, name := range warnedBy(e.Annotations[warnedAnnotation]) {
		add(platformapi.Evaluation{Engine: enginePolicy, Name: name, Decision: platformapi.Warn})
	}
}

// warnedBy returns the policies of the annotation that says which ones a request would have broken, each once.
func warnedBy(annotation string) (names []string) {
	if annotation == "" {
		return nil
	}
	var failures []struct {
		Policy string `json:"policy"`
	}
	if err := json.Unmarshal([]byte(annotation), &failures); err != nil {
		return []string{""}
	}
	seen := map[string]bool{}
	for _, f := range failures {
		if name := label(f.Policy); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// denialOf returns who denied a request, or failed to decide and so ended it. It goes by the messages of the API server,
// because the same status stands for several of them; each is read as far as the server, and not who sent the request,
// wrote it.
func denialOf(e *auditEvent) (platformapi.Evaluation, bool) {
	message := e.Response.Message
	deny := func(engine, name string) (platformapi.Evaluation, bool) {
		return platformapi.Evaluation{Engine: engine, Name: label(name), Decision: platformapi.Deny}, true
	}
	if e.Response.Code < 400 {
		return platformapi.Evaluation{}, false
	}
	if name, ok := between(message, `failed calling webhook "`, `"`); ok && e.Response.Code >= 500 {
		return platformapi.Evaluation{Engine: engineWebhook, Name: label(name), Decision: platformapi.Error, Error: "fail_closed"}, true
	}
	if rest, ok := strings.CutPrefix(message, `admission webhook "`); ok {
		name, _, _ := strings.Cut(rest, `"`)
		return deny(engineWebhook, name)
	}
	if e.Response.Code == http.StatusForbidden && (e.Annotations[decisionAnnotation] == "forbid" || byAuthorizer(message)) {
		return deny(engineRBAC, "")
	}
	_, why, forbidden := strings.Cut(message, " is forbidden: ")
	if !forbidden {
		return platformapi.Evaluation{}, false
	}
	if rest, ok := strings.CutPrefix(why, "ValidatingAdmissionPolicy '"); ok {
		name, _, _ := strings.Cut(rest, "'")
		d, _ := deny(enginePolicy, name)
		if strings.Contains(rest, "resulted in error") {
			d.Decision, d.Error = platformapi.Error, "fail_closed"
		}
		return d, true
	}
	for _, prefix := range []string{"exceeded quota: ", "failed quota: "} {
		if rest, ok := strings.CutPrefix(why, prefix); ok {
			return deny(engineQuota, untilAny(rest, ",: "))
		}
	}
	if rest, ok := strings.CutPrefix(why, `violates PodSecurity "`); ok {
		name, _, _ := strings.Cut(rest, `"`)
		return deny(enginePodSecurity, name)
	}
	if e.Response.Code != http.StatusForbidden {
		return platformapi.Evaluation{}, false
	}
	if isLimit(why) {
		return deny(engineLimits, "")
	}
	return deny(engineAdmission, "")
}

// byAuthorizer tells whether a message is that of the authorizer, for events without annotations.
func byAuthorizer(message string) bool {
	return strings.Contains(message, ` is forbidden: User "`) && strings.Contains(message, `" cannot `)
}

// isLimit tells whether a message is that of a LimitRange.
func isLimit(why string) bool {
	why = strings.TrimPrefix(why, "[")
	return strings.HasPrefix(why, "minimum ") || strings.HasPrefix(why, "maximum ")
}

// between returns what is between two texts.
func between(text, before, after string) (string, bool) {
	_, rest, found := strings.Cut(text, before)
	if !found {
		return "", false
	}
	rest, _, found = strings.Cut(rest, after)
	return rest, found
}

// untilAny returns the text up to one of some characters.
func untilAny(text, chars string) string {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return text[:i]
	}
	return text
}
