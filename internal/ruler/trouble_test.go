package ruler_test

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/remote"
	"github.com/plimsoll-slo/plimsoll/internal/ruler"
)

// waits collects the pauses between attempts.
type waits []time.Duration

func (w *waits) wait(_ context.Context, d time.Duration) error {
	*w = append(*w, d)
	return nil
}

// first answers the first n requests of a method with a.
func first(n int, method string, a answer) func(*http.Request) *answer {
	return func(r *http.Request) *answer {
		if n == 0 || r.Method != method {
			return nil
		}
		n--
		return &a
	}
}

// Busy and broken servers are asked again, later and later, but not for ever.
func TestRetries(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		busy  int
		a     answer
		waits waits
		fails string
	}{
		{"503 twice", 2, answer{status: 503}, waits{500 * ms, 1000 * ms}, ""},
		{"429 with a time", 1, answer{status: 429, header: map[string]string{"Retry-After": "7"}}, waits{7000 * ms}, ""},
		{"429 with too long a time", 1, answer{status: 429, header: map[string]string{"Retry-After": "86400"}}, waits{30_000 * ms}, ""},
		{"429 for ever", 99, answer{status: 429, body: "slow\ndown"}, waits{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms}, "429 Too Many Requests: slow down"},
		{"400", 1, answer{status: 400, body: "limit: 20 rules"}, nil, "400 Bad Request: limit: 20 rules"},
		{"501", 1, answer{status: 501}, nil, "501 Not Implemented"},
	} {
		s := newServer(t)
		var w waits
		p := plan(t, s.client(t, ruler.Options{Wait: w.wait}), generate(t, "99.9%"), ruler.PlanOptions{})
		s.before = first(c.busy, http.MethodPost, c.a)
		err := p.Apply(t.Context())
		if got := w; !slices.Equal(got, c.waits) {
			t.Errorf("%s: want the pauses %v, have %v", c.name, c.waits, got)
		}
		switch {
		case c.fails == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.fails == "" && len(s.groups) != 3:
			t.Errorf("%s: want three groups, have %d", c.name, len(s.groups))
		case c.fails != "" && (err == nil || !strings.HasSuffix(err.Error(), c.fails) || !strings.Contains(err.Error(), "after 0 of 3 changes: POST "+s.URL+"/api/v1/rules/team%20a: ")):
			t.Errorf("%s: want an error that ends with %q, have %v", c.name, c.fails, err)
		}
	}
}

// A server that breaks in the middle leaves what was done, and the next plan carries on.
func TestCarriesOn(t *testing.T) {
	s := newServer(t)
	c := s.client(t, ruler.Options{Attempts: 1})
	groups := generate(t, "99.9%")
	p := plan(t, c, groups, ruler.PlanOptions{})
	done := 0
	s.before = func(r *http.Request) *answer {
		if done++; done == 2 {
			return &answer{status: 500, body: "disk full"}
		}
		return nil
	}
	if err := p.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "after 1 of 3 changes") {
		t.Errorf("want an error after one of three changes, have %v", err)
	}
	s.before = nil
	p = plan(t, c, groups, ruler.PlanOptions{})
	wantSummary(t, p, "2 to create, 0 to update, 0 to remove, 1 unchanged")
}

