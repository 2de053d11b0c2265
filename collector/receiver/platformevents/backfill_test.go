package platformevents_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
)

// A run that the API tells of and its webhook, which comes late, are counted once. The token is not shown.
func TestBackfill(t *testing.T) {
	var delivery map[string]json.RawMessage
	if err := json.Unmarshal(payload(t, "completed"), &delivery); err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(req.URL.Path, "/actions/runs"):
			fmt.Fprintf(w, `{"total_count":1,"workflow_runs":[%s]}`, delivery["workflow_run"])
		default:
			_, _ = w.Write(delivery["repository"])
		}
	}))
	t.Cleanup(api.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startWith(t, func(cfg *platformevents.Config) {
		cfg.Backfill = map[string]platformevents.BackfillConfig{"github": {
			BaseURL: api.URL, Repositories: []string{"octo-org/octo-repo"}, TokenFile: file, Lookback: 20 * 365 * 24 * time.Hour,
		}}
	})
	select {
	case <-s.next.called:
	case <-time.After(time.Minute):
		t.Fatal("nothing was passed on")
	}
	if got := s.signed(payload(t, "completed")); got != http.StatusAccepted {
		t.Errorf("the webhook: status %d, want 202", got)
	}
	if got := s.verdicts(); got["counted"] != 1 || got["duplicate"] != 1 {
		t.Errorf("got %v, want 1 counted and 1 duplicate", got)
	}
	s.silent()
}

func TestBackfillConfig(t *testing.T) {
	factory := platformevents.NewFactory(clock)
	cfg := config(t, factory)
	cfg.Backfill = map[string]platformevents.BackfillConfig{
		"jira":   {Repositories: []string{"a/b"}, BaseURL: "https://jira.example.com"},
		"gitlab": {},
	}
	err := cfg.Validate()
	for _, want := range []string{`backfill::gitlab: want at least one repository`, `backfill::jira: want system "github" or "gitlab", have "jira"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// A receiver that only asks needs no source.
	cfg.Sources = nil
	cfg.Backfill = map[string]platformevents.BackfillConfig{"gitlab": {Repositories: []string{"a/b"}}}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, newNext())
	if err != nil || componenttest.CheckConfigStruct(cfg) != nil {
		t.Fatal(err, componenttest.CheckConfigStruct(cfg))
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
