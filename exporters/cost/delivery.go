package cost

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Delivery is one version of a source on its way into a book.
type Delivery struct {
	book            *Book
	source, version string
	parts           map[string]map[days]*piece
	broken          bool
}

var errTooMany = errors.New("more combinations than MaxCells")

// Read reads one file of the delivery. part is its name within: the files of one version need different names, and the
// next version need not have the same. After an error the delivery can not be committed.
func (d *Delivery) Read(part string, format Format, in io.Reader, o ReadOptions) (Report, error) {
	s := summing{
		options: d.book.options, pieces: map[days]*piece{}, words: map[string]string{},
		allocations: map[string]bool{}, currencies: map[string]bool{}, providers: map[string]bool{},
	}
	report, err := Read(format, in, o, s.add)
	if err == nil && s.cells > d.book.options.MaxCells {
		err = errTooMany
	}
	if err != nil {
		d.broken = true
		return report, fmt.Errorf("file %q of %q: %w", part, d.source, err)
	}
	// The same bytes are not the same content if they are read as another format: without reservations, Azure's actual
	// and amortised cost are equal files.
	identity := sha256.New()
	fmt.Fprintf(identity, "%s %s ", format, o.Currency)
	identity.Write(report.Digest[:])
	d.parts[part] = s.finish(&report, [sha256.Size]byte(identity.Sum(nil)))
	return report, nil
}

// summing sums up the rows of one file.
type summing struct {
	options                            Options
	pieces                             map[days]*piece
	cells                              int
	words                              map[string]string
	allocations, currencies, providers map[string]bool
	tooMany                            int
}

const secondsPerDay = 24 * 60 * 60

func dayOf(t time.Time) int32 { return int32(t.Unix() / secondsPerDay) }

// timeOf returns the beginning of a day.
func timeOf(day int32) time.Time { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }

func daysOf(p Period) days {
	return days{dayOf(p.Start), max(dayOf(p.End), dayOf(p.Start)+1)}
}

// add adds a row.
func (s *summing) add(row *Row) {
	if !within(s.currencies, row.Currency, maxCurrencies) {
		s.tooMany++
		return
	}
	if s.cells > s.options.MaxCells {
		return
	}
	if !within(s.providers, row.Provider, maxProviders) {
		row.Provider = unknownProvider
	}
	billing := daysOf(row.Billing)
	p := s.pieces[billing]
	if p == nil {
		p = &piece{cells: map[cellKey]*cell{}, rows: map[rowKey]int64{}, troubles: map[Trouble]int64{}}
		s.pieces[billing] = p
	}
	allocation, tagged := s.allocate(row.Tags)
	key := cellKey{dayOf(row.Charge.Start), s.word(row.Provider), s.word(row.Currency), row.Category, allocation}
	c := p.cells[key]
	if c == nil {
		s.cells++
		c = &cell{}
		p.cells[key] = c
	}
	for m, cost := range row.Costs {
		if cost.Known {
			c.sums[m] = c.sums[m].Plus(cost.Amount)
			c.known[m] = true
		}
	}
	if row.Charge.End.Sub(row.Charge.Start) <= 24*time.Hour && row.Charge.End.After(c.end) {
		c.end = row.Charge.End
	}
	p.rows[rowKey{class(row), tagged}]++
}

// within tells whether a word is one of the first few.
func within(seen map[string]bool, word string, limit int) bool {
	if !seen[word] {
		if len(seen) >= limit {
			return false
		}
		seen[strings.Clone(word)] = true
	}
	return true
}

// word returns one copy for all that are equal: keys outlive rows.
func (s *summing) word(w string) string {
	if kept, ok := s.words[w]; ok {
		return kept
	}
	w = strings.Clone(w)
	s.words[w] = w
	return w
}

func class(row *Row) Class {
	switch {
	case !slices.ContainsFunc(row.Costs[:], func(c Cost) bool { return c.Known }):
		return Null
	case row.Correction:
		return Corrected
	}
	return OK
}

// allocate returns the values of the rules for a row, and whether tags gave those that are required.
func (s *summing) allocate(tags []Tag) (allocation string, tagged bool) {
	var b strings.Builder
	tagged = true
	for _, rule := range s.options.Rules {
		value, ok := rule.value(tags)
		b.WriteString(value)
		b.WriteByte('\xff')
		if !ok && slices.Contains(s.options.Required, rule.Attribute) {
			tagged = false
		}
	}
	allocation = b.String()
	if !within(s.allocations, allocation, 10*s.options.MaxAllocations) {
		allocation = overflowed
	}
	return s.word(allocation), tagged
}

// finish returns what the file says of each billing period. Rows and troubles that belong to none go with the last.
func (s *summing) finish(report *Report, digest [sha256.Size]byte) map[days]*piece {
	if s.tooMany > 0 {
		report.Bad += s.tooMany
		report.Troubles[TooManyKinds] += s.tooMany
	}
	var last *piece
	var lastDays days
	for billing, p := range s.pieces {
		p.digest = digest
		for key, c := range p.cells {
			if slices.Contains(report.Truncated, key.Provider) {
				c.sums[Effective], c.known[Effective] = Amount{}, false
			}
		}
		if last == nil || compareDays(lastDays, billing) < 0 {
			last, lastDays = p, billing
		}
	}
	if last == nil {
		if report.Bad == 0 {
			return s.pieces
		}
		last = &piece{digest: digest, rows: map[rowKey]int64{}, troubles: map[Trouble]int64{}}
		s.pieces[days{}] = last
	}
	if report.Bad > 0 {
		last.rows[rowKey{Unparsable, false}] += int64(report.Bad)
	}
	for t, n := range report.Troubles {
		last.troubles[t] += int64(n)
	}
	return s.pieces
}
