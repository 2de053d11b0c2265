package cost

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord is the most bytes of one record. A quote that is never closed would otherwise take the rest of a file of
// gigabytes into memory.
const maxRecord = 1 << 20

var (
	errQuote   = errors.New("misplaced quote")
	errTooLong = errors.New("record longer than 1 MiB")
)

// records splits comma-separated values, RFC 4180, into records. Unlike encoding/csv it holds at most one record of
// bounded length, and goes on with the next line after a broken one.
type records struct {
	in     *bufio.Reader
	line   int // of the end of the last record
	buffer []byte
	text   []byte
	ends   []int // in text, of each field
	fields [][]byte
	again  []byte // lines that were read as part of a broken record
	at     int    // in again, where the next line is
}

func newRecords(r io.Reader) *records {
	in := bufio.NewReaderSize(r, 64<<10)
	if bom, err := in.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	return &records{in: in}
}

// next returns the next record that is not empty and the line it starts on. The fields are good until the next call.
// errQuote and errTooLong are about this record only; other errors are the end.
func (r *records) next() (fields [][]byte, line int, err error) {
	for {
		r.buffer = r.buffer[:0]
		line = r.line + 1
		if err := r.read(); err != nil {
			return nil, line, err
		}
		if len(trimEnd(r.buffer)) > 0 {
			break
		}
	}
	fields, err = r.split(trimEnd(r.buffer))
	if first := bytes.IndexByte(r.buffer, '\n') + 1; err != nil && first > 0 {
		r.giveUp(first)
	}
	return fields, line, err
}

// read takes lines into the buffer until the quotes are closed. If they do not close within the longest record, or the
// file, only the first line is given up.
func (r *records) read() error {
	quotes, first := 0, 0
	for {
		part, err := r.readLine()
		if len(part) == 0 && err != nil {
			if !errors.Is(err, io.EOF) || len(r.buffer) == 0 {
				return err
			}
			r.giveUp(first)
			return nil
		}
		r.buffer = append(r.buffer, part...)
		r.line++
		if quotes += bytes.Count(part, []byte{'"'}); quotes%2 == 0 {
			return r.tooLong()
		}
		if first == 0 {
			first = len(r.buffer)
		}
		if len(r.buffer) > maxRecord {
			r.giveUp(first)
			return r.tooLong()
		}
	}
}

// giveUp has all but the first line, of that length, read again.
func (r *records) giveUp(first int) {
	back := r.buffer[first:]
	r.line -= bytes.Count(back, []byte{'\n'})
	if len(back) > 0 && back[len(back)-1] != '\n' {
		r.line--
	}
	if r.at < len(r.again) {
		// All of it was read from there. Copying instead would take quadratic time.
		r.at -= len(back)
	} else {
		r.again, r.at = bytes.Clone(back), 0
	}
	r.buffer = r.buffer[:first]
}

func (r *records) tooLong() error {
	if len(r.buffer) > maxRecord {
		return errTooLong
	}
	return nil
}

// readLine returns the next line with its end. Of a line that is much too long only the beginning is kept.
func (r *records) readLine() ([]byte, error) {
	if left := r.again[r.at:]; len(left) > 0 {
		end := bytes.IndexByte(left, '\n') + 1
		if end == 0 {
			end = len(left)
		}
		r.at += end
		return left[:end], nil
	}
	line, err := r.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.in.ReadSlice('\n')
		if len(long) <= maxRecord {
			long = append(long, line...)
		}
	}
	return long, err
}

func trimEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

// split cuts a record into fields without their quotes.
func (r *records) split(record []byte) ([][]byte, error) {
	r.text, r.ends, r.fields = r.text[:0], r.ends[:0], r.fields[:0]
	for more := true; more; {
		var err error
		if record, more, err = r.field(record); err != nil {
			return nil, err
		}
	}
	start := 0
	for _, end := range r.ends {
		r.fields = append(r.fields, r.text[start:end])
		start = end
	}
	return r.fields, nil
}

// field takes one field off and returns what is left, and whether there is a field in it.
func (r *records) field(record []byte) (left []byte, more bool, err error) {
	if len(record) == 0 || record[0] != '"' {
		value, left, more := bytes.Cut(record, []byte{','})
		if bytes.IndexByte(value, '"') >= 0 {
			return nil, false, errQuote
		}
		r.text = append(r.text, value...)
		r.ends = append(r.ends, len(r.text))
		return left, more, nil
	}
	for record = record[1:]; ; {
		at := bytes.IndexByte(record, '"')
		if at < 0 {
			return nil, false, errQuote
		}
		r.text = append(r.text, record[:at]...)
		record = record[at+1:]
		switch {
		case len(record) == 0:
			r.ends = append(r.ends, len(r.text))
			return nil, false, nil
		case record[0] == ',':
			r.ends = append(r.ends, len(r.text))
			return record[1:], true, nil
		case record[0] != '"':
			return nil, false, errQuote
		}
		r.text = append(r.text, '"')
		record = record[1:]
	}
}
