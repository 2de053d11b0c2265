// Package cost reads bills and cost reports, and keeps what the platform costs: FOCUS exports, AWS Cost and Usage
// Reports, Azure exports and OpenCost. All sums are exact. A file that comes again, restated or under another name,
// replaces what it said before; billed, effective, list and allocated cost are apart, and so are currencies.
package cost

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Options of a Book. The zero value works. Check options that come from a user before NewBook.
type Options struct {
	// Rules allocate rows to attributes. DefaultRules.
	Rules []Rule
	// Required are the attributes that a row needs from its tags to be tagged. Environment and team.
	Required []string
	// Since leaves billing periods that ended by then out of cost.accrued, so that an old bill that is read for the first
	// time is not spent today. Zero leaves none out. Moving it makes cost.accrued fall: set it once.
	Since time.Time
	// Budgets are shown beside the costs.
	Budgets []Budget
	// MaxAllocations bounds the combinations of values of the rules that get series of their own; the rest is added up
	// in series with otel.metric.overflow. 500.
	MaxAllocations int
	// MaxCells bounds what one delivery may hold in memory: combinations of day, provider, currency, category and
	// allocation, of some 500 bytes. 1,000,000.
	MaxCells int
}

// Budget is the amount that may be spent in a calendar month.
type Budget struct {
	Name     string
	Match    map[string]string // values of attributes of rules
	Amount   Amount
	Currency string
}

const (
	maxProviders  = 64
	maxCurrencies = 32
)

// Book holds what all deliveries say. It is safe for concurrent use.
type Book struct {
	start   time.Time
	options Options

	mu          sync.Mutex
	slots       map[slotKey]*slot
	allocations map[string]bool // that have series of their own, first come
	accrued     map[accruedKey]bool
	rows        map[rowKey]int64
}

// slotKey is what a delivery replaces as a whole: one billing period of one source.
type slotKey struct {
	Source  string
	Billing days
}

// days is a period in days since 1970.
type days struct{ Start, End int32 }

type slot struct {
	version string
	parts   map[string]*piece
}

// piece is what one file says about one billing period. It is not changed.
type piece struct {
	digest   [sha256.Size]byte
	cells    map[cellKey]*cell
	rows     map[rowKey]int64
	troubles map[Trouble]int64
}

// cellKey is what rows are summed up by.
type cellKey struct {
	Day        int32
	Provider   string
	Currency   string
	Category   Category
	Allocation string // values of the rules, each with \xff behind it
}

type cell struct {
	sums  [metrics]Amount
	known [metrics]bool
	end   time.Time // of the last charge, if charges of this cell are for a day or less
}

type accruedKey struct {
	Metric               Metric
	Currency, Allocation string
}

type rowKey struct {
	Class  Class
	Tagged bool
}

// NewBook returns an empty book whose counters begin at start. It keeps the slices of the options.
func NewBook(start time.Time, o Options) *Book {
	if o.Rules == nil {
		o.Rules = DefaultRules()
	}
	if o.Required == nil {
		o.Required = []string{Environment, Team}
	}
	o.MaxAllocations = cmp.Or(o.MaxAllocations, 500)
	o.MaxCells = cmp.Or(o.MaxCells, 1_000_000)
	return &Book{
		start: start, options: o, slots: map[slotKey]*slot{}, allocations: map[string]bool{},
		accrued: map[accruedKey]bool{}, rows: map[rowKey]int64{},
	}
}

// Result says what a delivery did to a book.
type Result struct {
	// Changed, Unchanged and Superseded count billing periods of files: new or other than before, the same as before,
	// and ignored because a newer version is there.
	Changed, Unchanged, Superseded int
}

// Begin starts a delivery: all files of one version of a source. A source is what the provider writes again and again,
// for example the export of one account, or the path of a file that is overwritten. Versions are in the order of their
// bytes, so write times in RFC 3339. For each billing period in it a newer version replaces all parts of an older one;
// the same version replaces parts of the same name. A Delivery is for one goroutine.
func (b *Book) Begin(source, version string) *Delivery {
	return &Delivery{book: b, source: source, version: version, parts: map[string]map[days]*piece{}}
}

var errBroken = errors.New("a file of it could not be read")

// Commit puts the delivery into the book, as a whole or not at all: not if a file of it could not be read.
func (d *Delivery) Commit() (Result, error) {
	if d.broken {
		return Result{}, fmt.Errorf("delivery of %q: %w", d.source, errBroken)
	}
	b := d.book
	b.mu.Lock()
	defer b.mu.Unlock()
	var result Result
	before := b.digests(d.source)
	for _, part := range slices.Sorted(maps.Keys(d.parts)) {
		periods := d.parts[part]
		for _, billing := range slices.SortedFunc(maps.Keys(periods), compareDays) {
			b.put(d, part, billing, periods[billing], before, &result)
		}
		b.forget(d, part, &result)
	}
	return result, nil
}

