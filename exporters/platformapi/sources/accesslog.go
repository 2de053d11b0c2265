package sources

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// AccessLogOptions say what access logs can not know. The zero value works.
type AccessLogOptions struct {
	// Service is the service.name of the requests.
	Service string `mapstructure:"service"`
	// Routes are templates of paths, such as /users/{id} or /static/{path...}. The first that fits is the request's
	// route. A request that fits none has no route: a path is never shown.
	Routes []string `mapstructure:"routes"`
	// HealthPaths are patterns for the paths of health endpoints. By default /healthz, /livez, /readyz, /health, /ready,
	// /ping and what is below them, and /stub_status and /server-status.
	HealthPaths []string `mapstructure:"health_paths"`
	// SyntheticAgents are patterns for the user agents of probers, whose requests do not count. By default those of
	// kube-probe, ELB-HealthChecker, GoogleHC and Blackbox Exporter.
	SyntheticAgents []string `mapstructure:"synthetic_agents"`
	// DurationUnit is the unit of the number at the end of a line in the combined form: "s", "ms", "us" or "none". By
	// default a number with a point in it is in seconds, as nginx writes $request_time, and any other is not read.
	DurationUnit string `mapstructure:"duration_unit"`
}

// Check reports what is wrong with the options.
func (o AccessLogOptions) Check() error {
	for _, route := range o.Routes {
		if !strings.HasPrefix(route, "/") || route != event.Clean(route) || strings.ContainsAny(route, "?#") {
			return fmt.Errorf("routes: want a template that begins with /, have %q", route)
		}
	}
	switch o.DurationUnit {
	case "", "s", "ms", "us", "none":
		return nil
	}
	return fmt.Errorf("duration_unit: want s, ms, us or none, have %q", o.DurationUnit)
}

// accessSource is the kind, and the source of its events.
const accessSource = "access_log"

// maxLine is the longest line that is read. Servers bound what they log of a request to less.
const maxLine = 64 << 10

// AccessLog returns the decoder of access logs, whole lines of them: the combined form of Apache and nginx, with or
// without a duration at its end, and JSON objects with the field names of nginx' variables, of Envoy or of OpenTelemetry.
// Each line says for itself which one it is. What identifies a delivery is its content, unless the sender says more.
func AccessLog(o AccessLogOptions) source.Kind {
	o.Service = event.Clean(o.Service)
	o.HealthPaths = orDefault(o.HealthPaths, "/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*",
		"/health", "/health/*", "/ready", "/ping", "/stub_status", "/server-status")
	o.SyntheticAgents = orDefault(o.SyntheticAgents, "kube-probe/*", "ELB-HealthChecker/*", "GoogleHC/*", "Blackbox Exporter/*")
	a := access{options: o}
	for _, route := range o.Routes {
		a.routes = append(a.routes, template{route, strings.Split(route, "/")})
	}
	return source.Kind{Name: accessSource, Decode: a.decode, Frame: source.Lines}
}

// access reads access logs with some options.
type access struct {
	options AccessLogOptions
	routes  []template
}

// template is a route in its segments.
type template struct {
	text     string
	segments []string
}

// fits tells whether a path is of the route.
func (t template) fits(path []string) bool {
	for i, segment := range t.segments {
		if strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "...}") {
			return i < len(path)
		}
		if i >= len(path) || segment != path[i] && (path[i] == "" || !strings.HasPrefix(segment, "{") || !strings.HasSuffix(segment, "}")) {
			return false
		}
	}
	return len(path) == len(t.segments)
}

// hit is what is read of a line.
type hit struct {
	at       time.Time
	method   string
	path     string // without its query
	agent    string
	status   int64
	duration time.Duration
	timed    bool
	flags    string // Envoy's response flags
}

func (a access) decode(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	batch := platformapi.NewBatch(accessSource, observed)
	id := header.Get(source.BatchHeader)
	if id == "" {
		sum := sha256.Sum256(body)
		id = a.options.Service + "\x00" + hex.EncodeToString(sum[:])
	}
	lines, readable := 0, 0
	for line, rest := []byte(nil), body; len(rest) > 0; {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		lines++
		h, ok := hit{}, false
		if len(line) <= maxLine {
			h, ok = a.line(line)
		}
		if !ok {
			batch.Request(platformapi.Request{Service: a.options.Service, Reason: platformapi.Unreadable}, time.Time{})
			continue
		}
		readable++
		a.count(batch, h)
	}
	if lines > 0 && readable == 0 {
		return nil, fmt.Errorf("decode %s delivery: %w", accessSource, errors.New("no line is one of an access log"))
	}
	events := batch.Events(id)
	if len(events) == 0 {
		events = append(events, event.NewUnused(accessSource, observed))
	}
	return events, nil
}

func (a access) line(line []byte) (hit, bool) {
	if line[0] == '{' {
		return jsonHit(line)
	}
	return a.combined(string(line))
}

func (a access) count(batch *platformapi.Batch, h hit) {
	r := platformapi.Request{
		Service: a.options.Service, Method: methodOf(h.method), Route: a.route(h.path), Status: statusText(h.status), Reason: a.reason(h),
	}
	if h.timed {
		batch.Timed(r, h.at, h.duration)
		return
	}
	batch.Request(r, h.at)
}

// route returns the first template that a path fits, or "".
func (a access) route(path string) string {
	if len(a.routes) == 0 || len(path) > maxLine {
		return ""
	}
	segments := strings.SplitN(path, "/", 64)
	for _, t := range a.routes {
		if t.fits(segments) {
			return t.text
		}
	}
	return ""
}

// Response flags of Envoy that say more than the status. Source: Envoy, "Access logging", %RESPONSE_FLAGS%.
const (
	downstreamClosed = "DC"
	upstreamTimeout  = "UT"
	streamTimeout    = "SI"
	durationTimeout  = "DT"
)

// reason says how the request counts.
func (a access) reason(h hit) string {
	flag := func(name string) bool {
		for text := range strings.SplitSeq(h.flags, ",") {
			if text == name {
				return true
			}
		}
		return false
	}
	const nginxClosed = 499
	switch {
	case matches(h.path, a.options.HealthPaths):
		return platformapi.Health
	case h.method == http.MethodConnect:
		return platformapi.Connect
	case h.agent != "" && matches(h.agent, a.options.SyntheticAgents):
		return platformapi.Synthetic
	case flag(upstreamTimeout) || flag(streamTimeout) || flag(durationTimeout):
		return platformapi.Timeout
	case h.status == nginxClosed || flag(downstreamClosed) && h.status < 500:
		return platformapi.ClientClosed
	}
	return reasonOf(h.status)
}

// cutQuery returns the path of a request's target, which may be a whole address.
func cutQuery(target string) string {
	if i := strings.IndexAny(target, "?#;"); i >= 0 {
		target = target[:i]
	}
	if _, rest, found := strings.Cut(target, "://"); found {
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	return cmp.Or(target, "/")
}
