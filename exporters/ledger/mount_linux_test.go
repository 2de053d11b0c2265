package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/internal/mounttest"
)

// TestFullDisk: on a full disk nothing is acknowledged or counted, nothing that was is lost, and when there is room
// again everything goes on.
func TestFullDisk(t *testing.T) {
	if !mounttest.InNamespace(t) {
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	ballast := filepath.Join(dir, "ballast")
	at := filepath.Join(dir, "ledger")
	options := ledger.Options{SegmentBytes: 10_000}
	undisturbed := counters.New(t0, pipelines.New(pipelines.Options{}))
	n := 0
	for round := range 5 {
		if err := os.WriteFile(ballast, make([]byte, 1_700_000+round*1000), 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, at, options)
		c, err := counters.Open(l, t0, pipelines.New(pipelines.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			if err = c.Add(delivery(n + 1)); err == nil {
				n++
				undisturbed.Add(delivery(n))
			}
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got error %v, want ENOSPC", err)
		}
		if err := c.Compact(); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("compact: got error %v, want ENOSPC", err)
		}
		if diff := cmp.Diff(reading(t, undisturbed), reading(t, c), exact); diff != "" {
			t.Fatalf("full (-acknowledged +counted):\n%s", diff)
		}
		if round%2 == 0 { // as if killed, and opened while still full
			l = reopen(t, l, at, options)
			if cut, ok := l.Cut(); ok {
				t.Errorf("cut %v, but a refused append leaves nothing", cut)
			}
			if c, err = counters.Open(l, t0, pipelines.New(pipelines.Options{})); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(reading(t, undisturbed), reading(t, c), exact); diff != "" {
				t.Fatalf("opened while full (-acknowledged +counted):\n%s", diff)
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		n++
		if err := errors.Join(c.Add(delivery(n)), undisturbed.Add(delivery(n)), c.Compact(), l.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if n < 100 {
		t.Errorf("only %d deliveries fit", n)
	}
}