func compareDays(a, b days) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
}

// content identifies what a file says about a billing period.
type content struct {
	billing days
	digest  [sha256.Size]byte
}

// digests returns what a source has said.
func (b *Book) digests(source string) map[content]bool {
	out := map[content]bool{}
	for key, s := range b.slots {
		for _, p := range s.parts {
			if key.Source == source {
				out[content{key.Billing, p.digest}] = true
			}
		}
	}
	return out
}

// put puts one billing period of a file into its slot.
func (b *Book) put(d *Delivery, part string, billing days, p *piece, before map[content]bool, result *Result) {
	key := slotKey{d.source, billing}
	s := b.slots[key]
	switch {
	case s == nil:
		s = &slot{version: d.version, parts: map[string]*piece{}}
		b.slots[key] = s
	case s.version > d.version:
		result.Superseded++
		b.count(p.rows, Superseded)
		return
	}
	if s.version < d.version {
		s.version, s.parts = d.version, map[string]*piece{}
	}
	s.parts[part] = p
	if before[content{billing, p.digest}] {
		result.Unchanged++
		return
	}
	result.Changed++
	class := Class("")
	if b.elsewhere(key, p.digest) {
		class = Duplicate
	}
	b.count(p.rows, class)
	b.admit(p)
}

// forget removes what an earlier content of the same file said about billing periods that are not in it any more.
func (b *Book) forget(d *Delivery, part string, result *Result) {
	for key, s := range b.slots {
		if key.Source != d.source || s.version != d.version || s.parts[part] == nil || d.parts[part][key.Billing] != nil {
			continue
		}
		delete(s.parts, part)
		result.Changed++
		if len(s.parts) == 0 {
			delete(b.slots, key)
		}
	}
}

// elsewhere tells whether another source has the same content.
func (b *Book) elsewhere(at slotKey, digest [sha256.Size]byte) bool {
	for key, s := range b.slots {
		if key.Billing != at.Billing || key.Source == at.Source {
			continue
		}
		for _, p := range s.parts {
			if p.digest == digest {
				return true
			}
		}
	}
	return false
}

// count counts rows under their own class, or one for all that can be used.
func (b *Book) count(rows map[rowKey]int64, class Class) {
	for key, n := range rows {
		if class != "" && key.Class != Unparsable {
			key.Class = class
		}
		b.rows[key] += n
	}
}

// admit gives the allocations of a piece series of their own, in order, as long as there is room.
func (b *Book) admit(p *piece) {
	allocations := map[string]bool{}
	for key := range p.cells {
		allocations[key.Allocation] = true
	}
	for _, allocation := range slices.Sorted(maps.Keys(allocations)) {
		if len(b.allocations) >= b.options.MaxAllocations {
			break
		}
		if allocation != overflowed {
			b.allocations[allocation] = true
		}
	}
	for key, c := range p.cells {
		for m, known := range c.known {
			if known {
				b.accrued[accruedKey{Metric(m), key.Currency, b.allocation(key.Allocation)}] = true
			}
		}
	}
}

// overflowed is the allocation of what has no series of its own. It is not a text that tags can have.
const overflowed = "\xfe"

func (b *Book) allocation(a string) string {
	if b.allocations[a] {
		return a
	}
	return overflowed
}

// live returns the pieces that count. Where sources have the same content, one of them counts: the one that has it most
// often, since equal parts of one version are meant.
func (b *Book) live() []*livePiece {
	copies := map[content]map[string]int{}
	for key, s := range b.slots {
		for _, p := range s.parts {
			c := content{key.Billing, p.digest}
			if copies[c] == nil {
				copies[c] = map[string]int{}
			}
			copies[c][key.Source]++
		}
	}
	var out []*livePiece
	for key, s := range b.slots {
		for _, p := range s.parts {
			if best(copies[content{key.Billing, p.digest}]) == key.Source {
				out = append(out, &livePiece{key.Billing, p})
			}
		}
	}
	return out
}

type livePiece struct {
	billing days
	*piece
}

// best returns the source with the most copies, the first in order of those.
func best(copies map[string]int) string {
	sources := slices.Sorted(maps.Keys(copies))
	return slices.MaxFunc(sources, func(a, b string) int {
		return cmp.Or(cmp.Compare(copies[a], copies[b]), cmp.Compare(b, a))
	})
}

// Load reads one file as a source of its own, replacing what a file of that name said before.
func (b *Book) Load(name string, format Format, in io.Reader, o ReadOptions) (Report, Result, error) {
	d := b.Begin(name, "")
	report, err := d.Read("", format, in, o)
	if err != nil {
		return report, Result{}, err
	}
	result, err := d.Commit()
	return report, result, err
}
