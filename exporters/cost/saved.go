package cost

import (
	"cmp"
	"crypto/sha256"
	"encoding/gob"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"time"
)

// savedBook is the whole of a Book in a form that encoding/gob can write. Fields may be added; old ones keep their name
// and meaning. Everything is in order, so that equal books are equal bytes.
type savedBook struct {
	Start       time.Time
	Rules       []string // attributes of the rules, in the order of values in an allocation
	Slots       []savedSlot
	Allocations []string
	Accrued     []accruedKey
	Rows        []savedRows
}

type savedSlot struct {
	Source, Version string
	Start, End      int32 // days since 1970
	Parts           []savedPart
}

type savedPart struct {
	Name     string
	Digest   [sha256.Size]byte
	Cells    []savedCell
	Rows     []savedRows
	Troubles []savedTrouble
}

type savedCell struct {
	Key   cellKey
	Sums  [metrics]*big.Int // multiples of 10^-36
	Known [metrics]bool
	End   time.Time
}

type savedRows struct {
	Key   rowKey
	Count int64
}

type savedTrouble struct {
	Trouble Trouble
	Count   int64
}

// Save writes the book: Restore makes one that reads the same, and takes the same deliveries as unchanged.
func (b *Book) Save(out io.Writer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := savedBook{
		Start: b.start.Round(0), Rules: b.attributes(), Allocations: slices.Sorted(maps.Keys(b.allocations)), Rows: saveRows(b.rows),
		Accrued: slices.SortedFunc(maps.Keys(b.accrued), func(x, y accruedKey) int {
			return cmp.Or(cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Currency, y.Currency), cmp.Compare(x.Allocation, y.Allocation))
		}),
	}
	keys := slices.SortedFunc(maps.Keys(b.slots), func(x, y slotKey) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), compareDays(x.Billing, y.Billing))
	})
	for _, key := range keys {
		from := b.slots[key]
		to := savedSlot{Source: key.Source, Version: from.version, Start: key.Billing.Start, End: key.Billing.End}
		for _, name := range slices.Sorted(maps.Keys(from.parts)) {
			to.Parts = append(to.Parts, from.parts[name].save(name))
		}
		s.Slots = append(s.Slots, to)
	}
	if err := gob.NewEncoder(out).Encode(s); err != nil {
		return fmt.Errorf("save book of costs: %w", err)
	}
	return nil
}

func (b *Book) attributes() []string {
	var out []string
	for _, rule := range b.options.Rules {
		out = append(out, rule.Attribute)
	}
	return out
}

func (p *piece) save(name string) savedPart {
	out := savedPart{Name: name, Digest: p.digest, Rows: saveRows(p.rows)}
	for _, t := range slices.Sorted(maps.Keys(p.troubles)) {
		out.Troubles = append(out.Troubles, savedTrouble{t, p.troubles[t]})
	}
	keys := slices.SortedFunc(maps.Keys(p.cells), func(x, y cellKey) int {
		return cmp.Or(
			cmp.Compare(x.Day, y.Day), cmp.Compare(x.Provider, y.Provider), cmp.Compare(x.Currency, y.Currency),
			cmp.Compare(x.Category, y.Category), cmp.Compare(x.Allocation, y.Allocation),
		)
	})
	for _, key := range keys {
		c := p.cells[key]
		saved := savedCell{Key: key, Known: c.known, End: c.end}
		for m := range c.sums {
			saved.Sums[m] = c.sums[m].int()
		}
		out.Cells = append(out.Cells, saved)
	}
	return out
}

func saveRows(rows map[rowKey]int64) []savedRows {
	keys := slices.SortedFunc(maps.Keys(rows), func(x, y rowKey) int {
		if x.Class == y.Class && x.Tagged != y.Tagged {
			return map[bool]int{false: -1, true: 1}[x.Tagged]
		}
		return cmp.Compare(x.Class, y.Class)
	})
	var out []savedRows
	for _, key := range keys {
		out = append(out, savedRows{key, rows[key]})
	}
	return out
}

// Restore returns the book that was saved, with these options. It fails if the rules have other attributes than before:
// what was allocated can not be allocated again without the files.
func Restore(in io.Reader, o Options) (*Book, error) {
	var s savedBook
	if err := gob.NewDecoder(in).Decode(&s); err != nil {
		return nil, fmt.Errorf("restore book of costs: %w", err)
	}
	b := NewBook(s.Start, o)
	if have := b.attributes(); !slices.Equal(have, s.Rules) {
		return nil, fmt.Errorf("restore book of costs: it is allocated to %q, the rules allocate to %q", s.Rules, have)
	}
	for _, a := range s.Allocations {
		b.allocations[a] = true
	}
	for _, key := range s.Accrued {
		b.accrued[key] = true
	}
	b.rows = restoreRows(s.Rows)
	for _, from := range s.Slots {
		to := &slot{version: from.Version, parts: map[string]*piece{}}
		for _, part := range from.Parts {
			to.parts[part.Name] = part.restore()
		}
		b.slots[slotKey{from.Source, days{from.Start, from.End}}] = to
	}
	return b, nil
}

func (s savedPart) restore() *piece {
	p := &piece{digest: s.Digest, cells: map[cellKey]*cell{}, rows: restoreRows(s.Rows), troubles: map[Trouble]int64{}}
	for _, t := range s.Troubles {
		p.troubles[t.Trouble] = t.Count
	}
	for _, from := range s.Cells {
		c := &cell{known: from.Known, end: from.End}
		for m, sum := range from.Sums {
			c.sums[m] = Amount{sum}
		}
		p.cells[from.Key] = c
	}
	return p
}

func restoreRows(saved []savedRows) map[rowKey]int64 {
	rows := map[rowKey]int64{}
	for _, r := range saved {
		rows[r.Key] = r.Count
	}
	return rows
}
