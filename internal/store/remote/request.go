package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	server "github.com/plimsoll-slo/plimsoll/internal/remote"
)

// Limits of answers and of waiting.
const (
	maxBody = 256 << 20 // of an answer to a query, in bytes
	minWait = 250 * time.Millisecond
	maxWait = 10 * time.Second
)

// request is what is sent.
type request struct {
	what   string // query or write
	to     *url.URL
	header http.Header
	body   []byte
}

// answer is what a store said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request, and sends it again while the store cannot be reached, is busy or broken. The answer is one with
// 2xx, or with 4xx other than those that have an error of their own.
func (s *Store) do(ctx context.Context, r request) (answer, error) {
	for attempt := 1; ; attempt++ {
		began := s.o.Now()
		a, after, err := s.once(ctx, r)
		s.metrics.observe(r.what, s.o.Now().Sub(began), a.status, err)
		if err == nil || !passing(ctx, err) || attempt >= s.o.Attempts {
			return a, err
		}
		pause := min(minWait<<(attempt-1), maxWait)
		if after > 0 {
			pause = min(after, maxWait)
		}
		if waitErr := s.o.Wait(ctx, pause); waitErr != nil {
			return a, err
		}
	}
}

// passing reports whether trouble may pass within a moment.
func passing(ctx context.Context, err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && ctx.Err() == nil && (e.Code == CodeUnreachable || e.Code == CodeBusy || e.Code == CodeFailing)
}

// once sends a request. after is how long the store wants to be left alone.
func (s *Store) once(ctx context.Context, r request) (a answer, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.to.String(), bytes.NewReader(r.body))
	if err != nil {
		return a, 0, s.trouble(r, CodePath, 0, "the URL is not valid", nil)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "plimsoll")
	res, err := s.http.Do(req)
	if err != nil {
		return a, 0, s.lost(r, err)
	}
	defer res.Body.Close()
	a = answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(io.LimitReader(res.Body, maxBody+1)); err != nil {
		return a, 0, s.lost(r, err)
	}
	if len(a.body) > maxBody {
		return a, 0, s.trouble(r, CodeQuery, a.status, fmt.Sprintf("the answer has more than %d MiB", maxBody>>20), nil)
	}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		after = time.Duration(min(seconds, 3600)) * time.Second
	}
	if code := codeOf(a.status); code != "" {
		return a, after, s.trouble(r, code, a.status, s.words(a), nil)
	}
	return a, 0, nil
}

// lost returns the error for a request without a whole answer.
func (s *Store) lost(r request, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // it repeats the URL
	}
	code := CodeUnreachable
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		code = CodeTLS
	}
	return s.trouble(r, code, 0, s.quote([]byte(err.Error())), err)
}

// codeOf returns the code of a status that says nothing about what was asked, or "".
func codeOf(status int) string {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return CodeAuth
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status/100 == 3:
		return CodePath
	case status == http.StatusTooManyRequests:
		return CodeBusy
	case status/100 == 5:
		return CodeFailing
	}
	return ""
}

// trouble returns an error that says what was asked.
func (s *Store) trouble(r request, code string, status int, words string, cause error) error {
	return &Error{Code: code, Status: status, text: fmt.Sprintf("%s to %s: %s", r.what, r.to.Redacted(), words), cause: cause}
}

// words returns the status and the words of an answer.
func (s *Store) words(a answer) string {
	out := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if q := s.quote(a.body); q != "" {
		out += ": " + q
	}
	return out
}

// quote returns the first words of a store in one line, without the secrets that it may have repeated.
func (s *Store) quote(body []byte) string {
	var secrets []string
	for _, f := range s.o.secrets() {
		if secret, err := os.ReadFile(f); err == nil {
			secrets = append(secrets, strings.TrimSpace(string(secret)))
		}
	}
	return server.Words(body, secrets...)
}
