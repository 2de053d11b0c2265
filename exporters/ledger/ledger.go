// Package ledger keeps events on disk: what Append has taken survives the end of the process and of the machine.
//
// A ledger is a directory of segments, files of numbered events that only grow, and at most one state: what the reader
// of the events has made of all before some number. Compact replaces events by a state, so the directory holds the last
// state and the events after it. Replay gives both back in order. Whoever can save and restore its whole state, as
// counters.Counters can, thus reads the same after a replay as if it had never stopped; what of old events still
// matters is the reader's to know, not the ledger's.
//
// Each write is one record, synced before the next one begins. After a crash at most the last record can be broken:
// Open cuts it off and Cut says so. A broken record with a whole one after it is damage to what was already kept, and
// an error that names file and offset.
//
// The ledger does not look for events that come twice. The idempotence key of an event is made from what it says, not
// from the delivery, so the reader recognises a redelivery, and a poll of the same fact too; see pipelines.Options.Retain.
package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// MaxAppend is the most bytes of one Append or one state.
const MaxAppend = 1 << 28

// maxRecord is from how many bytes on appends that wait at the same time are not put in one record.
const maxRecord = 1 << 20

// Options of a Ledger. The zero value works.
type Options struct {
	// SegmentBytes is the size from which on a new segment is begun, and from which on compaction can be due. 4 MiB.
	SegmentBytes int64
}

// Ledger is an open directory. It is safe for concurrent use, except Replay, which belongs before the first Append.
type Ledger struct {
	dir     string
	options Options
	lock    *os.File
	create  func(path string) (file, error)
	cut     *Cut

	waiting sync.Mutex
	queue   []*appending // what the next record is made of

	writing  sync.Mutex
	segments []uint64 // numbers of the first events of the segments, ascending
	file     file     // the last segment, nil if the next record begins one
	size     int64    // of file, up to the end of its last whole record
	broken   bool     // there may be more in file than size
	next     uint64   // number of the next event; the first is 1
	stateAt  uint64   // number of the first event after the state; 0 if there is no state
	state    int64    // bytes of it
	grown    int64    // bytes of the records after it
	closed   bool
}

// file is what a segment is written to.
type file interface {
	WriteAt(p []byte, offset int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Cut is what Open cut off: a record that was being written when the process or the machine ended. It was not
// acknowledged to whoever appended it.
type Cut struct {
	File          string
	Offset, Bytes int64
}

type appending struct {
	count   int
	payload []byte
	done    bool
	err     error
}

// Open opens the ledger in dir, and makes the directory if there is none. It fails if another process has it open, and
// if anything but the last record is damaged. Everything is read once and checked.
func Open(dir string, options Options) (*Ledger, error) {
	if options.SegmentBytes <= 0 {
		options.SegmentBytes = 4 << 20
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", dir, err)
	}
	l := &Ledger{dir: dir, options: options, lock: lock, create: openFile, next: 1}
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", dir, err), l.Close())
	}
	return l, nil
}

// openFile opens a segment, and makes it if there is none.
func openFile(path string) (file, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }

// Cut returns what Open cut off, and whether there was anything.
func (l *Ledger) Cut() (Cut, bool) {
	if l.cut == nil {
		return Cut{}, false
	}
	return *l.cut, true
}

// Append keeps the events, all or none of them, and returns when they are on disk; appends that come at the same time
// share one write. After an error, such as a full disk, they are not in the ledger, and the next Append tries again.
// If even removing what was half written fails, a crash may leave them there: deliver them again, under the same keys.
func (l *Ledger) Append(events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	a := &appending{count: len(events)}
	for _, e := range events {
		a.payload = appendEvent(a.payload, e)
	}
	if len(a.payload) > MaxAppend {
		return fmt.Errorf("append to ledger: want at most %d bytes at a time, have %d", MaxAppend, len(a.payload))
	}
	l.waiting.Lock()
	l.queue = append(l.queue, a)
	l.waiting.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	for !a.done {
		l.commit(l.take())
	}
	return a.err
}

// take returns what goes into the next record: the longest waiting append, and as many more as fit.
func (l *Ledger) take() []*appending {
	l.waiting.Lock()
	defer l.waiting.Unlock()
	n, size := 0, 0
	for n < len(l.queue) && (n == 0 || size+len(l.queue[n].payload) <= maxRecord) {
		size += len(l.queue[n].payload)
		n++
	}
	group := l.queue[:n]
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return group
}

// commit writes the group as one record.
func (l *Ledger) commit(group []*appending) {
	var payload []byte
	count := 0
	for _, a := range group {
		payload = append(payload, a.payload...)
		count += a.count
	}
	err := l.write(payload)
	if err == nil {
		l.next += uint64(count)
	} else {
		err = fmt.Errorf("append to ledger: %w", err)
	}
	for _, a := range group {
		a.done, a.err = true, err
	}
}

// write makes a record of the payload durable, or leaves the segment as it was.
func (l *Ledger) write(payload []byte) error {
	if err := l.prepare(); err != nil {
		return err
	}
	var record []byte
	if l.size == 0 {
		record = append(record, magic...)
	}
	record = appendRecord(record, l.next, payload)
	l.broken = true
	_, err := l.file.WriteAt(record, l.size)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return errors.Join(err, l.repair())
	}
	l.broken = false
	l.size += int64(len(record))
	l.grown += int64(len(record))
	return nil
}

// prepare sees to it that there is a whole segment with room.
func (l *Ledger) prepare() error {
	if l.closed {
		return os.ErrClosed
	}
	if err := l.repair(); err != nil {
		return err
	}
	if l.file != nil && l.size < l.options.SegmentBytes {
		return nil
	}
	if l.file != nil {
		err := l.file.Close()
		l.file = nil
		if err != nil {
			return err
		}
	}
	f, err := l.create(l.segmentPath(l.next))
	if err != nil {
		return err
	}
	l.file, l.size = f, 0
	if !slices.Contains(l.segments, l.next) {
		l.segments = append(l.segments, l.next)
	}
	l.broken = true // until its name is durable
	return l.repair()
}

// repair removes what a write that failed has left. Until that is durable nothing else is written.
func (l *Ledger) repair() error {
	if !l.broken {
		return nil
	}
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("remove what was half written: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("remove what was half written: %w", err)
	}
	if l.size == 0 {
		if err := syncDir(l.dir); err != nil {
			return err
		}
	}
	l.broken = false
	return nil
}

// Close ends the use of the ledger. There is nothing to flush.
func (l *Ledger) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var err error
	if l.file != nil {
		err = l.file.Close()
	}
	return errors.Join(err, l.lock.Close())
}
