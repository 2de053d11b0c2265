package collector_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/internal/collectortest"
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

// TestCostConfiguration: so does the configuration for bills, and with an exporter to somewhere it tells what they say.
func TestCostConfiguration(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PLIMSOLL_GATEWAY", "https://127.0.0.1:1")
	t.Setenv("PLIMSOLL_STATE", filepath.Join(dir, "state"))
	t.Setenv("PLIMSOLL_TOKEN_FILE", filepath.Join(dir, "token"))
	var out bytes.Buffer
	args := []string{"validate", "--config", "../deploy/collector/agent.yaml", "--config", "../deploy/collector/cost.yaml"}
	if got := collector.Run(collector.Settings("test", time.Now), args, nil, &out, &out); got != 0 || out.Len() > 0 {
		t.Errorf("status %d\n%s", got, out.String())
	}

	sink := collectortest.NewSink()
	server := httptest.NewServer(sink)
	t.Cleanup(server.Close)
	bill := filepath.Join(dir, "bill.csv")
	const rows = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,Tags\n" +
		`0.1,USD,2024-09-01,2024-10-01,2024-09-01,2024-09-02,Usage,AWS,"{""env"":""prod"",""team"":""pay""}"` + "\n" +
		`0.15,USD,2024-09-01,2024-10-01,2024-09-02,2024-09-03,Usage,AWS,"{""Env"":""Prod"",""team"":""pay""}"` + "\n"
	if err := os.WriteFile(bill, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(bill, old, old); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PLIMSOLL_BILLS", filepath.Join(dir, "*.csv"))
	t.Setenv("PLIMSOLL_COST_STATE", filepath.Join(dir, "cost"))
	around, page := filepath.Join(dir, "around.yaml"), collectortest.FreePort(t)
	text := fmt.Sprintf(`
processors: {memory_limiter: {check_interval: 1s, limit_mib: 500}}
receivers: {cost: {prometheus: {endpoint: %s}}}
exporters: {otlp_http: {endpoint: %s, compression: none, sending_queue: {enabled: false}}}
service: {telemetry: {metrics: {level: none}}}
`, page, server.URL)
	if err := os.WriteFile(around, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := collectortest.Run(t, collector.Settings("test", time.Now), io.Discard, around, "../deploy/collector/cost.yaml")
	sink.Wait(t, `"cost.accrued"`, `"asDouble":0.25`, `"production"`, `"pay"`, `"cost.budget"`, `"asDouble":180000`, `"cost.files"`)
	billed := 0.0
	for name, v := range exposed(t, scrapePage(t, "http://"+page+"/metrics")) {
		if strings.HasPrefix(name, "cost_accrued[") && strings.Contains(name, "cost_metric=billed") {
			billed += v
		}
	}
	if billed != 0.25 {
		t.Errorf("a scrape says that %v was billed, want 0.25", billed)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if _, err := os.Stat(filepath.Join(dir, "cost", "costs.gob")); err != nil {
		t.Error(err)
	}
}
