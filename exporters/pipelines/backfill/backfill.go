// Package backfill asks CI systems for what their webhooks may have failed to tell: a delivery that was lost while
// nobody listened, or what happened before the webhook was set up. What it finds has the keys of the webhooks, so that
// counters take both for one.
//
// It asks little. Lists are asked for conditionally and in pages, one run is asked about once for each state, and it
// stops in time before the system's rate limit and at a budget of its own.
package backfill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// System is the kind of system that is asked.
type System string

// The systems.
const (
	GitHub System = "github"
	GitLab System = "gitlab"
)

// Config says what is asked for. System, BaseURL and Repositories are required; of the rest a zero field has the
// default named beside it.
type Config struct {
	System System
	// BaseURL is where the API begins: "https://api.github.com", "https://ghe.example.com/api/v3",
	// "https://gitlab.com/api/v4". It must be https unless the host is a loopback address.
	BaseURL string
	// Repositories are "owner/name", or paths of projects for GitLab.
	Repositories []string
	// TokenFile holds the access token and is read for each round, so that it can be replaced. Empty: no token is sent.
	TokenFile string
	// Lookback is how far back runs and deployments were made, or pipelines changed, that are asked for. It is rounded up
	// to whole days. 72 hours: GitHub redelivers that long.
	Lookback time.Duration
	// Interval is the least time between two rounds. 15 minutes.
	Interval time.Duration
	// Tasks and Deployments ask for the jobs of each finished run and for deployments as well; GitHub only.
	Tasks, Deployments bool
	// MaxRequests bounds one round; the next one goes on. 500.
	MaxRequests int
	// Reserve is how many requests of the rate limit are left for others. 500.
	Reserve int
	// MaxPages bounds one list. 20, of 100 records each.
	MaxPages int
	// MaxBytes bounds one answer. 16 MiB.
	MaxBytes int64
	// Client sends the requests, and should have a timeout. By default one with a timeout of 30 seconds.
	Client *http.Client
}

func (c Config) withDefaults() Config {
	c.Lookback = cmp.Or(max(c.Lookback, 0), 72*time.Hour)
	c.Interval = cmp.Or(max(c.Interval, 0), 15*time.Minute)
	c.MaxRequests = cmp.Or(max(c.MaxRequests, 0), 500)
	c.Reserve = cmp.Or(max(c.Reserve, 0), 500)
	c.MaxPages = cmp.Or(max(c.MaxPages, 0), 20)
	c.MaxBytes = cmp.Or(max(c.MaxBytes, 0), 16<<20)
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 30 * time.Second}
	}
	return c
}

// Poller asks one system, round after round. It is not safe for concurrent use. What it remembers only spares requests:
// a new one finds the same events.
type Poller struct {
	cfg    Config
	base   *url.URL
	client http.Client
	next   time.Time         // of the next round
	day    time.Time         // whose lists pages are of
	first  int               // of Repositories, where the next round begins
	pages  map[string]*page  // by address, of lists that were worked through
	known  map[string]string // what was found of a run or deployment, by its place
	repos  map[string][]byte // records of repositories
	find   func(*round, string) error
}

// maxKnown bounds what is remembered. Forgetting costs requests and copies, which counters know.
const maxKnown = 50_000

var repositoryPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)+$`)

// New returns a poller, or an error that says what is wrong with cfg.
func New(cfg Config) (*Poller, error) {
	cfg = cfg.withDefaults()
	find := map[System]func(*round, string) error{GitHub: (*round).github, GitLab: (*round).gitlab}[cfg.System]
	if find == nil {
		return nil, fmt.Errorf("want system %q or %q, have %q", GitHub, GitLab, cfg.System)
	}
	base, err := url.Parse(strings.TrimSuffix(cfg.BaseURL, "/"))
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("want a base URL of scheme, host and path alone")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !source.Loopback(base.Hostname())) {
		return nil, fmt.Errorf("want https for %q, have %q", base.Host, base.Scheme)
	}
	if len(cfg.Repositories) == 0 {
		return nil, errors.New("want at least one repository, have none")
	}
	for _, name := range cfg.Repositories {
		if !repositoryPath.MatchString(name) || strings.Contains(name, "..") {
			return nil, fmt.Errorf("want repositories such as owner/name, have %q", name)
		}
	}
	p := &Poller{
		cfg: cfg, base: base, client: *cfg.Client, find: find,
		pages: map[string]*page{}, known: map[string]string{}, repos: map[string][]byte{},
	}
	p.client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 5 || !p.same(req.URL) {
			return errors.New("redirected away")
		}
		return nil
	}
	return p, nil
}

// Poll asks what happened and returns it as events in the order of their time, observed at now. Before the interval or
// the system's rate limit is over it does nothing. With an error the events that were found nevertheless are good; what
// is missing is asked for again in the next round. The error names repositories and addresses, never the token.
func (p *Poller) Poll(ctx context.Context, now time.Time) ([]event.Event, error) {
	if now.Before(p.next) {
		return nil, nil
	}
	p.next = now.Add(p.cfg.Interval)
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	if len(p.known) > maxKnown {
		clear(p.known)
		clear(p.pages)
	}
	if day := p.since(now); !day.Equal(p.day) {
		p.day = day
		clear(p.pages)
	}
	r := &round{Poller: p, ctx: ctx, now: now, token: token, left: p.cfg.MaxRequests}
	var errs []error
	for i := range p.cfg.Repositories {
		at := (p.first + i) % len(p.cfg.Repositories)
		err := p.find(r, p.cfg.Repositories[at])
		if err != nil && !errors.Is(err, errBudget) {
			errs = append(errs, fmt.Errorf("backfill %s: %w", p.cfg.Repositories[at], err))
		}
		if errors.Is(err, errStop) {
			p.first = at // the next round goes on here
			break
		}
	}
	if r.until.After(p.next) {
		p.next = r.until
	}
	slices.SortStableFunc(r.events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	return r.events, errors.Join(errs...)
}

// token reads the access token.
func (p *Poller) token() (string, error) {
	if p.cfg.TokenFile == "" {
		return "", nil
	}
	b, err := os.ReadFile(p.cfg.TokenFile)
	if err != nil {
		return "", fmt.Errorf("backfill: read token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || len(token) > 4096 || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("want one token in %q, have something else", p.cfg.TokenFile)
	}
	return token, nil
}

// same tells whether an address is of the system that is asked.
func (p *Poller) same(u *url.URL) bool {
	return u.Scheme == p.base.Scheme && u.Host == p.base.Host && u.User == nil &&
		(u.Path == p.base.Path || strings.HasPrefix(u.Path, p.base.Path+"/"))
}

// since returns the day from which on things are asked for. It stays the same for a day, so that lists do.
func (p *Poller) since(now time.Time) time.Time {
	return now.Add(-p.cfg.Lookback).UTC().Truncate(24 * time.Hour)
}
