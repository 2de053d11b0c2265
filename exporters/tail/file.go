package tail

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// headBytes is how much of its beginning a file is known by, if it has as much.
const headBytes = 1024

// file is a file that is open.
type file struct {
	path     string
	f        *os.File
	size     int64
	modified time.Time
	zipped   bool
	head     []byte // up to headBytes of the beginning, as it is uncompressed
	exact    bool   // head is the whole file
	digests  map[int64]string
}

// open opens a file for reading; it returns nil for what is no file or has nothing in it.
func open(path string) (*file, error) {
	// A pipe would block, so it is not even opened.
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, ignoreMissing(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, ignoreMissing(err)
	}
	opened := &file{path: path, f: f}
	if err := opened.look(); err != nil || len(opened.head) == 0 {
		return nil, errors.Join(err, f.Close())
	}
	return opened, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// look notes what there is to know of the file.
func (f *file) look() error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	f.size, f.modified = info.Size(), info.ModTime()
	magic := make([]byte, 2)
	n, err := f.f.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return err
	}
	f.zipped = n == 2 && bytes.Equal(magic, []byte{0x1f, 0x8b})
	r, err := f.from(0)
	if err != nil {
		return ignorePartial(err)
	}
	f.head, err = io.ReadAll(io.LimitReader(r, headBytes))
	return ignorePartial(err)
}

// ignorePartial passes over that a compressed file is not complete yet.
func ignorePartial(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// from returns what the file has from an offset on. Of a compressed file the error is io.EOF if it has less, and
// io.ErrUnexpectedEOF if it is not complete.
func (f *file) from(offset int64) (io.Reader, error) {
	if !f.zipped {
		return io.NewSectionReader(f.f, offset, 1<<62), nil
	}
	if _, err := f.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	unzip, err := gzip.NewReader(bufio.NewReader(f.f))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path, err)
	}
	if _, err := io.CopyN(io.Discard, unzip, offset); err != nil {
		return nil, err
	}
	return unzip, nil
}

// is tells whether the file begins with what a position is known by.
func (f *file) is(p Position) bool {
	if p.Head <= 0 || p.Head > int64(len(f.head)) || f.exact && p.Head != int64(len(f.head)) {
		return false
	}
	return f.digest(p.Head) == p.Digest
}

// digest returns the digest of the first bytes.
func (f *file) digest(n int64) string {
	if f.digests == nil {
		f.digests = map[int64]string{}
	}
	if f.digests[n] == "" {
		sum := sha256.Sum256(f.head[:n])
		f.digests[n] = hex.EncodeToString(sum[:])
	}
	return f.digests[n]
}

// cutLast cuts at the last slash.
func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '/')
	return s[:max(i, 0)], s[i+1:], i >= 0
}

// pieces cuts what a reader gives into whole lines.
type pieces struct {
	r         io.Reader
	size, max int    // what is read at a time, and the longest line that is
	whole     bool   // the end of the reader is the end of a line
	rest      []byte // was read, and is not given yet
	ended     bool
}

// next returns whole lines, and how many bytes to go on by; skip says that a line too long to be read goes on after
// them, or, if it is given, did before them. Nothing is returned at the end.
func (p *pieces) next(skip bool) (lines []byte, n int64, skips bool, err error) {
	want := p.size
	for {
		if err := p.fill(want); err != nil {
			return nil, 0, false, err
		}
		end := bytes.LastIndexByte(p.rest, '\n') + 1
		if p.ended && p.whole {
			end = len(p.rest)
		}
		switch {
		case end > 0:
			lines, p.rest = p.rest[:end:end], p.rest[end:]
			if skip {
				_, lines, _ = bytes.Cut(lines, []byte("\n"))
			}
			return lines, int64(end), false, nil
		case p.ended:
			return nil, 0, skip, nil
		case len(p.rest) >= p.max || skip:
			n = int64(len(p.rest))
			p.rest = nil
			return nil, n, true, nil
		}
		want = min(2*want, p.max)
	}
}

// fill reads until there are as many bytes, or the end.
func (p *pieces) fill(want int) error {
	if p.ended || len(p.rest) >= want {
		return nil
	}
	buffer := make([]byte, want)
	n := copy(buffer, p.rest)
	m, err := io.ReadFull(p.r, buffer[n:])
	p.rest = buffer[:n+m]
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		p.ended = true
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF): // of ReadFull, or of what is compressed and not complete
		_, more := p.r.Read(make([]byte, 1))
		p.ended = true
		p.whole = p.whole && errors.Is(more, io.EOF)
		return nil
	}
	return err
}
