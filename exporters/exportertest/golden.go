package exportertest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Golden compares got with a file, or writes the file if update is set.
func Golden(t testing.TB, update bool, file string, got []byte) {
	t.Helper()
	if update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.SplitAfter(string(Read(t, file)), "\n")
	for i, line := range strings.SplitAfter(string(got), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s:%d differs, and perhaps what follows: got %q", file, i+1, line)
		}
	}
	if n := strings.Count(string(got), "\n"); n+1 != len(want) {
		t.Errorf("%s: want %d lines, got %d", file, len(want)-1, n)
	}
}

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
