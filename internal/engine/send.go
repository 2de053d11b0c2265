package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// maxAnswer is how much of Alertmanager's answer to a refused request is quoted, in bytes.
const maxAnswer = 512

// postableAlert is an alert as the v2 API of Alertmanager wants it.
type postableAlert struct {
	Labels       store.Labels `json:"labels"`
	Annotations  store.Labels `json:"annotations,omitempty"`
	StartsAt     time.Time    `json:"startsAt"`
	EndsAt       time.Time    `json:"endsAt"`
	GeneratorURL string       `json:"generatorURL,omitempty"`
}

// SendAlerts posts the alerts to the Alertmanager at base, for instance http://alertmanager:9093: its path plus
// /api/v2/alerts. base may hold a user and password, which no error repeats. The times are sent as they stand: an
// Alertmanager compares them with its own clock, so shift those of a replay first. Pending alerts are left out, as
// Prometheus does not send them. A nil client means http.DefaultClient. An error means that Alertmanager may or may
// not have the alerts; sending again is harmless.
func SendAlerts(ctx context.Context, client *http.Client, base string, alerts []Alert) error {
	target, err := url.Parse(base)
	if err != nil || target.Host == "" {
		return errors.New("send alerts: the URL of Alertmanager is not a URL with a host") // the cause may quote secrets
	}
	target = target.JoinPath("api", "v2", "alerts")
	public := (&url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path}).String()
	body, err := json.Marshal(postable(alerts))
	if err != nil {
		return fmt.Errorf("send alerts to %s: %w", public, err)
	}
	if err := post(ctx, client, target.String(), body); err != nil {
		return fmt.Errorf("send alerts to %s: %w", public, err)
	}
	return nil
}

func postable(alerts []Alert) []postableAlert {
	out := []postableAlert{}
	for _, a := range alerts {
		if a.State == Pending {
			continue
		}
		end := a.ResolvedAt
		if end.IsZero() {
			end = a.ValidUntil
		}
		out = append(out, postableAlert{a.Labels, a.Annotations, a.FiredAt, end, a.Source})
	}
	return out
}

// post sends body and checks the answer. Its errors do not name the URL.
func post(ctx context.Context, client *http.Client, to string, body []byte) error {
	if client == nil {
		client = http.DefaultClient
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := still(client).Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode/100 != 2 {
		return &StatusError{res.StatusCode, fmt.Sprintf("answer %s: %q", res.Status, answer)}
	}
	return err
}

// still returns a client that follows no redirect that would make a GET of a POST: the answer to that is a list of the
// alerts, and looks as if those that were sent had been taken.
func still(client *http.Client) *http.Client {
	out, follow := *client, client.CheckRedirect
	out.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case req.Method != http.MethodPost:
			return http.ErrUseLastResponse
		case follow != nil:
			return follow(req, via)
		case len(via) >= 10:
			return errors.New("stopped after 10 redirects")
		}
		return nil
	}
	return &out
}

// StatusError is an answer of Alertmanager other than 2xx.
type StatusError struct {
	Code int // of HTTP
	text string
}

// Error repeats the answer.
func (e *StatusError) Error() string { return e.text }
