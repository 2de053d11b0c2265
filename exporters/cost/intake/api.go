package intake

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// API is an OpenCost that is asked for each of the last days, since a day may be restated.
type API struct {
	// BaseURL is where the API begins: "http://opencost:9003".
	BaseURL string
	// TokenFile holds a bearer token and is read for each round. Then the URL must be https, unless it is on loopback.
	TokenFile string
	// Days is how many whole days of UTC are asked for. 7; at most 90.
	Days int
	// Aggregate is OpenCost's parameter of that name. "namespace" for allocations.
	Aggregate string
	// Timeout of one request. 1 minute.
	Timeout time.Duration
}

const (
	defaultDays = 7
	maxDays     = 90
)

func (a API) check() error {
	u, err := url.Parse(a.BaseURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" {
		return errors.New("base_url: want http or https, a host, no user and no query")
	}
	if a.TokenFile != "" && u.Scheme != "https" && !source.Loopback(u.Hostname()) {
		return errors.New("base_url: want https to send a token")
	}
	if a.Days < 0 || a.Days > maxDays {
		return fmt.Errorf("days: want 1 to %d, have %d", maxDays, a.Days)
	}
	if a.Timeout < 0 {
		return fmt.Errorf("timeout: want more than 0s, have %v", a.Timeout)
	}
	return nil
}

// api asks for each day. A day is a source of its own to the book, so that it replaces itself and no other.
func (r *round) api() {
	days := r.source.API.Days
	if days == 0 {
		days = defaultDays
	}
	token, err := r.source.API.token()
	if err != nil {
		r.failed(err)
		return
	}
	today := r.now.UTC().Truncate(24 * time.Hour)
	for n := days; n >= 1 && r.ctx.Err() == nil; n-- {
		day := today.AddDate(0, 0, -n)
		if err := r.ask(day, token); err != nil {
			r.failed(fmt.Errorf("day %s: %w", day.Format(time.DateOnly), err))
			continue
		}
		r.counts[Good]++
	}
}

func (a API) token() (string, error) {
	if a.TokenFile == "" {
		return "", nil
	}
	content, err := os.ReadFile(a.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}

// ask asks for one day.
func (r *round) ask(day time.Time, token string) error {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, r.source.url(day), nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := r.httpClient().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		return fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	_, result, err := r.book.Load(r.source.Name+" "+day.Format(time.DateOnly), r.source.Format, resp.Body, r.source.Read)
	r.changed = r.changed || result.Changed > 0
	return err
}

// url returns the question for a day. Source: OpenCost, API of allocations and of cloud costs.
func (s Source) url(day time.Time) string {
	q := url.Values{}
	q.Set("window", day.Format(time.RFC3339)+","+day.AddDate(0, 0, 1).Format(time.RFC3339))
	aggregate, path := s.API.Aggregate, "/cloudCost"
	if s.Format == cost.OpenCostAllocation {
		if path = "/allocation"; aggregate == "" {
			aggregate = "namespace"
		}
		q.Set("includeIdle", "true")
	}
	if aggregate != "" {
		q.Set("aggregate", aggregate)
	}
	return strings.TrimSuffix(s.API.BaseURL, "/") + path + "?" + q.Encode()
}

// httpClient returns the client of the source. A redirection is refused: the token would go with it.
func (r *round) httpClient() *http.Client {
	c := r.client[r.source.Name]
	if c == nil {
		c = &http.Client{
			Timeout: r.source.API.Timeout, Transport: http.DefaultTransport.(*http.Transport).Clone(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		if c.Timeout == 0 {
			c.Timeout = time.Minute
		}
		r.client[r.source.Name] = c
	}
	return c
}

// Close ends connections that are kept.
func (i *Intake) Close() {
	for _, c := range i.client {
		c.CloseIdleConnections()
	}
}
