package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// magic begins every file. The digit is the version of the format.
const magic = "plmslgr1"

// headerBytes is the size of a record's header, all little-endian: length of the payload (4 bytes), checksum (4), and
// the number of the first event (8). The checksum is the CRC-32C of length, number and payload.
const headerBytes = 16

// errDamaged means that the bytes are not what was written.
var errDamaged = errors.New("no whole record")

func checksum(header, payload []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, header[:4])
	sum = crc32.Update(sum, table, header[8:headerBytes])
	return crc32.Update(sum, table, payload)
}

func appendRecord(b []byte, number uint64, payload []byte) []byte {
	var header [headerBytes]byte
	binary.LittleEndian.PutUint32(header[:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(header[8:], number)
	binary.LittleEndian.PutUint32(header[4:], checksum(header[:], payload))
	return append(append(b, header[:]...), payload...)
}

// readRecord returns the record at the beginning of b; ok is false if there is no whole one. payload is part of b.
func readRecord(b []byte) (number uint64, payload, rest []byte, ok bool) {
	if len(b) < headerBytes {
		return 0, nil, nil, false
	}
	length := uint64(binary.LittleEndian.Uint32(b))
	if length > uint64(len(b)-headerBytes) {
		return 0, nil, nil, false
	}
	payload, rest = b[headerBytes:headerBytes+length], b[headerBytes+length:]
	if binary.LittleEndian.Uint32(b[4:]) != checksum(b, payload) {
		return 0, nil, nil, false
	}
	return binary.LittleEndian.Uint64(b[8:]), payload, rest, true
}

// recordWithin tells whether a whole record with a number from next on begins anywhere in b, the end of a segment that
// is damaged from there. Such a record was written after the damaged one was durable.
func recordWithin(b []byte, next uint64) bool {
	for ; len(b) >= headerBytes; b = b[1:] {
		// An event takes more than a byte, so the number bounds what is worth a checksum.
		if number := binary.LittleEndian.Uint64(b[8:]); number < next || number-next > uint64(maxSegment) {
			continue
		}
		if _, _, _, ok := readRecord(b); ok {
			return true
		}
	}
	return false
}

// maxSegment is more than a segment can have.
const maxSegment = 1 << 32

// readSegment calls each with the payload of every record of a segment whose first event has the number next, and
// returns the number of the event after the last one and where the last whole record ends. The error is errDamaged,
// from that place on, or what each returned of the record there; each returns how many events the payload has.
func readSegment(b []byte, next uint64, each func(next uint64, payload []byte) (int, error)) (after uint64, end int, err error) {
	rest, ok := cutMagic(b)
	if !ok {
		return next, 0, errDamaged
	}
	for len(rest) > 0 {
		number, payload, following, ok := readRecord(rest)
		if !ok || number != next {
			return next, len(b) - len(rest), errDamaged
		}
		count, err := each(next, payload)
		if err != nil {
			return next, len(b) - len(rest), err
		}
		next += uint64(count)
		rest = following
	}
	return next, len(b), nil
}

func cutMagic(b []byte) (rest []byte, ok bool) {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return nil, false
	}
	return b[len(magic):], true
}

// unwritten tells whether a segment that does not begin with magic can be one that a crash left unfinished: the
// beginning of magic, and zeros where the rest did not arrive on disk. Anything else is not ours, or another version.
func unwritten(b []byte) bool {
	head := b[:min(len(b), len(magic))]
	same := 0
	for same < len(head) && head[same] == magic[same] {
		same++
	}
	return !slices.ContainsFunc(head[same:], func(c byte) bool { return c != 0 })
}

// damagedAt names the place of damage.
func damagedAt(path string, offset int, err error) error {
	return fmt.Errorf("%s is damaged at offset %d: %w", path, offset, err)
}
