package packs_test

import (
	"bytes"
	"testing"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

// load reads a bill in FOCUS' form; without one, that of FOCUS' sample.
func load(t *testing.T, b *cost.Book, name string, bill []byte) {
	t.Helper()
	if bill == nil {
		bill = exportertest.Read(t, "../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv")
	}
	if _, _, err := b.Load(name, "focus", bytes.NewReader(bill), cost.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
}
