// Package remote sends requests to the HTTP API of one server, with credentials, limits and patience.
//
// A request is repeated while the server cannot be reached, is busy or is broken, later and later, but not for ever.
// Redirects are not followed, since they would take bodies and credentials to a place that nobody named. Errors tell
// what the server said, in one bounded line, and never repeat a token or a password.
package remote

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a Client. The zero value has no credentials.
type Options struct {
	// Token is sent as a bearer token, unless empty. Else User and Password are sent, unless both are empty.
	Token, User, Password string
	Header                map[string]string // sent with every request
	Content               string            // media type of the bodies that are sent; empty means application/json
	HTTP                  *http.Client      // nil means one that waits a minute for each answer
	Attempts              int               // of each request, the first included; 0 means 5
	MaxBody               int64             // of an answer, in bytes; 0 means 64 MiB
	// Wait sleeps between two attempts, or returns the error of ctx; nil means to use a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	base string // without a slash at its end
	o    Options
	http *http.Client
}

// Server names a kind of server in errors.
type Server struct {
	Name    string // such as "ruler"
	Example string // URL of one
}

// New returns a client of the server at base. It sends nothing yet.
//
// Error: base is no URL with http or https and a host, or holds a password, a query or a fragment.
func New(s Server, base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("want the URL of a %s such as %s", s.Name, s.Example) // base may hold secrets
	case u.User != nil:
		return nil, fmt.Errorf("want the URL of the %s without user and password, have some for %s", s.Name, u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("want the URL of the %s without query and fragment, have one for %s", s.Name, u.Host)
	}
	if o.Content == "" {
		o.Content = "application/json"
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Wait == nil {
		o.Wait = Sleep
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	client := http.Client{Timeout: time.Minute}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(u.String(), "/"), o: o, http: &client}, nil
}

// Base returns the URL of the server, without a slash at its end.
func (c *Client) Base() string { return c.base }

// Sleep waits for d, or returns the error of ctx.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
