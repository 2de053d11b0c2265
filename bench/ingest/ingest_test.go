package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun: a short measurement answers every delivery and says so for each number of senders.
func TestRun(t *testing.T) {
	var out, errs strings.Builder
	report := filepath.Join(t.TempDir(), "ingest.txt")
	args := []string{"-each", "20ms", "-dir", t.TempDir(), "-payload", "../../exporters/pipelines/sources/testdata/github/completed.payload.json", "-o", report}
	if code := run(args, &out, &errs); code != 0 {
		t.Fatalf("exit status %d: %s", code, errs.String())
	}
	for _, want := range []string{"durable_senders_1 ", "durable_senders_8 ", "durable_senders_64 ", "memory_senders_1 ", "memory_senders_64 "} {
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), ", 0 deliveries") {
			t.Errorf("want a line of %q with deliveries in\n%s", want, out.String())
		}
	}
	if kept, err := os.ReadFile(report); err != nil || string(kept) != out.String() {
		t.Errorf("the file has %q, %v", kept, err)
	}
	if code := run([]string{"-payload", "none"}, &out, &errs); code != 1 {
		t.Errorf("without a payload: exit status %d, want 1", code)
	}
}

func TestQuantile(t *testing.T) {
	times := []time.Duration{1, 2, 3, 4}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 4, 1: 4} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile %g of %v is %v, want %v", q, times, got, want)
		}
	}
}
