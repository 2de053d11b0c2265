package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// stat is by what it shows that a file has changed.
type stat struct {
	size     int64
	modified int64  // nanoseconds since 1970
	tag      string // of an object
}

func statOf(info fs.FileInfo) stat {
	return stat{size: info.Size(), modified: info.ModTime().UnixNano()}
}

// glimpse is how a file was when it was first seen so.
type glimpse struct {
	stat
	at time.Time
}

// files knows which files were read as they are.
type files struct {
	read     map[string]stat
	pending  map[string]glimpse
	byOthers map[string]string // which source has a file, in this round
}

func newFiles() files { return files{read: map[string]stat{}, pending: map[string]glimpse{}} }

func (f *files) begin() { f.byOthers = map[string]string{} }

// settled tells whether a file has not changed for a while, by its own time or by ours: clocks of file servers differ.
func (f *files) settled(path string, s stat, now time.Time, settle time.Duration) bool {
	if now.Sub(time.Unix(0, s.modified)) >= settle {
		delete(f.pending, path)
		return true
	}
	seen, ok := f.pending[path]
	if !ok || seen.stat != s {
		f.pending[path] = glimpse{s, now}
		return settle <= 0
	}
	return now.Sub(seen.at) >= settle
}

func checkPatterns(s Source) error {
	for _, pattern := range s.Include {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return fmt.Errorf("sources::%s::include: want a pattern, have %q", s.Name, pattern)
		}
	}
	return nil
}

var (
	errNoFile  = errors.New("no file is there")
	errMoving  = errors.New("it changed while it was read")
	errParquet = errors.New("it is a Parquet file, which this build does not read")
)

// found is a file or an object as it was found.
type found struct {
	path string // by which the book knows it
	stat
	err    error
	settle bool // it may be in the midst of being written
	// open returns its content.
	open func() (Content, error)
	// now returns how it is after it was read.
	now func() (stat, error)
}

// take reads the files or objects of a source that are new or changed. Those that are gone count on: bills are moved away.
func (r *round) take(all []found) {
	for _, f := range all {
		if r.ctx.Err() != nil {
			return
		}
		if other, taken := r.files.byOthers[f.path]; taken {
			f.err = fmt.Errorf("file %q is of source %q already", f.path, other)
		}
		r.files.byOthers[f.path] = r.source.Name
		if f.err == nil && r.files.read[f.path] == f.stat && f.size > 0 {
			r.counts[Good]++
			continue
		}
		if f.err == nil && f.settle && !r.files.settled(f.path, f.stat, r.now, r.options.Settle) {
			r.counts[Waiting]++
			continue
		}
		if f.err == nil {
			f.err = r.load(f)
		}
		if f.err != nil {
			r.failed(f.err)
			continue
		}
		r.counts[Good]++
	}
	if len(r.counts) == 0 {
		// Not as if nothing was ever spent: perhaps the directory is not mounted yet.
		r.failed(errNoFile)
	}
}

// globbed returns the regular files of a source, sorted.
func (r *round) globbed() []found {
	var paths []string
	for _, pattern := range r.source.Include {
		some, err := filepath.Glob(pattern)
		if err != nil {
			r.failed(fmt.Errorf("pattern %q: %w", pattern, err))
		}
		paths = append(paths, some...)
	}
	slices.Sort(paths)
	var out []found
	for _, path := range slices.Compact(paths) {
		f := found{path: path, settle: true}
		f.open = func() (Content, error) { return os.Open(path) }
		f.now = func() (stat, error) {
			info, err := os.Stat(path)
			if err != nil {
				return stat{}, err
			}
			return statOf(info), nil
		}
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			continue
		}
		if f.err = err; err == nil {
			f.stat = statOf(info)
		}
		out = append(out, f)
	}
	return out
}

// load reads one file into the book, as a whole or not at all.
func (r *round) load(file found) error {
	f, err := file.open()
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := r.text(f, file.size)
	if err != nil {
		return fmt.Errorf("file %q: %w", file.path, err)
	}
	defer in.Close()
	delivery := r.book.Begin(file.path, "")
	if _, err := delivery.Read("", r.source.Format, stopping{r.ctx, in}, r.source.Read); err != nil {
		return err
	}
	after, err := file.now()
	if err != nil {
		return err
	}
	if after != file.stat {
		return fmt.Errorf("file %q: %w", file.path, errMoving)
	}
	result, err := delivery.Commit()
	if err != nil {
		return err
	}
	r.changed = r.changed || result.Changed > 0
	r.files.read[file.path] = file.stat
	delete(r.files.pending, file.path)
	return nil
}

// text returns the text of a file, which may be Parquet.
func (r *round) text(f Content, size int64) (io.ReadCloser, error) {
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case string(magic) != "PAR1":
		return io.NopCloser(f), nil
	case r.options.Parquet == nil:
		return nil, errParquet
	}
	return r.options.Parquet(f, size)
}

// stopping ends reading when it is not wanted any more.
type stopping struct {
	ctx context.Context
	in  io.Reader
}

// Read is io.Reader's.
func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.in.Read(p)
}
