package otlp_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	incidents "github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	onboardings "github.com/plimsoll-slo/plimsoll/exporters/onboarding/sources"
	policies "github.com/plimsoll-slo/plimsoll/exporters/policy/sources"
)

// TestRoundTripOfDomains: events of all domains are the same after they were log records.
func TestRoundTripOfDomains(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	dirs := map[string]string{}
	kinds := slices.Concat(incidents.Kinds(), onboardings.Kinds(), policies.Kinds())
	for _, dir := range []string{"incidents", "onboarding", "policy"} {
		dirs[dir] = "../../../exporters/" + dir + "/sources/testdata/"
	}
	seen := 0
	for _, kind := range kinds {
		for _, dir := range dirs {
			files, err := filepath.Glob(dir + kind.Name + "/*.json")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				want, err := kind.Decode(nil, body, now)
				if err != nil {
					t.Fatal(err)
				}
				want = slices.DeleteFunc(want, func(e event.Event) bool { return e.Name == event.Unused })
				seen += len(want)
				for i, record := range otlp.Logs("scope", want, pcommon.NewResource()).ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
					got, ok := otlp.Event(record, now)
					if diff := cmp.Diff(want[i], got, compare); diff != "" || !ok {
						t.Errorf("%s: read back %v (-want +got):\n%s", file, ok, diff)
					}
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("%d events, want at least 40", seen)
	}
}
