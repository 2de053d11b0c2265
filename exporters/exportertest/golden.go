package exportertest

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Read returns the content of a file.
func Read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Lines returns the events as JSON, one a line.
func Lines(t testing.TB, events []event.Event) []byte {
	t.Helper()
	var out []byte
	for _, e := range events {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, line...), '\n')
	}
	return out
}
