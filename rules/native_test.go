package rules_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/plimsoll-slo/plimsoll/rules"
)

// observe appends a native histogram with buckets (0.5, 1] and (1, 2] of seconds.
func (w *world) observe(at time.Time, quick, slow int64) error {
	app := w.store.Appendable().Appender(context.Background())
	h := &histogram.Histogram{
		Schema: 0, Count: uint64(quick + slow), Sum: float64(quick)*0.7 + float64(slow)*1.5,
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []int64{quick, slow - quick},
	}
	if _, err := app.AppendHistogram(0, labels.FromStrings("__name__", "rpc_seconds"), at.UnixMilli(), h, nil); err != nil {
		return err
	}
	return app.Commit()
}

// A threshold at a boundary is exact; one inside a bucket is interpolated as histogram_fraction does: 2^0.5 s is the
// middle of (1, 2] on a logarithmic scale. Restarts, and histograms that are empty at first, count right.
func TestNativeHistograms(t *testing.T) {
	w := newWorld(t, availability("99%", "{rolling: 30d}", "", "api")+
		sliSpec("boundary", `sli: {latency: {histogram: rpc_seconds, native: true, threshold: 1s}}`)+
		sliSpec("inside", `sli: {latency: {histogram: rpc_seconds, native: true, threshold: 1414ms}}`), rules.Options{})
	quick, slow := int64(0), int64(0)
	w.run(minutes(120, func(at time.Duration) []sample {
		switch {
		case at < 10*time.Minute: // nobody has asked yet
		case at == 60*time.Minute-20*time.Second:
			quick, slow = 0, 0
		default:
			quick, slow = quick+90, slow+10
		}
		if err := w.observe(t0.Add(at), quick, slow); err != nil {
			t.Fatal(err)
		}
		return nil
	}))
	ticks := 240. - 20 - 1 + 1 // of 30 s, without the first ten minutes and the restart
	for name, want := range map[string]float64{"boundary": 10, "inside": 5} {
		events := w.value(`sum_over_time(slo:events:inc{slo="`+name+`"}[2h])`, 2*time.Hour)
		bad := w.value(`sum_over_time(slo:bad:inc{slo="`+name+`"}[2h])`, 2*time.Hour)
		w.near(name+": events", events, 100*ticks, 101)
		w.near(name+": bad per tick", bad/events*100, want, 0.01)
	}
}
