package cost

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// table is a format with a head and rows.
type table struct {
	columns []column
	// tagPrefix is that of columns which are a tag each, in the form of canonical; "" if there are none.
	tagPrefix string
	row       func(*reader)
}

// column is a column of a format.
type column struct {
	names    []string // in the form of canonical; the first that is there counts
	required bool
}

// tagColumn is a column that is one tag.
type tagColumn struct {
	key   string
	index int
}

var (
	errMissing = errors.New("it has no column")
	errCut     = errors.New("it ends within a record")
)

// tables are the formats with a head and rows.
var tables = map[Format]table{
	FOCUS:          {columns: focusColumns, row: (*reader).focus},
	CUR:            {columns: curColumns, tagPrefix: "resourcetags", row: (*reader).cur},
	AzureActual:    {columns: azureColumns, row: func(r *reader) { r.azure(Billed) }},
	AzureAmortized: {columns: azureColumns, row: func(r *reader) { r.azure(Effective) }},
	OpenCostExport: {columns: exportColumns, row: (*reader).export},
}

// canonical returns the name of a column without case and punctuation: lineItem/UsageType and line_item_usage_type are
// the same, and so are SkuPriceId and SkuPriceid.
func canonical(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		}
		return -1
	}, name)
}

// read reads a text file.
func (t table) read(r *reader, in io.Reader) error {
	records := newRecords(in)
	head, _, err := records.next()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("head: %w", err)
	}
	if err := r.head(t, head); err != nil {
		return err
	}
	width, cut := len(head), false
	for {
		record, line, err := records.next()
		broken := errors.Is(err, errQuote) || errors.Is(err, errTooLong)
		switch {
		case errors.Is(err, io.EOF) && cut:
			return errCut
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !broken:
			return fmt.Errorf("line %d: %w", line, err)
		}
		r.begin(line)
		cut = (broken || len(record) != width) && !bytes.HasSuffix(records.buffer, []byte("\n"))
		switch {
		case broken:
			r.report.Bad++
			r.trouble("", BadSyntax)
		case len(record) != width:
			r.report.Bad++
			r.trouble("", BadWidth)
		default:
			r.record = record
			t.row(r)
			r.end()
		}
	}
}

// head finds the columns.
func (r *reader) head(t table, head [][]byte) error {
	places := map[string]int{}
	for i, field := range head {
		name := canonical(string(field))
		if _, ok := places[name]; !ok {
			places[name] = i
		}
		if t.tagPrefix != "" && strings.HasPrefix(name, t.tagPrefix) && name != t.tagPrefix {
			r.tags = append(r.tags, tagColumn{tagKey(string(field)), i})
		}
	}
	r.index = make([]int, len(t.columns))
	found := 0
	for i, c := range t.columns {
		r.index[i] = -1
		for _, name := range c.names {
			if at, ok := places[name]; ok {
				r.index[i] = at
				found++
				break
			}
		}
		if r.index[i] >= 0 {
			continue
		}
		if c.required {
			return fmt.Errorf("%w %s", errMissing, c.names[0])
		}
		r.report.Missing = append(r.report.Missing, c.names[0])
	}
	r.report.Ignored = len(head) - found - len(r.tags)
	return nil
}

// tagKey returns the key of a column like resourceTags/user:Team or resource_tags_user_team.
func tagKey(name string) string {
	for _, prefix := range []string{"resourceTags/", "resource_tags_"} {
		name = strings.TrimPrefix(name, prefix)
	}
	return userKey(name)
}

// userKey cuts off AWS's mark of tags that the owner made.
func userKey(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, "user:"), "user_")
}

// field returns the value in a column of the format, or nil if there is none.
func (r *reader) field(column int) []byte {
	if r.index[column] < 0 {
		return nil
	}
	value := bytes.TrimSpace(r.record[r.index[column]])
	for _, null := range r.options.Null {
		if string(value) == null {
			return nil
		}
	}
	return value
}

// word returns the value in a column as a name: clean and in lower case.
func (r *reader) word(column int) string {
	return strings.ToLower(event.Clean(string(r.field(column))))
}

// amount reads a column into a cost. It reports false if there is none.
func (r *reader) amount(column int, name string, into *Cost) bool {
	text := r.field(column)
	if text == nil {
		return false
	}
	a, err := parseAmount(string(text), r.format == OpenCostExport)
	if err != nil {
		r.trouble(name, BadAmount)
		return false
	}
	*into = Cost{a, true}
	return true
}

// must reads a column into a cost. The row is refused if it is there and is no number.
func (r *reader) must(column int, name string, into *Cost) {
	if !r.amount(column, name, into) && r.field(column) != nil {
		r.bad = true
	}
}

// period reads two columns of times; end may be missing, then the period has no length.
func (r *reader) period(start, end int, name string, into *Period) {
	text := r.field(start)
	if text == nil {
		return
	}
	var err error
	if into.Start, err = r.times.parse(text); err != nil {
		r.refuse(name, BadTime)
		return
	}
	into.End = into.Start
	if text = r.field(end); text != nil {
		if into.End, err = r.times.parse(text); err != nil {
			// It costs what it costs: when it ends is not worth losing the money.
			r.trouble(name, BadTime)
			into.End = into.Start
		}
	}
}
