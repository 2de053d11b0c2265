package ledger_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
)

// written returns the only segment of a ledger with events 1 to n, one append each, and where each record ends.
func written(t *testing.T, n int) (name string, data []byte, ends []int) {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, ledger.Options{})
	for i := range n {
		if err := l.Append(numbered(i + 1)); err != nil {
			t.Fatal(err)
		}
		path := files(t, dir, "*.events")[0]
		var err error
		if data, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		name, ends = filepath.Base(path), append(ends, len(data))
	}
	return name, data, ends
}

func upTo(n int) (all []event.Event) {
	for i := range n {
		all = append(all, numbered(i+1))
	}
	return all
}

// TestTornWrite: wherever the last write stopped, and whatever the disk has in place of what did not arrive, the
// records before it are there, the rest is cut off and reported, and the ledger goes on.
func TestTornWrite(t *testing.T) {
	for _, records := range []int{1, 3} {
		name, whole, ends := written(t, records)
		begin := 0
		if records > 1 {
			begin = ends[records-2]
		}
		for arrived := begin; arrived < len(whole); arrived++ {
			for what, rest := range map[string][]byte{
				"nothing": nil,
				"zeros":   make([]byte, len(whole)-arrived),
				"noise":   bytes.Repeat([]byte{0xa5}, len(whole)-arrived),
			} {
				if records == 1 && (what == "noise" && arrived < 8 || arrived > 40) {
					continue // what begins with noise is not a segment; the rest is as with three records
				}
				data := append(bytes.Clone(whole[:arrived]), rest...)
				if bytes.Equal(data, whole) {
					continue // what did not arrive was like that anyway
				}
				t.Run(fmt.Sprintf("%d records, %d bytes, then %s", records, arrived, what), func(t *testing.T) {
					testTorn(t, name, data, records, begin)
				})
			}
		}
	}
}

func testTorn(t *testing.T, name string, data []byte, records, begin int) {
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, ledger.Options{})
	if begin == 0 && bytes.HasPrefix(data, []byte("plmslgr1")) {
		begin = 8 // an empty segment is whole
	}
	cut, ok := l.Cut()
	want := ledger.Cut{File: path, Offset: int64(begin), Bytes: int64(len(data) - begin)}
	if ok != (want.Bytes > 0) || (ok && cut != want) {
		t.Errorf("cut %v %v, want %v", cut, ok, want)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data[:begin]) {
		t.Errorf("%d bytes left, %v, want the first %d", len(got), err, begin)
	}
	check(t, l, "", upTo(records-1))
	if err := l.Append(numbered(records)); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l, dir, ledger.Options{})
	check(t, l, "", upTo(records))
	if cut, ok := l.Cut(); ok {
		t.Errorf("cut %v twice", cut)
	}
}

// TestDamage: one changed byte anywhere before the last record is an error that names the file and the record, and
// nothing is changed.
func TestDamage(t *testing.T) {
	name, whole, ends := written(t, 3)
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	for i := range ends[1] {
		data := bytes.Clone(whole)
		data[i] ^= 0x10
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		begin := 8
		switch {
		case i < 8:
			begin = 0
		case i >= ends[0]:
			begin = ends[0]
		}
		l, err := ledger.Open(dir, ledger.Options{})
		if err == nil {
			l.Close()
			t.Fatalf("byte %d changed: no error", i)
		}
		if want := fmt.Sprintf("%s is damaged at offset %d:", path, begin); !strings.Contains(err.Error(), want) {
			t.Fatalf("byte %d changed: got error %v, want %q", i, err, want)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("byte %d changed: the file was touched, %v", i, err)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	make := func() (dir string, segments []string, state string) {
		dir = t.TempDir()
		l := open(t, dir, ledger.Options{SegmentBytes: 1})
		if err := errors.Join(l.Append(numbered(1)), l.Compact([]byte("state")), l.Append(numbered(2)), l.Append(numbered(3)), l.Append(numbered(4)), l.Close()); err != nil {
			t.Fatal(err)
		}
		return dir, files(t, dir, "*.events"), files(t, dir, "*.state")[0]
	}
	refused := func(dir, want string) {
		t.Helper()
		if l, err := ledger.Open(dir, ledger.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
			if err == nil {
				l.Close()
			}
		}
	}
	change := func(path string, with func([]byte) []byte) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, with(data), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	shorten := func(b []byte) []byte { return b[:len(b)-1] }

	dir, segments, _ := make()
	if len(segments) != 3 {
		t.Fatalf("segments %q, want three", segments)
	}
	change(segments[0], shorten)
	refused(dir, segments[0]+" is damaged at offset 8:")

	dir, segments, _ = make()
	if err := os.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	refused(dir, segments[2]+" begins with event 4, want 3")

	dir, _, state := make()
	change(state, shorten)
	refused(dir, state+" is damaged at offset 8:")
	change(state, func([]byte) []byte { return nil })
	refused(dir, state+" is damaged at offset 0:")

	dir, segments, _ = make()
	change(segments[2], func(b []byte) []byte { return append([]byte("plmslgr2"), b[8:]...) })
	refused(dir, segments[2]+" is damaged at offset 0:")

	dir, segments, _ = make()
	change(segments[2], func(b []byte) []byte { return append(b, b[8:]...) }) // the same record again
	refused(dir, segments[2]+" is damaged at offset ")

	dir, _, _ = make()
	if err := os.WriteFile(filepath.Join(dir, "notes.events"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(dir, "notes.events is not a file of a ledger")
}

// TestCrashWhileCompacting: at each step of a compaction the directory opens as before it or after it.
func TestCrashWhileCompacting(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	for _, dir := range []string{before, after} {
		l := open(t, dir, ledger.Options{SegmentBytes: 500})
		if err := errors.Join(l.Compact([]byte("old")), l.Append(upTo(2)...), l.Append(numbered(3)), l.Append(numbered(4))); err != nil {
			t.Fatal(err)
		}
		if dir == after {
			if err := l.Compact([]byte("new")); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	state := files(t, after, "*.state")[0]
	data, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	old := append(files(t, before, "*.events"), files(t, before, "*.state")...)
	if len(old) < 3 {
		t.Fatalf("hardly anything to remove: %q", old)
	}
	f := func(what string, name string, data []byte, removed []string, wantState string, want []event.Event) {
		t.Helper()
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range removed {
			if err := os.Remove(filepath.Join(dir, filepath.Base(path))); err != nil {
				t.Fatal(err)
			}
		}
		l := open(t, dir, ledger.Options{})
		t.Log(what)
		check(t, l, wantState, want)
		if len(files(t, dir, "*.new"))+len(files(t, dir, "*.state")) != 1 {
			t.Errorf("%s: left %q", what, files(t, dir, "*"))
		}
		if err := l.Append(numbered(5)); err != nil {
			t.Fatal(err)
		}
		check(t, reopen(t, l, dir, ledger.Options{}), wantState, append(want, numbered(5)))
	}
	for n := range data {
		f(fmt.Sprint(n, " bytes of the state"), filepath.Base(state)+".new", data[:n], nil, "old", upTo(4))
	}
	for n := range old {
		f(fmt.Sprint(n, " old files removed"), filepath.Base(state), data, old[:n], "new", nil)
	}
	f("removed in another order", filepath.Base(state), data, old[1:2], "new", nil)
}
