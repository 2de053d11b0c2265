package dashboards

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// BenchmarkGenerate generates the dashboards of ten thousand SLOs of two
// thousand services, with every telemetry.
func BenchmarkGenerate(b *testing.B) {
	set := manySLOs(10_000)
	b.ReportAllocs()
	size, files := 0, 0
	for b.Loop() {
		size, files = 0, 0
		for _, f := range generate(b, set, Options{}) {
			size += len(f.Content)
			files++
		}
	}
	b.ReportMetric(float64(size), "bytes-out")
	b.ReportMetric(float64(files), "files")
}

// most lines that a picture may have.
const readable = 30

// Of a thousand SLOs whose burn rates and budgets change their order all the
// time, no picture has more lines than can be told apart, and no table more rows
// than are read.
func TestThousandSLOs(t *testing.T) {
	set := manySLOs(1000)
	st, err := store.Open("", store.Options{Replay: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	random := rand.New(rand.NewPCG(1, 2))
	batch := st.Batch()
	for i := range set.SLOs {
		put := func(name string, v func() float64, more ...string) {
			l := store.Labels{store.Name: name, slo.LabelSLO: set.SLOs[i].Name}
			for k, v := range set.SLOs[i].SeriesLabels() {
				l[k] = v
			}
			for j := 0; j < len(more); j += 2 {
				l[more[j]] = more[j+1]
			}
			series, err := st.Series(l)
			if err != nil {
				t.Fatal(err)
			}
			for at := now.Add(-10 * time.Minute); !at.After(now); at = at.Add(time.Minute) {
				if err := batch.Add(series, at, v()); err != nil {
					t.Fatal(err)
				}
			}
		}
		one := func() float64 { return 1 }
		put(slo.SeriesInfo, one)
		put(slo.SeriesObjective, func() float64 { return 0.999 })
		put(slo.SeriesErrorBudget, func() float64 { return 0.001 })
		put(slo.SeriesEventsIncrement, func() float64 { return 100 })
		put(slo.SeriesBadIncrement, func() float64 { return float64(random.IntN(100)) })
		put(slo.SeriesBudgetRemaining, func() float64 { return 2*random.Float64() - 1 })
		for _, w := range []string{"5m", "30m", "1h", "6h", "1d", "3d"} {
			put(slo.SeriesBurnRate, func() float64 { return 20 * random.Float64() }, slo.LabelWindow, w)
			put(slo.SeriesEventsSum, one, slo.LabelWindow, w)
			put(slo.SeriesBadSum, one, slo.LabelWindow, w)
		}
		put("ALERTS", one, "alertname", slo.AlertBudgetBurn, slo.LabelSeverity, slo.Page, "alertstate", "firing")
	}
	if err := batch.Commit(); err != nil {
		t.Fatal(err)
	}
	e, err := engine.Open(st, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines := func(q jsonTarget, values map[string]string) int {
		if q.Instant {
			return len(result(t, e, q, values))
		}
		ss, err := e.QueryRange(context.Background(), choose(q.Expr, values), now.Add(-9*time.Minute), now, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return len(ss)
	}
	naive := fmt.Sprintf("topk(8, max by (slo) (%s{window=%q}))", slo.SeriesBurnRate, "1h")
	if n := lines(jsonTarget{Expr: naive}, everything()); n <= readable {
		t.Fatalf("topk alone has %d lines, so that the test shows nothing", n)
	}
	looked := 0
	for kind, d := range parse(t, generate(t, set, Options{})) {
		if len(kind) > 4 && kind[:4] == "svc-" && kind != "svc-service-000" {
			continue
		}
		values := everything()
		values["__range"] = "9m"
		if kind == "slo" || kind == "debug" {
			values["slo"] = set.SLOs[0].Name
		}
		for _, p := range d.all() {
			n := 0
			for _, q := range p.Targets {
				n = max(n, lines(q, values))
				if p.Type != "table" { // its queries become columns
					looked += n
				}
			}
			if n > readable {
				t.Errorf("%s: %s %q has %d series", d.UID, p.Type, p.Title, n)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d lines were looked at", looked)
	}
}
