package cost_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/cost"
)

func parse(t *testing.T, text string) error {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	cfg := cost.NewFactory(time.Now, cost.Readers{}).CreateDefaultConfig().(*cost.Config)
	if err := conf.Unmarshal(cfg); err != nil {
		return err
	}
	return cfg.Validate()
}

func TestConfig(t *testing.T) {
	const focus = "sources: {focus: {include: [/bills/*.csv]}}\n"
	f := func(text, want string) {
		t.Helper()
		err := parse(t, text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f(focus, "")
	f(focus+"budgets: [{name: a, amount: 12000, currency: USD}, {name: b, amount: 0.1, currency: USD}, {name: c, amount: '1e-3', currency: USD}]", "")
	f("sources: {}", "want at least one")
	f("sources: {focus: {}}", "sources::focus::include: want files")
	f("sources: {focus: {include: ['[']}}", "want a pattern")
	f("sources: {bills: {include: [a]}}", "sources::bills::kind")
	f("sources: {focus: {base_url: http://x}}", "is read from files")
	f("sources: {opencost-allocation: {base_url: 'http://opencost:9003', currency: USD}}", "")
	f("sources: {opencost-allocation: {base_url: 'http://opencost:9003', token_file: /t}}", "want https to send a token")
	f("sources: {opencost-allocation: {base_url: 'http://u:p@opencost:9003'}}", "no user")
	f("sources: {opencost-allocation: {base_url: 'http://opencost:9003', days: 91}}", "days")
	f("sources: {focus: {include: [a], days: 3}}", "are for a base_url")
	f("sources: {focus: {include: [a], time_zone: Nowhere}}", "time_zone")
	f("sources: {focus: {include: [a], slash_dates: any}}", "slash_dates")
	f("sources: {focus: {include: [a], interval: -1s}}", "sources::focus::interval")
	f(focus+"interval: 0s", "interval")
	f(focus+"settle: -1s", "settle")
	f(focus+"since: yesterday", "since")
	f(focus+"rules: [{attribute: a}]", "want the tags")
	f(focus+"budgets: [{name: a, amount: many, currency: USD}]", "budgets::0::amount")
	f(focus+"budgets: [{name: a, amount: [1], currency: USD}]", "want a number")
	f(focus+"budgets: [{name: a, amount: 1, currency: USD, match: {region: x}}]", "of a rule")
	f(focus+"focsu: 1", "focsu")
}

// TestPages: the configurations on the pages are good.
func TestPages(t *testing.T) {
	for _, page := range []string{"README.md", "../../../docs/cost.md"} {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(content), "```yaml\n")
		text, _, ok := strings.Cut(rest, "```")
		if !ok {
			t.Fatalf("%s has no configuration", page)
		}
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		conf, err := retrieved.AsConf()
		if err != nil {
			t.Fatal(err)
		}
		own, err := conf.Sub("receivers::cost")
		if err != nil {
			t.Fatal(err)
		}
		cfg := cost.NewFactory(time.Now, cost.Readers{}).CreateDefaultConfig().(*cost.Config)
		if err := own.Unmarshal(cfg); err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		if err := cfg.Validate(); err != nil || len(cfg.Sources) == 0 {
			t.Errorf("%s: %v", page, err)
		}
	}
}
