package cost

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

// Format is a form in which costs are delivered.
type Format string

// The formats. Text files may be compressed with gzip, whatever their name.
const (
	FOCUS              Format = "focus"               // FinOps Open Cost and Usage Specification 1.0 to 1.2, CSV
	CUR                Format = "cur"                 // AWS Cost and Usage Report, CSV, with heads like lineItem/X or line_item_x
	AzureActual        Format = "azure-actual"        // Azure cost export, CSV, data set of actual cost: billed
	AzureAmortized     Format = "azure-amortized"     // the same of amortized cost: effective
	OpenCostExport     Format = "opencost-export"     // OpenCost's daily CSV export
	OpenCostAllocation Format = "opencost-allocation" // answer of OpenCost's /allocation
	OpenCostCloud      Format = "opencost-cloud"      // answer of OpenCost's /cloudCost
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{FOCUS, CUR, AzureActual, AzureAmortized, OpenCostExport, OpenCostAllocation, OpenCostCloud}
}

// ReadOptions are how to understand what a file does not say. The zero value works.
type ReadOptions struct {
	// Zone is where times without a zone are from. UTC, which is what FOCUS wants. Days are always days of UTC.
	Zone *time.Location
	// Null are the spellings of "no value". The empty text, NULL, null and Null.
	Null []string
	// SlashDates says what 5/1/25 means. Such dates are refused, but for Azure, which documents month first.
	SlashDates SlashDates
	// Currency is the code for rows of files without a column for it; OpenCost never says it. Without it such rows are
	// refused.
	Currency string
	// MaxBytes is the most of a file, after decompression. 64 GiB, and 64 MiB for JSON, which is held in memory.
	MaxBytes int64
}

// Report is what was found in a file.
type Report struct {
	// Rows counts the rows, Bad those that can not be used.
	Rows, Bad int
	// Troubles counts what is wrong; one row may have several.
	Troubles map[Trouble]int
	// Problems are the first 20 of them.
	Problems []Problem
	// Missing are the columns of the format that are not in the file, Ignored counts columns that are not read.
	Missing []string
	Ignored int
	// Truncated are the providers whose effective cost has lost its decimals: it must not be used.
	Truncated []string
	// Digest is the SHA-256 of the content after decompression.
	Digest [sha256.Size]byte
}

// maxProblems is how many problems of a file are kept.
const maxProblems = 20

// Read reads costs and calls each with every row that can be used. The row is good until each returns, its amounts
// and texts for ever. What is wrong with single rows is in the report. It fails if the whole is not what format says, or
// can not be read to its end: then the rows before must not be used. Memory is bounded for text files of any size.
func Read(format Format, in io.Reader, o ReadOptions, each func(*Row)) (Report, error) {
	limit := int64(64 << 30)
	decode := map[Format]func(*reader, io.Reader) error{
		OpenCostAllocation: (*reader).allocation, OpenCostCloud: (*reader).cloudCost,
	}[format]
	if decode != nil {
		limit = 64 << 20
	} else if decode = tables[format].read; tables[format].row == nil {
		return Report{}, fmt.Errorf("unknown cost format %q", format)
	}
	if o.MaxBytes > 0 {
		limit = o.MaxBytes
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.SlashDates == NoSlashDates && (format == AzureActual || format == AzureAmortized) {
		o.SlashDates = MonthFirst
	}
	if o.Null == nil {
		o.Null = []string{"", "NULL", "null", "Null"}
	}
	plain, err := decompress(in)
	if err != nil {
		return Report{}, fmt.Errorf("decompress %s: %w", format, err)
	}
	r := &reader{
		options: o, format: format, each: each, checks: map[string]*check{}, words: map[string]string{}, known: map[string][]Tag{},
		times:  times{zone: o.Zone, slash: o.SlashDates, recent: map[string]time.Time{}},
		report: Report{Troubles: map[Trouble]int{}},
	}
	content := &counted{in: plain, hash: sha256.New(), left: limit}
	if err := decode(r, content); err != nil {
		return r.report, fmt.Errorf("read %s: %w", format, err)
	}
	content.hash.Sum(r.report.Digest[:0])
	r.report.Truncated = r.truncated()
	return r.report, nil
}

// decompress returns what is in a gzip file, or the file itself if it is not one.
func decompress(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 64<<10)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil
	}
	return gzip.NewReader(b)
}

