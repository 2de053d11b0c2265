package platformevents

import (
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// MinSecret is the least number of bytes of a webhook secret or a bearer token.
const MinSecret = 16

// SourceConfig is one system that delivers events. Exactly one of Secrets, BearerToken, BearerTokenFile,
// ClientCertificate and InsecureNoAuth says how it is known to be the one.
type SourceConfig struct {
	// Kind is the format, and how it is signed: one of those in docs/sources.md, or "json" for what Mapping says. By default it is
	// the source's name.
	Kind string `mapstructure:"kind"`

	// Mapping says how to read deliveries of kind "json".
	Mapping *sources.Mapping `mapstructure:"mapping"`

	// KindConfig has the settings of kinds that have some.
	KindConfig `mapstructure:",squash"`

	// Path is where deliveries are posted. By default it is "/" and the source's name.
	Path string `mapstructure:"path"`

	// Secrets sign the deliveries. Any of them is accepted, so that a secret can be replaced without a gap.
	Secrets []configopaque.String `mapstructure:"secrets"`

	// BearerToken is what the sender puts into the Authorization header, after "Bearer ".
	BearerToken configopaque.String `mapstructure:"bearer_token"`

	// BearerTokenFile is a file with the bearer token. A new token counts at once; if it can not be read the last one
	// that could counts on.
	BearerTokenFile string `mapstructure:"bearer_token_file"`

	// ClientCertificate is for senders that show a certificate of tls::client_ca_file.
	ClientCertificate *ClientCertificateConfig `mapstructure:"client_certificate"`

	// InsecureNoAuth takes deliveries of anybody who can reach the address.
	InsecureNoAuth bool `mapstructure:"insecure_no_auth"`

	// RateLimit bounds authentic deliveries.
	RateLimit RateLimitConfig `mapstructure:"rate_limit"`

	// MaxBodySize is the most bytes of a delivery. By default, and at most, the server's max_request_body_size.
	MaxBodySize int64 `mapstructure:"max_body_size"`

	// MaxConcurrent is the most deliveries in hand at a time, authentic or not. 100 by default.
	MaxConcurrent int `mapstructure:"max_concurrent"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// ClientCertificateConfig says whose certificate is accepted.
type ClientCertificateConfig struct {
	// Names are common names, DNS names or URIs. One of them must be in the certificate.
	Names []string `mapstructure:"names"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RateLimitConfig is a token bucket. What exceeds it is answered 429; GitHub does not send such a delivery again.
type RateLimitConfig struct {
	// PerSecond is the rate in the long run. 200 by default.
	PerSecond float64 `mapstructure:"per_second"`

	// Burst is the most at once. 1,000 by default.
	Burst int `mapstructure:"burst"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// source returns the source with its defaults.
func (c *Config) source(name string) SourceConfig {
	s := c.Sources[name]
	if s.Kind == "" {
		s.Kind = name
	}
	if s.Path == "" {
		s.Path = "/" + name
	}
	if s.RateLimit.PerSecond == 0 {
		s.RateLimit.PerSecond = 200
	}
	if s.RateLimit.Burst == 0 {
		s.RateLimit.Burst = 1000
	}
	if s.MaxConcurrent == 0 {
		s.MaxConcurrent = 100
	}
	return s
}

// validate reports everything that is wrong with the source. It never quotes a secret.
func (s SourceConfig) validate(name string) error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("sources::%s::%s: %w", name, key, fmt.Errorf(format, args...)))
	}
	kind, err := s.kind()
	if err != nil {
		errs = append(errs, fmt.Errorf("sources::%s::%w", name, err))
	}
	if !strings.HasPrefix(s.Path, "/") || strings.ContainsAny(s.Path, "{} \t") {
		bad("path", "want a plain path that starts with /, have %q", s.Path)
	}
	if len(s.Secrets) > 0 && err == nil && kind.Signature == nil {
		bad("secrets", "%s does not sign, use bearer_token_file or client_certificate", s.Kind)
	}
	for i, secret := range s.Secrets {
		if len(secret) < MinSecret {
			bad("secrets", "want at least %d bytes, have %d in number %d", MinSecret, len(secret), i+1)
		}
	}
	if n := len(s.BearerToken); n > 0 && n < MinSecret {
		bad("bearer_token", "want at least %d bytes, have %d", MinSecret, n)
	}
	if s.ClientCertificate != nil && len(s.ClientCertificate.Names) == 0 {
		bad("client_certificate::names", "want at least one, have none")
	}
	if n := s.RateLimit; n.PerSecond < 0 || n.Burst < 0 || s.MaxBodySize < 0 || s.MaxConcurrent < 0 {
		bad("rate_limit, max_body_size, max_concurrent", "want nothing below 0")
	}
	return errors.Join(append(errs, s.validateAuth(name))...)
}

// validateAuth checks that there is one way to know the sender.
func (s SourceConfig) validateAuth(name string) error {
	var have []string
	for _, way := range []struct {
		key string
		set bool
	}{
		{"secrets", len(s.Secrets) > 0},
		{"bearer_token", s.BearerToken != ""},
		{"bearer_token_file", s.BearerTokenFile != ""},
		{"client_certificate", s.ClientCertificate != nil},
		{"insecure_no_auth", s.InsecureNoAuth},
	} {
		if way.set {
			have = append(have, way.key)
		}
	}
	if len(have) == 1 {
		return nil
	}
	got := "none"
	if len(have) > 1 {
		got = strings.Join(have, " and ")
	}
	return fmt.Errorf(
		"sources::%s: want one of secrets, bearer_token, bearer_token_file, client_certificate and insecure_no_auth, have %s", name, got,
	)
}
