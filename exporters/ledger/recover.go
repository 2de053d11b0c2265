package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

const (
	segmentSuffix   = ".events"
	stateSuffix     = ".state"
	temporarySuffix = ".new"
)

func (l *Ledger) segmentPath(first uint64) string { return l.path(first, segmentSuffix) }

// path returns the name of a file that is about the events before or from a number.
func (l *Ledger) path(number uint64, suffix string) string {
	return filepath.Join(l.dir, fmt.Sprintf("%020d%s", number, suffix))
}

// recover finds out what is in the directory, checks it, removes what a state has replaced, and cuts off a last record
// that is not whole.
func (l *Ledger) recover() error {
	states, err := l.numbered(stateSuffix)
	if err != nil {
		return err
	}
	if l.segments, err = l.numbered(segmentSuffix); err != nil {
		return err
	}
	if len(states) > 0 {
		l.stateAt = states[len(states)-1]
		l.next = l.stateAt
		state, err := l.readState()
		if err != nil {
			return err
		}
		l.state = int64(len(state))
	}
	if err := l.dropOld(); err != nil {
		return err
	}
	return l.scan(func(event.Event) error { return nil }, l.mend)
}

// numbered returns the numbers of the files with a suffix, ascending.
func (l *Ledger) numbered(suffix string) ([]uint64, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, entry := range entries {
		if digits, ok := strings.CutSuffix(entry.Name(), suffix); ok {
			number, err := strconv.ParseUint(digits, 10, 64)
			if err != nil || len(digits) != 20 {
				return nil, fmt.Errorf("%s is not a file of a ledger", filepath.Join(l.dir, entry.Name()))
			}
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// scan reads every segment, in order from the state or from the first event on. mend is called for the last one, with
// where its last whole record ends.
func (l *Ledger) scan(each func(event.Event) error, mend func(path string, data []byte, end int) error) error {
	next := max(l.stateAt, 1)
	for i, first := range l.segments {
		path := l.segmentPath(first)
		if first != next {
			return fmt.Errorf("%s begins with event %d, want %d: a segment is missing", path, first, next)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var end int
		next, end, err = readSegment(data, next, func(_ uint64, payload []byte) (int, error) { return events(payload, each) })
		last := i == len(l.segments)-1
		if errors.Is(err, errDamaged) && last && torn(data, end, next) {
			err = nil
		}
		if err != nil {
			return damagedAt(path, end, err)
		}
		l.next = next
		if last && mend != nil {
			return mend(path, data, end)
		}
	}
	return nil
}

// torn tells whether the damage from end on is what a crash leaves: nothing whole comes after it.
func torn(data []byte, end int, next uint64) bool {
	if end == 0 && !unwritten(data) {
		return false
	}
	_, _, _, misplaced := readRecord(data[end:])
	return !misplaced && !recordWithin(data[end:], next)
}

// mend opens the last segment for writing and cuts off what is not whole.
func (l *Ledger) mend(path string, data []byte, end int) error {
	f, err := l.create(path)
	if err != nil {
		return err
	}
	l.file, l.size = f, int64(end)
	for _, first := range l.segments {
		size, err := fileSize(l.segmentPath(first))
		if err != nil {
			return err
		}
		l.grown += size
	}
	if cut := int64(len(data) - end); cut > 0 {
		l.cut = &Cut{File: path, Offset: l.size, Bytes: cut}
		l.grown -= cut
		l.broken = true
	}
	return l.repair()
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Replay calls state with the state that Compact kept last, if there is one, and then each with every event after it,
// in the order of Append. It stops at the first error. The state is the callee's to keep.
func (l *Ledger) Replay(state func([]byte) error, each func(event.Event) error) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.stateAt > 0 {
		b, err := l.readState()
		if err == nil {
			err = state(b)
		}
		if err != nil {
			return fmt.Errorf("replay ledger %s: %w", l.dir, err)
		}
	}
	if err := l.scan(each, nil); err != nil {
		return fmt.Errorf("replay ledger %s: %w", l.dir, err)
	}
	return nil
}

func (l *Ledger) readState() ([]byte, error) {
	path := l.path(l.stateAt, stateSuffix)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	record, ok := cutMagic(data)
	if !ok {
		return nil, damagedAt(path, 0, errDamaged)
	}
	number, state, rest, ok := readRecord(record)
	if !ok || number != l.stateAt || len(rest) > 0 {
		return nil, damagedAt(path, len(magic), errDamaged)
	}
	return state, nil
}
