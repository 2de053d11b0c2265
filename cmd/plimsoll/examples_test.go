package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples checks, formats and builds every folder of examples, for each
// form of the rules.
func TestExamples(t *testing.T) {
	dirs, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		n++
		dir := filepath.Join("../../examples", d.Name())
		commands := [][]string{{"check", "--strict", dir}, {"fmt", "--check", dir}, {"explain", "-f", dir}}
		for _, target := range targets() {
			commands = append(commands, []string{"build", "--target", target, "-o", filepath.Join(t.TempDir(), "out"), dir})
		}
		for _, args := range commands {
			var out, errs bytes.Buffer
			if code := run(args, strings.NewReader(""), &out, &errs); code != 0 {
				t.Errorf("plimsoll %s: exit code %d: %s%s", strings.Join(args, " "), code, out.String(), errs.String())
			}
		}
	}
	if n < 3 {
		t.Errorf("examples has %d folders, want at least 3", n)
	}
}
