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

// file writes a file of its own.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// await waits until the last metrics are as wanted.
func (s *server) await(what string, ok func(map[string]int64) bool) {
	s.t.Helper()
	deadline := time.After(time.Minute)
	for !ok(s.next.last()) {
		select {
		case <-s.next.called:
		case <-deadline:
			s.t.Fatalf("want %s, have %v; log: %v", what, s.next.last(), s.logs.All())
		}
	}
}

// TestRotation: a policy file and a Vault are asked. What is overdue is bad once, over restarts, and no secret shows.
func TestRotation(t *testing.T) {
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answers := map[string]any{
			"/v1/sys/mounts":            map[string]any{"database/": map[string]any{"type": "database"}},
			"/v1/database/static-roles": map[string]any{"keys": []string{secret}},
			"/v1/database/static-roles/" + secret: map[string]any{
				"last_vault_rotation": received.AddDate(0, 0, -3).Format(time.RFC3339Nano), "rotation_period": 86400, "password": secret,
			},
		}
		answer, ok := answers[req.URL.Path]
		if !ok || req.Header.Get("X-Vault-Token") != token {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, secret)
			return
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"data": answer}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(vault.Close)
	policy := fmt.Sprintf("secrets:\n- {name: %q, interval: 30d, rotated: 2026-05-01}\n- {name: late, interval: 1d, rotated: 2026-04-01}\n", secret)
	dir, path, tokenFile := t.TempDir(), file(t, policy), file(t, token)
	for range 2 {
		s := startWith(t, func(cfg *platformevents.Config) {
			cfg.Storage.Directory, cfg.Interval = dir, 20*time.Millisecond // everything, and not what has changed
			cfg.SecretNames.KeyFile = file(t, strings.Repeat("k", platformevents.MinSecret))
			cfg.Rotation = map[string]platformevents.RotationConfig{
				"file":  {Path: path, Interval: time.Second},
				"vault": {BaseURL: vault.URL, TokenFile: tokenFile, Interval: time.Second},
				"away":  {Kind: "vault", Instance: "away", BaseURL: vault.URL, TokenFile: file(t, "s."+secret[:3]), Interval: time.Second},
			}
		})
		s.await("two overdue rotations", func(m map[string]int64) bool {
			return m["secret.rotation.outcomes"] == 2 && m["secret.rotation.due"] == 2
		})
		s.silent()
		s.shutdown()
		if got := s.next.last(); got["secret.rotation.outcomes"] != 2 {
			t.Errorf("got %v, want 2 outcomes", got)
		}
	}
}

func TestRotationConfig(t *testing.T) {
	cfg := config(t, platformevents.NewFactory(clock))
	cfg.SecretNames = platformevents.SecretNamesConfig{Plain: true, KeyFile: "x"}
	cfg.Rotation = map[string]platformevents.RotationConfig{
		"file": {}, "vault": {BaseURL: "http://vault.example.com", TokenFile: "x"}, "keepass": {},
	}
	err := cfg.Validate()
	for _, want := range []string{
		"secret_names: want one of plain and key_file", "rotation::file: want the path", "rotation::vault: want https", "rotation::keepass: want kind",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	cfg.SecretNames = platformevents.SecretNamesConfig{}
	cfg.Sources, cfg.Rotation = nil, map[string]platformevents.RotationConfig{"file": {Path: "x"}}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if err := componenttest.CheckConfigStruct(cfg); err != nil {
		t.Error(err)
	}
}

// TestNameKey: a key that can not be read, or is too short, keeps the receiver from starting.
func TestNameKey(t *testing.T) {
	for _, path := range []string{"/does/not/exist", file(t, "short")} {
		factory := platformevents.NewFactory(clock)
		cfg := config(t, factory)
		cfg.SecretNames.KeyFile = path
		r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, newNext())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("%s: started with error %v, want one about the key", path, err)
		}
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
