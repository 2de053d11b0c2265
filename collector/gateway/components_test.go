//go:build remove_all_sd

package gateway_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/gateway"
)

func clock() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

// TestComponents: the large build has everything of the small one, and some more.
func TestComponents(t *testing.T) {
	f := func(components func(func() time.Time) (otelcol.Factories, error)) otelcol.Factories {
		t.Helper()
		all, err := components(clock)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	small, large := f(collector.Components), f(gateway.Components)
	diff := func(kind string, small, large []component.Type, more ...string) {
		t.Helper()
		var got []string
		for _, name := range large {
			if !slices.Contains(small, name) {
				got = append(got, name.String())
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(more, got); d != "" {
			t.Errorf("more %s (-want +got):\n%s", kind, d)
		}
		for _, name := range small {
			if !slices.Contains(large, name) {
				t.Errorf("%s %s is missing", kind, name)
			}
		}
	}
	// With upstream's old names, which still work.
	diff("receivers", keys(small.Receivers), keys(large.Receivers), "prometheus")
	diff("processors", keys(small.Processors), keys(large.Processors), "k8s_attributes", "k8sattributes")
	diff("connectors", keys(small.Connectors), keys(large.Connectors))
	diff("exporters", keys(small.Exporters), keys(large.Exporters), "prometheus_remote_write", "prometheusremotewrite")
	diff("extensions", keys(small.Extensions), keys(large.Extensions))
}

func keys[T any](m map[component.Type]T) []component.Type { return slices.Collect(maps.Keys(m)) }
