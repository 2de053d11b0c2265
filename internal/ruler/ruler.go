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
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/remote"
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
	api    *remote.Client
	prefix string // of every path: a slash and more, without one at its end
}

// New returns a client of the ruler at base, for instance https://mimir.example.com. It sends nothing yet.
//
// Error: base is no URL with http or https and a host, or holds a password, a query or a fragment; or the tenant cannot
// be sent in a header.
func New(base string, o Options) (*Client, error) {
	if strings.ContainsFunc(o.Tenant, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("want a tenant of visible characters, have %q", o.Tenant)
	}
	if o.Prefix == "" {
		o.Prefix = Mimir
	}
	if !strings.HasPrefix(o.Prefix, "/") {
		return nil, fmt.Errorf("want a path that starts with a slash, have %q", o.Prefix)
	}
	ro := remote.Options{
		Token: o.Token, User: o.User, Password: o.Password, HTTP: o.HTTP, Attempts: o.Attempts, Wait: o.Wait,
		Content: "application/yaml",
	}
	if o.Tenant != "" {
		ro.Header = map[string]string{"X-Scope-OrgID": o.Tenant}
	}
	api, err := remote.New(remote.Server{Name: "ruler", Example: "https://mimir.example.com"}, base, ro)
	return &Client{api: api, prefix: "/" + strings.Trim(o.Prefix, "/")}, err
}

// groups returns the groups of a namespace; none if there is no such namespace.
func (c *Client) groups(ctx context.Context, namespace string) ([]group, error) {
	path := c.prefix + "/" + url.PathEscape(namespace)
	a, err := c.api.Do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	switch {
	case a.Status == http.StatusOK:
		out, err := read(a.Body, namespace)
		if err != nil {
			return nil, fmt.Errorf("read the answer of %s: %w", c.api.Base()+path, err)
		}
		return out, nil
	case a.Status == http.StatusNotFound && saysEmpty(a.Body):
		return nil, nil
	case a.Status == http.StatusNotFound:
		return nil, fmt.Errorf("%w (is this the config API of a ruler, and is it enabled?)", c.api.Refused(http.MethodGet, path, a))
	}
	return nil, c.api.Refused(http.MethodGet, path, a)
}

// saysEmpty reports whether a ruler answers 404 because it has no such groups, and not because there is no ruler.
func saysEmpty(body []byte) bool {
	text := strings.ToLower(string(body))
	return strings.Contains(text, "no rule groups") || strings.Contains(text, "does not exist")
}

// set creates or replaces a group.
func (c *Client) set(ctx context.Context, namespace string, g group) error {
	path := c.prefix + "/" + url.PathEscape(namespace)
	a, err := c.api.Do(ctx, http.MethodPost, path, g.body())
	if err == nil && a.Status/100 != 2 {
		err = c.api.Refused(http.MethodPost, path, a)
	}
	return err
}

// remove deletes a group. One that is gone already is fine.
func (c *Client) remove(ctx context.Context, namespace, name string) error {
	path := c.prefix + "/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
	a, err := c.api.Do(ctx, http.MethodDelete, path, nil)
	if err == nil && a.Status/100 != 2 && a.Status != http.StatusNotFound {
		err = c.api.Refused(http.MethodDelete, path, a)
	}
	return err
}
