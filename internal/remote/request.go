package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
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

// Limits of words and of waiting.
const (
	maxQuote = 512 // of the server's words in an error, in bytes
	minWait  = 500 * time.Millisecond
	maxWait  = 30 * time.Second
)

// Answer is what a server said.
type Answer struct {
	Status int
	Body   []byte
	Tries  int // how often the request was sent; what an earlier try did may have been lost on its way back

	after time.Duration // to wait before the next attempt, if the server says so
}

// Do sends a request to path, which starts with a slash, and sends it again while the server cannot be reached, is busy
// (429) or broken (5xx). It returns the last answer, whatever its status, or an error if there is none.
func (c *Client) Do(ctx context.Context, method, path string, body []byte) (Answer, error) {
	for attempt := 1; ; attempt++ {
		a, err := c.once(ctx, method, path, body)
		a.Tries = attempt
		if !passing(ctx, a, err) || attempt >= c.o.Attempts {
			if err != nil {
				err = fmt.Errorf("%s %s: %w", method, c.base+path, c.plain(err))
			}
			return a, err
		}
		pause := min(cmp.Or(a.after, minWait<<(attempt-1)), maxWait)
		if waitErr := c.o.Wait(ctx, pause); waitErr != nil {
			return a, fmt.Errorf("%s %s: %w", method, c.base+path, waitErr)
		}
	}
}

// passing reports whether trouble may pass by itself.
func passing(ctx context.Context, a Answer, err error) bool {
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil || errors.Is(err, errTooLong) || errors.As(err, &certificate):
		return false
	case err != nil:
		return true
	}
	return a.Status == http.StatusTooManyRequests || a.Status/100 == 5 && a.Status != http.StatusNotImplemented
}

// once sends a request.
func (c *Client) once(ctx context.Context, method, path string, body []byte) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", c.o.Content)
	}
	for name, value := range c.o.Header {
		req.Header.Set(name, value)
	}
	switch {
	case c.o.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	case c.o.User != "" || c.o.Password != "":
		req.SetBasicAuth(c.o.User, c.o.Password)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.after = time.Duration(min(seconds, 3600)) * time.Second
	}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, c.o.MaxBody+1))
	if err == nil && int64(len(a.Body)) > c.o.MaxBody {
		err = fmt.Errorf("%w of at most %d MiB, have more", errTooLong, c.o.MaxBody>>20)
	}
	return a, err
}

var errTooLong = errors.New("want an answer")

// plain returns the cause of an error of package http, which would repeat method and URL.
func (c *Client) plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Refused returns the error for an answer that is not the one wanted, with the words of the server.
func (c *Client) Refused(method, path string, a Answer) error {
	err := fmt.Errorf("%s %s: %d %s", method, c.base+path, a.Status, http.StatusText(a.Status))
	if words := Words(a.Body, c.o.Token, c.o.Password); words != "" {
		err = fmt.Errorf("%w: %s", err, words)
	}
	return err
}

// Words returns the first words of a server in one line of at most about 500 bytes, without the secrets that it may have
// repeated. Empty secrets are none.
func Words(body []byte, secrets ...string) string {
	text := strings.ToValidUTF8(string(body[:min(len(body), 1<<16)]), "?")
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if len(text) > maxQuote {
		text = strings.ToValidUTF8(text[:maxQuote], "") + " ..."
	}
	return text
}
