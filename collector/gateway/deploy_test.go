//go:build remove_all_sd

package gateway_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/otelcol"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/gateway"
	"github.com/plimsoll-slo/plimsoll/collector/internal/collectortest"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

const (
	deploy = "../../deploy/collector/"
	secret = "0123456789 is the webhook's secret"
	token  = "t0k3n-canary-of-the-agents"
	canary = "ghp_0123456789abcdefghij0123456789abcdefghij"
)

// files makes a directory with a certificate for 127.0.0.1, a token and a log file.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"tls.crt":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tls.key":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		"token":    []byte(token),
		"some.log": []byte("a line of a log with " + canary + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fleet is one of each collector, with the shipped configurations, in front of a sink.
type fleet struct {
	t                            *testing.T
	dir                          string
	sink                         *collectortest.Sink
	sinkURL                      string
	logs                         bytes.Buffer
	gatewayHTTP, agentHTTP, hook string
}

// start starts one of them. Its own ports are new, what else it needs stands in the environment.
func (f *fleet) start(build otelcol.CollectorSettings, name string, env map[string]string) (stop func()) {
	f.t.Helper()
	_, port, err := net.SplitHostPort(collectortest.FreePort(f.t))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Setenv("PLIMSOLL_TELEMETRY_PORT", port)
	f.t.Setenv("PLIMSOLL_HEALTH", collectortest.FreePort(f.t))
	f.t.Setenv("PLIMSOLL_OTLP_GRPC", collectortest.FreePort(f.t))
	f.t.Setenv("PLIMSOLL_STATE", filepath.Join(f.dir, "state", name))
	for key, value := range env {
		f.t.Setenv(key, value)
	}
	return collectortest.Run(f.t, build, &f.logs, deploy+name+".yaml")
}

func (f *fleet) post(client *http.Client, url string, body string, header http.Header) int {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestDeploy runs the three shipped configurations together, over TLS and with a token: what an agent reads and
// receives, what the gateway scrapes, and what a webhook says arrive in the store, without secrets.
func TestDeploy(t *testing.T) {
	f := &fleet{
		t: t, dir: files(t), sink: collectortest.NewSink(),
		gatewayHTTP: collectortest.FreePort(t), agentHTTP: collectortest.FreePort(t), hook: collectortest.FreePort(t),
	}
	store := httptest.NewServer(f.sink)
	defer store.Close()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "scraped_thing 42\n") }))
	defer target.Close()
	targets := filepath.Join(f.dir, "targets.yaml")
	if err := os.WriteFile(targets, []byte(fmt.Sprintf("- targets: [%q]\n", strings.TrimPrefix(target.URL, "http://"))), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, name := range map[string]string{
		"PLIMSOLL_TLS_CERT": "tls.crt", "PLIMSOLL_TLS_KEY": "tls.key", "PLIMSOLL_GATEWAY_CA": "tls.crt",
		"PLIMSOLL_TOKEN_FILE": "token", "PLIMSOLL_LOGS": "*.log", "PLIMSOLL_SCRAPE": "targets.yaml",
	} {
		t.Setenv(key, filepath.Join(f.dir, name))
	}
	t.Setenv("PLIMSOLL_GATEWAY", "https://"+f.gatewayHTTP)
	t.Setenv("GITHUB_WEBHOOK_SECRET", secret)

	stopGateway := f.start(gateway.Settings("test", time.Now), "gateway", map[string]string{
		"PLIMSOLL_OTLP_HTTP": f.gatewayHTTP, "PLIMSOLL_SCRAPE_INTERVAL": "1s",
		"PLIMSOLL_METRICS_URL": store.URL, "PLIMSOLL_LOGS_URL": store.URL, "PLIMSOLL_TRACES_URL": store.URL,
	})
	stopAgent := f.start(collector.Settings("test", time.Now), "agent", map[string]string{"PLIMSOLL_OTLP_HTTP": f.agentHTTP})
	stopIngress := f.start(collector.Settings("test", time.Now), "events-ingress", map[string]string{"PLIMSOLL_EVENTS": f.hook})
	f.send()
	f.sink.Wait(t, "a span of ours", "a line of a log with ****", "scraped_thing", "system.cpu.time",
		"cicd.pipeline.run.outcomes", `"eventName":"cicd.pipeline.run.finished"`, `"name":"RUN `)

	stopIngress()
	stopAgent()
	stopGateway()
	for where, text := range map[string]string{"the store": f.sink.Text(), "the log": f.logs.String()} {
		for _, hidden := range []string{canary, secret, token} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s shows %q", where, hidden)
			}
		}
	}
}

