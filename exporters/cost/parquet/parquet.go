// Package parquet turns bills in Parquet files into the CSV that package cost reads: FOCUS exports and Cost and Usage
// Reports come in either form. It is apart because of its library, which a program without it need not link.
package parquet

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

// batch is how many rows are in memory at a time, besides the pages they are from.
const batch = 64

// CSV reads a Parquet file as comma-separated values: the head has the names of columns, texts and decimals are as they
// are, floating-point numbers have the fewest digits that mean them, times are in RFC 3339, without a zone if the file says
// that they are local, a map of texts is a JSON object, and null is empty. Columns of other structure are left out. It is not
// safe for concurrent use.
type CSV struct {
	file    *parquet.File
	columns []column
	leaves  []leaf
	groups  []parquet.RowGroup // not begun
	rows    parquet.Rows       // of the group that is read, or nil
	pending bytes.Buffer       // text that is ready
	out     *csv.Writer
	buffer  []parquet.Row
	record  []string
	err     error
}

// column is a column of the CSV.
type column struct {
	name string
	tags bool // a map of texts
}

// leaf is a column of the Parquet file: a column of the CSV or a part of one.
type leaf struct {
	column int // or -1
	key    bool
	text   func(parquet.Value) string
}

// Open reads the end of a Parquet file, where its columns are described. The file must stay open as long as CSV is read.
func Open(file io.ReaderAt, size int64) (c *CSV, err error) {
	defer recovered(&err)
	f, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("open Parquet file: %w", err)
	}
	c = &CSV{file: f, groups: f.RowGroups(), buffer: make([]parquet.Row, batch)}
	c.out = csv.NewWriter(&c.pending)
	for _, field := range f.Schema().Fields() {
		c.add(field)
	}
	for _, column := range c.columns {
		c.record = append(c.record, column.name)
	}
	if len(c.record) == 0 {
		return nil, errors.New("open Parquet file: it has no columns of texts, numbers or times")
	}
	if err := c.out.Write(c.record); err != nil {
		return nil, fmt.Errorf("write head of Parquet file: %w", err)
	}
	return c, nil
}

// errBroken is about files that make the library panic.
var errBroken = errors.New("broken Parquet file")

// recovered turns a panic into an error: the library checks a file as it goes, and not everything.
func recovered(err *error) {
	if recover() != nil {
		*err = errBroken
	}
}

// add describes a column of the highest level. Leaves are counted in the order of the schema, which Value.Column uses.
func (c *CSV) add(field parquet.Field) {
	if field.Leaf() && !field.Repeated() {
		c.leaves = append(c.leaves, leaf{column: len(c.columns), text: texts(field.Type())})
		c.columns = append(c.columns, column{name: field.Name()})
		return
	}
	key, value, ok := texted(field)
	if !ok {
		for range leavesOf(field) {
			c.leaves = append(c.leaves, leaf{column: -1})
		}
		return
	}
	c.leaves = append(c.leaves, leaf{column: len(c.columns), key: true, text: key}, leaf{column: len(c.columns), text: value})
	c.columns = append(c.columns, column{name: field.Name(), tags: true})
}

// texted returns how to write the keys and values of a map, or false if the field is not a map of simple values.
func texted(field parquet.Field) (key, value func(parquet.Value) string, ok bool) {
	if field.Leaf() || !isMap(field.Type()) || len(field.Fields()) != 1 {
		return nil, nil, false
	}
	entry := field.Fields()[0]
	if entry.Leaf() || !entry.Repeated() || len(entry.Fields()) != 2 {
		return nil, nil, false
	}
	k, v := entry.Fields()[0], entry.Fields()[1]
	if k.Name() != "key" || !k.Leaf() || !v.Leaf() || k.Repeated() || v.Repeated() {
		return nil, nil, false
	}
	return texts(k.Type()), texts(v.Type()), true
}

func isMap(t parquet.Type) bool {
	if l := t.LogicalType(); l != nil {
		return l.Map != nil
	}
	converted := t.ConvertedType()
	return converted != nil && (*converted == deprecated.Map || *converted == deprecated.MapKeyValue)
}

func leavesOf(node parquet.Node) (n int) {
	if node.Leaf() {
		return 1
	}
	for _, f := range node.Fields() {
		n += leavesOf(f)
	}
	return n
}

// Read is io.Reader's. It fails if the file is broken, also where that shows only in its middle.
func (c *CSV) Read(p []byte) (n int, err error) {
	for c.pending.Len() == 0 && c.err == nil {
		c.err = c.more()
	}
	if c.pending.Len() > 0 {
		return c.pending.Read(p)
	}
	return 0, c.err
}

// Close gives memory back. It does not close the file.
func (c *CSV) Close() error {
	if c.rows == nil {
		return nil
	}
	rows := c.rows
	c.rows = nil
	return rows.Close()
}

// more writes the next rows.
func (c *CSV) more() (err error) {
	defer recovered(&err)
	c.out.Flush()
	if c.pending.Len() > 0 {
		return nil
	}
	if c.rows == nil {
		if len(c.groups) == 0 {
			return io.EOF
		}
		c.rows, c.groups = c.groups[0].Rows(), c.groups[1:]
	}
	n, err := c.rows.ReadRows(c.buffer)
	for _, row := range c.buffer[:n] {
		if err := c.write(row); err != nil {
			return err
		}
	}
	c.out.Flush()
	switch {
	case errors.Is(err, io.EOF) || err == nil && n == 0:
		return c.Close()
	case err != nil:
		return fmt.Errorf("read Parquet file: %w", err)
	}
	return nil
}

// write writes a row.
func (c *CSV) write(row parquet.Row) error {
	clear(c.record)
	keys := make([]string, 0, 8)
	tags := map[string]string{}
	row.Range(func(at int, values []parquet.Value) bool {
		l := c.leaves[at]
		switch {
		case l.column < 0:
		case !c.columns[l.column].tags:
			if len(values) == 1 && !values[0].IsNull() {
				c.record[l.column] = l.text(values[0])
			}
		case l.key:
			keys = keys[:0]
			for _, v := range values {
				if !v.IsNull() {
					keys = append(keys, l.text(v))
				}
			}
		case len(keys) > 0:
			clear(tags)
			for i, v := range values {
				if i < len(keys) && !v.IsNull() {
					tags[keys[i]] = l.text(v)
				}
			}
			text, err := json.Marshal(tags)
			if err == nil {
				c.record[l.column] = string(text)
			}
		}
		return true
	})
	if err := c.out.Write(c.record); err != nil {
		return fmt.Errorf("write row of Parquet file: %w", err)
	}
	return nil
}
