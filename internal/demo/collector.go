package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// collectorWait bounds how long the demo waits for the collector to start and
// for its metrics to arrive.
const collectorWait = 20 * time.Second

// Collector starts the collector program, delivers the signed GitHub payloads
// of the demo to it, one of them twice, and writes the outcomes that it sends
// on by OTLP.
func Collector(ctx context.Context, w io.Writer, program string) error {
	ctx, cancel := context.WithTimeout(ctx, collectorWait)
	defer cancel()
	in := &inbox{came: make(chan struct{}, 1)}
	backend := httptest.NewServer(in)
	defer backend.Close()
	endpoint, err := freePort()
	if err != nil {
		return err
	}
	secret := rand.Text()
	stop, err := startCollector(ctx, program, endpoint, backend.URL, secret)
	if err != nil {
		return err
	}
	defer stop()
	if err := waitFor(ctx, endpoint); err != nil {
		return fmt.Errorf("wait for %s: %w", program, err)
	}
	for i, p := range payloads() {
		body, err := p.body()
		if err != nil {
			return err
		}
		if err := deliver(ctx, "http://"+endpoint+"/github", p.event, fmt.Sprintf("delivery-%d", i), secret, body); err != nil {
			return fmt.Errorf("deliver %s: %w", p.file, err)
		}
	}
	lines, err := in.outcomes(ctx)
	if err != nil {
		return fmt.Errorf("wait for metrics of %s: %w", program, err)
	}
	fmt.Fprintln(w, strings.Join(lines, "\n"))
	return nil
}

// startCollector starts the program; stop ends it and waits for its end.
func startCollector(ctx context.Context, program, endpoint, backend, secret string) (stop func(), err error) {
	config := fmt.Sprintf(`yaml:{receivers: {platform_events: {endpoint: %q, sources: {github: {secrets: ["${env:PLIMSOLL_DEMO_SECRET}"]}}}},
exporters: {otlp_http: {endpoint: %q, encoding: json, compression: none, sending_queue: {num_consumers: 1}}},
service: {telemetry: {logs: {level: error}, metrics: {level: none}}, pipelines: {metrics: {receivers: [platform_events], exporters: [otlp_http]}}}}`, endpoint, backend)
	cmd := exec.CommandContext(ctx, program, "--config", config)
	cmd.Env = append(os.Environ(), "PLIMSOLL_DEMO_SECRET="+secret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// waitFor waits until somebody listens at addr.
func waitFor(ctx context.Context, addr string) error {
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-every.C:
		}
	}
}

// deliver posts a webhook as GitHub does.
func deliver(ctx context.Context, url, event, id, secret string, body []byte) error {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-GitHub-Event", event)
	req.Header.Set("X-GitHub-Delivery", id)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("answer %s", res.Status)
	}
	return nil
}

// inbox takes OTLP metrics in JSON and keeps the newest value of each outcome.
type inbox struct {
	mu     sync.Mutex
	values map[string]string
	came   chan struct{}
}

type otlp struct {
	ResourceMetrics []struct {
		ScopeMetrics []struct {
			Metrics []struct {
				Name string `json:"name"`
				Sum  struct {
					DataPoints []point `json:"dataPoints"`
				} `json:"sum"`
			} `json:"metrics"`
		} `json:"scopeMetrics"`
	} `json:"resourceMetrics"`
}

type point struct {
	AsInt      string `json:"asInt"`
	Attributes []struct {
		Key   string `json:"key"`
		Value struct {
			StringValue string `json:"stringValue"`
		} `json:"value"`
	} `json:"attributes"`
}

func (p point) label(key string) string {
	for _, a := range p.Attributes {
		if a.Key == key {
			return a.Value.StringValue
		}
	}
	return ""
}

// ServeHTTP takes one export.
func (in *inbox) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var m otlp
	if err := json.NewDecoder(io.LimitReader(req.Body, 8<<20)).Decode(&m); err != nil {
		http.Error(w, "want OTLP in JSON", http.StatusBadRequest)
		return
	}
	in.mu.Lock()
	for _, r := range m.ResourceMetrics {
		for _, s := range r.ScopeMetrics {
			for _, x := range s.Metrics {
				in.keep(x.Name, x.Sum.DataPoints)
			}
		}
	}
	in.mu.Unlock()
	select {
	case in.came <- struct{}{}:
	default:
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

func (in *inbox) keep(name string, points []point) {
	if in.values == nil {
		in.values = map[string]string{}
	}
	for _, p := range points {
		switch name {
		case "cicd.pipeline.run.outcomes":
			key := fmt.Sprintf("cicd_pipeline_run_outcomes_total{cicd_pipeline_name=%q,cicd_pipeline_result=%q,platform_attempt=%q,platform_outcome=%q}",
				p.label("cicd.pipeline.name"), p.label("cicd.pipeline.result"), p.label("platform.attempt"), p.label("platform.outcome"))
			in.values[key] = p.AsInt
		case "platform.events.received":
			in.values["platform_events_received_total{"+received(p)+"}"] = p.AsInt
		}
	}
}

func received(p point) string {
	var out []string
	for _, a := range p.Attributes {
		out = append(out, fmt.Sprintf("%s=%q", strings.ReplaceAll(a.Key, ".", "_"), a.Value.StringValue))
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// outcomes waits until every delivery is accounted for and returns the
// non-zero values.
func (in *inbox) outcomes(ctx context.Context) ([]string, error) {
	for {
		in.mu.Lock()
		total := 0
		var lines []string
		for k, v := range in.values {
			if v == "0" {
				continue
			}
			lines = append(lines, "  "+k+" "+v)
			if strings.HasPrefix(k, "platform_events_received_total") {
				var n int
				if _, err := fmt.Sscan(v, &n); err == nil {
					total += n
				}
			}
		}
		in.mu.Unlock()
		if total >= len(payloads()) {
			slices.Sort(lines)
			return lines, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-in.came:
		}
	}
}
