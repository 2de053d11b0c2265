package reconcile_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "0123456789abcdef-token"

var now = time.Date(2026, 11, 21, 15, 11, 0, 0, time.UTC)

// alertmanager answers as the recorded one did, or with a status if there is one for a path.
func alertmanager(t *testing.T, status map[string]int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if code := status[req.URL.Path]; code != 0 {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(code)
			return
		}
		file, ok := strings.CutPrefix(req.URL.Path, "/am/api/v2/")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(exportertest.Read(t, "../sources/testdata/lists/"+file+".json"))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/am/"
}

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPoll(t *testing.T) {
	p, err := reconcile.New(reconcile.Config{BaseURL: alertmanager(t, nil), TokenFile: tokenFile(t, token+"\n"), Receiver: "plimsoll", Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(at time.Time, want int) {
		t.Helper()
		events, err := p.Poll(t.Context(), at)
		if err != nil || len(events) != want {
			t.Fatalf("Poll at %v = %d events, %v, want %d", at, len(events), err, want)
		}
		if want > 0 && events[want-1].Name != event.IncidentsListed {
			t.Errorf("the last event is %v, want the end of the list", events[want-1])
		}
	}
	f(now, 6)
	f(now.Add(59*time.Second), 0)
	f(now.Add(time.Minute), 6)
}

// TestRefused: who does not answer in full says nothing, and no error has the token.
func TestRefused(t *testing.T) {
	f := func(want string, cfg reconcile.Config, status map[string]int) {
		t.Helper()
		cfg.BaseURL = alertmanager(t, status)
		cfg.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		p, err := reconcile.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		events, err := p.Poll(t.Context(), now)
		if len(events) > 0 || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("%d events, %v, want the error %q", len(events), err, want)
		}
	}
	good := tokenFile(t, token)
	f("want status 200, have 500", reconcile.Config{TokenFile: good}, map[string]int{"/am/api/v2/alerts": 500})
	f("want status 200, have 503", reconcile.Config{TokenFile: good}, map[string]int{"/am/api/v2/silences": 503})
	f("redirected away", reconcile.Config{TokenFile: good}, map[string]int{"/am/api/v2/alerts": 302})
	f("want at most 10 bytes", reconcile.Config{TokenFile: good, MaxBytes: 10}, nil)
	f("have 401", reconcile.Config{}, nil)
	f("want one token", reconcile.Config{TokenFile: tokenFile(t, token+" x")}, nil)
	f("read token", reconcile.Config{TokenFile: filepath.Join(t.TempDir(), "none")}, nil)
}

func TestConfig(t *testing.T) {
	f := func(ok bool, cfg reconcile.Config) {
		t.Helper()
		if _, err := reconcile.New(cfg); (err == nil) != ok {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	f(true, reconcile.Config{BaseURL: "https://am.example.com/alertmanager/"})
	f(true, reconcile.Config{BaseURL: "http://[::1]:9093"})
	f(true, reconcile.Config{BaseURL: "http://alertmanager:9093", Insecure: true})
	f(false, reconcile.Config{BaseURL: "http://alertmanager:9093"})
	f(false, reconcile.Config{BaseURL: "https://u:p@alertmanager"})
	f(false, reconcile.Config{BaseURL: "https://alertmanager?x=y"})
	f(false, reconcile.Config{})
}
