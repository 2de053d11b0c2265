package platformevents_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
)

// TestIncidents: an incident that Alertmanager's list tells of first, and its webhook, which comes late and twice, are
// counted once.
func TestIncidents(t *testing.T) {
	const labels = `"fingerprint":"0f830f6ea7e14bff","labels":{"alertname":"SLOBurnRate","slo":"checkout","severity":"page","service":"shop","team":"a"}`
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Header.Get("Authorization") != "":
			w.WriteHeader(http.StatusBadRequest) // nobody told it to send a token
		case strings.HasSuffix(req.URL.Path, "/alerts"):
			_, _ = w.Write([]byte(`[{"startsAt":"2026-05-04T11:59:00.039Z","status":{"state":"active","silencedBy":[],"inhibitedBy":[]},` + labels + `}]`))
		default:
			_, _ = w.Write([]byte("[]"))
		}
	}))
	t.Cleanup(api.Close)
	s := startWith(t, func(cfg *platformevents.Config) {
		cfg.Sources["alertmanager"] = platformevents.SourceConfig{BearerToken: token}
		cfg.Backfill = map[string]platformevents.BackfillConfig{"alertmanager": {BaseURL: api.URL}}
	})
	select {
	case <-s.next.called:
	case <-time.After(time.Minute):
		t.Fatal("nothing was passed on")
	}
	body := `{"version":"4","externalURL":"http://am","alerts":[{"status":"firing","startsAt":"2026-05-04T11:59:00.039272645Z",` + labels + `}]}`
	for range 2 {
		if got := s.post("/alertmanager", []byte(body), map[string]string{"Authorization": "Bearer " + token}); got != http.StatusAccepted {
			t.Fatalf("status %d, want 202", got)
		}
	}
	if got := s.verdicts(); got["counted"] != 1 || got["duplicate"] != 2 {
		t.Errorf("got %v, want 1 counted and 2 duplicates", got)
	}
	if got := s.next.last()["incident.opened new"]; got != 1 {
		t.Errorf("%d incidents are new, want 1", got)
	}
	s.silent()
}
