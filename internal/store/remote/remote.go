// Package remote is the client of a store that others run: Prometheus, Mimir, Cortex, Thanos or VictoriaMetrics. It asks
// the query API that they share, sends samples by remote write, and lets queries of users through.
//
// # Away or refused
//
// An error wraps store.ErrAway when the store could not be asked or could not answer as a whole, whatever the question:
// it cannot be reached, is busy, wants other credentials, or answered from a part of its data. The same question may be
// asked again later. Every other error is about the question. Both are an *Error with a stable code.
package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/config"

	server "github.com/plimsoll-slo/plimsoll/internal/remote"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// Type is the kind of a store.
type Type string

// The kinds of stores.
const (
	Prometheus      Type = "prometheus"
	Mimir           Type = "mimir"
	Cortex          Type = "cortex"
	Thanos          Type = "thanos"
	VictoriaMetrics Type = "victoriametrics"
)

// The defaults of Options.
const (
	DefaultTimeout     = 30 * time.Second
	DefaultConcurrency = 8
	DefaultAttempts    = 3
	DefaultBackfill    = time.Hour
)

// Version is a version of the remote write protocol.
type Version string

// The versions. Auto is 2.0 and, when the store does not take it, 1.0 from then on.
const (
	Auto Version = "auto"
	V1   Version = "1.0"
	V2   Version = "2.0"
)

// Options say where a store is. URL and Type are required, the zero value of everything else is a default.
type Options struct {
	Type     Type
	URL      string // of the query API, without /api/v1
	WriteURL string // of remote write, with its path; empty: what the kind has below URL
	Tenant   string // sent as X-Scope-OrgID, and to Thanos as THANOS-TENANT
	Version  Version

	Headers     map[string]string // sent with every request; not for secrets
	HeaderFiles map[string]string // files with the values of headers, which are secret

	BearerTokenFile           string // excludes User
	User, PasswordFile        string
	CAFile, CertFile, KeyFile string
	ServerName                string        // in the certificate, if not the host of the URL
	Timeout                   time.Duration // of one request
	Concurrency               int           // most queries at the same time
	Attempts                  int           // of one request, the first included
	Backfill                  time.Duration // how far back the past of new SLOs is evaluated
	Logger                    *slog.Logger
	Registerer                prometheus.Registerer
	Now                       func() time.Time // to measure requests with; nil: they are not measured
	// Wait sleeps between two attempts, or returns the error of ctx; nil means to use a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Store is a client. It is safe for concurrent use.
type Store struct {
	o       Options
	query   *url.URL
	write   *url.URL
	http    *http.Client
	slots   chan struct{}
	metrics metrics
	plain   atomic.Bool // the store takes remote write 1.0 only
	asked   atomic.Int64
}

// New returns a client, and sends nothing yet. It fails if the options contradict each other, or a file cannot be read.
func New(o Options) (*Store, error) {
	o.Timeout, o.Concurrency = cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.Concurrency, DefaultConcurrency)
	o.Attempts, o.Backfill = cmp.Or(o.Attempts, DefaultAttempts), cmp.Or(o.Backfill, DefaultBackfill)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	if o.Wait == nil {
		o.Wait = server.Sleep
	}
	s := &Store{o: o, slots: make(chan struct{}, o.Concurrency), metrics: newMetrics(o.Registerer)}
	var err error
	if s.query, err = address(o.URL); err != nil {
		return nil, fmt.Errorf("URL of the store: %w", err)
	}
	if s.write, err = address(cmp.Or(o.WriteURL, o.writeURL())); err != nil {
		return nil, fmt.Errorf("URL of remote write: %w", err)
	}
	if s.http, err = o.client(); err != nil {
		return nil, fmt.Errorf("store %s: %w", s.query.Redacted(), err)
	}
	switch o.Version {
	case "", Auto:
		// VictoriaMetrics reads a request of 2.0 as an empty one of 1.0.
		s.plain.Store(o.Type == VictoriaMetrics)
	default:
		s.plain.Store(o.Version == V1)
	}
	return s, nil
}

// address reads a URL that holds no secrets.
func address(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("want a URL such as https://mimir.example.com/prometheus") // text may hold secrets
	case u.User != nil:
		return nil, fmt.Errorf("want none with user and password, have some for %s: they belong into files", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("want none with a query or fragment, have one for %s", u.Host)
	}
	return u, nil
}

// writeURL returns where stores of the kind take remote writes by default. Mimir and Cortex have queries below
// /prometheus, and writes beside it. Receive of Thanos is another server: there is no default.
func (o Options) writeURL() string {
	base := strings.TrimRight(o.URL, "/")
	switch o.Type {
	case Mimir, Cortex:
		return strings.TrimSuffix(base, "/prometheus") + "/api/v1/push"
	case Thanos:
		return ""
	}
	return base + "/api/v1/write"
}

