package tail_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/tail"
)

var t0 = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// fataler is a test or a check of rapid.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// reading reads a directory, and keeps its positions in a ledger that can be closed and opened again.
type reading struct {
	t       fataler
	dir     string
	kept    string
	options tail.Options
	include []string

	ledger    *ledger.Ledger
	counters  *counters.Counters
	tailer    *tail.Tailer
	lines     []string // that were read and are kept
	skipped   int
	refuse    bool // to take anything
	modified  time.Time
	positions *tail.Positions
}

func newReading(t fataler, dir, kept string, o tail.Options, include ...string) *reading {
	r := &reading{t: t, dir: dir, kept: kept, options: o, modified: t0}
	for _, pattern := range include {
		r.include = append(r.include, filepath.Join(dir, pattern))
	}
	r.open()
	return r
}

func (r *reading) open() {
	r.t.Helper()
	var err error
	if r.ledger, err = ledger.Open(r.kept, ledger.Options{SegmentBytes: 3000}); err != nil {
		r.t.Fatal(err)
	}
	r.positions = tail.NewPositions()
	if r.counters, err = counters.Open(r.ledger, t0, r.positions); err != nil {
		r.t.Fatal(err)
	}
	r.tailer = tail.New("logs", r.include, r.positions.Of("logs"), r.options)
}

func (r *reading) close() {
	r.t.Helper()
	if err := r.ledger.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reading) reopen() { r.close(); r.open() }

var errRefused = errors.New("refused")

func (r *reading) poll() {
	r.t.Helper()
	err := r.tailer.Poll(func(c tail.Chunk) error {
		if r.refuse {
			return errRefused
		}
		if err := r.counters.Add(c.Event("test", t0)); err != nil {
			return err
		}
		for line := range strings.Lines(string(c.Body)) {
			r.lines = append(r.lines, strings.TrimSuffix(line, "\n"))
		}
		if c.Skipped {
			r.skipped++
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRefused) {
		r.t.Fatal(err)
	}
	if r.ledger.Due() {
		if err := r.counters.Compact(); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *reading) path(name string) string { return filepath.Join(r.dir, name) }

// touched gives each file a time of its own, so that the order of writing is known.
func (r *reading) touched(name string) {
	r.modified = r.modified.Add(time.Second)
	if err := os.Chtimes(r.path(name), r.modified, r.modified); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reading) add(name, text string) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.touched(name)
}

func (r *reading) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *reading) content(name string) []byte {
	b, err := os.ReadFile(r.path(name))
	r.must(err)
	return b
}

func (r *reading) zip(name string) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(r.content(name))
	r.must(errors.Join(err, w.Close(), os.WriteFile(r.path(name+".gz"), b.Bytes(), 0o600)))
	r.touched(name + ".gz")
}

func (r *reading) want(lines ...string) {
	r.t.Helper()
	if diff := cmp.Diff(lines, r.lines); diff != "" {
		r.t.Fatalf("lines (-want +got):\n%s", diff)
	}
}

func start(t *testing.T, o tail.Options, include ...string) *reading {
	t.Helper()
	r := newReading(t, t.TempDir(), t.TempDir(), o, include...)
	t.Cleanup(r.close)
	return r
}

func TestGrows(t *testing.T) {
	r := start(t, tail.Options{}, "a.log")
	r.poll()
	r.add("a.log", "one\ntwo\nthr")
	r.poll()
	r.want("one", "two")
	r.reopen()
	r.add("a.log", "ee\n")
	r.poll()
	r.want("one", "two", "three")
	r.refuse = true
	r.add("a.log", "four\n")
	r.poll()
	r.refuse = false
	r.poll()
	r.poll()
	r.want("one", "two", "three", "four")
}

// TestRenamed: what was not read before a rotation is read after it, even if the new name matches no pattern.
func TestRenamed(t *testing.T) {
	for _, include := range []string{"audit.log", "audit*.log"} {
		r := start(t, tail.Options{}, include)
		r.add("audit.log", "one\n")
		r.poll()
		r.add("audit.log", "two\n")
		r.must(os.Rename(r.path("audit.log"), r.path("audit-2026.log")))
		r.add("audit.log", "three\n")
		r.reopen()
		r.poll()
		r.poll()
		slices.Sort(r.lines)
		r.want("one", "three", "two")
	}
}

