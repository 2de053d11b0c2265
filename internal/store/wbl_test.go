package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// late opens a store that has a block of the first two hours: what it is given of them afterwards is in the log of samples
// out of order only.
func late(t *testing.T, dir string) *Store {
	t.Helper()
	s := open(t, dir, Options{OutOfOrder: 24 * time.Hour})
	for d := time.Duration(0); d < 4*time.Hour; d += time.Minute {
		put(t, s, "new", d)
	}
	if err := s.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, name string, d time.Duration) {
	t.Helper()
	if err := s.Append(Sample{Labels: Labels{Name: name}, T: at(d), V: d.Hours()}); err != nil {
		t.Fatal(err)
	}
}

// killed returns a directory as a process leaves it that is killed now.
func killed(t *testing.T, s *Store) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(s.Dir())); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, lockFile)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKilledInCompaction: what was accepted out of order outlives a process that is killed after a compaction has taken
// the chunk of a series out of memory, and before it has written it, even if the series has got another sample since: of
// that time the log has a marker, and no file has the chunk.
func TestKilledInCompaction(t *testing.T) {
	s := late(t, t.TempDir())
	for d := range time.Duration(20) {
		put(t, s, "old", d*time.Minute)
	}
	want := append(read(t, s, "old"), point{20 * time.Minute, 1. / 3})
	dir := killed(t, s)
	closeStore(t, s)
	mark(t, dir)

	s = open(t, dir, Options{OutOfOrder: 24 * time.Hour})
	defer closeStore(t, s)
	if diff := cmp.Diff(want, read(t, s, "old")); diff != "" {
		t.Errorf("samples out of order (-accepted +there):\n%s", diff)
	}
}

// mark logs what a database logs for a sample that comes after its chunk was taken out of memory.
func mark(t *testing.T, dir string) {
	t.Helper()
	wbl := filepath.Join(dir, wlog.WblDirName)
	_, last, err := wlog.Segments(wbl)
	if err != nil {
		t.Fatal(err)
	}
	var refs []record.RefSample
	d := record.NewDecoder(nil, nil)
	_, _, err = readSegment(wlog.SegmentName(wbl, last), func(rec []byte) (err error) {
		got, err := d.Samples(rec, nil)
		refs = append(refs, got...)
		return err
	})
	if err != nil || len(refs) != 20 {
		t.Fatalf("got %d samples in the log and the error %v, want 20", len(refs), err)
	}
	w, err := wlog.New(nil, nil, wbl, compression.Snappy)
	if err != nil {
		t.Fatal(err)
	}
	var e record.Encoder
	marker := e.MmapMarkers([]record.RefMmapMarker{{Ref: refs[0].Ref}}, nil)
	sample := e.Samples([]record.RefSample{{Ref: refs[0].Ref, T: at(20 * time.Minute).UnixMilli(), V: 1. / 3}}, nil)
	if err := w.Log(marker, sample); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCutOffLog: a log whose last record is cut off is read up to there, markers or not.
func TestCutOffLog(t *testing.T) {
	s := late(t, t.TempDir())
	put(t, s, "old", time.Minute)
	put(t, s, "old", 2*time.Minute)
	dir := killed(t, s)
	closeStore(t, s)
	wbl := filepath.Join(dir, wlog.WblDirName)
	_, last, err := wlog.Segments(wbl)
	if err != nil {
		t.Fatal(err)
	}
	name := wlog.SegmentName(wbl, last)
	f, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, f.Size()-1); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{OutOfOrder: 24 * time.Hour})
	defer closeStore(t, s)
	if diff := cmp.Diff([]point{{time.Minute, 1. / 60}}, read(t, s, "old")); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

// TestInUse: a database that is open is not touched.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	s := late(t, dir)
	defer closeStore(t, s)
	put(t, s, "old", time.Minute)
	if other, err := Open(dir, Options{OutOfOrder: 24 * time.Hour}); err == nil {
		closeStore(t, other)
		t.Fatal("a second store was opened over the directory")
	}
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err != nil {
		t.Error(err)
	}
}
