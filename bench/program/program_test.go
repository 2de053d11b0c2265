package program_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plimsoll-slo/plimsoll/bench/program"
)

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.txt")
	f := func(fails error, want int, words string, args ...string) {
		t.Helper()
		var stdout, stderr strings.Builder
		got := program.Run("x", args, &stdout, &stderr, func(f *flag.FlagSet) func(io.Writer) error {
			n := f.Int("n", 1, "a number")
			return func(w io.Writer) error {
				fmt.Fprintln(w, "n is", *n)
				return fails
			}
		})
		if got != want || !strings.Contains(stderr.String(), words) {
			t.Errorf("%q: got %d and %q, want %d and %q", args, got, stderr.String(), want, words)
		}
		report, err := os.ReadFile(file)
		if (err == nil) != (want == 0 && len(args) > 2) || err == nil && string(report) != stdout.String() {
			t.Errorf("%q: the report is %q, %v", args, report, err)
		}
	}
	f(nil, 0, "")
	f(nil, 2, "not defined", "-m", "2")
	f(errors.New("it broke"), 1, "x: it broke\n", "-n", "2", "-o", file)
	f(fmt.Errorf("%w: want another", program.ErrUsage), 2, "x: wrong usage: want another\n")
	f(nil, 1, "no such file", "-o", filepath.Join(file, "none"))
	f(nil, 0, "", "-n", "2", "-o", file)
}
