package server

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/mounttest"
)

// onOwnDisk moves the data of a world to a small file system.
func onOwnDisk(t *testing.T, w *world, options string) {
	t.Helper()
	w.close()
	if err := os.RemoveAll(w.dir + "/data"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.dir+"/data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", w.dir+"/data", "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.close()
		if err := syscall.Unmount(w.dir+"/data", syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	w.open()
}

// TestFullDisk: a full disk refuses samples, so that their senders keep them, and keeps ticks due; when there is room
// again, nothing was lost.
func TestFullDisk(t *testing.T) {
	if !mounttest.InNamespace(t) {
		return
	}
	plain := newWorld(t, Options{})
	plain.live(start.Add(end))
	w := newWorld(t, Options{MinFree: 8 << 20})
	onOwnDisk(t, w, "size=64m")
	at := start.Add(32 * time.Minute)
	w.live(at)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(w.dir+"/data", &disk); err != nil {
		t.Fatal(err)
	}
	ballast := w.dir + "/data/ballast"
	if err := os.WriteFile(ballast, make([]byte, int64(disk.Bavail)*disk.Bsize-(7<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	// The free space is looked at now and then, not for each transaction.
	refused := at
	for w.push(samples(refused.Add(15*time.Second))...)/100 == 2 {
		refused = refused.Add(15 * time.Second)
		w.clock.set(refused)
		w.srv.Step(context.Background())
	}
	for range 3 {
		if got := w.push(samples(refused.Add(15 * time.Second))...); got != 500 {
			t.Fatalf("on a full disk: got status %d, want 500", got)
		}
	}
	w.clock.set(at.Add(12 * time.Minute))
	next := w.srv.next
	w.srv.Step(context.Background())
	if !w.srv.next.Equal(next) {
		t.Errorf("on a full disk: the tick %v was done", next)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.backlog(refused, w.clock.now())
	w.live(start.Add(end))
	if diff := cmp.Diff(plain.recorded(start, start.Add(end)), w.recorded(start, start.Add(end))); diff != "" {
		t.Errorf("recorded values (-undisturbed +disturbed):\n%s", diff)
	}
}

// TestReadOnly: without the right to write there is no server, and the error says why.
func TestReadOnly(t *testing.T) {
	if !mounttest.InNamespace(t) {
		return
	}
	w := newWorld(t, Options{})
	onOwnDisk(t, w, "size=64m")
	w.close()
	if err := syscall.Mount("tmpfs", w.dir+"/data", "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=64m"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), Options{Specs: []string{w.dir + "/specs"}, Data: w.dir + "/data", Now: w.clock.now})
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("got error %v, want EROFS", err)
	}
}
