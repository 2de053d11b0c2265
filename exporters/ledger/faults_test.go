package ledger

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

var errFault = errors.New("input/output error")

// faulty is a segment on a disk that fails as drawn.
type faulty struct {
	*os.File
	t *rapid.T
}

func (f faulty) fails(what string) bool { return rapid.IntRange(0, 3).Draw(f.t, what) == 0 }

func (f faulty) WriteAt(p []byte, offset int64) (int, error) {
	if f.fails("write fails") {
		n, _ := f.File.WriteAt(p[:rapid.IntRange(0, len(p)).Draw(f.t, "bytes that arrive")], offset)
		return n, errFault
	}
	return f.File.WriteAt(p, offset)
}

// Sync fails after everything was written; the disk may have it or not.
func (f faulty) Sync() error {
	if f.fails("sync fails") {
		return errFault
	}
	return nil // this test ends no machine
}

func (f faulty) Truncate(size int64) error {
	if f.fails("truncate fails") {
		return errFault
	}
	return f.File.Truncate(size)
}

// TestFaults: whatever write, sync and truncate do, what was acknowledged is there after opening again, in order, once,
// and what was refused is not, except the very last one if the process ended before it could be removed.
func TestFaults(t *testing.T) {
	top := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp(top, "")
		if err != nil {
			t.Fatal(err)
		}
		l, err := Open(dir, Options{SegmentBytes: 200})
		if err != nil {
			t.Fatal(err)
		}
		l.create = func(path string) (file, error) {
			if rapid.IntRange(0, 5).Draw(t, "create fails") == 0 {
				return nil, errFault
			}
			f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
			return faulty{f, t}, err
		}
		var want []string
		refused := ""
		for i := range rapid.IntRange(1, 20).Draw(t, "appends") {
			e := event.Event{Name: event.Unused, Key: fmt.Sprint(i), Time: time.Unix(int64(i), 0).UTC()}
			switch err := l.Append(e); {
			case err == nil:
				want, refused = append(want, e.Key), ""
			case errors.Is(err, errFault):
				refused = e.Key
			default:
				t.Fatal(err)
			}
		}
		broken := l.broken
		l.Close()
		l, err = Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var got []string
		err = l.Replay(nil, func(e event.Event) error { got = append(got, e.Key); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got); broken && n == len(want)+1 && refused != "" {
			got = got[:n-1]
		}
		if !slices.Equal(want, got) {
			t.Fatalf("kept %q, want the acknowledged %q", got, want)
		}
	})
}

// FuzzSegment: no bytes make the reader panic or read beyond the end; what it reads is, written again, the same to it.
func FuzzSegment(f *testing.F) {
	whole := []byte(magic)
	for n := range uint64(3) {
		whole = appendRecord(whole, n+1, appendEvent(nil, event.Event{
			Name: event.RunFinished, Source: "github", Subject: "gh/7/run/1", Key: "gh/7/run/1/1/finished",
			Time: time.Unix(1772445600, 1), Observed: time.Unix(-1, 0), Attrs: event.NewSet(
				event.String("a", "text"), event.Int("b", -1), event.Float("c", 0.1), event.Bool("d", true),
			),
		}))
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Add(appendRecord([]byte(magic), 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}))
	f.Add(appendRecord([]byte(magic), 1, []byte{1, 0}))
	f.Add(appendRecord([]byte(magic), 1, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(b []byte) (all []event.Event, end int, err error) {
			_, end, err = readSegment(b, 1, func(_ uint64, payload []byte) (int, error) {
				return events(payload, func(e event.Event) error { all = append(all, e); return nil })
			})
			return all, end, err
		}
		_, end, err := read(b)
		if end < 0 || end > len(b) || (err == nil) != (end == len(b) && len(b) >= len(magic)) {
			t.Fatalf("end %d of %d, error %v", end, len(b), err)
		}
		torn(b, end, 1)
		// A checksum is hard to guess: what is after the header is also read as the payload it claims to be.
		if len(b) < headerBytes {
			return
		}
		record := appendRecord([]byte(magic), 1, b[headerBytes:])
		first, _, err := read(record)
		if err != nil {
			return
		}
		var payload []byte
		for _, e := range first {
			payload = appendEvent(payload, e)
		}
		again, _, err := read(appendRecord([]byte(magic), 1, payload))
		same := cmp.Comparer(func(a, b event.Attr) bool { return a == b || a.Name == b.Name && a.Value() != a.Value() })
		if diff := cmp.Diff(first, again, same); err != nil || diff != "" {
			t.Fatalf("written again: error %v (-first +again):\n%s", err, diff)
		}
	})
}
