// Package golden lets tests compare what they got with files.
package golden

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Check compares got with a file, which it writes first, with its directory, if update is set.
func Check(t testing.TB, update bool, file string, got []byte) {
	t.Helper()
	if update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s differs (-want +got); run with -update and read the diff:\n%.6000s", file, cmp.Diff(string(want), string(got)))
	}
}
