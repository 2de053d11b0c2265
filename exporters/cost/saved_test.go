package cost_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

func TestSave(t *testing.T) {
	b := cost.NewBook(now, cost.Options{})
	for _, f := range fixtures(t) {
		if _, _, err := b.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options); err != nil {
			t.Fatal(err)
		}
	}
	load(t, b, "gone.csv", line("7", 9, 1, `{"env":"gone"}`))
	load(t, b, "gone.csv")
	var saved, again bytes.Buffer
	if err := b.Save(&saved); err != nil {
		t.Fatal(err)
	}
	bytesOfB := bytes.Clone(saved.Bytes())
	restored, err := cost.Restore(&saved, cost.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(text(b.Exact(now), ""), text(restored.Exact(now), "")); d != "" {
		t.Errorf("(-saved +restored):\n%s", d)
	}
	if err := restored.Save(&again); err != nil || !bytes.Equal(bytesOfB, again.Bytes()) {
		t.Errorf("what was restored is saved as other bytes, %v", err)
	}
	for _, f := range fixtures(t) {
		_, result, err := restored.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options)
		if err != nil || result.Changed > 0 {
			t.Errorf("%s again after restoring: %+v, %v", f.file, result, err)
		}
	}
	_, err = cost.Restore(bytes.NewReader(bytesOfB), cost.Options{Rules: []cost.Rule{{Attribute: cost.Team, Keys: []string{"team"}}}})
	if err == nil || !strings.Contains(err.Error(), "the rules allocate to") {
		t.Errorf("restored with other rules: %v", err)
	}
	if _, err = cost.Restore(bytes.NewReader(bytesOfB[:len(bytesOfB)/2]), cost.Options{}); err == nil {
		t.Error("no error for half of what was saved")
	}
}
