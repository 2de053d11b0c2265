package cost_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

func exposition(t testing.TB, b *cost.Book) []byte {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metric.Collector(func() metric.Snapshot { return b.Read(now) }))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestCollector(t *testing.T) {
	b := fixtureBook()
	for _, f := range fixtures(t) {
		if _, _, err := b.Load(f.file, f.format, bytes.NewReader(exportertest.Read(t, f.file)), f.options); err != nil {
			t.Fatal(err)
		}
	}
	golden.Check(t, *update, "testdata/book.prom", exposition(t, b))
	problems, err := testutil.CollectAndLint(metric.Collector(func() metric.Snapshot { return b.Read(now) }))
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

// TestOverflowExposed checks that series with and without overflow are one consistent family.
func TestOverflowExposed(t *testing.T) {
	b := cost.NewBook(now, cost.Options{MaxAllocations: 1})
	load(t, b, "a.csv", line("1", 9, 1, `{"team":"a"}`), line("2", 9, 1, `{"team":"b"}`))
	if got := string(exposition(t, b)); !strings.Contains(got, `cost_accrued{cost_currency="USD",cost_metric="billed",otel_metric_overflow="true"} 2`) {
		t.Errorf("no overflow in\n%s", got)
	}
}
