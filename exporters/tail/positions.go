// Package tail reads files that other programs write, such as audit logs and access logs, and never reads anything twice
// or not at all, whatever happens to the files or to us.
//
// How far a file is read is an event, journaled in one record with the events of what was read: both are kept, or
// neither. Positions, a domain of package counters, takes these events up. A file is known by what it begins with, and
// not by its name, so that it stays the same when it is renamed, copied and truncated, or compressed.
package tail

import (
	"fmt"
	"sync"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// maxPositions bounds the files that are remembered, some 40 MB. The one not heard of for longest makes room, and would
// be read again.
const maxPositions = 100_000

// Position is how far a file is read.
type Position struct {
	// Source is the name of who reads it.
	Source string
	// ID is of the file.
	ID string
	// Path is where it was last.
	Path string
	// Head is how many bytes of its beginning it is known by, and Digest the SHA-256 of them in hexadecimal digits.
	Head   int64
	Digest string
	// Offset is the number of bytes that are read, as they are uncompressed.
	Offset int64
	// Skip says that the line which goes on at Offset is too long to be read.
	Skip bool
}

// event returns the position as an event. At a zero key nothing is read, so none is made at Offset 0.
func (p Position) event(kind string, now time.Time) event.Event {
	subject := "file/" + source.Ident(p.Source) + "/" + p.ID
	return event.NewOrigin(kind, subject, fmt.Sprint(p.Offset), now, now).Event(event.FileRead, time.Time{},
		event.String(event.FileSource, p.Source), event.String(event.FilePath, p.Path), event.Int(event.FileHead, p.Head),
		event.String(event.FileDigest, p.Digest), event.Int(event.FileOffset, p.Offset), event.Bool(event.FileSkip, p.Skip))
}

// Positions keep how far files are read. They are safe for concurrent use.
type Positions struct {
	mu   sync.Mutex
	byID *counters.Remembered[string, Position] // by subject
}

var _ counters.Domain = (*Positions)(nil)

// NewPositions returns positions of no file.
func NewPositions() *Positions {
	return &Positions{byID: counters.NewRemembered[string, Position](maxPositions)}
}

// Of returns the positions of a source, the least recently heard of first.
func (p *Positions) Of(source string) (all []Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byID.All(func(_ string, _ time.Time, at *Position) {
		if at.Source == source {
			all = append(all, *at)
		}
	})
	return all
}

// Name returns the word for the domain.
func (p *Positions) Name() string { return "files" }

// Add takes up a position.
func (p *Positions) Add(_ uint64, e event.Event) (v counters.Verdict, ok bool) {
	if e.Name != event.FileRead {
		return "", false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at, _ := p.byID.Heard(e.Subject, e.Observed)
	_, id, _ := cutLast(e.Subject)
	*at = Position{
		Source: e.Attrs.Text(event.FileSource), ID: id, Path: e.Attrs.Text(event.FilePath), Head: e.Attrs.Integer(event.FileHead),
		Digest: e.Attrs.Text(event.FileDigest), Offset: e.Attrs.Integer(event.FileOffset), Skip: e.Attrs.True(event.FileSkip),
	}
	return "", true
}

// Settled returns nothing.
func (p *Positions) Settled(time.Time) []event.Event { return nil }

// Tables returns nothing: how far a file is read is not a metric.
func (p *Positions) Tables() []*metric.Table { return nil }

// Gauges returns nothing.
func (p *Positions) Gauges(time.Time) []*metric.Table { return nil }

type savedPosition struct {
	Subject  string
	Heard    time.Time
	Position Position
}

// Save returns the state.
func (p *Positions) Save() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []savedPosition
	p.byID.All(func(subject string, heard time.Time, at *Position) {
		all = append(all, savedPosition{subject, heard, *at})
	})
	return counters.Encode(all)
}

// Restore takes the state up.
func (p *Positions) Restore(state []byte) error {
	var all []savedPosition
	if err := counters.Decode(state, &all); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range all {
		at, _ := p.byID.Heard(s.Subject, s.Heard)
		*at = s.Position
	}
	return nil
}

// Adopt has no options to adopt.
func (p *Positions) Adopt() bool { return false }
