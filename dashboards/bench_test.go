package dashboards

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
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

// restless is an engine over SLOs whose burn rates and budgets change their order
// every minute.
func restless(t *testing.T, set *slo.Set) *engine.Engine {
	t.Helper()
	st, err := store.Open("", store.Options{Replay: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	random, batch := rand.New(rand.NewPCG(1, 2)), st.Batch()
	for i := range set.SLOs {
		put := func(name string, v func() float64, more ...string) {
			l := store.Labels{store.Name: name, slo.LabelSLO: set.SLOs[i].Name}
			maps.Copy(l, set.SLOs[i].SeriesLabels())
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
		put(slo.SeriesObjective, one)
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
	return e
}

// lines returns how many series a query draws in all over some minutes.
func lines(t *testing.T, e *engine.Engine, q jsonTarget, values map[string]string) int {
	t.Helper()
	if q.Instant {
		return len(result(t, e, q, values))
	}
	ss, err := e.QueryRange(context.Background(), choose(q.Expr, values), now.Add(-9*time.Minute), now, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return len(ss)
}

// Of a thousand SLOs no picture has more lines than can be told apart, and no
// table more rows than are read.
func TestThousandSLOs(t *testing.T) {
	set := manySLOs(1000)
	e := restless(t, set)
	naive := fmt.Sprintf("topk(8, max by (slo) (%s{window=%q}))", slo.SeriesBurnRate, "1h")
	if n := lines(t, e, jsonTarget{Expr: naive}, everything()); n <= readable {
		t.Fatalf("topk alone has %d lines, so that the test shows nothing", n)
	}
	looked := 0
	for kind, d := range parse(t, generate(t, set, Options{})) {
		if strings.HasPrefix(kind, "svc-") && kind != "svc-service-000" {
			continue
		}
		values := everything()
		values["__range"] = "9m"
		if kind == "slo" || kind == "debug" {
			values["slo"] = set.SLOs[0].Name
		}
		for _, p := range d.prometheus() {
			drawn, rows := 0, 0
			for _, q := range p.Targets {
				n := lines(t, e, q, values)
				drawn, rows = drawn+n, max(rows, n)
			}
			looked += drawn
			if p.Type == "table" && rows > readable || p.Type != "table" && drawn > readable {
				t.Errorf("%s: %s %q has %d series, %d rows", d.UID, p.Type, p.Title, drawn, rows)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d series were looked at", looked)
	}
}
