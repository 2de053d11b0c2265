package store

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return t0.Add(d) }

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

type point struct {
	T time.Duration // after t0
	V float64
}

// read returns all samples of the series called name.
func read(t testing.TB, s *Store, name string) []point {
	t.Helper()
	q, err := s.Queryable().Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, Name, name))
	var got []point
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			ms, v := it.At()
			got = append(got, point{time.UnixMilli(ms).Sub(t0), v})
		}
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return got
}

func TestAppendRead(t *testing.T) {
	for _, o := range []Options{{}, {Replay: 24 * time.Hour}} {
		s := open(t, t.TempDir(), o)
		up := Labels{Name: "up", "job": "api", "empty": ""}
		err := s.Append(Sample{up, at(0), 1}, Sample{up, at(time.Minute), 0}, Sample{up, at(2 * time.Minute), Stale()})
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, s, "up")
		if len(got) != 3 || !IsStale(got[2].V) || got[2].T != 2*time.Minute {
			t.Fatalf("options %+v: got %v, want three samples, the last a staleness marker", o, got)
		}
		if diff := cmp.Diff([]point{{0, 1}, {time.Minute, 0}}, got[:2]); diff != "" {
			t.Errorf("options %+v (-want +got):\n%s", o, diff)
		}
		closeStore(t, s)
	}
	if IsStale(math.NaN()) {
		t.Error("a plain NaN counts as stale")
	}
}

func TestBatchRefusesDisorder(t *testing.T) {
	s := open(t, "", Options{Replay: time.Hour})
	defer closeStore(t, s)
	sr, err := s.Series(Labels{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	b := s.Batch()
	add := func(d time.Duration, v float64, want string) {
		t.Helper()
		err := b.Add(sr, at(d), v)
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("add %v at %v: got error %v, want %q", v, d, err, want)
		}
	}
	add(time.Minute, 1, "")
	add(time.Minute, 1, "")
	add(time.Minute, 2, "duplicate sample")
	add(0, 2, "out of order")
	add(2*time.Minute, 2, "")
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	add(3*time.Minute, 3, "")
	if err := b.Discard(); err != nil {
		t.Fatal(err)
	}
	want := []point{{time.Minute, 1}, {2 * time.Minute, 2}}
	if diff := cmp.Diff(want, read(t, s, "a")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

// The law: with a window of out-of-order samples, the store returns what was added, sorted, whatever the order.
func TestOutOfOrderWindow(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := open(t, "", Options{Replay: time.Hour, OutOfOrder: time.Hour})
		defer closeStore(t, s)
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(r, "order")
		l := Labels{Name: "a"}
		var want []point
		for i := range order {
			want = append(want, point{time.Duration(i) * time.Minute, float64(i)})
		}
		for _, i := range order {
			if err := s.Append(Sample{l, at(want[i].T), want[i].V}); err != nil {
				r.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, read(t, s, "a")); diff != "" {
			r.Fatalf("order %v (-want +got):\n%s", order, diff)
		}
	})
}

func TestLabels(t *testing.T) {
	s := open(t, "", Options{Replay: time.Hour})
	defer closeStore(t, s)
	f := func(l Labels, want string) {
		t.Helper()
		sr, err := s.Series(l)
		if want == "" {
			if err == nil {
				t.Errorf("%v: got no error", l)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v: %v", l, err)
		}
		if sr.labels.Get(Name) != l[Name] || l.String() != want {
			t.Errorf("got handle %s and %s, want %s", sr, l, want)
		}
	}
	f(Labels{Name: "up", "z": "1", "a": "x\"y"}, `up{a="x\"y", z="1"}`)
	f(Labels{Name: "up"}, `up`)
	f(Labels{"job": "x"}, "")
	f(Labels{Name: "up", "job": "\xff"}, "")
}

// A month of 30 s samples, series after series and thus far behind the newest sample, is stored exactly.
func TestReplayMonth(t *testing.T) {
	s := open(t, "", Options{Replay: 30 * 24 * time.Hour})
	const n = 30 * 24 * 120
	b := s.Batch()
	for _, name := range []string{"a", "b"} {
		sr, err := s.Series(Labels{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := b.Add(sr, at(time.Duration(i)*30*time.Second), float64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		got := read(t, s, name)
		if len(got) != n || s.SeriesCount() != 2 {
			t.Fatalf("series %s: got %d samples in %d series, want %d in 2", name, len(got), s.SeriesCount(), n)
		}
		for i, p := range got {
			if p.V != float64(i) || p.T != time.Duration(i)*30*time.Second {
				t.Fatalf("series %s, sample %d: got %v", name, i, p)
			}
		}
	}
	dir := s.Dir()
	closeStore(t, s)
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("temporary directory %s is still there: %v", dir, err)
	}
}

func TestReopenKeepsData(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); err == nil {
		t.Error("a second open of the same directory went through")
	}
	if err := s.Append(Sample{Labels{Name: "a"}, at(0), 7}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, dir, Options{})
	defer closeStore(t, s)
	if diff := cmp.Diff([]point{{0, 7}}, read(t, s, "a")); diff != "" {
		t.Errorf("after reopening (-want +got):\n%s", diff)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open("", Options{Replay: -1}); err == nil || !strings.Contains(err.Error(), "replay -1ns") {
		t.Errorf("got %v, want an error that names the value", err)
	}
	if _, err := Open("/dev/null/x", Options{}); err == nil || !strings.Contains(err.Error(), "/dev/null/x") {
		t.Errorf("got %v, want an error that names the directory", err)
	}
}

func BenchmarkOpenReplay(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		closeStore(b, open(b, "", Options{Replay: 24 * time.Hour}))
	}
}

// BenchmarkBatchAdd appends rounds of 30 s over a thousand series, as a replay does.
func BenchmarkBatchAdd(b *testing.B) {
	s := open(b, "", Options{Replay: 10 * 365 * 24 * time.Hour})
	defer closeStore(b, s)
	var all []*Series
	for i := range 1000 {
		sr, err := s.Series(Labels{Name: "a", "i": string(rune('a' + i))})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, sr)
	}
	batch, n := s.Batch(), 0
	b.ReportAllocs()
	for b.Loop() {
		if err := batch.Add(all[n%1000], at(time.Duration(n/1000)*30*time.Second), float64(n)); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "samples/s")
}
