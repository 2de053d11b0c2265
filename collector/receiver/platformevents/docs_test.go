package platformevents_test

import (
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/confmap"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
)

// TestSecretsPage: the configuration on the page about secrets is one.
func TestSecretsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/secrets.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok || !strings.HasPrefix(text, "receivers:") {
		t.Fatal("the page has no configuration")
	}
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	own, err := conf.Sub("receivers::platform_events")
	if err != nil {
		t.Fatal(err)
	}
	cfg := platformevents.NewFactory(clock).CreateDefaultConfig().(*platformevents.Config)
	if err := own.Unmarshal(cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if len(cfg.Rotation) != 3 || len(cfg.Sources) != 2 {
		t.Errorf("have %d stores and %d sources, want 3 and 2", len(cfg.Rotation), len(cfg.Sources))
	}
}