func TestCopiedAndTruncated(t *testing.T) {
	r := start(t, tail.Options{}, "a.log", "a.log.*")
	r.add("a.log", "one\n")
	r.poll()
	r.add("a.log", "two\n")
	r.must(os.WriteFile(r.path("a.log.1"), r.content("a.log")[:3], 0o600)) // a copy in the making
	r.poll()
	r.must(os.WriteFile(r.path("a.log.1"), r.content("a.log"), 0o600))
	r.must(os.Truncate(r.path("a.log"), 0))
	r.poll()
	r.add("a.log", "other\n")
	r.poll()
	r.want("one", "two", "other")
}

// TestCompressed: a file goes on being itself when it is compressed, also while both are there and one is not complete.
func TestCompressed(t *testing.T) {
	r := start(t, tail.Options{}, "a.log*")
	r.add("a.log", "one\n"+strings.Repeat("x", 2000)+"\n")
	r.poll()
	r.add("a.log", "two\nno end")
	r.must(os.Rename(r.path("a.log"), r.path("a.log.1")))
	r.zip("a.log.1")
	whole := r.content("a.log.1.gz")
	r.must(os.WriteFile(r.path("a.log.1.gz"), whole[:len(whole)/2], 0o600))
	r.poll()
	r.must(os.WriteFile(r.path("a.log.1.gz"), whole, 0o600))
	r.must(os.Remove(r.path("a.log.1")))
	r.reopen()
	r.poll()
	r.poll()
	r.want("one", strings.Repeat("x", 2000), "two", "no end")
}

// TestTruncated: a file that is emptied and written again is read from its beginning.
func TestTruncated(t *testing.T) {
	r := start(t, tail.Options{}, "a.log")
	head := strings.Repeat("h", 1100)
	r.add("a.log", head+"\none\n")
	r.poll()
	r.must(os.Truncate(r.path("a.log"), 0))
	r.poll()
	r.add("a.log", head+"\n") // it even begins as it did
	r.poll()
	r.add("a.log", "two\n")
	r.poll()
	r.want(head, "one", head, "two")
}

func TestLongLine(t *testing.T) {
	r := start(t, tail.Options{ChunkBytes: 16, MaxLine: 64}, "a.log")
	long := strings.Repeat("l", 300)
	r.add("a.log", "one\n"+strings.Repeat("m", 50)+"\n"+long)
	r.poll()
	r.add("a.log", long)
	r.poll()
	r.reopen()
	r.add("a.log", long+"\ntwo\n")
	r.poll()
	r.want("one", strings.Repeat("m", 50), "two")
	if r.skipped != 1 {
		t.Errorf("%d lines were skipped, want 1", r.skipped)
	}
}

// TestAtEnd: what was there before is not read, what comes is, and what comes later in other files too.
func TestAtEnd(t *testing.T) {
	r := start(t, tail.Options{AtEnd: true}, "*.log", "*.gz")
	r.add("a.log", "one\ntw")
	r.add("b.log", "old\n")
	r.zip("b.log")
	r.poll()
	r.reopen()
	r.add("a.log", "o\nthree\n")
	r.add("c.log", "new\n")
	r.poll()
	r.poll()
	slices.Sort(r.lines)
	r.want("new", "three")
}

// TestDocuments: each is read once, when it is complete, whatever it is called.
func TestDocuments(t *testing.T) {
	r := start(t, tail.Options{Document: true}, "*.json*")
	r.must(os.WriteFile(r.path("a.json"), []byte(`{"a":`), 0o600))
	r.poll()
	r.want()
	r.must(os.WriteFile(r.path("a.json"), []byte(`{"a":1}`), 0o600))
	r.must(os.WriteFile(r.path("b.json"), []byte(`{"b":1}`), 0o600))
	r.touched("a.json")
	r.touched("b.json")
	r.poll()
	r.zip("a.json")
	r.reopen()
	r.poll()
	r.want(`{"a":1}`, `{"b":1}`)
}

