package platformevents_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
)

const auditFixtures = "../../../exporters/platformapi/sources/testdata/"

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(auditFixtures + name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return b
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	return b
}

// sums returns the sums of counters and the counts of histograms by metric.
func sums(md pmetric.Metrics) map[string]uint64 {
	all := map[string]uint64{}
	for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		switch m.Type() {
		case pmetric.MetricTypeSum:
			for _, p := range m.Sum().DataPoints().All() {
				all[m.Name()] += uint64(p.IntValue())
			}
		case pmetric.MetricTypeHistogram:
			for _, p := range m.Histogram().DataPoints().All() {
				all[m.Name()] += p.Count()
			}
		}
	}
	return all
}

// reader is a receiver of files in pipelines for metrics and logs.
type reader struct {
	t       *testing.T
	metrics *noting
	logs    *refusing
	stop    func()
}

// noting is a consumer of metrics that tells when something comes.
type noting struct {
	consumertest.MetricsSink
	came chan struct{}
}

func (n *noting) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	err := n.MetricsSink.ConsumeMetrics(ctx, md)
	select {
	case n.came <- struct{}{}:
	default:
	}
	return err
}

// refusing is a consumer of logs that refuses at first.
type refusing struct {
	consumertest.LogsSink
	mu     sync.Mutex
	refuse int
}

func (r *refusing) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse--; r.refuse >= 0 {
		return errors.New("busy")
	}
	return r.LogsSink.ConsumeLogs(ctx, logs)
}

// readFiles starts a receiver that reads the audit logs in a directory.
func readFiles(t *testing.T, dir, storage string, refuse int) *reader {
	t.Helper()
	factory := platformevents.NewFactory(clock)
	cfg := config(t, factory)
	cfg.Sources, cfg.Interval, cfg.Storage.Directory = nil, time.Hour, storage
	cfg.Files = map[string]platformevents.FilesConfig{"cluster-1": {
		Kind: "kubernetes_audit", Include: []string{filepath.Join(dir, "audit.log")}, PollInterval: time.Millisecond,
		KindConfig: platformevents.KindConfig{KubernetesAudit: &sources.AuditOptions{Service: "cluster-1"}},
	}}
	if err := errors.Join(cfg.Validate(), componenttest.CheckConfigStruct(cfg)); err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t, metrics: &noting{came: make(chan struct{}, 1)}, logs: &refusing{refuse: refuse}}
	settings := receivertest.NewNopSettings(factory.Type())
	m, errMetrics := factory.CreateMetrics(t.Context(), settings, cfg, r.metrics)
	l, errLogs := factory.CreateLogs(t.Context(), settings, cfg, r.logs)
	if err := errors.Join(errMetrics, errLogs, m.Start(t.Context(), componenttest.NewNopHost()), l.Start(t.Context(), componenttest.NewNopHost())); err != nil {
		t.Fatal(err)
	}
	r.stop = func() {
		t.Helper()
		if err := errors.Join(m.Shutdown(t.Context()), l.Shutdown(t.Context())); err != nil {
			t.Error(err)
		}
	}
	return r
}

// last returns what the receiver passed on at its end, after so many requests were counted.
func (r *reader) last(requests uint64) map[string]uint64 {
	r.t.Helper()
	counted := func() bool {
		var n uint64
		for _, md := range r.metrics.AllMetrics() {
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				if m.Name() == "platform.api.requests" {
					n = max(n, sums(md)[m.Name()])
				}
			}
		}
		return n >= requests
	}
	for !counted() {
		select {
		case <-r.metrics.came:
		case <-time.After(time.Minute):
			r.t.Fatalf("%d requests are not counted", requests)
		}
	}
	r.stop()
	all := r.metrics.AllMetrics()
	return sums(all[len(all)-1])
}

// TestFiles: an audit log that is read in two halves, with a restart, a rotation and a compression between them, and a
// consumer of logs that refuses at first, counts as one that is read at once.
func TestFiles(t *testing.T) {
	log := fixture(t, "kubernetes_audit/hand.log")
	half := bytes.IndexByte(log[len(log)/2:], '\n') + len(log)/2 + 100 // in the middle of a line
	write := func(path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	once := t.TempDir()
	write(filepath.Join(once, "audit.log"), log)
	want := readFiles(t, once, "", 0).last(118)

	dir, storage := t.TempDir(), t.TempDir()
	write(filepath.Join(dir, "audit.log"), log[:half])
	first := readFiles(t, dir, storage, 2)
	first.last(uint64(bytes.Count(log[:half], []byte("\n"))) - 1)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(log)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "audit.log.1.gz"), zipped.Bytes())
	write(filepath.Join(dir, "audit.log"), nil)
	second := readFiles(t, dir, storage, 0)
	got := second.last(want["platform.api.requests"])
	delete(want, "platform.events.received")
	delete(got, "platform.events.received")
	if fmt.Sprint(got) != fmt.Sprint(want) || want["platform.api.requests"] == 0 {
		t.Errorf("counted\n%v, want\n%v", got, want)
	}
	accesses, names := 0, map[string]int{}
	for _, r := range []*reader{first, second} {
		for _, logs := range r.logs.AllLogs() {
			for _, record := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
				names[record.EventName()]++
				if record.EventName() == "secret.access.audited" {
					accesses++
				}
				if text := fmt.Sprint(record.Attributes().AsRaw()); strings.Contains(text, "carol") || strings.Contains(text, "db-password") {
					t.Errorf("a name is in %s", text)
				}
			}
		}
	}
	if accesses != 3 || names["platform.file.read"] != 0 {
		t.Errorf("got log records %v, want 3 of secret.access.audited and none of how far a file is read", names)
	}
}

