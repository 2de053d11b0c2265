package promapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/promapi"
	"github.com/plimsoll-slo/plimsoll/internal/remote"
)

// server answers what its handler says, and counts.
func server(t *testing.T, h func(n int, w http.ResponseWriter, r *http.Request)) (*httptest.Server, *int) {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		h(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s, &n
}

// client asks s and never waits.
func client(t *testing.T, url string, o promapi.Options) *promapi.Client {
	t.Helper()
	o.Remote.Wait = func(context.Context, time.Duration) error { return nil }
	c, err := promapi.New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var at = time.UnixMilli(1_700_000_000_999).UTC()

// TestAsk: what is sent, and what an answer becomes.
func TestAsk(t *testing.T) {
	s, _ := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		got := fmt.Sprintf("%s %s %s %s", r.URL.Path, r.Header.Get("X-Scope-OrgID"), r.Header.Get("Authorization"), r.PostForm.Encode())
		switch r.URL.Path {
		case "/prometheus/api/v1/query":
			if want := "/prometheus/api/v1/query shop Bearer s3cret nocache=1&partial_response=false&query=up&time=1700000000.999"; got != want {
				t.Errorf("want %s, have %s", want, got)
			}
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1700000000.999,"0.1"]}]}}`)
		default:
			if want := "end=1700000060.999&nocache=1&partial_response=false&query=up&start=1700000000.999&step=0.5"; r.PostForm.Encode() != want {
				t.Errorf("want %s, have %s", want, got)
			}
			fmt.Fprint(w, `{"status":"success","infos":["up may be a gauge"],"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1700000000.999,"1"],[1700000001.499,"NaN"]]}]}}`)
		}
	})
	c := client(t, s.URL+"/prometheus/", promapi.Options{Tenant: "shop", Remote: remote.Options{Token: "s3cret"}})
	got, err := c.Instant(t.Context(), "up", at)
	if want := []promapi.Series{{Labels: map[string]string{"job": "a"}, Points: []promapi.Point{{T: at, V: 0.1}}}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v: %s", err, cmp.Diff(want, got))
	}
	got, err = c.Range(t.Context(), "up", at, at.Add(time.Minute), time.Second/2)
	if err != nil || len(got) != 1 || len(got[0].Points) != 2 || got[0].Points[1].V == got[0].Points[1].V || !got[0].Points[1].T.Equal(at.Add(time.Second/2)) {
		t.Errorf("%v: %v", err, got)
	}
}

// TestRefused: an answer that is not whole is an error.
func TestRefused(t *testing.T) {
	try := func(want, body string) {
		t.Helper()
		s, n := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		_, err := client(t, s.URL, promapi.Options{}).Instant(t.Context(), "up", at)
		if err == nil || !strings.Contains(err.Error(), want) || *n != 1 {
			t.Errorf("%s: want an error with %q at once, have %v after %d", body, want, err, *n)
		}
	}
	try("is this the query API of Prometheus?", "<html>")
	try("partial", `{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}`)
	try("store away", `{"status":"success","warnings":["store away"],"data":{"resultType":"vector","result":[]}}`)
	try("want a vector", `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	try("native histogram", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`)
	try("want status success", `{"status":"error","error":"no"}`)
	try("invalid syntax", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"one"]}]}}`)
}

// TestAgain: trouble that may pass is waited out, other trouble is told at once.
func TestAgain(t *testing.T) {
	try := func(code, failures, want int, ok bool) {
		t.Helper()
		s, n := server(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n <= failures {
				http.Error(w, "no room for s3cret", code)
				return
			}
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
		})
		_, err := client(t, s.URL, promapi.Options{Remote: remote.Options{User: "me", Password: "s3cret"}}).Instant(t.Context(), "up", at)
		if *n != want || (err == nil) != ok {
			t.Errorf("%d: want %d requests, have %d: %v", code, want, *n, err)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "no room for ***")) {
			t.Errorf("%d: %v", code, err)
		}
	}
	try(429, 2, 3, true)
	try(503, 1, 2, true)
	try(503, 9, 4, false)
	try(422, 9, 1, false)
	try(401, 9, 1, false)
	try(302, 9, 1, false)

	s, n := server(t, func(int, http.ResponseWriter, *http.Request) {})
	s.Close()
	if _, err := client(t, s.URL, promapi.Options{}).Instant(t.Context(), "up", at); err == nil || *n != 0 {
		t.Errorf("a server that is away: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, s.URL, promapi.Options{}).Instant(ctx, "up", at); !errors.Is(err, context.Canceled) {
		t.Errorf("want the error of the context, have %v", err)
	}
}

// TestURLs: a URL with secrets, or of something else, is refused without being repeated.
func TestURLs(t *testing.T) {
	for _, url := range []string{"", "prometheus:9090", "http://", "ftp://a", "http://me:s3cret@a", "http://a/?token=s3cret", "http://a\x7f/s3cret"} {
		if _, err := promapi.New(url, promapi.Options{}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := promapi.New("http://a", promapi.Options{Tenant: "a b"}); err == nil {
		t.Error("a tenant with a space is taken")
	}
}
