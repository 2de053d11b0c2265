package platformevents_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret    = "the secret that is in use"
	oldSecret = "the secret of yesterday"
)

func clock() time.Time { return received }

var received = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// next is a consumer that can be told to refuse.
type next struct {
	mu     sync.Mutex
	err    error
	points []map[string]int64 // one map of "metric{attributes}" to value for each call
	called chan struct{}      // one element for each call, as far as there is room
}

func newNext() *next { return &next{called: make(chan struct{}, 100)} }

func (n *next) refuse(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

func (n *next) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (n *next) ConsumeMetrics(_ context.Context, md pmetric.Metrics) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	n.points = append(n.points, values(md))
	select {
	case n.called <- struct{}{}:
	default:
	}
	return nil
}

// last returns what the last call brought.
func (n *next) last() map[string]int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.points) == 0 {
		return nil
	}
	return n.points[len(n.points)-1]
}

// values returns the counters by name and the attributes that tests look at.
func values(md pmetric.Metrics) map[string]int64 {
	all := map[string]int64{}
	metrics := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	for i := range metrics.Len() {
		m := metrics.At(i)
		if m.Type() != pmetric.MetricTypeSum {
			continue
		}
		for j := range m.Sum().DataPoints().Len() {
			p := m.Sum().DataPoints().At(j)
			key := m.Name()
			for _, name := range []string{"platform.event.verdict", "platform.attempt", "cicd.pipeline.result", "incident.recurrence"} {
				if v, ok := p.Attributes().Get(name); ok {
					key += " " + v.AsString()
				}
			}
			all[key] += p.IntValue()
		}
	}
	return all
}

type server struct {
	t        *testing.T
	url      string
	client   *http.Client
	next     *next
	clock    *atomic.Int64 // seconds after received
	receiver receiver.Metrics
	logs     *observer.ObservedLogs
}

// start runs the receiver on a free port with one GitHub source at /hooks.
func start(t *testing.T, interval time.Duration) *server {
	t.Helper()
	return startIn(t, interval, "")
}

// startIn runs the receiver with its storage in a directory.
func startIn(t *testing.T, interval time.Duration, dir string) *server {
	t.Helper()
	return startWith(t, func(cfg *platformevents.Config) { cfg.Interval, cfg.Storage.Directory = interval, dir })
}