// Waiting ends with the context.
func TestCancel(t *testing.T) {
	s := newServer(t)
	s.before = func(*http.Request) *answer { return &answer{status: 503} }
	ctx, cancel := context.WithCancel(t.Context())
	c, err := ruler.New(s.URL, ruler.Options{Prefix: ruler.Cortex, Wait: func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Plan(ctx, "team a", generate(t, "99.9%"), ruler.PlanOptions{}); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("want the error of the context, have %v", err)
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("want one request, have %d", n)
	}
}

// Errors tell what the server said, in one bounded line and without secrets.
func TestWords(t *testing.T) {
	f := func(o ruler.Options, a answer, want string) {
		t.Helper()
		s := newServer(t)
		s.before = func(*http.Request) *answer { return &a }
		o.Attempts = 1
		_, err := s.client(t, o).Plan(t.Context(), "team a", generate(t, "99.9%"), ruler.PlanOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d %q: want %q, have %v", a.status, a.body[:min(len(a.body), 40)], want, err)
			return
		}
		for _, secret := range []string{"s3cret", "czNjcmV0", "\x1b", "\n"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error has %q: %v", secret, err)
			}
		}
		if n := len(err.Error()); n > 900 {
			t.Errorf("the error has %d bytes", n)
		}
	}
	token, user := ruler.Options{Token: "s3cret"}, ruler.Options{User: "u", Password: "s3cret"}
	f(token, answer{status: 403, body: "Bearer s3cret may not"}, "403 Forbidden: Bearer *** may not")
	f(user, answer{status: 401, body: "\x1b[31mu:s3cret\x1b[0m\r\n"}, "401 Unauthorized: [31mu:***")
	f(token, answer{status: 500, body: strings.Repeat("long ", 9999)}, " ...")
	f(token, answer{status: 500, body: strings.Repeat("x", 510) + "s3cret s3cret"}, "x** ...")
	f(token, answer{status: 404, body: "404 page not found"}, "is this the config API of a ruler")
	f(token, answer{status: 302, header: map[string]string{"Location": "http://127.0.0.1:1/login"}}, "302 Found")
	f(token, answer{status: 200, body: "<html>log in</html>"}, "read the answer")
	f(token, answer{status: 200, body: "other:\n    - name: a\n"}, `want the namespace "team a", have "other:"`)
	f(token, answer{status: 200, body: "team a:\n    - interval: 1m\n"}, "have one without")
	f(token, answer{status: 200, body: "team a:\n    - name: [\n"}, "read the answer")
}

// Credentials are sent as they should be, and never to where a redirect points.
func TestCredentials(t *testing.T) {
	f := func(o ruler.Options, want string) {
		t.Helper()
		s := newServer(t)
		plan(t, s.client(t, o), generate(t, "99.9%"), ruler.PlanOptions{})
		if got := s.header.Get("Authorization"); got != want {
			t.Errorf("want Authorization %q, have %q", want, got)
		}
	}
	f(ruler.Options{}, "")
	f(ruler.Options{Token: "t"}, "Bearer t")
	f(ruler.Options{User: "u", Password: "p"}, "Basic dTpw")
}

// Bad options are found before anything is sent, and not repeated where they may hold secrets.
func TestNew(t *testing.T) {
	for _, c := range []struct {
		base string
		o    ruler.Options
		want string
	}{
		{"mimir:9009", ruler.Options{}, "want the URL of a ruler"},
		{"ftp://mimir", ruler.Options{}, "want the URL of a ruler"},
		{"http://u:s3cret@mimir", ruler.Options{}, "without user and password"},
		{"http://u:s3cret@mimir:x", ruler.Options{}, "want the URL of a ruler"},
		{"http://mimir?token=s3cret", ruler.Options{}, "without query"},
		{"http://mimir", ruler.Options{Tenant: "a\r\nX-Admin: 1"}, "want a tenant of visible characters"},
		{"http://mimir", ruler.Options{Prefix: "rules"}, "want a path"},
	} {
		_, err := ruler.New(c.base, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: want %q and no secret, have %v", c.base, c.want, err)
		}
	}
}

// A server whose authority is not known is refused at once; with its file it is trusted.
func TestTLS(t *testing.T) {
	s := &server{groups: map[string]string{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ask := func(f remote.Files) error {
		client, err := remote.HTTP(f)
		if err != nil {
			return err
		}
		defer client.CloseIdleConnections()
		var w waits
		c := s.client(t, ruler.Options{HTTP: client, Wait: w.wait})
		_, err = c.Plan(t.Context(), "team a", generate(t, "99.9%"), ruler.PlanOptions{})
		if len(w) > 0 {
			t.Errorf("want no second attempt, have %d", len(w))
		}
		return err
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	if err := ask(remote.Files{CA: ca}); err != nil {
		t.Error(err)
	}
	for want, f := range map[string]remote.Files{
		"certificate":                 {},
		"no PEM certificate":          {CA: write("bad.pem", []byte("hello"))},
		"no such file":                {CA: filepath.Join(dir, "none")},
		"want a certificate and its":  {Cert: ca},
		"read certificate \"" + ca:    {Cert: ca, Key: ca},
		"read certificate authoritie": {CA: dir},
	} {
		if err := ask(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: want %q, have %v", f, want, err)
		}
	}
}