// TestAudit: what the API server's webhook posts is counted once, also when it is posted again.
func TestAudit(t *testing.T) {
	s := startWith(t, func(cfg *platformevents.Config) {
		cfg.MaxRequestBodySize = 8 << 20
		cfg.Sources = map[string]platformevents.SourceConfig{"audit": {
			Kind: "kubernetes_audit", BearerToken: token, KindConfig: platformevents.KindConfig{KubernetesAudit: &sources.AuditOptions{Service: "c"}},
		}}
	})
	events := 0
	bears := map[string]string{"Authorization": "Bearer " + token}
	for line := range bytes.Lines(fixture(t, "kubernetes_audit/webhook.jsonl.gz")) {
		var delivery struct{ Body json.RawMessage }
		if err := json.Unmarshal(line, &delivery); err != nil {
			t.Fatal(err)
		}
		events += bytes.Count(delivery.Body, []byte(`"ResponseComplete"`)) + bytes.Count(delivery.Body, []byte(`"Unauthorized", "code": 401`))
		if got := s.post("/audit", delivery.Body, nil); got != http.StatusUnauthorized {
			t.Errorf("without a token: status %d, want 401", got)
		}
		for range 2 {
			if got := s.post("/audit", delivery.Body, bears); got != http.StatusAccepted {
				t.Errorf("status %d, want 202", got)
			}
		}
	}
	if err := s.receiver.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.next.last()["platform.api.requests"]; got != int64(events) || events != 793 {
		t.Errorf("%d requests are counted of %d", got, events)
	}
	s.silent()
}

func TestFilesConfig(t *testing.T) {
	factory := platformevents.NewFactory(clock)
	cfg := config(t, factory)
	cfg.Files = map[string]platformevents.FilesConfig{
		"github":     {Include: []string{"x"}},
		"nothing":    {},
		"access_log": {Include: []string{"["}, StartAt: "middle", PollInterval: -1, KindConfig: platformevents.KindConfig{AccessLog: &sources.AccessLogOptions{Routes: []string{"x"}}}},
		"cloudtrail": {Include: []string{"x"}, KindConfig: platformevents.KindConfig{AccessLog: &sources.AccessLogOptions{}}},
	}
	cfg.Shed = "ugly"
	err := cfg.Validate()
	for _, want := range []string{
		`files::github::kind: github is not read from files`, `files::nothing::kind: want one of access_log, `, `files::nothing::include: want at least one pattern, have none`,
		`files::access_log::include: want a pattern, have "["`, `files::access_log::start_at: want beginning or end, have "middle"`,
		`files::access_log::poll_interval: want more than 0s, have -1ns`, `files::access_log::access_log::routes: want a template that begins with /, have "x"`,
		`files::cloudtrail::access_log: want kind access_log for these settings, have "cloudtrail"`, `shed: want bad, good or excluded, have "ugly"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestPlatformAPIPage: the configuration on the page is one.
func TestPlatformAPIPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/platform-api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page has no configuration")
	}
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	if conf, err = conf.Sub("receivers::platform_events"); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, platformevents.NewFactory(clock))
	if err := errors.Join(conf.Unmarshal(cfg), cfg.Validate()); err != nil {
		t.Error(err)
	}
	if len(cfg.Files) != 3 || len(cfg.Files["portal"].AccessLog.Routes) != 2 {
		t.Errorf("got %v", cfg.Files)
	}
}

// TestOtherFiles: CloudTrail is read for changes and for what Secrets Manager says, and an audit log of a Vault as well.
func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for name, fixture := range map[string][]byte{
		"trail.json": fixture(t, "cloudtrail/secretsmanager.json.gz"), "vault.log": vaultLog(t),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), fixture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	factory := platformevents.NewFactory(clock)
	cfg := config(t, factory)
	cfg.Interval = time.Hour
	cfg.Files = map[string]platformevents.FilesConfig{
		"aws":   {Kind: "cloudtrail", Include: []string{filepath.Join(dir, "*.json")}, PollInterval: time.Millisecond},
		"vault": {Include: []string{filepath.Join(dir, "vault.log")}, PollInterval: time.Millisecond},
	}
	metrics := &noting{came: make(chan struct{}, 1)}
	r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, metrics)
	if err := errors.Join(err, r.Start(t.Context(), componenttest.NewNopHost())); err != nil {
		t.Fatal(err)
	}
	have := func(sink *noting) (actions uint64, stores map[string]bool) {
		stores = map[string]bool{}
		for _, md := range sink.AllMetrics() {
			actions = max(actions, sums(md)["platform.actions"])
			for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
				if m.Name() == "secret.accesses" {
					for _, p := range m.Sum().DataPoints().All() {
						stores[p.Attributes().AsRaw()["secret.store"].(string)] = true
					}
				}
			}
		}
		return actions, stores
	}
	for {
		actions, stores := have(metrics)
		if actions == 1 && stores["aws"] && stores["vault"] {
			break
		}
		select {
		case <-metrics.came:
		case <-time.After(time.Minute):
			t.Fatalf("got %d changes and accesses to %v, want 1, aws and vault", actions, stores)
		}
	}
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func vaultLog(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../exporters/secrets/sources/testdata/openbao-audit-first-60-lines.log")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
