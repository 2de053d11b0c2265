package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Due tells whether Compact would pay: the events after the last state take more than Options.SegmentBytes and more
// than that state.
func (l *Ledger) Due() bool {
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.grown > max(l.options.SegmentBytes, l.state)
}

// Compact keeps state in place of all events appended so far. state is what the caller has made of exactly those; no
// Append may be under way. After an error the ledger is as before, or compacted.
func (l *Ledger) Compact(state []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.compact(state); err != nil {
		return fmt.Errorf("compact ledger: %w", err)
	}
	return nil
}

func (l *Ledger) compact(state []byte) error {
	if l.closed {
		return os.ErrClosed
	}
	if len(state) > MaxAppend {
		return fmt.Errorf("want at most %d bytes of state, have %d", MaxAppend, len(state))
	}
	if err := l.repair(); err != nil {
		return err
	}
	path := l.path(l.next, stateSuffix)
	if err := ReplaceFile(path, appendRecord([]byte(magic), l.next, state)); err != nil {
		return err
	}
	// From here on the state counts, whatever fails.
	l.stateAt, l.state, l.grown = l.next, int64(len(state)), 0
	var err error
	if l.file != nil {
		err = l.file.Close()
		l.file = nil
	}
	return errors.Join(err, l.dropOld())
}

// ReplaceFile writes a file under another name beside it, syncs it, and gives it its name: whoever reads it, after a crash
// too, finds the old content or the new. It is for the owner alone to read. An error leaves the old file as it is.
func ReplaceFile(path string, data []byte) error {
	temporary := path + temporarySuffix
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// dropOld removes what the state has replaced, and what a crash left of a state that was being written. The state's own
// name is made durable first.
func (l *Ledger) dropOld() error {
	l.segments = slices.DeleteFunc(l.segments, func(first uint64) bool { return first < l.stateAt })
	if err := syncDir(l.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		old := name < filepath.Base(l.path(l.stateAt, "")) &&
			(strings.HasSuffix(name, segmentSuffix) || strings.HasSuffix(name, stateSuffix))
		if old || strings.HasSuffix(name, temporarySuffix) {
			errs = append(errs, os.Remove(filepath.Join(l.dir, name)))
		}
	}
	return errors.Join(errs...)
}
