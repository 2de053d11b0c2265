//go:build real

package realtest

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// TestNativeHistograms is TestLockstep for the latency SLI on native histograms, of three buckets on each side of a
// second, with restarts, new and vanished targets, histograms that are empty at first, and an outage in which requests
// are slow.
func TestNativeHistograms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target rules.Target
		open   func(testing.TB) *database
	}{
		{rules.Prometheus, func(t testing.TB) *database { return prometheus(t) }},
		{rules.Mimir, func(t testing.TB) *database { return cortex(t, "") }},
	} {
		t.Run(string(c.target), func(t *testing.T) {
			t.Parallel()
			set := compile(t, "testdata/native/slos.yaml")
			l := newLockstep(t, c.target, c.open(t), nativeStory)
			l.theirs = generate(t, set, c.target)
			l.run(set)
			l.report(3_000, 50)
		})
	}
}

// nativeStory returns what is scraped at storyStart+at-storyEarly.
func nativeStory(at time.Duration) []sample {
	minute := at.Minutes()
	var out []sample
	target := func(instance, tenant string, from, restart, to float64) {
		if minute < from || minute > to+1 {
			return
		}
		born := from
		if minute >= restart {
			born = restart
		}
		age, bad := minute-born, badMinutes(minute)-badMinutes(born)
		l := func(name string) store.Labels {
			return store.Labels{store.Name: name, "job": "api", "instance": instance, "tenant": tenant}
		}
		when := storyStart.Add(at - storyEarly)
		if minute > to { // the target is gone: Prometheus marks the ends of its series
			out = append(out, sample{l("up"), when, store.Stale(), nil}, sample{l("rpc_seconds"), when, store.Stale(), &histogram.Histogram{Sum: store.Stale()}})
			return
		}
		age = max(age-2, 0) // nobody asks for two minutes
		slow := math.Floor(200*bad + age)
		out = append(out, sample{l("up"), when, 1, nil}, sample{l("rpc_seconds"), when, 0, buckets(int64(600*age-slow), int64(slow))})
	}
	target("one", "a", 0, 20, math.Inf(1))
	target("two", "a", 30, math.Inf(1), 60)
	target("three", "b", 45, math.Inf(1), math.Inf(1))
	return out
}

// buckets returns a histogram of observations up to a second, and slower ones.
func buckets(quick, slow int64) *histogram.Histogram {
	quick = max(quick, 0)
	h := &histogram.Histogram{Schema: 0, ZeroThreshold: 1e-6, Count: uint64(quick + slow), Sum: float64(quick)*0.4 + float64(slow)*2.5}
	if quick+slow == 0 {
		return h
	}
	q, s := quick/3, slow/3
	counts := []int64{q, q, quick - 2*q, s, s, slow - 2*s} // (1/8, 1/4] ... (1/2, 1], (1, 2] ... (4, 8]
	h.PositiveSpans = []histogram.Span{{Offset: -2, Length: uint32(len(counts))}}
	last := int64(0)
	for _, n := range counts {
		h.PositiveBuckets = append(h.PositiveBuckets, n-last)
		last = n
	}
	return h
}

// appendHistogram writes a histogram to the store of package engine.
func appendHistogram(t testing.TB, st *store.Store, s sample) error {
	app := st.Appendable().Appender(t.Context())
	if _, err := app.AppendHistogram(0, labels.FromMap(s.labels), s.t.UnixMilli(), s.h, nil); err != nil {
		return err
	}
	return app.Commit()
}

// histogramField encodes a histogram of integers as the protocol buffer prometheus.Histogram: uint64 count_int = 1;
// double sum = 3; sint32 schema = 4; double zero_threshold = 5; uint64 zero_count_int = 6; repeated BucketSpan
// positive_spans = 11 {sint32 offset = 1; uint32 length = 2}; repeated sint64 positive_deltas = 12; int64 timestamp = 15.
func histogramField(h *histogram.Histogram, at time.Time) []byte {
	out := binary.AppendUvarint([]byte{1 << 3}, h.Count)
	out = binary.LittleEndian.AppendUint64(append(out, 3<<3|1), math.Float64bits(h.Sum))
	out = binary.AppendVarint(append(out, 4<<3), int64(h.Schema))
	out = binary.LittleEndian.AppendUint64(append(out, 5<<3|1), math.Float64bits(h.ZeroThreshold))
	out = binary.AppendUvarint(append(out, 6<<3), h.ZeroCount)
	for _, span := range h.PositiveSpans {
		s := binary.AppendVarint([]byte{1 << 3}, int64(span.Offset))
		out = field(out, 11, binary.AppendUvarint(append(s, 2<<3), uint64(span.Length)))
	}
	var deltas []byte
	for _, d := range h.PositiveBuckets {
		deltas = binary.AppendVarint(deltas, d)
	}
	out = field(out, 12, deltas)
	return binary.AppendUvarint(append(out, 15<<3), uint64(at.UnixMilli()))
}

// TestNativeHistogramsOfVictoriaMetrics pins why there are no rules for them: VictoriaMetrics takes them, but stores
// counters by range (vmrange) instead, which histogram_fraction cannot read.
func TestNativeHistogramsOfVictoriaMetrics(t *testing.T) {
	t.Parallel()
	_, err := rules.Generate(compile(t, "testdata/native/slos.yaml"), rules.Options{Target: rules.VictoriaMetrics})
	if err == nil || !strings.Contains(err.Error(), "no native histograms") {
		t.Errorf("want the rules refused, have %v", err)
	}
	db := victoria(t)
	db.write(nativeStory(10 * time.Minute)...)
	db.sync()
	names := map[string]bool{}
	for _, s := range db.query(`{job="api"}`, storyStart.Add(10*time.Minute)) {
		names[s.labels[store.Name]] = true
		if s.labels[store.Name] == "rpc_seconds_bucket" && s.labels["vmrange"] == "" {
			t.Errorf("want buckets by range, have %s", s)
		}
	}
	want := []string{"rpc_seconds_bucket", "rpc_seconds_count", "rpc_seconds_sum", "up"}
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, want) {
		t.Errorf("want the series %q, have %q", want, got)
	}
}