// client returns an HTTP client with the credentials of o. Files are read again when they change.
func (o Options) client() (*http.Client, error) {
	for _, f := range o.secrets() {
		if _, err := os.Stat(f); err != nil {
			return nil, err
		}
	}
	c := config.HTTPClientConfig{
		EnableHTTP2: true, ProxyConfig: config.ProxyConfig{ProxyFromEnvironment: true},
		TLSConfig:   config.TLSConfig{CAFile: o.CAFile, CertFile: o.CertFile, KeyFile: o.KeyFile, ServerName: o.ServerName, MinVersion: config.TLSVersions["TLS12"]},
		HTTPHeaders: &config.Headers{Headers: map[string]config.Header{}},
	}
	if o.BearerTokenFile != "" {
		c.Authorization = &config.Authorization{Type: "Bearer", CredentialsFile: o.BearerTokenFile}
	}
	if o.User != "" || o.PasswordFile != "" {
		c.BasicAuth = &config.BasicAuth{Username: o.User, PasswordFile: o.PasswordFile}
	}
	for k, v := range o.Headers {
		c.HTTPHeaders.Headers[k] = config.Header{Values: []string{v}}
	}
	for k, f := range o.HeaderFiles {
		c.HTTPHeaders.Headers[k] = config.Header{Files: []string{f}}
	}
	if o.Tenant != "" {
		c.HTTPHeaders.Headers[o.tenantHeader()] = config.Header{Values: []string{o.Tenant}}
	}
	if err := errors.Join(c.Validate(), c.HTTPHeaders.Validate()); err != nil {
		return nil, err
	}
	client, err := config.NewClientFromConfig(c, "store")
	if err != nil {
		return nil, err
	}
	client.Timeout = o.Timeout
	return client, nil
}

func (o Options) tenantHeader() string {
	if o.Type == Thanos {
		return "THANOS-TENANT"
	}
	return "X-Scope-OrgID"
}

// secrets returns the files whose content no message may repeat, and those of TLS.
func (o Options) secrets() []string {
	var out []string
	for _, f := range []string{o.BearerTokenFile, o.PasswordFile, o.CAFile, o.CertFile, o.KeyFile} {
		if f != "" {
			out = append(out, f)
		}
	}
	for _, f := range o.HeaderFiles {
		out = append(out, f)
	}
	return out
}

// Name says which store it is, for people.
func (s *Store) Name() string { return string(s.o.Type) + " at " + s.query.Redacted() }

// Backfill returns how far back the past of new SLOs is evaluated.
func (s *Store) Backfill() time.Duration { return s.o.Backfill }

// Concurrency returns the most queries at the same time.
func (s *Store) Concurrency() int { return s.o.Concurrency }

// Asked returns how many queries were sent so far, repetitions included.
func (s *Store) Asked() int64 { return s.asked.Load() }

// Check asks a question and writes nothing to the store, so that a configuration that cannot work is noticed at once.
// An error for which IsWrong is true will not pass by itself.
func (s *Store) Check(ctx context.Context, now time.Time) error {
	if _, err := s.Query(ctx, "vector(1)", now); err != nil {
		return err
	}
	_, err := s.Write(ctx, nil)
	return err
}

// IsWrong reports whether err says that the configuration is wrong: an address, a path, credentials or a tenant.
func IsWrong(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == CodeAuth || e.Code == CodePath || e.Code == CodeTLS)
}

// The codes of errors. Each has a line in docs/store.md.
const (
	CodeUnreachable = "store-unreachable" // no connection, or no answer in time
	CodeTLS         = "store-tls"         // the certificate is not trusted
	CodeAuth        = "store-auth"        // 401 or 403: token, password or tenant
	CodePath        = "store-path"        // 404, 405 or a redirect: not the API of such a store
	CodeBusy        = "store-busy"        // 429
	CodeFailing     = "store-failing"     // 5xx
	CodePartial     = "store-partial"     // an answer from a part of the data
	CodeAnswer      = "store-answer"      // an answer that is not of this API
	CodeQuery       = "store-query"       // the query is refused
	CodeWrite       = "store-write"       // the samples are refused
)

// Error is trouble with a store.
type Error struct {
	Code   string
	Status int // of HTTP; 0 if there was no answer
	text   string
	cause  error
}

// Error says what was asked and what the store said, with the code.
func (e *Error) Error() string { return fmt.Sprintf("%s [%s]", e.text, e.Code) }

// Unwrap returns store.ErrAway or the cause.
func (e *Error) Unwrap() []error {
	var out []error
	if e.Code != CodeQuery && e.Code != CodeWrite {
		out = append(out, store.ErrAway)
	}
	if e.cause != nil {
		out = append(out, e.cause)
	}
	return out
}
