package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/ingest"
	"github.com/plimsoll-slo/plimsoll/internal/notify"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const secret = "0123456789abcdef"

// backend is a server without SLOs, whose state a test may change.
func backend(t *testing.T, s *State) Backend {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Set == nil {
		s.Set = &slo.Set{}
	}
	door := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	var none *ingest.Scraper
	return Backend{
		Engine: e, Store: st, RemoteWrite: door, OTLP: door, Registry: prometheus.NewRegistry(), Targets: none.Targets(),
		Alertmanagers: func() []*url.URL { return nil }, State: func() State { return *s }, Ready: func() error { return nil },
		Reload: func() {}, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
}

// ask sends a request and returns the answer.
func ask(h http.Handler, method, path string, auth func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if auth != nil {
		auth(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestParseTokens: what is wrong is named by its line, and no error holds a token.
func TestParseTokens(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no token",
		"# only\n\n":                          "no token",
		"a" + secret:                          "line 1: want NAME:TOKEN",
		":" + secret:                          "line 1: want NAME:TOKEN",
		"a b:" + secret:                       "line 1: want NAME:TOKEN",
		"a:" + secret[:15]:                    "line 1: want a token of at least 16",
		"# x\na:" + secret + " x":             "line 2: want a token of at least 16",
		"a:" + secret + "\na:" + secret + "1": `line 2: the name "a" is there twice`,
		"a:" + secret + "\r\nb:x" + secret:    "",
	} {
		got, err := ParseTokens(text)
		if (err != nil) != (want != "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret[:15])) {
			t.Errorf("%q: got error %v, want %q", text, err, want)
		}
		if err == nil && len(got.list) != 2 {
			t.Errorf("%q: got %d tokens", text, len(got.list))
		}
		if strings.Contains(fmt.Sprintf("%v %+v", got, got), secret) {
			t.Errorf("%q: the token shows", text)
		}
	}
}

// TestDoors: without a token only health and readiness are told; the headers that keep browsers from harm are on every
// answer; and who is let in is the source of what is pushed.
func TestDoors(t *testing.T) {
	tokens, err := ParseTokens("one:" + secret)
	if err != nil {
		t.Fatal(err)
	}
	ready := errors.New("not yet")
	b := backend(t, &State{})
	b.Ready = func() error { return ready }
	reloads := 0
	b.Reload = func() { reloads++ }
	h, err := New(b, Options{Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "bearer "+secret) }
	for _, c := range []struct {
		method, path string
		auth         func(*http.Request)
		want         int
	}{
		{"GET", "/-/healthy", nil, 200},
		{"GET", "/-/ready", nil, 503},
		{"GET", "/", nil, 401},
		{"GET", "/metrics", nil, 401},
		{"POST", "/-/reload", nil, 401},
		{"POST", "/api/v1/write", nil, 401},
		{"GET", "/nothing", nil, 401},
		{"GET", "/debug/pprof/", nil, 401},
		{"GET", "/", bearer, 200},
		{"GET", "/metrics", bearer, 200},
		{"POST", "/-/reload", bearer, 202},
		{"GET", "/-/reload", bearer, 405},
		{"POST", "/api/v1/write", bearer, 204},
		{"POST", "/api/v1/otlp/v1/metrics", bearer, 204},
		{"GET", "/nothing", bearer, 404},
		{"GET", "/debug/pprof/", bearer, 404},
		{"POST", "/api/v1/admin/tsdb/snapshot", bearer, 500},
		{"GET", "/plimsoll/v1/openapi.yaml", bearer, 200},
	} {
		got := ask(h, c.method, c.path, c.auth)
		if got.Code != c.want {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.path, got.Code, got.Body, c.want)
		}
		for _, header := range []string{"X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy"} {
			if got.Header().Get(header) == "" {
				t.Errorf("%s %s: no header %s", c.method, c.path, header)
			}
		}
	}
	if reloads != 1 {
		t.Errorf("got %d reloads, want 1", reloads)
	}
	if ready = nil; ask(h, "GET", "/-/ready", nil).Code != http.StatusOK {
		t.Error("not ready")
	}
	if _, err := New(b, Options{ExternalURL: "http://a b"}); err == nil {
		t.Error("a wrong external URL: got no error")
	}
}

// TestUsers: the user of basic authentication is the source of what is pushed only if somebody has checked the password.
func TestUsers(t *testing.T) {
	for checked, want := range map[bool]int{false: 1, true: 3} {
		b := backend(t, &State{})
		r := ingest.New(b.Store, time.Now, ingest.Limits{}, nil, prometheus.NewRegistry())
		b.RemoteWrite = r.RemoteWrite()
		h, err := New(b, Options{Users: checked})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"", "one", "two"} {
			ask(h, "POST", "/api/v1/write", func(r *http.Request) {
				if user != "" {
					r.SetBasicAuth(user, "x")
				}
			})
		}
		if got := r.Sources(); got != want {
			t.Errorf("checked %v: got %d sources, want %d", checked, got, want)
		}
	}
}

// TestSlots: beyond the number of queries the others are told to wait, and a place that is free again is used.
func TestSlots(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	h := slots(1, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-leave
	}))
	done := make(chan struct{})
	go func() {
		ask(h, "GET", "/", nil)
		close(done)
	}()
	<-inside
	if got := ask(h, "GET", "/", nil); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q", got.Code, got.Header().Get("Retry-After"))
	}
	leave <- struct{}{}
	<-done
	if got := ask(h.pass(http.NotFoundHandler()), "GET", "/", nil); got.Code != http.StatusNotFound {
		t.Errorf("after it left: got %d", got.Code)
	}
}

// TestPage: the page says what somebody should look at, and what others wrote cannot become part of it.
func TestPage(t *testing.T) {
	const evil = `<script>alert(1)</script>`
	s := &State{
		CatchingUp: true, SpecProblems: []string{evil}, FailingRules: []string{"group/rule: " + evil},
		Alertmanagers: []notify.Status{{URL: "http://am", Failing: true, Waiting: 3, LastError: evil}, {URL: "http://fine"}},
		Backfill:      &Backfill{SLOs: []string{"a", "b"}, At: time.Unix(0, 0)},
	}
	h, err := New(backend(t, s), Options{Version: evil})
	if err != nil {
		t.Fatal(err)
	}
	text := ask(h, "GET", "/", nil).Body.String()
	for _, want := range []string{"Missed ticks", "last good ones", "A rule fails", "http://am", "3 alerts wait", "past of 2 new SLOs", "evaluates 0 of 0 SLOs"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in the page", want)
		}
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "http://fine") {
		t.Errorf("got page\n%s", text)
	}
	if got := ask(h, "GET", "/?page_token=zzz&page_size=0", nil); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "page_size") {
		t.Errorf("a wrong size: got %d %s", got.Code, got.Body)
	}
}

// TestNumber: what JSON has no word for is null.
func TestNumber(t *testing.T) {
	got, err := json.Marshal([]number{1, 0.1, number(math.NaN()), number(math.Inf(-1)), 1e300})
	if want := `[1,0.1,null,null,1e+300]`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestTimeOf(t *testing.T) {
	without := time.Unix(7, 0)
	f := func(text string, want time.Time, good bool) {
		t.Helper()
		if got, err := timeOf(text, without); !got.Equal(want) || (err == nil) != good {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	f("", without, true)
	f("2026-01-31T10:00:00+01:00", time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC), true)
	f("1772438400.5", time.UnixMilli(1772438400500), true)
	for _, wrong := range []string{"yesterday", "-1", "NaN", "1e300", "2026-01-31"} {
		f(wrong, time.Time{}, false)
	}
}
