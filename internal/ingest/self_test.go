package ingest

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// TestSelf: what a process scrapes of itself has the names and labels that Prometheus would give it.
func TestSelf(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	reg := prometheus.NewRegistry()
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "plimsoll_seconds", Buckets: []float64{0.5, 1}})
	seconds.Observe(0.7)
	done := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plimsoll_done_total"}, []string{"what"})
	done.WithLabelValues("that").Inc()
	reg.MustRegister(seconds, done, prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_other"}))
	self := NewSelf(st, reg, "plimsoll", "a:1")
	for _, after := range []time.Duration{0, 15 * time.Second} {
		if err := self.Scrape(t.Context(), t0.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]float64{}
	for _, series := range []string{
		`__name__="plimsoll_done_total", instance="a:1", job="plimsoll", what="that"`,
		`__name__="plimsoll_seconds_bucket", instance="a:1", job="plimsoll", le="+Inf"`,
		`__name__="plimsoll_seconds_bucket", instance="a:1", job="plimsoll", le="0.5"`,
		`__name__="plimsoll_seconds_bucket", instance="a:1", job="plimsoll", le="1.0"`,
		`__name__="plimsoll_seconds_count", instance="a:1", job="plimsoll"`,
		`__name__="plimsoll_seconds_sum", instance="a:1", job="plimsoll"`,
		`__name__="up", instance="a:1", job="plimsoll"`,
	} {
		want["{"+series+"}"] = []float64{0, 15}
	}
	if diff := cmp.Diff(want, all(t, st)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("broken") })
	err = NewSelf(st, broken, "plimsoll", "a:1").Scrape(t.Context(), t0.Add(30*time.Second))
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("metrics that cannot be gathered: got error %v", err)
	}
	if got := all(t, st)[`{__name__="up", instance="a:1", job="plimsoll"}`]; len(got) != 3 {
		t.Errorf("metrics that cannot be gathered: got up at %v, want one at 30", got)
	}
}

// TestOutcomes: requests are counted by what became of them, and each outcome is there from the start.
func TestOutcomes(t *testing.T) {
	_, r := setup(t, Limits{Requests: 1, QueueFor: time.Millisecond, SeriesPerSource: 1})
	h := r.RemoteWrite()
	send(h, type1, v1(t, map[string][]int{"a": {0}}))
	send(h, type1, v1(t, map[string][]int{"a": {30}, "b": {30}}))
	r.slots <- struct{}{}
	send(h, type1, v1(t, map[string][]int{"a": {60}}))
	<-r.slots
	failing := r.limited(remoteWrite, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", http.StatusInternalServerError) }), false)
	send(failing, type1, nil)
	want := map[string]float64{"taken": 1, "refused": 1, "busy": 1, "failed": 1, "size": 0, "read": 0, "method": 0}
	got := map[string]float64{}
	for _, outcome := range slices.Collect(maps.Keys(want)) {
		got[outcome] = testutil.ToFloat64(r.metrics.requests.WithLabelValues(remoteWrite, outcome))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := testutil.CollectAndCount(r.metrics.requests), 14; got != want {
		t.Errorf("got %d series, want %d", got, want)
	}
}
