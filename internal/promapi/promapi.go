// Package promapi asks the query API that Prometheus has, and with it Mimir, Cortex, Thanos, VictoriaMetrics and plimsoll
// serve.
//
// An answer is whole or an error: one that a server calls partial is refused, and caches are told not to move the times
// that were asked for.
package promapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/remote"
)

// Options of a Client. The zero value talks to a Prometheus without accounts.
type Options struct {
	Tenant string // sent as X-Scope-OrgID, unless empty
	// Remote has the credentials and the patience. Its Header, Content and MaxBody are not looked at, and 0 Attempts
	// means 4; a nil HTTP means a client that waits five minutes for each answer.
	Remote remote.Options
}

// Client asks one server. It is safe for concurrent use.
type Client struct{ remote *remote.Client }

// Series is one series of an answer, its points in the order of time.
type Series struct {
	Labels map[string]string
	Points []Point
}

// Point is a value at a time.
type Point struct {
	T time.Time
	V float64
}

// What is asked of package remote.
const (
	maxBody  = 512 << 20 // of an answer, in bytes
	maxQuote = 512       // of the server's words in an error, in bytes
	timeout  = 5 * time.Minute
)

// New returns a client of the server at base: what comes before /api/v1, for instance http://prometheus:9090 or
// https://mimir.example.com/prometheus. It sends nothing yet.
//
// Error: base is no URL with http or https and a host, or holds a password, a query or a fragment; or the tenant cannot
// be sent in a header.
func New(base string, o Options) (*Client, error) {
	if strings.ContainsFunc(o.Tenant, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("want a tenant of visible characters, have %q", o.Tenant)
	}
	r := o.Remote
	r.Content, r.Header, r.MaxBody = "application/x-www-form-urlencoded", nil, maxBody
	if o.Tenant != "" {
		r.Header = map[string]string{"X-Scope-OrgID": o.Tenant}
	}
	r.Attempts = cmp.Or(r.Attempts, 4)
	if r.HTTP == nil {
		r.HTTP = &http.Client{Timeout: timeout}
	}
	c, err := remote.New(remote.Server{Name: "server", Example: "https://prometheus.example.com"}, base, r)
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

// Instant evaluates an expression that gives a vector at a time. Each series has one point.
//
// Error: the server cannot be reached, refuses the query, or answers with something else or only a part.
func (c *Client) Instant(ctx context.Context, expr string, at time.Time) ([]Series, error) {
	return c.query(ctx, "/api/v1/query", "vector", url.Values{"query": {expr}, "time": {stamp(at)}})
}

// Range evaluates an expression at from, from+step and so on until to. A time without a value has no point.
//
// Error: as of Instant.
func (c *Client) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	seconds := strconv.FormatFloat(step.Seconds(), 'f', -1, 64)
	return c.query(ctx, "/api/v1/query_range", "matrix", url.Values{"query": {expr}, "start": {stamp(from)}, "end": {stamp(to)}, "step": {seconds}})
}

// stamp writes a time in seconds since 1970, exact to a millisecond.
func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// query asks, and asks again while the server cannot be reached, is busy (429) or broken (5xx).
func (c *Client) query(ctx context.Context, path, kind string, form url.Values) ([]Series, error) {
	form.Set("nocache", "1")              // VictoriaMetrics moves times otherwise
	form.Set("partial_response", "false") // Thanos
	a, err := c.remote.Do(ctx, http.MethodPost, path, []byte(form.Encode()))
	if err != nil {
		return nil, err
	}
	if a.Status != http.StatusOK {
		return nil, c.remote.Refused(http.MethodPost, path, a)
	}
	out, err := read(a.Body, kind)
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", c.remote.Base()+path, err)
	}
	return out, nil
}

// answer is what servers say.
type answer struct {
	Status    string   `json:"status"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	IsPartial bool     `json:"isPartial"` // VictoriaMetrics
	Data      struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Metric    map[string]string `json:"metric"`
			Value     *sample           `json:"value"`
			Values    []sample          `json:"values"`
			Histogram json.RawMessage   `json:"histogram"`
		} `json:"result"`
	} `json:"data"`
}

// sample is [seconds, "value"].
type sample Point

// UnmarshalJSON implements json.Unmarshaler.
func (s *sample) UnmarshalJSON(b []byte) error {
	var seconds json.Number
	var value string
	pair := []any{&seconds, &value}
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("want a time and a value, have %d things", len(pair))
	}
	at, err := seconds.Float64()
	if err != nil {
		return err
	}
	s.T = time.UnixMilli(int64(at*1000 + 0.5)).UTC()
	s.V, err = strconv.ParseFloat(value, 64)
	return err
}

// read reads an answer of a kind.
func read(body []byte, kind string) ([]Series, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("read the answer: %w (is this the query API of Prometheus?)", err)
	}
	switch {
	case a.Status != "success":
		return nil, fmt.Errorf("want status success, have %q: %.*q", a.Status, maxQuote, a.Error)
	case a.IsPartial:
		return nil, errors.New("the answer is partial: a part of the storage is away")
	case len(a.Warnings) > 0:
		return nil, fmt.Errorf("the answer may be partial: %.*q", maxQuote, a.Warnings[0])
	case a.Data.ResultType != kind:
		return nil, fmt.Errorf("want a %s, have %q", kind, a.Data.ResultType)
	}
	out := make([]Series, 0, len(a.Data.Result))
	for _, x := range a.Data.Result {
		s := Series{Labels: x.Metric}
		if x.Value != nil {
			x.Values = append(x.Values, *x.Value)
		}
		if len(x.Histogram) > 0 || len(x.Values) == 0 {
			return nil, errors.New("want numbers, have a native histogram")
		}
		for _, v := range x.Values {
			s.Points = append(s.Points, Point(v))
		}
		out = append(out, s)
	}
	return out, nil
}
