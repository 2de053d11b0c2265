package collector_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/collector"
)

// TestPlatformAPIConfiguration: the configuration for audit logs goes on top of the agent's, with nothing but what the
// agent's needs.
func TestPlatformAPIConfiguration(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"token", "audit.token"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("0123456789abcdef"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PLIMSOLL_GATEWAY", "https://127.0.0.1:1")
	t.Setenv("PLIMSOLL_STATE", filepath.Join(dir, "state"))
	t.Setenv("PLIMSOLL_TOKEN_FILE", filepath.Join(dir, "token"))
	t.Setenv("PLIMSOLL_AUDIT_TOKEN", filepath.Join(dir, "audit.token"))
	var out bytes.Buffer
	args := []string{"validate", "--config", "../deploy/collector/agent.yaml", "--config", "../deploy/collector/platform-api.yaml"}
	if got := collector.Run(collector.Settings("test", time.Now), args, nil, &out, &out); got != 0 || out.Len() > 0 {
		t.Errorf("status %d\n%s", got, out.String())
	}
}
