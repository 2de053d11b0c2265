package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestRun measures a small file, so that the program does not rot.
func TestRun(t *testing.T) {
	var out, errs bytes.Buffer
	args := []string{"-mib", "1", "-dir", t.TempDir(), "-events", "../../exporters/platformapi/sources/testdata/kubernetes_audit/apiserver.log.gz"}
	if got := run(args, &out, &errs); got != 0 || !strings.Contains(out.String(), "all counted once") {
		t.Errorf("exit code %d\n%s%s", got, &out, &errs)
	}
}