var errTooMuch = errors.New("larger than allowed")

// counted computes the digest of what is read, and ends what is too large.
type counted struct {
	in   io.Reader
	hash hash.Hash
	left int64
}

// Read is io.Reader's.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.hash.Write(p[:n])
	if c.left -= int64(n); c.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}

// reader is the reading of one file.
type reader struct {
	options ReadOptions
	format  Format
	each    func(*Row)
	times   times
	report  Report
	checks  map[string]*check

	row    Row
	bad    bool     // the row can not be used
	record [][]byte // fields of the row
	index  []int    // where each column of the format is in the record, or -1
	tags   []tagColumn
	words  map[string]string // that were cleaned before
	known  map[string][]Tag  // that were read before
}

// maxWords bounds what is remembered to be quicker, in entries. Entries are short.
const maxWords = 4096

// trouble notes what is wrong with the row.
func (r *reader) trouble(column string, t Trouble) {
	r.report.Troubles[t]++
	if len(r.report.Problems) < maxProblems {
		r.report.Problems = append(r.report.Problems, Problem{r.row.Line, column, t})
	}
}

// refuse notes what makes the row useless.
func (r *reader) refuse(column string, t Trouble) {
	r.trouble(column, t)
	r.bad = true
}

// begin starts a row.
func (r *reader) begin(line int) {
	r.report.Rows++
	r.row = Row{Line: line, Tags: r.row.Tags[:0]}
	r.bad = false
}

// end checks the row and passes it on.
func (r *reader) end() {
	row := &r.row
	if row.Currency == "" {
		row.Currency = r.options.Currency
	}
	if !isCurrency(row.Currency) {
		r.refuse("currency", BadCurrency)
	}
	if row.Billing.Start.IsZero() && !row.Charge.Start.IsZero() {
		y, m, _ := row.Charge.Start.Date()
		row.Billing.Start = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		row.Billing.End = row.Billing.Start
	}
	if row.Billing.End.Equal(row.Billing.Start) {
		row.Billing.End = row.Billing.Start.AddDate(0, 1, 0)
	}
	if !r.bad && (!row.Billing.Start.Before(row.Billing.End) || row.Charge.End.Before(row.Charge.Start)) {
		r.refuse("period", BadPeriod)
	}
	if r.bad {
		r.report.Bad++
		return
	}
	r.check()
	r.each(row)
}

func isCurrency(code string) bool {
	return len(code) == 3 && !slices.ContainsFunc([]byte(code), func(c byte) bool { return c < 'A' || c > 'Z' })
}

// check is how many rows of a provider could show that effective cost has lost its decimals, and how many do.
type check struct{ could, do int }

// minTruncated is how many rows must show it, without one that shows the opposite.
const minTruncated = 20

// check looks whether the effective cost of the row is its billed cost, truncated or rounded to a whole number. Usage
// that no commitment covers has about the same in both; exports that write the column as an integer are published.
func (r *reader) check() {
	billed, effective := r.row.Costs[Billed], r.row.Costs[Effective]
	usual := r.row.Category == Usage && !r.row.Committed
	if !usual || !billed.Known || !effective.Known || billed.Equal(billed.Truncated()) {
		return
	}
	c := r.checks[r.row.Provider]
	if c == nil {
		if len(r.checks) >= maxProviders {
			return
		}
		c = &check{}
		r.checks[r.row.Provider] = c
	}
	c.could++
	less := effective.Minus(billed.Amount).Truncated().Sign() == 0
	if less && effective.Equal(effective.Truncated()) {
		c.do++
	}
}

func (r *reader) truncated() []string {
	var out []string
	for provider, c := range r.checks {
		if c.could >= minTruncated && c.do == c.could {
			out = append(out, provider)
			r.report.Troubles[Truncated] += c.do
		}
	}
	slices.Sort(out)
	return out
}