// send gives the agent a span, the ingress a delivery, and the gateway something without a token.
func (f *fleet) send() {
	f.t.Helper()
	const span = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001",
		"name":"a span of ours","attributes":[{"key":"api_key","value":{"stringValue":"` + canary + `"}}]}]}]}]}`
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	json := http.Header{"Content-Type": {"application/json"}}
	if got := f.post(client, "http://"+f.agentHTTP+"/v1/traces", span, json); got != http.StatusOK {
		f.t.Errorf("agent: status %d, want 200", got)
	}
	if got := f.post(client, "https://"+f.gatewayHTTP+"/v1/traces", span, json); got != http.StatusUnauthorized {
		f.t.Errorf("gateway without a token: status %d, want 401", got)
	}
	body, err := os.ReadFile("../../exporters/pipelines/sources/testdata/github/completed.payload.json")
	if err != nil {
		f.t.Fatal(err)
	}
	if got := f.post(client, "https://"+f.hook+"/github", string(body), http.Header{
		"X-Github-Event": {"workflow_run"}, "X-Hub-Signature-256": {exportertest.GitHubSignature(secret, body)},
	}); got != http.StatusAccepted {
		f.t.Errorf("ingress: status %d, want 202", got)
	}
}

// TestValidate: each shipped configuration is valid with nothing but what it says is required, and so are those that go on
// top of another.
func TestValidate(t *testing.T) {
	dir := files(t)
	for _, key := range []string{"PLIMSOLL_METRICS_URL", "PLIMSOLL_LOGS_URL", "PLIMSOLL_TRACES_URL", "PLIMSOLL_GATEWAY"} {
		t.Setenv(key, "https://127.0.0.1:1")
	}
	for _, key := range []string{"PLIMSOLL_TLS_CERT", "PLIMSOLL_GATEWAY_CA"} {
		t.Setenv(key, filepath.Join(dir, "tls.crt"))
	}
	t.Setenv("PLIMSOLL_TLS_KEY", filepath.Join(dir, "tls.key"))
	t.Setenv("PLIMSOLL_TOKEN_FILE", filepath.Join(dir, "token"))
	t.Setenv("GITHUB_WEBHOOK_SECRET", secret)
	t.Setenv("PLIMSOLL_APISERVER_CA", filepath.Join(dir, "tls.crt"))
	t.Setenv("PLIMSOLL_APISERVER_TOKEN", filepath.Join(dir, "token"))
	f := func(build otelcol.CollectorSettings, names ...string) {
		t.Helper()
		t.Setenv("PLIMSOLL_STATE", filepath.Join(dir, names[0]))
		var out bytes.Buffer
		args := []string{"validate"}
		for _, name := range names {
			args = append(args, "--config", deploy+name+".yaml")
		}
		if got := collector.Run(build, args, nil, &out, &out); got != 0 || out.Len() > 0 {
			t.Errorf("%s: status %d\n%s", names, got, out.String())
		}
	}
	f(collector.Settings("test", time.Now), "agent")
	f(collector.Settings("test", time.Now), "events-ingress")
	f(gateway.Settings("test", time.Now), "gateway")
	f(gateway.Settings("test", time.Now), "gateway", "scrape-platform-api")
}
