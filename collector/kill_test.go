package collector_test

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/internal/collectortest"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

// childVariable makes this test binary the collector that is killed.
const childVariable = "PLIMSOLL_TEST_COLLECTOR"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(collector.Run(collector.Settings("test", time.Now), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// fussy is a gateway that refuses now and then, and notes the spans and the latest counters it was given.
type fussy struct {
	mu       sync.Mutex
	requests int
	spans    map[string]int
	counters map[string]int64 // largest value by metric and the attributes that the test looks at
	came     chan struct{}
}

func (f *fussy) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := unzip(req)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	switch {
	case err != nil || req.Header.Get("Authorization") != "Bearer "+canary:
		w.WriteHeader(http.StatusBadRequest)
		return
	case f.requests%3 == 1:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case req.URL.Path == "/v1/traces":
		err = f.noteSpans(body)
	case req.URL.Path == "/v1/metrics":
		err = f.noteCounters(body)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
	select {
	case f.came <- struct{}{}:
	default:
	}
}

func unzip(req *http.Request) ([]byte, error) {
	r, err := gzip.NewReader(req.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func (f *fussy) noteSpans(body []byte) error {
	request := ptraceotlp.NewExportRequest()
	err := request.UnmarshalProto(body)
	for _, resource := range request.Traces().ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				f.spans[span.Name()]++
			}
		}
	}
	return err
}

func (f *fussy) noteCounters(body []byte) error {
	request := pmetricotlp.NewExportRequest()
	err := request.UnmarshalProto(body)
	for _, resource := range request.Metrics().ResourceMetrics().All() {
		for _, scope := range resource.ScopeMetrics().All() {
			for _, m := range scope.Metrics().All() {
				if m.Name() != "cicd.pipeline.run.outcomes" {
					continue
				}
				for _, p := range m.Sum().DataPoints().All() {
					key := fmt.Sprint(p.Attributes().AsRaw()["platform.attempt"], " ", p.Attributes().AsRaw()["cicd.pipeline.result"])
					f.counters[key] = max(f.counters[key], p.IntValue())
				}
			}
		}
	}
	return err
}

// wait returns when the condition holds.
func (f *fussy) wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		f.mu.Lock()
		ok := holds()
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-f.came:
		case <-deadline:
			t.Fatalf("%s", what)
		}
	}
}

// killable is a collector with one of the shipped configurations, in a process that can be killed.
type killable struct {
	t      *testing.T
	config string
	state  string
	port   string // where it takes what is sent
	health string
	env    []string
	cmd    *exec.Cmd
	output bytes.Buffer
	client *http.Client
}

// newKillable prepares a collector in front of a gateway; portVariable is where its configuration reads its port from.
func newKillable(t *testing.T, config, portVariable string, gateway *fussy) *killable {
	t.Helper()
	server := httptest.NewTLSServer(gateway)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	k := &killable{
		t: t, config: config, state: filepath.Join(dir, "state"),
		port: collectortest.FreePort(t), health: collectortest.FreePort(t), client: server.Client(),
	}
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		"token":   []byte(canary),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, telemetry, err := net.SplitHostPort(collectortest.FreePort(t))
	if err != nil {
		t.Fatal(err)
	}
	k.env = append(os.Environ(), childVariable+"=1", portVariable+"="+k.port, "PLIMSOLL_HEALTH="+k.health,
		"PLIMSOLL_OTLP_GRPC="+collectortest.FreePort(t), "PLIMSOLL_TELEMETRY_PORT="+telemetry,
		"PLIMSOLL_GATEWAY="+server.URL, "PLIMSOLL_STATE="+k.state, "PLIMSOLL_LOGS="+dir+"/none", "GITHUB_WEBHOOK_SECRET="+secret,
		"PLIMSOLL_TOKEN_FILE="+dir+"/token", "PLIMSOLL_GATEWAY_CA="+dir+"/tls.crt",
		"PLIMSOLL_TLS_CERT="+dir+"/tls.crt", "PLIMSOLL_TLS_KEY="+dir+"/tls.key")
	t.Cleanup(func() {
		k.client.CloseIdleConnections()
		if k.cmd != nil {
			k.kill()
		}
		if t.Failed() {
			t.Log(k.output.String())
		}
	})
	return k
}

