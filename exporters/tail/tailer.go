package tail

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Options of a Tailer. The zero value works.
type Options struct {
	// Document is for files that are one document and do not change. Otherwise they grow by lines.
	Document bool
	// AtEnd begins at the end of the files that are there when nothing is known of any. Otherwise everything is read.
	AtEnd bool
	// ChunkBytes is about how much is read at a time. 1 MiB.
	ChunkBytes int
	// MaxLine is the longest line that is read. 8 MiB. What is longer is passed over, and Chunk.Skipped says so.
	MaxLine int
	// MaxDocument is the largest document that is read. 64 MiB.
	MaxDocument int
}

// Chunk is what is read of a file at a time.
type Chunk struct {
	// Key identifies it: what is read at the same place of the same file has the same key.
	Key string
	// Body is whole lines, or a document. It is empty if there is nothing but a position to keep.
	Body []byte
	// Skipped says that the beginning of a line that is too long to be read was passed over.
	Skipped bool

	after Position
}

// Event returns the event to be journaled together with those of the chunk. kind is the source of events.
func (c Chunk) Event(kind string, now time.Time) event.Event { return c.after.event(kind, now) }

// Tailer reads the files that match some patterns. It is not safe for concurrent use.
type Tailer struct {
	name    string
	include []string
	options Options
	known   []Position      // the least recently heard of first
	ids     map[string]bool // of the known ones
	seen    map[string]seen // files that need not be opened again while they are as they were
	found   map[string]bool // ids of the files that this poll has found
	missing map[string]int  // polls in which a known file was not there, by its id
	fresh   bool            // nothing was known of any file
}

// seen is what a file was like when it was read to its end.
type seen struct {
	size     int64
	modified time.Time
}

// New returns a tailer. name is what its positions are kept by, include are patterns as of filepath.Match, and known are
// the positions that are kept.
func New(name string, include []string, known []Position, o Options) *Tailer {
	o.ChunkBytes = cmp.Or(o.ChunkBytes, 1<<20)
	o.MaxLine = max(cmp.Or(o.MaxLine, 8<<20), o.ChunkBytes)
	o.MaxDocument = cmp.Or(o.MaxDocument, 64<<20)
	t := &Tailer{
		name: name, include: include, options: o, known: slices.Clone(known), ids: map[string]bool{}, seen: map[string]seen{},
		missing: map[string]int{}, fresh: len(known) == 0,
	}
	for _, p := range known {
		t.ids[p.ID] = true
	}
	return t
}

// Poll reads what is new in all files, and calls take with each chunk in turn. If take returns nil it is read and kept,
// and will not come again; otherwise Poll ends, and the same place is read again by the next one. A file that can not be
// read is part of the error, and the others are read.
func (t *Tailer) Poll(take func(Chunk) error) error {
	paths, err := t.paths()
	if err != nil {
		return err
	}
	var errs []error
	t.found = map[string]bool{}
	for _, path := range t.inOrder(paths, &errs) {
		if err := t.one(path, false, take); err != nil {
			errs = append(errs, err)
			if errors.Is(err, errTake) {
				return errors.Join(errs...)
			}
		}
	}
	t.fresh = false
	return errors.Join(append(errs, t.siblings(paths, take))...)
}

// errTake marks an error of take.
var errTake = errors.New("not taken")

