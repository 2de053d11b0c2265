// Package ruler brings one namespace of the rulers of Mimir and Cortex to hold exactly a given set of rule groups, in
// two steps as package output does it with files: [Client.Plan] compares and changes nothing, [Plan.Apply] sends what
// the plan showed.
//
// # Whose group is it
//
// Only the namespace that is named is read and written. A group in it is replaced or deleted only when it is ours: its
// name and all its rules are of the shapes that package rules gives them. Groups of others stay, and every plan says
// so. A group of others that has the name of one of ours is a conflict.
//
// A ruler has no transactions and no locks: groups are sent one after the other, the new ones before the stale ones are
// deleted, and a second Apply at the same time may win. Both steps may be repeated at any time.
package ruler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Prefixes of the config API.
const (
	Mimir  = "/prometheus/config/v1/rules"
	Cortex = "/api/v1/rules"
)

// Options of a Client. The zero value talks to a Mimir without accounts.
type Options struct {
	Prefix string // of the config API; empty means Mimir
	Tenant string // sent as X-Scope-OrgID, unless empty
	// Token is sent as a bearer token, unless empty. Else User and Password are sent, unless both are empty. No error
	// repeats a token or a password.
	Token, User, Password string
	HTTP                  *http.Client // nil means one that waits a minute for each answer
	Attempts              int          // of each request, the first included; 0 means 5
	// Wait sleeps between two attempts, or returns the error of ctx; nil means to use a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Client talks to the config API of one ruler. It is safe for concurrent use.
type Client struct {
	base string // without a slash at its end, with the prefix
	o    Options
	http *http.Client
}

// New returns a client of the ruler at base, for instance https://mimir.example.com. It sends nothing yet.
//
// Error: base is no URL with http or https and a host, or holds a password, a query or a fragment; or the tenant cannot
// be sent in a header.
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("want the URL of a ruler such as https://mimir.example.com") // base may hold secrets
	case u.User != nil:
		return nil, fmt.Errorf("want the URL of the ruler without user and password, have some for %s", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("want the URL of the ruler without query and fragment, have one for %s", u.Host)
	case strings.ContainsFunc(o.Tenant, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, fmt.Errorf("want a tenant of visible characters, have %q", o.Tenant)
	}
	if o.Prefix == "" {
		o.Prefix = Mimir
	}
	if !strings.HasPrefix(o.Prefix, "/") {
		return nil, fmt.Errorf("want a path that starts with a slash, have %q", o.Prefix)
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Wait == nil {
		o.Wait = sleep
	}
	client := http.Client{Timeout: time.Minute}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	// A redirect would take the rules and the credentials to a place that nobody named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(u.String(), "/") + "/" + strings.Trim(o.Prefix, "/"), o: o, http: &client}, nil
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

// groups returns the groups of a namespace; none if there is no such namespace.
func (c *Client) groups(ctx context.Context, namespace string) ([]group, error) {
	path := "/" + url.PathEscape(namespace)
	a, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	switch {
	case a.status == http.StatusOK:
		out, err := read(a.body, namespace)
		if err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", c.base+path, err)
		}
		return out, nil
	case a.status == http.StatusNotFound && saysEmpty(a.body):
		return nil, nil
	case a.status == http.StatusNotFound:
		return nil, fmt.Errorf("%w (is this the config API of a ruler, and is it enabled?)", c.refused(http.MethodGet, path, a))
	}
	return nil, c.refused(http.MethodGet, path, a)
}

// saysEmpty reports whether a ruler answers 404 because it has no such groups, and not because there is no ruler.
func saysEmpty(body []byte) bool {
	text := strings.ToLower(string(body))
	return strings.Contains(text, "no rule groups") || strings.Contains(text, "does not exist")
}

// set creates or replaces a group.
func (c *Client) set(ctx context.Context, namespace string, g group) error {
	path := "/" + url.PathEscape(namespace)
	a, err := c.do(ctx, http.MethodPost, path, g.body())
	if err == nil && a.status/100 != 2 {
		err = c.refused(http.MethodPost, path, a)
	}
	return err
}

// remove deletes a group. One that is gone already is fine.
func (c *Client) remove(ctx context.Context, namespace, name string) error {
	path := "/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
	a, err := c.do(ctx, http.MethodDelete, path, nil)
	if err == nil && a.status/100 != 2 && a.status != http.StatusNotFound {
		err = c.refused(http.MethodDelete, path, a)
	}
	return err
}
