package collector_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/plimsoll-slo/plimsoll/collector"
)

// names returns the kind and type of each factory, without upstream's deprecated names.
func names(t *testing.T, components func() (otelcol.Factories, error)) []string {
	t.Helper()
	factories, err := components()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	note := func(kind string, name component.Type) { all[kind+" "+name.String()] = true }
	for _, f := range factories.Receivers {
		note("receiver", f.Type())
	}
	for _, f := range factories.Processors {
		note("processor", f.Type())
	}
	for _, f := range factories.Connectors {
		note("connector", f.Type())
	}
	for _, f := range factories.Exporters {
		note("exporter", f.Type())
	}
	for _, f := range factories.Extensions {
		note("extension", f.Type())
	}
	var sorted []string
	for name := range all {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	return sorted
}

func TestComponents(t *testing.T) {
	got := names(t, func() (otelcol.Factories, error) { return collector.Components(clock) })
	want := strings.Split(strings.TrimSpace(`
connector count
connector forward
connector platform_coverage
connector platform_sli
connector span_metrics
exporter debug
exporter file
exporter otlp_grpc
exporter otlp_http
extension basicauth
extension bearertokenauth
extension file_storage
extension health_check
extension zpages
processor filter
processor memory_limiter
processor redaction
processor resource
processor transform
receiver cost
receiver file_log
receiver host_metrics
receiver otlp
receiver platform_events
`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
