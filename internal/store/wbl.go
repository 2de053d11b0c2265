package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// The log of samples out of order has markers: what it had of a series before one is in a file of chunks. Neither is
// such a file on disk when the marker is (the database buffers it, and compacts such chunks before it writes them), nor
// does a marker name the same chunk after a replay, which writes the chunks anew. A process that is killed in the midst
// of a compaction, and every one that replays a log twice, would so lose samples that it had accepted. The log itself
// has all that is in no block yet: without markers nothing is lost, and what is there twice is read once.

const (
	// markersTmp is where a segment is written anew.
	markersTmp = "wbl.tmp"
	// lockFile is what an open database holds a lock on.
	lockFile = "lock"
)

// dropMarkers removes the markers from the log of samples out of order. It fails if the database is in use.
func dropMarkers(dir string, log *slog.Logger) (err error) {
	wbl, tmp := filepath.Join(dir, wlog.WblDirName), filepath.Join(dir, markersTmp)
	if _, err := os.Stat(wbl); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock := filepath.Join(dir, lockFile)
	held, _, err := fileutil.Flock(lock)
	if err != nil {
		return fmt.Errorf("lock DB directory: %w", err)
	}
	defer func() { err = errors.Join(err, held.Release(), os.Remove(lock)) }()
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	first, last, err := wlog.Segments(wbl)
	if err != nil || last < 0 {
		return err
	}
	for k := first; k <= last; k++ {
		name := wlog.SegmentName(wbl, k)
		marked, whole, err := readSegment(name, func([]byte) error { return nil })
		if err != nil {
			return err
		}
		if !marked || !whole && k < last { // the database repairs what is damaged
			continue
		}
		if !whole {
			log.Warn("the last record of the log of samples out of order is cut off, it was not accepted yet", "segment", k)
		}
		if err := writeUnmarked(name, tmp); err != nil {
			return fmt.Errorf("write %q anew: %w", name, err)
		}
	}
	return nil
}

// readSegment calls f with every record of a segment that is no marker. It says whether there were markers, and whether
// the segment was read to its end.
func readSegment(name string, f func(rec []byte) error) (marked, whole bool, err error) {
	seg, err := wlog.OpenReadSegment(name)
	if err != nil {
		return false, false, err
	}
	in := wlog.NewSegmentBufReader(seg)
	defer in.Close()
	r := wlog.NewReader(in)
	var d record.Decoder
	for r.Next() {
		if d.Type(r.Record()) == record.MmapMarkers {
			marked = true
			continue
		}
		if err := f(r.Record()); err != nil {
			return marked, false, err
		}
	}
	return marked, r.Err() == nil, nil
}

// writeUnmarked replaces a segment by one without markers, by way of the directory tmp.
func writeUnmarked(name, tmp string) error {
	// Twice the usual size: the records of a segment shall fit into one.
	out, err := wlog.NewSize(nil, nil, tmp, 2*wlog.DefaultSegmentSize, compression.Snappy)
	if err != nil {
		return err
	}
	_, _, err = readSegment(name, func(rec []byte) error { return out.Log(rec) })
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(wlog.SegmentName(tmp, 0), name); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return err
	}
	return os.RemoveAll(tmp)
}

// syncDir makes a change of the names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