// paths returns the files that match.
func (t *Tailer) paths() ([]string, error) {
	all := map[string]bool{}
	for _, pattern := range t.include {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("files that match %q: %w", pattern, err)
		}
		for _, path := range matches {
			all[path] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// inOrder returns the paths, those not written to for longest first, so that lines come in their order.
func (t *Tailer) inOrder(paths []string, errs *[]error) []string {
	modified := map[string]time.Time{}
	for _, path := range paths {
		f, err := stat(path)
		if err != nil {
			*errs = append(*errs, err)
		}
		modified[path] = f.modified
	}
	return slices.SortedStableFunc(slices.Values(paths), func(a, b string) int { return modified[a].Compare(modified[b]) })
}

// one reads what is new in a file. Of one that is onlyKnown nothing is read unless it is a known one.
func (t *Tailer) one(path string, onlyKnown bool, take func(Chunk) error) error {
	if was, ok := t.seen[path]; ok {
		if now, err := stat(path); err == nil && now == was {
			t.match(nil, path)
			return nil
		}
		delete(t.seen, path)
	}
	f, err := open(path)
	if f == nil {
		return err
	}
	defer f.f.Close()
	if t.options.Document {
		return t.document(f, take)
	}
	i := t.match(f, path)
	if i < 0 && onlyKnown {
		return nil
	}
	at := Position{Source: t.name, Path: path}
	if i >= 0 {
		at = t.known[i]
		at.Path = path
	}
	switch {
	case i < 0 && t.fresh && t.options.AtEnd:
		return t.toEnd(f, at, take)
	case !f.zipped && f.size < at.Offset && !onlyKnown && !t.elsewhere(path, at):
		at = Position{Source: t.name, Path: path, ID: successor(at.ID)} // emptied, and written again from the beginning
	}
	return t.lines(f, at, take)
}

// match returns the number of the position that a file is known by, or -1. A file that was not opened is known by where
// it is. The one with the longest head, and of those the latest, is it.
func (t *Tailer) match(f *file, path string) int {
	best := -1
	for i, p := range t.known {
		known := f != nil && f.is(p) || f == nil && p.Path == path
		if known && (best < 0 || p.Head >= t.known[best].Head) {
			best = i
		}
	}
	if best >= 0 {
		t.found[t.known[best].ID] = true
	}
	return best
}

// elsewhere tells whether another file has what a position is of, so that a shorter one is a copy in the making.
func (t *Tailer) elsewhere(path string, p Position) bool {
	paths, _ := t.paths()
	for _, other := range append(paths, beside(path)...) {
		if other == path {
			continue
		}
		f, _ := open(other)
		if f == nil {
			continue
		}
		same := f.is(p) && (f.zipped || f.size >= p.Offset)
		_ = f.f.Close() // it was only read
		if same {
			return true
		}
	}
	return false
}

func successor(id string) string {
	sum := sha256.Sum256([]byte("after " + id))
	return hex.EncodeToString(sum[:16])
}

// lines reads lines from a position on.
func (t *Tailer) lines(f *file, at Position, take func(Chunk) error) error {
	r, err := f.from(at.Offset)
	if errors.Is(err, io.EOF) {
		t.seen[f.path] = seen{f.size, f.modified} // it has less
		return nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // it is not complete
	}
	if err != nil {
		return err
	}
	cut := &pieces{r: r, size: t.options.ChunkBytes, max: t.options.MaxLine, whole: f.zipped}
	for {
		lines, n, skips, err := cut.next(at.Skip)
		if err != nil {
			return fmt.Errorf("read %s: %w", f.path, err)
		}
		if n == 0 {
			break
		}
		next := at
		next.Offset, next.Skip = at.Offset+n, skips
		t.know(&next, f)
		chunk := Chunk{Key: fmt.Sprintf("%s:%d", next.ID, at.Offset), Body: lines, Skipped: skips && !at.Skip, after: next}
		if err := t.give(chunk, take); err != nil {
			return err
		}
		at = next
	}
	if f.zipped && cut.whole {
		t.seen[f.path] = seen{f.size, f.modified}
	}
	return nil
}

// know notes by what the file is known from now on: what was read of its beginning.
func (t *Tailer) know(p *Position, f *file) {
	if n := min(int64(len(f.head)), p.Offset); n > p.Head {
		p.Head, p.Digest = n, f.digest(n)
	}
	if p.ID == "" {
		sum := sha256.Sum256([]byte(t.name + "\x00" + p.Digest))
		p.ID = hex.EncodeToString(sum[:16])
	}
}

// give has a chunk taken, and then knows its position.
func (t *Tailer) give(c Chunk, take func(Chunk) error) error {
	if err := take(c); err != nil {
		return fmt.Errorf("%w: %w", errTake, err)
	}
	t.found[c.after.ID] = true
	if t.ids[c.after.ID] {
		t.known = slices.DeleteFunc(t.known, func(p Position) bool { return p.ID == c.after.ID })
	}
	t.ids[c.after.ID] = true
	t.known = append(t.known, c.after)
	return nil
}

// toEnd notes that everything that is there is not read. Nobody knows how long a compressed file is, so it is of any
// length.
func (t *Tailer) toEnd(f *file, at Position, take func(Chunk) error) error {
	at.Offset = f.size
	if f.zipped {
		at.Offset = 1 << 62
		t.seen[f.path] = seen{f.size, f.modified}
	} else if last := make([]byte, 1); f.size > 0 {
		if _, err := f.f.ReadAt(last, f.size-1); err != nil {
			return err
		}
		at.Skip = last[0] != '\n'
	}
	t.know(&at, f)
	return t.give(Chunk{after: at}, take)
}

// document reads a file that is one document, and is known by all of it.
func (t *Tailer) document(f *file, take func(Chunk) error) error {
	r, err := f.from(0)
	if err != nil {
		return ignorePartial(err)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(t.options.MaxDocument)+1))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // not complete yet
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	if len(body) > t.options.MaxDocument {
		t.seen[f.path] = seen{f.size, f.modified}
		return fmt.Errorf("read %s: want at most %d bytes, it has more", f.path, t.options.MaxDocument)
	}
	if !f.zipped && !complete(body) {
		return nil
	}
	f.head, f.exact, f.digests = body, true, nil
	t.seen[f.path] = seen{f.size, f.modified}
	if t.match(f, f.path) >= 0 {
		return nil
	}
	at := Position{Source: t.name, Path: f.path, Offset: int64(len(body))}
	t.know(&at, f)
	chunk := Chunk{Key: at.ID + ":0", Body: body, after: at}
	if t.fresh && t.options.AtEnd {
		chunk.Body = nil
	}
	if err := t.give(chunk, take); err != nil {
		delete(t.seen, f.path)
		return err
	}
	return nil
}

// maxMissing is in how many polls a file that is no longer there is looked for.
const maxMissing = 120

// siblings looks for known files that are not where they were beside their old place, where rotation puts them: what
// is not read of them yet must not be lost because only the new file matches a pattern.
func (t *Tailer) siblings(paths []string, take func(Chunk) error) error {
	if t.options.Document {
		return nil
	}
	near := map[string]bool{}
	for _, p := range t.known {
		if t.found[p.ID] {
			delete(t.missing, p.ID)
			continue
		}
		if t.missing[p.ID]++; t.missing[p.ID] > maxMissing {
			continue
		}
		for _, path := range beside(p.Path) {
			if !slices.Contains(paths, path) {
				near[path] = true
			}
		}
	}
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(near)) {
		if err := t.one(path, true, take); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// beside returns the files in the same directory whose names begin as a path's does up to its first dot.
func beside(path string) []string {
	dir, name := filepath.Split(path)
	stem, _, _ := strings.Cut(name, ".")
	if stem == "" {
		return nil
	}
	matches, _ := filepath.Glob(escape(dir) + escape(stem) + "*")
	return matches
}

// escape keeps a name from being a pattern.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}