// TestOnce is the law: whatever happens to the files, each line is read once.
func TestOnce(t *testing.T) {
	outer := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		dir, kept := filepath.Join(outer, fmt.Sprint("d", runs)), filepath.Join(outer, fmt.Sprint("k", runs))
		if err := os.Mkdir(dir, 0o700); err != nil {
			rt.Fatal(err)
		}
		r := newReading(rt, dir, kept, tail.Options{ChunkBytes: 40, MaxLine: 4000}, "a.log", "a.log.*")
		defer r.close()
		rotated, written := 0, []string{}
		rotatedName := func() string { rotated++; return fmt.Sprint("a.log.", rotated) }
		exists := func() bool { _, err := os.Stat(r.path("a.log")); return err == nil }
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) {},
			"write": func(rt *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(rt, "lines") {
					line := fmt.Sprintf("line %d %s", len(written), strings.Repeat("x", rapid.IntRange(0, 90).Draw(rt, "length")))
					written = append(written, line)
					r.add("a.log", line+"\n")
				}
			},
			"poll":    func(*rapid.T) { r.poll() },
			"restart": func(*rapid.T) { r.reopen() },
			"refuse":  func(*rapid.T) { r.refuse = !r.refuse },
			"rename": func(rt *rapid.T) {
				if !exists() {
					rt.Skip()
				}
				r.must(os.Rename(r.path("a.log"), r.path(rotatedName())))
			},
			"copytruncate": func(rt *rapid.T) {
				if !exists() {
					rt.Skip()
				}
				name := rotatedName()
				r.must(os.WriteFile(r.path(name), r.content("a.log"), 0o600))
				if rapid.Bool().Draw(rt, "poll between") {
					r.poll()
				}
				r.must(os.Truncate(r.path("a.log"), 0))
			},
			"compress": func(rt *rapid.T) {
				name := fmt.Sprint("a.log.", rapid.IntRange(1, max(rotated, 1)).Draw(rt, "which"))
				if _, err := os.Stat(r.path(name)); err != nil {
					rt.Skip()
				}
				r.zip(name)
				if rapid.Bool().Draw(rt, "poll between") {
					r.poll()
				}
				r.must(os.Remove(r.path(name)))
			},
		})
		r.refuse = false
		r.poll()
		r.poll()
		slices.Sort(written)
		slices.Sort(r.lines)
		if diff := cmp.Diff(written, r.lines, cmp.Transformer("empty", func(s []string) []string { return append([]string{""}, s...) })); diff != "" {
			rt.Fatalf("lines (-written +read):\n%s", diff)
		}
	})
}

// TestOddFiles: what can not be read is said, and everything else is read.
func TestOddFiles(t *testing.T) {
	r := start(t, tail.Options{}, "*.log*")
	r.must(os.Mkdir(r.path("a.log"), 0o700))
	r.must(os.Symlink(r.path("nowhere"), r.path("b.log")))
	r.add("c.log", "whole\n"+strings.Repeat("much ", 5000)+"\n")
	r.zip("c.log")
	damaged := r.content("c.log.gz")
	damaged[len(damaged)-6] ^= 0xff // of the checksum
	r.must(os.WriteFile(r.path("c.log.gz"), damaged, 0o600))
	r.must(os.Remove(r.path("c.log")))
	r.add("d.log", "")
	r.add("e.log", "one\n")
	r.must(os.Symlink(r.path("e.log"), r.path("f.log"))) // the same file
	err := r.tailer.Poll(func(c tail.Chunk) error {
		r.lines = append(r.lines, strings.TrimSpace(string(c.Body)))
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "c.log.gz") || strings.Contains(err.Error(), "much") {
		t.Errorf("got error %v, want one about c.log.gz", err)
	}
	r.want("one")
	if err := tail.New("x", []string{"["}, nil, tail.Options{}).Poll(nil); err == nil {
		t.Error("a broken pattern is taken")
	}
}
