// Package web is the HTTP interface of plimsoll serve: the query API of Prometheus, by Prometheus' own handlers; an API
// about the state of SLOs; a status page; and the doors of the receivers. It is the only package that imports
// prometheus/web.
package web

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// Backend is what the interface shows and passes requests to. All of it but Queries is required.
type Backend struct {
	Engine            *engine.Engine
	Store             *store.Store
	RemoteWrite, OTLP http.Handler
	Queries           http.Handler // answers the part of the query API that reads series; nil: from Store
	Registry          *prometheus.Registry
	Alertmanagers     func() []*url.URL
	Targets           Targets
	State             func() State
	Ready             func() error // nil when the server is ready
	Reload            func()
	Now               func() time.Time
	Logger            *slog.Logger
}

// The defaults of Options.
const (
	DefaultQueries      = 20
	DefaultQueryTimeout = time.Minute
	DefaultQuerySamples = 10_000_000
)

// Options of the interface. Each zero value means the default.
type Options struct {
	ExternalURL  string
	Version      string        // of Plimsoll, for the status page
	Queries      int           // that run at the same time
	QueryTimeout time.Duration // of one query
	QuerySamples int           // that one query may hold in memory
	// Profiling serves /debug/pprof. It belongs behind authentication.
	Profiling bool
	// Tokens, if not empty, are the bearer tokens that open everything but /-/healthy and /-/ready.
	Tokens Tokens
	// Users says that the listener in front has checked the user and password of every request.
	Users bool
}

// New returns the handler of all paths. It fails if ExternalURL is not a URL.
func New(b Backend, o Options) (http.Handler, error) {
	if _, err := url.Parse(o.ExternalURL); err != nil {
		return nil, errors.New("external URL: it is not a URL")
	}
	if o.Queries == 0 {
		o.Queries = DefaultQueries
	}
	mux := http.NewServeMux()
	prom := prometheusAPI(b, o)
	queries := http.StripPrefix("/api/v1", prom)
	if b.Queries != nil {
		queries = elsewhere(queries, b.Queries)
	}
	mux.Handle("/api/v1/", slots(o.Queries, queries))
	mux.Handle("/api/v1/write", b.RemoteWrite)
	mux.Handle("/api/v1/otlp/v1/metrics", b.OTLP)
	mux.Handle("GET /metrics", promhttp.HandlerFor(b.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, _ *http.Request) {
		b.Reload()
		w.WriteHeader(http.StatusAccepted)
	})
	states := slots(o.Queries, nil)
	stateAPI(mux, b, states)
	mux.Handle("GET /{$}", states.pass(page(b, o)))
	if o.Profiling {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	front := http.NewServeMux()
	front.Handle("/", o.Tokens.guard(mux, o.Users))
	front.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "healthy") })
	front.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := b.Ready(); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		say(w, http.StatusOK, "ready")
	})
	return safe(front), nil
}

// elsewhere leaves what is known here, which is not about series, to here, and everything else to queries.
func elsewhere(here, queries http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/rules", "/api/v1/alerts", "/api/v1/alertmanagers", "/api/v1/status/buildinfo", "/api/v1/status/runtimeinfo":
			here.ServeHTTP(w, r)
		default:
			queries.ServeHTTP(w, r)
		}
	})
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n"))
}

// safe sets the headers that keep browsers from doing harm.
func safe(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "deny")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		h.ServeHTTP(w, r)
	})
}

// gate lets a number of requests through at a time.
type gate chan struct{}

// slots returns a handler that lets n requests at a time through to h and refuses the others. A nil h is for pass.
func slots(n int, h http.Handler) limited { return limited{make(gate, n), h} }

type limited struct {
	gate gate
	next http.Handler
}

// ServeHTTP implements http.Handler.
func (l limited) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.pass(l.next).ServeHTTP(w, r) }

// pass puts another handler behind the same gate.
func (l limited) pass(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case l.gate <- struct{}{}:
			defer func() { <-l.gate }()
			h.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many queries at the same time, try again", http.StatusServiceUnavailable)
		}
	})
}
