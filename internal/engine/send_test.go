package engine

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/api/v2/models"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// What SendAlerts posts is read with the model and the validation of Alertmanager's own API.
func TestSendAlerts(t *testing.T) {
	var path, user string
	var got models.PostableAlerts
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		path = r.Method + " " + r.URL.Path
		user, _, _ = r.BasicAuth()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if err := got.Validate(nil); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()

	fired := Alert{
		State: Firing, Labels: store.Labels{"alertname": "A"}, Annotations: store.Labels{"summary": "s"},
		FiredAt: minute(1), ValidUntil: minute(5), Source: "http://prom.example/graph",
	}
	over := fired
	over.State, over.ResolvedAt = Inactive, minute(3)
	base := strings.Replace(server.URL, "http://", "http://bob:hunter2@", 1) + "/am/"
	err := SendAlerts(context.Background(), client, base, []Alert{fired, over, {State: Pending}})
	if err != nil {
		t.Fatal(err)
	}
	if path != "POST /am/api/v2/alerts" || user != "bob" || len(got) != 2 {
		t.Fatalf("got %s by %q with %d alerts, want POST /am/api/v2/alerts by bob with 2", path, user, len(got))
	}
	type wire struct{ Name, Starts, Ends, Source, Summary string }
	var have []wire
	for _, a := range got {
		have = append(have, wire{a.Labels["alertname"], a.StartsAt.String(), a.EndsAt.String(), string(a.GeneratorURL), a.Annotations["summary"]})
	}
	want := []wire{
		{"A", "2026-03-01T12:01:00.000Z", "2026-03-01T12:05:00.000Z", "http://prom.example/graph", "s"},
		{"A", "2026-03-01T12:01:00.000Z", "2026-03-01T12:03:00.000Z", "http://prom.example/graph", "s"},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

func TestSendAlertsErrors(t *testing.T) {
	refuse := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		http.Error(rw, "no such tenant", http.StatusBadRequest)
	}))
	defer refuse.Close()
	client := refuse.Client()
	defer client.CloseIdleConnections()
	f := func(base, want string) {
		t.Helper()
		err := SendAlerts(context.Background(), client, base, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
			return
		}
		if s := err.Error(); strings.Contains(s, "hunter2") || strings.Contains(s, "bob") {
			t.Errorf("the error shows a secret: %s", s)
		}
	}
	with := func(s string) string { return strings.Replace(s, "http://", "http://bob:hunter2@", 1) }
	f(with(refuse.URL)+"?token=hunter2", `send alerts to `+refuse.URL+`/api/v2/alerts: answer 400 Bad Request: "no such tenant\n"`)
	f("http://bob:hunter2@127.0.0.1:1/", "send alerts to http://127.0.0.1:1/api/v2/alerts: ")
	f("http://bob:hunter2@ho st/", "not a URL")
	f("http://bob:hun:ter2@host:hunter2/", "not a URL")
	f("bob:hunter2", "not a URL")
}

// TestSendAlertsRedirect: a redirect that keeps the request is followed, and one that would ask for the alerts instead of
// sending them is an error.
func TestSendAlertsRedirect(t *testing.T) {
	for code, fine := range map[int]bool{
		http.StatusMovedPermanently: false, http.StatusFound: false, http.StatusSeeOther: false,
		http.StatusTemporaryRedirect: true, http.StatusPermanentRedirect: true,
	} {
		taken := 0
		mux := http.NewServeMux()
		mux.HandleFunc("/old/api/v2/alerts", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/api/v2/alerts", code)
		})
		mux.HandleFunc("POST /api/v2/alerts", func(_ http.ResponseWriter, r *http.Request) {
			if text, err := io.ReadAll(r.Body); err == nil && strings.Contains(string(text), "Mine") {
				taken++
			}
		})
		mux.HandleFunc("GET /api/v2/alerts", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "[]") })
		server := httptest.NewServer(mux)
		err := SendAlerts(t.Context(), server.Client(), server.URL+"/old", []Alert{{State: Firing, Labels: store.Labels{"alertname": "Mine"}}})
		server.Close()
		if (err == nil) != fine || (taken == 1) != fine {
			t.Errorf("%d: got error %v, and the alert arrived %d times", code, err, taken)
		}
	}
}
