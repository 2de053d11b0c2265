package sources

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// History returns the events of a CI history, in the order of the file: a table in CSV with a heading, whose
// column "data" holds one REST record a row, as Apache DevLake keeps what it collected in its raw tables. decode reads
// one record, as GitHubRun or JenkinsBuild. A row that decode can not read becomes an event.Unused; the
// error is for a file that is not such a table.
func History(table []byte, observed time.Time, decode func([]byte, time.Time) ([]event.Event, error)) ([]event.Event, error) {
	rows := csv.NewReader(bytes.NewReader(table))
	rows.FieldsPerRecord = -1
	heading, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("read history heading: %w", err)
	}
	data := slices.Index(heading, "data")
	if data < 0 {
		return nil, fmt.Errorf("read history: want a column %q, have %q", "data", heading)
	}
	var events []event.Event
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		decoded := []event.Event{event.NewUnused("history", observed)}
		if data < len(row) {
			if got, err := decode([]byte(row[data]), observed); err == nil {
				decoded = got
			}
		}
		events = append(events, decoded...)
	}
}
