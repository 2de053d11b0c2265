package platformapi

import (
	"crypto/sha256"
	"slices"
	"time"
)

// digest stands for a subject in memory.
type digest [16]byte

func digestOf(subject string) digest {
	sum := sha256.Sum256([]byte(subject))
	return digest(sum[:16])
}

// maxParts bounds the parts of a batch, and so what a forged one can make us remember.
const maxParts = 1 << 16

// parts are the parts of a batch that were counted, as bits.
type parts struct{ seen []uint64 }

// note adds a part, and tells whether it is new.
func (p *parts) note(part int) bool {
	word, bit := part/64, uint64(1)<<(part%64)
	if word >= len(p.seen) {
		p.seen = append(p.seen, make([]uint64, word+1-len(p.seen))...)
	}
	if p.seen[word]&bit != 0 {
		return false
	}
	p.seen[word] |= bit
	return true
}

// ActionWindow is how long after the beginning of a change what its actor does in the same namespace belongs to it.
const ActionWindow = time.Minute

// maxStarts bounds the changes that are remembered of one actor in one namespace.
const maxStarts = 64

// starts are when the last changes began, ascending, in nanoseconds since 1970.
type starts struct{ at []int64 }

// begin notes a change, and tells whether it is a new one.
func (s *starts) begin(at int64) bool {
	i, _ := slices.BinarySearch(s.at, at)
	if i > 0 && at-s.at[i-1] < int64(ActionWindow) || i < len(s.at) && s.at[i]-at < int64(ActionWindow) {
		return false
	}
	s.at = slices.Insert(s.at, i, at)
	if len(s.at) > maxStarts {
		s.at = slices.Delete(s.at, 0, 1)
	}
	return true
}
