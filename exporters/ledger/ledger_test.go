package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
)

var t0 = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// numbered returns an event that has everything an event can have.
func numbered(n int) event.Event {
	at := t0.Add(time.Duration(n) * time.Second)
	return event.Event{
		Name: event.RunFinished, Source: "github", Subject: fmt.Sprint("gh/7/run/", n), Key: fmt.Sprintf("gh/7/run/%d/1/finished", n),
		Time: at, Observed: at.Add(time.Nanosecond),
		Attrs: event.NewSet(
			event.String(event.Repository, "shop"), event.Int(event.RunAttempt, int64(n)), event.Float(event.RunDuration, 0.1),
			event.Bool(event.Waiting, n%2 == 0),
		),
	}
}

var exact = cmp.Comparer(func(a, b event.Attr) bool { return a == b })

// open opens the ledger in dir until the test ends.
func open(t *testing.T, dir string, options ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func reopen(t *testing.T, l *ledger.Ledger, dir string, options ledger.Options) *ledger.Ledger {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, options)
}

// contents returns the state and the events after it.
func contents(t interface{ Fatal(...any) }, l *ledger.Ledger) (state string, events []event.Event) {
	err := l.Replay(
		func(b []byte) error { state = string(b); return nil },
		func(e event.Event) error { events = append(events, e); return nil },
	)
	if err != nil {
		t.Fatal(err)
	}
	return state, events
}

func check(t *testing.T, l *ledger.Ledger, wantState string, want []event.Event) {
	t.Helper()
	state, got := contents(t, l)
	if state != wantState {
		t.Errorf("state %q, want %q", state, wantState)
	}
	if diff := cmp.Diff(want, got, exact); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestLaws: whatever is appended, compacted and opened again, the ledger has the last state and the events after it.
func TestLaws(t *testing.T) {
	top := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		options := ledger.Options{SegmentBytes: int64(rapid.IntRange(1, 2000).Draw(t, "segment"))}
		l, err := ledger.Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { l.Close() }()
		n, wantState := 0, ""
		var want []event.Event
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			default:
				var batch []event.Event
				for range rapid.IntRange(0, 5).Draw(t, "events") {
					n++
					batch = append(batch, numbered(n))
				}
				if err := l.Append(batch...); err != nil {
					t.Fatal(err)
				}
				want = append(want, batch...)
			case 2:
				wantState, want = fmt.Sprint("all up to ", n), nil
				if err := l.Compact([]byte(wantState)); err != nil {
					t.Fatal(err)
				}
			case 3:
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if l, err = ledger.Open(dir, options); err != nil {
					t.Fatal(err)
				}
			}
		}
		state, got := contents(t, l)
		if diff := cmp.Diff(want, got, exact); diff != "" || state != wantState {
			t.Fatalf("state %q, want %q; events (-want +got):\n%s", state, wantState, diff)
		}
		if cut, ok := l.Cut(); ok {
			t.Fatalf("cut %v without a crash", cut)
		}
	})
}

func TestSegmentsAndCompaction(t *testing.T) {
	dir := t.TempDir()
	options := ledger.Options{SegmentBytes: 1000}
	l := open(t, dir, options)
	var all []event.Event
	for n := range 50 {
		all = append(all, numbered(n))
		if err := l.Append(all[n]); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(files(t, dir, "*.events")); n < 5 {
		t.Errorf("%d segments, want several", n)
	}
	if !l.Due() {
		t.Error("compaction is not due")
	}
	l = reopen(t, l, dir, options)
	check(t, l, "", all)
	if !l.Due() {
		t.Error("compaction is not due after opening again")
	}
	large := strings.Repeat("x", 3000)
	if err := l.Compact([]byte(large)); err != nil {
		t.Fatal(err)
	}
	if l.Due() {
		t.Error("compaction is due after compaction")
	}
	if got := files(t, dir, "*.*"); len(got) != 1 || !strings.HasSuffix(got[0], "00051.state") {
		t.Errorf("files %q, want one state", got)
	}
	var grown int64 // not due before the events take as much as the state
	for n := 0; !l.Due(); n++ {
		if err := l.Append(numbered(n)); err != nil {
			t.Fatal(err)
		}
		grown = 0
		for _, path := range files(t, dir, "*.events") {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			grown += info.Size()
		}
	}
	if grown <= 3000 || grown > 3500 {
		t.Errorf("due after %d bytes, want little more than 3000", grown)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, ledger.Options{})
	if _, err := ledger.Open(dir, ledger.Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got error %v, want that another process has it", err)
	}
	if err := l.Append(numbered(1)); err != nil {
		t.Error(err)
	}
	l = reopen(t, l, dir, ledger.Options{})
	check(t, l, "", []event.Event{numbered(1)})
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if err := l.Append(numbered(2)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("append to a closed ledger: %v", err)
	}
	if err := l.Compact(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("compact a closed ledger: %v", err)
	}
}

// TestConcurrent: what is appended at the same time is there once, in the order of each appender.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	options := ledger.Options{SegmentBytes: 10_000}
	l := open(t, dir, options)
	const appenders, each = 16, 25
	var tasks sync.WaitGroup
	for a := range appenders {
		tasks.Go(func() {
			for i := range each {
				if err := l.Append(numbered(a*1000+2*i), numbered(a*1000+2*i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	tasks.Wait()
	_, got := contents(t, reopen(t, l, dir, options))
	if len(got) != appenders*each*2 {
		t.Fatalf("%d events, want %d", len(got), appenders*each*2)
	}
	next := map[int]int{}
	for i, e := range got {
		n := int(e.Attrs.Integer(event.RunAttempt))
		a := n / 1000
		if n%1000 != next[a] || (n%2 == 1 && got[i-1].Attrs.Integer(event.RunAttempt) != int64(n-1)) {
			t.Fatalf("event %d of appender %d is out of order", n%1000, a)
		}
		next[a]++
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 64} {
		b.Run(fmt.Sprint("appenders=", appenders), func(b *testing.B) {
			l, err := ledger.Open(b.TempDir(), ledger.Options{SegmentBytes: 1 << 30})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n += appenders
				var tasks sync.WaitGroup
				for a := range appenders {
					tasks.Go(func() {
						if err := l.Append(numbered(a)); err != nil {
							b.Error(err)
						}
					})
				}
				tasks.Wait()
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
