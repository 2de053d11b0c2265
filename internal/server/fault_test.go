package server

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// last returns the newest record of a series.
func (w *world) last(series string) string {
	w.t.Helper()
	all := w.recorded(start, w.clock.now())
	keys := slices.Sorted(maps.Keys(all))
	for _, k := range slices.Backward(keys) {
		if strings.HasPrefix(k, series) {
			return all[k]
		}
	}
	return ""
}

// TestDamagedLog: a damaged write-ahead log loses what is behind the damage and nothing else: the server starts,
// evaluates those ticks again, and the counters make up for the lost samples.
func TestDamagedLog(t *testing.T) {
	plain := newWorld(t, Options{})
	plain.live(start.Add(end))
	w := newWorld(t, Options{})
	at := start.Add(33 * time.Minute)
	w.live(at)
	w.close()
	segments, err := filepath.Glob(w.dir + "/data/tsdb/wal/0*")
	if err != nil || len(segments) == 0 {
		t.Fatalf("got segments %v, %v", segments, err)
	}
	f, err := os.OpenFile(segments[len(segments)-1], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat("damage", 50)), info.Size()*6/10)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	w.open()
	if !w.srv.next.Before(at) {
		t.Fatalf("got next tick %v, want one before %v", w.srv.next, at)
	}
	lost := w.srv.next.Add(-30 * time.Second)
	w.live(start.Add(end))
	want, got := plain.recorded(start, lost), w.recorded(start, lost)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 500 {
		t.Errorf("%d records before the damage (-undisturbed +damaged):\n%s", len(want), diff)
	}
	for _, series := range []string{`slo:bad:sum{service="shop", slo="shop-requests", team="shop", window="3h"}`, `slo:events:sum{service="shop", slo="shop-requests", team="shop", window="3h"}`} {
		if want, got := plain.last(series), w.last(series); want != got || want == "" {
			t.Errorf("%s: got %q, want %q", series, got, want)
		}
	}
}

// TestClockAhead: a clock that runs two hours ahead for a while costs nothing, as no sample says that it is so late.
func TestClockAhead(t *testing.T) {
	disturbed(t, func(w *world) {
		at := start.Add(32 * time.Minute)
		w.live(at)
		for i := range 3 {
			w.clock.set(at.Add(2*time.Hour + time.Duration(i)*time.Minute))
			w.srv.Step(context.Background())
			if !w.status().CatchingUp {
				t.Error("while the clock is doubted: the state does not say that ticks are missing")
			}
		}
		w.clock.set(at)
		w.srv.Step(context.Background())
	})
}

// TestClockBack: when the clock was ahead so long that the time was believed, and is set back, evaluation goes on.
func TestClockBack(t *testing.T) {
	w := newWorld(t, Options{})
	w.live(start.Add(5 * time.Minute))
	for d := 2 * time.Hour; d < 2*time.Hour+12*time.Minute; d += time.Minute {
		w.clock.set(start.Add(d))
		w.srv.Step(context.Background())
	}
	w.clock.set(start.Add(6 * time.Minute))
	w.srv.Step(context.Background())
	if got := testutil.ToFloat64(w.srv.metrics.clockJumps); got != 1 {
		t.Errorf("got %v clock jumps, want 1", got)
	}
	w.live(start.Add(10 * time.Minute))
	if got, want := w.srv.next, start.Add(10*time.Minute+30*time.Second); !got.Equal(want) {
		t.Errorf("got next tick %v, want %v", got, want)
	}
}

// TestTooLongAgo: ticks that were missed longer ago than MaxCatchUp are left out, and counted.
func TestTooLongAgo(t *testing.T) {
	w := newWorld(t, Options{MaxCatchUp: time.Hour})
	w.live(start.Add(5 * time.Minute))
	w.close()
	w.clock.set(start.Add(3 * time.Hour))
	w.open()
	w.srv.Step(context.Background())
	if got, want := testutil.ToFloat64(w.srv.metrics.skipped), 229.0; got != want {
		t.Errorf("got %v ticks left out, want %v", got, want)
	}
}

// TestInUse: a data directory has one server.
func TestInUse(t *testing.T) {
	w := newWorld(t, Options{})
	_, err := Open(context.Background(), Options{Specs: []string{w.dir + "/specs"}, Data: w.dir + "/data", Now: w.clock.now})
	if err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("second server: got error %v, want one about the lock", err)
	}
}

// TestFuture: a sample far ahead of the clock is refused.
func TestFuture(t *testing.T) {
	w := newWorld(t, Options{})
	if got := w.push(samples(time.Now().Add(time.Hour))...); got != http.StatusBadRequest {
		t.Errorf("got status %d, want 400", got)
	}
}

// TestEndDuringTick: what the tick is about to send that is being evaluated when the server is told to end is sent.
func TestEndDuringTick(t *testing.T) {
	sent := make(chan string, 100)
	am := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if text, err := io.ReadAll(r.Body); err == nil {
			sent <- string(text)
		}
	}))
	defer am.Close()
	first := newWorld(t, Options{Alertmanagers: []string{am.URL}})
	at := start
	for first.srv.queue.Status()[0].Waiting == 0 { // nothing sends it
		if at = at.Add(30 * time.Second); at.After(start.Add(end)) {
			t.Fatal("want a page")
		}
		first.live(at)
	}
	w := newWorld(t, Options{Alertmanagers: []string{am.URL}})
	w.live(at.Add(-15 * time.Second))
	w.clock.set(at)
	if got := w.push(samples(at)...); got/100 != 2 {
		t.Fatalf("push: got status %d", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.clock.hook = cancel // the tick begins, and it is over
	w.srv.Run(ctx)
	w.clock.hook = nil
	select {
	case text := <-sent:
		if !strings.Contains(text, `"alertname":"SLOBudgetBurn"`) {
			t.Errorf("sent %s", text)
		}
	default:
		t.Errorf("nothing was sent; %d alerts wait", w.srv.queue.Status()[0].Waiting)
	}
}

// TestHalfWritten: what a process left behind that was killed while it wrote a file is gone after the next start, and
// nothing else is.
func TestHalfWritten(t *testing.T) {
	w := newWorld(t, Options{})
	w.close()
	left := []string{setFile + halfWritten + "1", ledgerFile + halfWritten + "22", shippedFile + halfWritten + "3"}
	for _, name := range append(left, "mine"+halfWritten+"1") {
		if err := os.WriteFile(filepath.Join(w.dir, "data", name), []byte("half of"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(w.dir, "data", name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: want none, have %v", name, err)
		}
	}
	for _, name := range []string{"mine" + halfWritten + "1", setFile} {
		if _, err := os.Stat(filepath.Join(w.dir, "data", name)); err != nil {
			t.Error(err)
		}
	}
}
