package sources

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
)

// request returns what metrics know of the request of an event.
func (r *auditReading) request(e *auditEvent) platformapi.Request {
	return platformapi.Request{
		Service: r.options.Service, Method: methodOfVerb(e.Verb), Route: e.route(), Status: statusText(e.Response.Code),
		Class: e.class(), Reason: r.reason(e),
	}
}

// reason says how the request counts.
func (r *auditReading) reason(e *auditEvent) string {
	switch {
	case e.Object.Resource == "" && isHealth(e.path()):
		return platformapi.Health
	case e.Verb == "watch" || e.Verb == "watchlist":
		return platformapi.Watch
	case e.lasting():
		return platformapi.Connect
	case e.dryRun():
		return platformapi.DryRun
	case e.UserAgent != "" && matches(e.UserAgent, r.options.SyntheticAgents):
		return platformapi.Synthetic
	case e.Stage == "Panic":
		return platformapi.Panicked
	case e.Response.Code == http.StatusTooManyRequests && e.Object.Subresource == "eviction":
		return platformapi.ClientError // a disruption budget says no, not the server
	case e.Response.Code >= 500 && (e.Response.Reason == "Timeout" || e.Response.Reason == "ServerTimeout"):
		return platformapi.Timeout
	}
	return reasonOf(e.Response.Code)
}

// reasonOf says how a request with a status counts if nothing else is known of it.
func reasonOf(status int64) string {
	switch {
	case status == 0 || status == http.StatusSwitchingProtocols:
		return platformapi.Hijacked
	case status == http.StatusGatewayTimeout:
		return platformapi.Timeout
	case status == http.StatusTooManyRequests:
		return platformapi.Shed
	case status < 100 || status > 599:
		return platformapi.Unreadable
	case status >= 500:
		return platformapi.ServerError
	case status >= 400:
		return platformapi.ClientError
	}
	return platformapi.Served
}

// statusText returns a status that can be one, or "".
func statusText(status int64) string {
	if status < 100 || status > 599 {
		return ""
	}
	return strconv.FormatInt(status, 10)
}

// isHealth tells whether a path is one of the API server's health endpoints.
func isHealth(path string) bool {
	for _, endpoint := range []string{"/healthz", "/livez", "/readyz"} {
		if rest, found := strings.CutPrefix(path, endpoint); found && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// lasting tells whether the request goes on for as long as its client wants.
func (e *auditEvent) lasting() bool {
	switch e.Object.Subresource {
	case "exec", "attach", "portforward", "proxy", "log":
		return true
	}
	return e.Verb == "connect" || e.Verb == "proxy"
}

// dryRun tells whether nothing was to be changed.
func (e *auditEvent) dryRun() bool {
	_, query, found := strings.Cut(e.RequestURI, "?")
	if !found || !strings.Contains(query, "dryRun") {
		return false
	}
	values, _ := url.ParseQuery(query)
	return values.Get("dryRun") == "All"
}

// methodOfVerb returns the method that a verb comes from.
func methodOfVerb(verb string) string {
	switch verb {
	case "get", "list", "watch", "watchlist":
		return http.MethodGet
	case "create", "connect":
		return http.MethodPost
	case "update":
		return http.MethodPut
	case "patch", "apply":
		return http.MethodPatch
	case "delete", "deletecollection":
		return http.MethodDelete
	}
	return methodOf(strings.ToUpper(verb)) // of what is not a resource the verb is the method
}

// methodOf returns a method of HTTP, and otherMethod for anything else.
func methodOf(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return otherMethod
}

// otherMethod is the word of the semantic conventions for what is no method.
const otherMethod = "_OTHER"

// Values of event.RequestClass: what Kubernetes promises of the time that a request takes differs between them.
const (
	classWrite     = "write"     // 1 s
	classResource  = "resource"  // reads one object, 1 s
	classNamespace = "namespace" // lists a namespace, 5 s
	classCluster   = "cluster"   // lists everything, 30 s
)

// class says what may be asked of the request's latency; "" for what is not about a resource.
func (e *auditEvent) class() string {
	switch {
	case e.Object.Resource == "":
		return ""
	case isWrite(e.Verb):
		return classWrite
	case e.Verb == "get":
		return classResource
	case e.Object.Namespace != "":
		return classNamespace
	}
	return classCluster
}

func isWrite(verb string) bool {
	switch verb {
	case "create", "update", "patch", "apply", "delete", "deletecollection":
		return true
	}
	return false
}

// route returns the template of the request's path. Of a request that was refused before anybody knew whether there is
// such a resource it is empty: those names are whatever the client wrote.
func (e *auditEvent) route() string {
	o := e.Object
	if o.Resource == "" {
		return fixedRoute(e.path())
	}
	if !e.known() {
		return ""
	}
	route := "/api/" + label(o.APIVersion)
	if o.APIGroup != "" {
		route = "/apis/" + label(o.APIGroup) + "/" + label(o.APIVersion)
	}
	if o.Namespace != "" && o.Resource != "namespaces" {
		route += "/namespaces/{namespace}"
	}
	route += "/" + label(o.Resource)
	if o.Name != "" && (e.Verb != "create" || o.Subresource != "") { // of what is created the path has no name
		route += "/{name}"
	}
	if o.Subresource != "" {
		route += "/" + label(o.Subresource)
	}
	if len(route) > event.MaxText {
		return ""
	}
	return route
}

// known tells whether there is such a resource.
func (e *auditEvent) known() bool {
	switch e.Response.Code {
	case http.StatusUnauthorized, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusTooManyRequests:
		return false
	case http.StatusForbidden:
		return e.Annotations[decisionAnnotation] == "allow"
	case http.StatusNotFound:
		return e.Response.Reason == "NotFound" && strings.Contains(e.Response.Message, `" not found`)
	}
	return e.Response.Code > 0
}

// fixedRoute returns the path of something that is not a resource as far as it can not be anything.
func fixedRoute(path string) string {
	head, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch head {
	case "api", "apis", "openapi", "version", "metrics", "healthz", "livez", "readyz", "logs", "debug", ".well-known":
		return "/" + head
	}
	return ""
}
