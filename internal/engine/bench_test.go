package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// BenchmarkEvalAt evaluates one recording rule over 100 series of two counters and 100 alert rules at each tick.
func BenchmarkEvalAt(b *testing.B) {
	const services = 100
	var alerts strings.Builder
	for i := range services {
		fmt.Fprintf(&alerts, "  - {alert: A%d, expr: 'job:errors:ratio_rate5m{job=\"%d\"} > 0.4', for: 2m}\n", i, i)
	}
	w := newWorld(b, Options{}, `groups:
- name: g
  interval: 1m
  rules:
  - {record: "job:errors:ratio_rate5m", expr: "sum by (job) (rate(errors_total[5m])) / sum by (job) (rate(requests_total[5m]))"}
`+alerts.String())
	var series []*store.Series
	for i := range 2 * services {
		name := []string{"errors_total", "requests_total"}[i%2]
		s, err := w.store.Series(store.Labels{store.Name: name, "job": fmt.Sprint(i / 2)})
		if err != nil {
			b.Fatal(err)
		}
		series = append(series, s)
	}
	batch, n := w.store.Batch(), 0
	b.ReportAllocs()
	for b.Loop() {
		t := minute(float64(n))
		for i, s := range series {
			if err := batch.Add(s, t, float64(n*(1+i%2))); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		if _, err := w.engine.EvalAt(context.Background(), t); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*(services+1)), "ns/rule")
	b.ReportMetric(float64(w.engine.Stats()[0].Samples)/float64(n), "samples/eval")
}

// BenchmarkReplayDay plays a day of 30 s samples and 1 m ticks through one recording rule and one alert rule.
func BenchmarkReplayDay(b *testing.B) {
	for b.Loop() {
		w := newWorld(b, Options{}, errorRules("2m"))
		err := w.engine.Run(context.Background(), Replay{
			From: minute(0), To: minute(24*60 - 1), Step: time.Minute, Feed: w.errorsBetween(600, 620),
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
