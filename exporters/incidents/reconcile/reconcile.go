// Package reconcile asks Alertmanager which alerts go on. A webhook alone does not tell: that of a silenced alert never
// says that it ended, and one that is lost is not repeated.
package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// Config says who is asked. BaseURL is required; of the rest a zero field has the default named beside it.
type Config struct {
	// BaseURL is where Alertmanager is, with its route prefix: "https://alertmanager.example.com". It must be https unless
	// the host is a loopback address or Insecure is set.
	BaseURL string
	// Insecure allows http to any host.
	Insecure bool
	// TokenFile holds a bearer token and is read for each round. Empty: none is sent.
	TokenFile string
	// Receiver is the name of a receiver of Alertmanager's: only alerts that are routed to it count. Empty: all do.
	Receiver string
	// Interval is the least time between two rounds. 1 minute.
	Interval time.Duration
	// MaxBytes bounds one answer. 16 MiB.
	MaxBytes int64
	// Client sends the requests, and should have a timeout. By default one with a timeout of 30 seconds.
	Client *http.Client
}

// Poller asks one Alertmanager, round after round. It is not safe for concurrent use.
type Poller struct {
	cfg      Config
	base     string
	reporter string
	client   http.Client
	next     time.Time
}

// New returns a poller, or an error that says what is wrong with cfg.
func New(cfg Config) (*Poller, error) {
	cfg.Interval = cmp.Or(max(cfg.Interval, 0), time.Minute)
	cfg.MaxBytes = cmp.Or(max(cfg.MaxBytes, 0), 16<<20)
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 30 * time.Second}
	}
	base, err := url.Parse(strings.TrimSuffix(cfg.BaseURL, "/"))
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("want a base URL of scheme, host and path alone")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !cfg.Insecure && !source.Loopback(base.Hostname())) {
		return nil, fmt.Errorf("want https for %q, have %q", base.Host, base.Scheme)
	}
	p := &Poller{cfg: cfg, base: base.String(), reporter: sources.Reporter(base.String()), client: *cfg.Client}
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return errors.New("redirected away") }
	return p, nil
}

// Poll asks for all alerts and returns what sources.AlertmanagerList makes of them. Before the interval is over it does
// nothing. With an error there are no events: who can not be asked says nothing about any alert.
func (p *Poller) Poll(ctx context.Context, now time.Time) ([]event.Event, error) {
	if now.Before(p.next) {
		return nil, nil
	}
	p.next = now.Add(p.cfg.Interval)
	alerts, err := p.get(ctx, "/api/v2/alerts")
	if err != nil {
		return nil, err
	}
	silences, err := p.get(ctx, "/api/v2/silences")
	if err != nil {
		return nil, err
	}
	events, err := sources.AlertmanagerList(p.reporter, p.cfg.Receiver, alerts, silences, now)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", p.base, err)
	}
	return events, nil
}

func (p *Poller) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "plimsoll")
	req.Header.Set("Accept", "application/json")
	if p.cfg.TokenFile != "" {
		token, err := os.ReadFile(p.cfg.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		text := strings.TrimSpace(string(token))
		if text == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return nil, fmt.Errorf("want one token in %q, have something else", p.cfg.TokenFile)
		}
		req.Header.Set("Authorization", "Bearer "+text)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, p.cfg.MaxBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("get %s%s: %w", p.base, path, err)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("get %s%s: want status 200, have %d", p.base, path, res.StatusCode)
	case int64(len(body)) > p.cfg.MaxBytes:
		return nil, fmt.Errorf("get %s%s: want at most %d bytes, have more", p.base, path, p.cfg.MaxBytes)
	}
	return body, nil
}
