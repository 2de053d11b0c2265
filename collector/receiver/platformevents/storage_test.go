package platformevents_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

func (s *server) shutdown() {
	s.t.Helper()
	http.DefaultClient.CloseIdleConnections()
	if err := s.receiver.Shutdown(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// TestRestart: with storage, what was counted, rejected or waits to settle is there after a restart, and a delivery
// from before it is known.
func TestRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by the receiver")
	failed, err := exportertest.Replace(payload(t, "completed"), map[string]any{
		"workflow_run.id": 5, "workflow_run.conclusion": "failure", "workflow_run.updated_at": received, "workflow_run.run_started_at": received,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{
		"cicd.pipeline.run.outcomes first success": 1, "cicd.pipeline.run.outcomes final success": 1,
		"cicd.pipeline.run.outcomes first failure": 1, "cicd.pipeline.run.outcomes final failure": 0,
		"cicd.pipeline.run.errors": 1, "cicd.pipeline.run.flaky": 0,
		"platform.events.received counted": 2,
	}
	for i := range 3 {
		s := startIn(t, time.Hour, dir)
		for _, body := range [][]byte{payload(t, "completed"), failed} {
			if got := s.signed(body); got != http.StatusAccepted {
				t.Errorf("status %d, want 202", got)
			}
		}
		s.post("/hooks", failed, nil)
		if i == 2 {
			s.clock.Store(3600)
			want["cicd.pipeline.run.outcomes final failure"] = 1
		}
		s.shutdown()
		if i > 0 {
			want["platform.events.received duplicate"] = int64(2 * i)
		}
		want["platform.events.received unauthentic"] = int64(i + 1)
		if got := s.next.last(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after %d restarts\n%v, want\n%v", i, got, want)
		}
	}
}

// TestStartTime: counters say since when they count, over restarts.
func TestStartTime(t *testing.T) {
	dir := t.TempDir()
	for hours := range 2 {
		now := received.Add(time.Duration(hours) * time.Hour)
		factory := platformevents.NewFactory(func() time.Time { return now })
		cfg := config(t, factory)
		cfg.Storage.Directory = dir
		var starts []time.Time
		next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
			p := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
			starts = append(starts, p.StartTimestamp().AsTime())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, next)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		s := &server{t: t, url: "http://" + cfg.NetAddr.Endpoint, client: http.DefaultClient, receiver: r}
		s.signed(payload(t, "completed"))
		s.shutdown()
		if len(starts) == 0 || !starts[len(starts)-1].Equal(received) {
			t.Errorf("counted since %v, want %v", starts, received)
		}
	}
}

// TestNotDurable: what the disk does not take is refused and not counted, and taken when the disk does again.
func TestNotDurable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	s := startIn(t, time.Hour, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := s.signed(payload(t, "completed")); got != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", got)
		}
	}
	if got := s.next.last(); got != nil {
		t.Errorf("something was counted: %v", got)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := s.signed(payload(t, "completed")); got != http.StatusAccepted {
		t.Errorf("status %d, want 202", got)
	}
	if got := s.next.last()["platform.events.received counted"]; got != 1 {
		t.Errorf("%d deliveries counted, want 1", got)
	}
}

// TestStorageRefused: a directory that is in use or damaged keeps the receiver from starting, and frees the port.
func TestStorageRefused(t *testing.T) {
	dir := t.TempDir()
	first := startIn(t, time.Hour, dir)
	factory := platformevents.NewFactory(func() time.Time { return received })
	cfg := config(t, factory)
	cfg.Storage.Directory = dir
	refused := func(want string) {
		t.Helper()
		r, err := factory.CreateMetrics(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, consumertest.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context(), componenttest.NewNopHost()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	refused("another process")
	first.shutdown()
	states, err := filepath.Glob(filepath.Join(dir, "*.state"))
	if err != nil || len(states) != 1 {
		t.Fatal(states, err)
	}
	if err := os.WriteFile(states[0], []byte("damage"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(states[0] + " is damaged at offset 0")
}