// startWith runs the receiver with a changed configuration.
func startWith(t *testing.T, change func(*platformevents.Config)) *server {
	t.Helper()
	s := &server{t: t, next: newNext(), clock: &atomic.Int64{}, client: http.DefaultClient}
	factory := platformevents.NewFactory(func() time.Time { return received.Add(time.Duration(s.clock.Load()) * time.Second) })
	cfg := config(t, factory)
	cfg.Interval = time.Hour
	cfg.MaxRequestBodySize = 100_000
	change(cfg)
	settings := receivertest.NewNopSettings(factory.Type())
	core, logs := observer.New(zap.DebugLevel)
	settings.Logger, s.logs = zap.New(core), logs
	var err error
	if s.receiver, err = factory.CreateMetrics(t.Context(), settings, cfg, s.next); err != nil {
		t.Fatal(err)
	}
	if err := s.receiver.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + cfg.NetAddr.Endpoint
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.receiver.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func config(t *testing.T, factory receiver.Factory) *platformevents.Config {
	t.Helper()
	cfg := factory.CreateDefaultConfig().(*platformevents.Config)
	cfg.NetAddr.Endpoint = freePort(t)
	cfg.Sources = map[string]platformevents.SourceConfig{
		"hooks": {Kind: "github", Secrets: []configopaque.String{secret, oldSecret}},
	}
	return cfg
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func payload(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../exporters/pipelines/sources/testdata/github/" + name + ".payload.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// post sends a delivery and returns the answer's status, after checking that it says nothing else.
func (s *server) post(path string, body []byte, header map[string]string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", "workflow_run")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if path == "/hooks" && len(answer) > 0 && header["Content-Encoding"] == "" {
		s.t.Errorf("%d says %q, want nothing", resp.StatusCode, answer)
	}
	if (resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests) && resp.Header.Get("Retry-After") == "" {
		s.t.Errorf("%d without Retry-After", resp.StatusCode)
	}
	return resp.StatusCode
}

// signed sends a delivery with a good signature.
func (s *server) signed(body []byte) int {
	s.t.Helper()
	return s.post("/hooks", body, map[string]string{"X-Hub-Signature-256": exportertest.GitHubSignature(secret, body)})
}

func TestAnswers(t *testing.T) {
	s := start(t, time.Hour)
	body := payload(t, "completed")
	signature := exportertest.GitHubSignature(secret, body)
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	old := fmt.Sprintf("sha1=%x", mac.Sum(nil))
	f := func(what string, want int, path string, body []byte, header map[string]string) {
		t.Helper()
		if got := s.post(path, body, header); got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	with := func(signature string) map[string]string { return map[string]string{"X-Hub-Signature-256": signature} }

	f("not signed", 401, "/hooks", body, nil)
	f("wrong secret", 401, "/hooks", body, with(exportertest.GitHubSignature("some other secret", body)))
	f("tampered", 401, "/hooks", bytes.Replace(body, []byte("success"), []byte("failure"), 1), with(signature))
	f("truncated", 401, "/hooks", body, with(signature[:60]))
	f("SHA-1 only", 401, "/hooks", body, map[string]string{"X-Hub-Signature": old})
	f("SHA-1 in the wrong header", 401, "/hooks", body, with(old))
	f("too large", 413, "/hooks", bytes.Repeat([]byte(" "), 100_001), with(signature))
	f("not found", 404, "/github", body, with(signature))
	f("not JSON", 400, "/hooks", []byte("hello"), with(exportertest.GitHubSignature(secret, []byte("hello"))))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(body)
	z.Close()
	f("compressed", 400, "/hooks", zipped.Bytes(), map[string]string{"X-Hub-Signature-256": signature, "Content-Encoding": "gzip"})
	resp, err := http.Get(s.url + "/hooks")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d, want 405", resp.StatusCode)
	}
	if got := s.next.last(); got != nil {
		t.Errorf("something was counted: %v", got)
	}

	f("signed", 202, "/hooks", body, with(signature))
	f("redelivered with the secret of yesterday", 202, "/hooks", body, with(exportertest.GitHubSignature(oldSecret, body)))
	push := payload(t, "push")
	f("not used", 202, "/hooks", push, map[string]string{"X-Hub-Signature-256": exportertest.GitHubSignature(secret, push), "X-GitHub-Event": "push"})

	if err := s.receiver.Shutdown(t.Context()); err != nil { // passes everything on
		t.Fatal(err)
	}
	want := map[string]int64{
		"cicd.pipeline.run.outcomes first success": 1, "cicd.pipeline.run.outcomes final success": 1,
		"cicd.pipeline.run.outcomes first failure": 0, "cicd.pipeline.run.outcomes final failure": 0,
		"cicd.pipeline.run.flaky":          0,
		"platform.events.received counted": 1, "platform.events.received duplicate": 1, "platform.events.received unused": 1,
		"platform.events.received unauthentic": 6, "platform.events.received malformed": 1, "platform.events.received unread": 1,
	}
	got := s.next.last()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted\n%v, want\n%v", got, want)
	}
	for _, entry := range s.logs.All() {
		for _, hidden := range []string{secret, oldSecret, signature[7:], "hello"} {
			if strings.Contains(fmt.Sprint(entry), hidden) {
				t.Errorf("the log shows %q: %v", hidden, entry)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, time.Hour)
	body := payload(t, "completed")
	s.next.refuse(errors.New("queue is full"))
	for range 2 {
		if got := s.signed(body); got != http.StatusServiceUnavailable {
			t.Errorf("refused for now: status %d, want 503", got)
		}
	}
	s.next.refuse(consumererror.NewPermanent(errors.New("never")))
	if got := s.signed(body); got != http.StatusBadRequest {
		t.Errorf("refused for good: status %d, want 400", got)
	}
	s.next.refuse(errors.New("queue is full"))
	failed, err := exportertest.Replace(body, map[string]any{"workflow_run.id": 5, "workflow_run.conclusion": "failure"})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.signed(failed); got != http.StatusServiceUnavailable {
		t.Errorf("refused for now: status %d, want 503", got)
	}
	s.next.refuse(nil)
	if got := s.signed(failed); got != http.StatusAccepted {
		t.Errorf("redelivered: status %d, want 202", got)
	}
	// What the refused delivery had counted arrives with the redelivery, once.
	if got := s.next.last()["cicd.pipeline.run.outcomes first failure"]; got != 1 {
		t.Errorf("first failures: %d, want 1 in %v", got, s.next.last())
	}
}

func TestInterval(t *testing.T) {
	s := start(t, 5*time.Millisecond)
	if got := s.signed(payload(t, "completed")); got != http.StatusAccepted {
		t.Fatalf("status %d, want 202", got)
	}
	for range 5 { // the delivery and four intervals
		select {
		case <-s.next.called:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is passed on any more")
		}
	}
	if got := s.next.last()["cicd.pipeline.run.outcomes final success"]; got != 1 {
		t.Errorf("final successes: %d, want 1", got)
	}
}

func TestSettle(t *testing.T) {
	s := start(t, time.Hour)
	failed, err := exportertest.Replace(payload(t, "completed"), map[string]any{
		"workflow_run.conclusion": "failure", "workflow_run.updated_at": received, "workflow_run.run_started_at": received.Add(-time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(seconds, want int64) {
		t.Helper()
		s.clock.Store(seconds)
		if got := s.signed(failed); got != http.StatusAccepted {
			t.Errorf("status %d, want 202", got)
		}
		if got := s.next.last()["cicd.pipeline.run.outcomes final failure"]; got != want {
			t.Errorf("after %d s: %d final failures, want %d", seconds, got, want)
		}
	}
	f(0, 0)
	f(30*60-1, 0)
	f(30*60, 1)
}

func TestLifecycle(t *testing.T) {
	factory := platformevents.NewFactory(func() time.Time { return received })
	cfg := config(t, factory)
	if err := componenttest.CheckConfigStruct(cfg); err != nil {
		t.Error(err)
	}
	create := func(cfg platformevents.Config) receiver.Metrics {
		t.Helper()
		r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), &cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := create(*cfg).Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown without start: %v", err)
	}
	for range 2 {
		r := create(*cfg)
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		other := create(*cfg)
		if err := other.Start(t.Context(), componenttest.NewNopHost()); err == nil {
			t.Error("two receivers on one port")
		}
		for _, r := range []component.Component{other, r, r} {
			if err := r.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
