//go:build remove_all_sd

package gateway_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
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

// TestDocumented: the page lists what is built in, no more and no less.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/collector.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z0-9_]+)`")
	documented := map[string]string{} // small and large build, by kind
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if kind := strings.TrimSpace(cells[min(1, len(cells)-1)]); len(cells) == 5 && strings.HasSuffix(kind, "s") {
			for i, build := range []string{"small ", "large "} {
				var all []string
				for _, match := range name.FindAllStringSubmatch(cells[2+i], -1) {
					all = append(all, match[1])
				}
				slices.Sort(all)
				documented[build+kind] = strings.Join(all, " ")
			}
		}
	}
	built := map[string]string{}
	small, err := collector.Components(clock)
	if err != nil {
		t.Fatal(err)
	}
	large, err := gateway.Components(clock)
	if err != nil {
		t.Fatal(err)
	}
	note(built, "receivers", small.Receivers, large.Receivers)
	note(built, "processors", small.Processors, large.Processors)
	note(built, "connectors", small.Connectors, large.Connectors)
	note(built, "exporters", small.Exporters, large.Exporters)
	note(built, "extensions", small.Extensions, large.Extensions)
	for key, want := range built {
		if documented[key] != want {
			t.Errorf("%s: documented are %q, built in are %q", key, documented[key], want)
		}
	}
}

// note adds what the small build has of a kind, and what the large one has more, without upstream's old names.
func note[F component.Factory](to map[string]string, kind string, small, large map[component.Type]F) {
	names := func(from, without map[component.Type]F) string {
		all := map[string]bool{}
		for name, f := range from {
			if _, both := without[name]; !both {
				all[f.Type().String()] = true
			}
		}
		return strings.Join(slices.Sorted(maps.Keys(all)), " ")
	}
	to["small "+kind], to["large "+kind] = names(small, nil), names(large, small)
}

func keys[T any](m map[component.Type]T) []component.Type { return slices.Collect(maps.Keys(m)) }
