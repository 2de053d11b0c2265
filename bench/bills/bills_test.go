package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestRun measures a small bill, so that the program does not rot.
func TestRun(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"-mib", "2", "-rows", "1000", "-dir", t.TempDir(), "-sample", "../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv"}
	if got := run(args, &out, &errs); got != 0 || strings.Count(out.String(), "sums as they must be") != 3 {
		t.Errorf("exit code %d\n%s%s", got, &out, &errs)
	}
}