// start starts the process and returns when it is well.
func (k *killable) start() {
	k.t.Helper()
	k.cmd = exec.Command(os.Args[0], "--config", "../deploy/collector/"+k.config)
	k.cmd.Env, k.cmd.Stdout, k.cmd.Stderr = k.env, &k.output, &k.output
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	deadline := time.After(time.Minute)
	for {
		if status, err := k.request(http.MethodGet, "http://"+k.health, nil, nil); err == nil && status == http.StatusOK {
			return
		}
		select {
		case <-deadline:
			k.t.Fatal("the collector does not get well")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// kill ends the process with kill -9.
func (k *killable) kill() {
	k.t.Helper()
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Error(err)
	}
	k.cmd.Wait()
	k.cmd = nil
}

func (k *killable) request(method, url string, body []byte, header http.Header) (status int, err error) {
	req, err := http.NewRequestWithContext(k.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = header
	resp, err := k.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// untilKilled sends number after number and kills the collector after a random number of acknowledgements, in the
// middle of a later request. send tells whether a number was acknowledged; it returns the next number.
func (k *killable) untilKilled(next int, random *rand.Rand, send func(number int) bool) int {
	k.t.Helper()
	after, acknowledged, dying := 5+random.IntN(40), 0, false
	var killing sync.WaitGroup
	for range 1000 {
		if acknowledged >= after && !dying {
			dying = true
			delay := time.Duration(random.IntN(3000)) * time.Microsecond
			killing.Go(func() {
				<-time.After(delay)
				k.kill()
			})
		}
		ok := send(next)
		next++
		if ok {
			acknowledged++
		} else if dying {
			break
		}
	}
	killing.Wait()
	return next
}

// TestKillAgent kills the agent's shipped configuration again and again, while the gateway refuses every third request:
// every span that was acknowledged arrives.
func TestKillAgent(t *testing.T) {
	gateway := &fussy{spans: map[string]int{}, counters: map[string]int64{}, came: make(chan struct{}, 1)}
	k := newKillable(t, "agent.yaml", "PLIMSOLL_OTLP_HTTP", gateway)
	random := rand.New(rand.NewPCG(1, 2))
	var acknowledged []string
	next := 0
	for range kills {
		k.start()
		next = k.untilKilled(next, random, func(number int) bool {
			name := fmt.Sprint("span ", number)
			body, err := json.Marshal(spanNamed(name))
			if err != nil {
				t.Fatal(err)
			}
			status, err := k.request(http.MethodPost, "http://"+k.port+"/v1/traces", body, http.Header{"Content-Type": {"application/json"}})
			if ok := err == nil && status == http.StatusOK; !ok {
				return false
			}
			acknowledged = append(acknowledged, name)
			return true
		})
	}
	k.start()
	gateway.wait(t, "an acknowledged span is lost", func() bool {
		for _, name := range acknowledged {
			if gateway.spans[name] == 0 {
				return false
			}
		}
		return true
	})
	twice := 0
	gateway.mu.Lock()
	defer gateway.mu.Unlock()
	for _, n := range gateway.spans {
		twice += n - 1
	}
	t.Logf("%d kills, %d spans sent, %d acknowledged, %d arrived, %d of them more than once", kills, next, len(acknowledged), len(gateway.spans), twice)
	if len(acknowledged) < 5*kills {
		t.Errorf("hardly anything was tested: %d spans acknowledged", len(acknowledged))
	}
}

func spanNamed(name string) any {
	span := map[string]any{"traceId": strings.Repeat("01", 16), "spanId": strings.Repeat("02", 8), "name": name}
	return map[string]any{"resourceSpans": []any{map[string]any{"scopeSpans": []any{map[string]any{"spans": []any{span}}}}}}
}

// TestKillIngress kills the ingress's shipped configuration again and again, and each time takes away the whole queue
// of what was not sent yet, which is worse than anything a crash does to it. Every run that was acknowledged is counted,
// once, since the receiver's ledger is the truth and what it sends repeats all of it.
func TestKillIngress(t *testing.T) {
	gateway := &fussy{spans: map[string]int{}, counters: map[string]int64{}, came: make(chan struct{}, 1)}
	k := newKillable(t, "events-ingress.yaml", "PLIMSOLL_EVENTS", gateway)
	random := rand.New(rand.NewPCG(3, 4))
	delivered, err := os.ReadFile("../exporters/pipelines/sources/testdata/github/completed.payload.json")
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := map[int]bool{}
	send := func(number int) bool {
		body, err := exportertest.Replace(delivered, map[string]any{"workflow_run.id": number + 1})
		if err != nil {
			t.Fatal(err)
		}
		status, err := k.request(http.MethodPost, "https://"+k.port+"/github", body, http.Header{
			"X-Github-Event": {"workflow_run"}, "X-Hub-Signature-256": {exportertest.GitHubSignature(secret, body)},
		})
		acknowledged[number] = err == nil && status == http.StatusAccepted
		return acknowledged[number]
	}
	next := 0
	for range kills {
		k.start()
		next = k.untilKilled(next, random, send)
		if err := os.RemoveAll(filepath.Join(k.state, "queue")); err != nil {
			t.Fatal(err)
		}
	}
	k.start()
	// Whoever was not answered delivers again: each is counted once, whether the first delivery was kept or not.
	for number := range next {
		if !acknowledged[number] && !send(number) {
			t.Errorf("delivery %d is not acknowledged", number)
		}
	}
	gateway.wait(t, fmt.Sprintf("%d runs are not counted", next), func() bool { return gateway.counters["final success"] >= int64(next) })
	gateway.mu.Lock()
	defer gateway.mu.Unlock()
	t.Logf("%d kills, %d runs, counted %v", kills, next, gateway.counters)
	if got := gateway.counters["final success"]; got != int64(next) {
		t.Errorf("%d runs are counted, want %d", got, next)
	}
}
