// Package promapi asks the query API that Prometheus has, and with it Mimir, Cortex, Thanos, VictoriaMetrics and plimsoll
// serve.
//
// An answer is whole or an error: one that a server calls partial is refused, and caches are told not to move the times
// that were asked for.
package promapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Options of a Client. The zero value talks to a Prometheus without accounts.
type Options struct {
	Tenant string // sent as X-Scope-OrgID, unless empty
	// Token is sent as a bearer token, unless empty. Else User and Password are sent, unless both are empty. No error
	// repeats a token or a password.
	Token, User, Password string
	HTTP                  *http.Client // nil means one that waits five minutes for each answer
	Attempts              int          // of each query, the first included; 0 means 4
	// Wait sleeps between two attempts, or returns the error of ctx; nil means to use a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	base string // without a slash at its end
	o    Options
	http *http.Client
}

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

// Limits of answers and of waiting.
const (
	maxBody  = 512 << 20 // bytes
	maxQuote = 512       // bytes of the server's words in an error
	minWait  = 500 * time.Millisecond
	maxWait  = 30 * time.Second
	timeout  = 5 * time.Minute
)

// New returns a client of the server at base: what comes before /api/v1, for instance http://prometheus:9090 or
// https://mimir.example.com/prometheus. It sends nothing yet.
//
// Error: base is no URL with http or https and a host, or holds a password, a query or a fragment; or the tenant cannot
// be sent in a header.
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("want the URL of a server such as https://prometheus.example.com") // base may hold secrets
	case u.User != nil:
		return nil, fmt.Errorf("want the URL of the server without user and password, have some for %s", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("want the URL of the server without query and fragment, have one for %s", u.Host)
	case strings.ContainsFunc(o.Tenant, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, fmt.Errorf("want a tenant of visible characters, have %q", o.Tenant)
	}
	o.Attempts = cmp.Or(o.Attempts, 4)
	if o.Wait == nil {
		o.Wait = sleep
	}
	client := http.Client{Timeout: timeout}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	// A redirect would take the credentials to a place that nobody named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(u.String(), "/"), o: o, http: &client}, nil
}

// sleep waits for d.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
	for attempt := 1; ; attempt++ {
		out, pause, err := c.once(ctx, path, kind, form)
		if err == nil {
			return out, nil
		}
		err = fmt.Errorf("POST %s: %w", c.base+path, c.plain(err))
		if pause < 0 || ctx.Err() != nil || attempt >= c.o.Attempts {
			return nil, err
		}
		if waitErr := c.o.Wait(ctx, min(cmp.Or(pause, minWait<<(attempt-1)), maxWait)); waitErr != nil {
			return nil, err
		}
	}
}

// once asks once. The pause is how long to wait before asking again: 0 if the server does not say, and below 0 if asking
// again is of no use.
func (c *Client) once(ctx context.Context, path, kind string, form url.Values) (_ []Series, pause time.Duration, _ error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, -1, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.o.Tenant != "" {
		req.Header.Set("X-Scope-OrgID", c.o.Tenant)
	}
	switch {
	case c.o.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	case c.o.User != "" || c.o.Password != "":
		req.SetBasicAuth(c.o.User, c.o.Password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var certificate *tls.CertificateVerificationError
		if errors.As(err, &certificate) {
			return nil, -1, err
		}
		return nil, 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, again(res), c.refused(res)
	}
	body := &io.LimitedReader{R: res.Body, N: maxBody + 1}
	out, err := read(body, kind)
	if err != nil && body.N == 0 {
		err = fmt.Errorf("want an answer of at most %d MiB, have more", maxBody>>20)
	}
	return out, -1, err
}

// again tells how long to wait before the next attempt after an answer that is not fine.
func again(res *http.Response) time.Duration {
	code := res.StatusCode
	// 422 and 503 are how Prometheus says that a query failed; only the second may pass.
	if code != http.StatusTooManyRequests && (code/100 != 5 || code == http.StatusNotImplemented) {
		return -1
	}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
		return time.Duration(min(n, 3600)) * time.Second
	}
	return 0
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
func read(r io.Reader, kind string) ([]Series, error) {
	var a answer
	if err := json.NewDecoder(r).Decode(&a); err != nil {
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

// plain returns the cause of an error of package http, which would repeat method and URL.
func (c *Client) plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// refused returns the error for an answer that is not fine, with the words of the server in one line, without the
// secrets that it may have repeated.
func (c *Client) refused(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	text := strings.ToValidUTF8(string(body), "?")
	for _, secret := range []string{c.o.Token, c.o.Password} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(text) > maxQuote {
		text = strings.ToValidUTF8(text[:maxQuote], "") + " ..."
	}
	err := fmt.Errorf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	if text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}
