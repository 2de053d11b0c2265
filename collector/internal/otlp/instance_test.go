package otlp_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// The identity is that of the counters: it outlives a process, and no two that count from different times share it.
func TestInstance(t *testing.T) {
	of := func(scope, process string, start time.Time) string {
		resource := pcommon.NewResource()
		resource.Attributes().PutStr("service.instance.id", process)
		metrics := otlp.Metrics(scope, metric.Snapshot{Start: start}, resource, start.Add(time.Hour))
		id, _ := metrics.ResourceMetrics().At(0).Resource().Attributes().Get("service.instance.id")
		return id.Str()
	}
	start := time.Date(2026, 5, 4, 12, 0, 0, 1, time.UTC)
	id := of("a", "one", start)
	if len(id) != 36 || id != of("a", "two", start) || id != of("a", "one", start.Local()) {
		t.Errorf("the identity %q is not that of the counters", id)
	}
	if id == of("b", "one", start) || id == of("a", "one", start.Add(1)) {
		t.Errorf("other counters have the same identity %q", id)
	}
}
