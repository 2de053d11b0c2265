package ingest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// metricsOf is an OTLP request in JSON with the metrics given.
func metricsOf(metrics ...string) []byte {
	return []byte(`{"resourceMetrics": [{"scopeMetrics": [{"metrics": [` + strings.Join(metrics, ",") + `]}]}]}`)
}

// sum is a monotonic sum with a point at each of the seconds after t0; 1 is delta, 2 is cumulative temporality.
func sum(name string, temporality int, seconds ...int) string {
	var points []string
	for _, s := range seconds {
		points = append(points, fmt.Sprintf(`{"timeUnixNano": "%d", "asInt": "7"}`, t0.Add(time.Duration(s)*time.Second).UnixNano()))
	}
	return fmt.Sprintf(`{"name": %q, "sum": {"aggregationTemporality": %d, "isMonotonic": true, "dataPoints": [%s]}}`,
		name, temporality, strings.Join(points, ","))
}

// TestOTLPDelta: what is of delta temporality is refused with a hint, counted, and never stored as something else; the
// cumulative metrics of the request are.
func TestOTLPDelta(t *testing.T) {
	st, r := setup(t, Limits{})
	histogram := func(kind string) string {
		return fmt.Sprintf(`{"name": "h", %q: {"aggregationTemporality": 1, "dataPoints": [{"timeUnixNano": "%d", "count": "1", "sum": 1}]}}`, kind, t0.UnixNano())
	}
	got := send(r.OTLP(), "application/json", metricsOf(
		sum("good", 2, 0), sum("first", 1, 0, 1), histogram("histogram"), histogram("exponentialHistogram"), sum("later", 2, 0)))
	for _, want := range []string{"4 points of 3 metrics", `"first"`, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative", "deltatocumulative"} {
		if !strings.Contains(got.Body.String(), want) {
			t.Errorf("got answer %q, want %q in it", got.Body, want)
		}
	}
	if got.Code != http.StatusBadRequest {
		t.Errorf("got status %d, want 400", got.Code)
	}
	want := map[string][]float64{`{__name__="good_total"}`: {0}, `{__name__="later_total"}`: {0}}
	if diff := cmp.Diff(want, all(t, st)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := testutil.ToFloat64(r.metrics.rejected.WithLabelValues("delta")); got != 4 {
		t.Errorf("got %v refused points, want 4", got)
	}
	if got := testutil.ToFloat64(r.metrics.samples); got != 2 {
		t.Errorf("got %v stored samples, want 2", got)
	}
}

// TestOTLPPartial: of a request with something wrong the rest is stored.
func TestOTLPPartial(t *testing.T) {
	st, r := setup(t, Limits{SeriesPerSource: 3})
	got := send(r.OTLP(), "application/json", metricsOf(
		sum("a", 2, 30), sum("a", 2, 0), sum("ahead", 2, 3600), sum("b", 2, 0), sum("neither", 0, 0), sum("many", 2, 0)))
	if got.Code != http.StatusBadRequest {
		t.Errorf("got %d %s, want 400", got.Code, got.Body)
	}
	want := map[string][]float64{`{__name__="a_total"}`: {30}, `{__name__="b_total"}`: {0}}
	if diff := cmp.Diff(want, all(t, st)); diff != "" {
		t.Errorf("%s\n(-want +got):\n%s", got.Body, diff)
	}
	for _, reason := range []string{"out_of_bounds", "series_limit"} {
		if testutil.ToFloat64(r.metrics.rejected.WithLabelValues(reason)) != 1 {
			t.Errorf("%s is not counted", reason)
		}
	}
}

// TestOTLPFull: when the store takes nothing, the sender is told to keep it.
func TestOTLPFull(t *testing.T) {
	st, err := store.Open(t.TempDir(), store.Options{MinFree: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	r := New(st, func() time.Time { return t0 }, Limits{}, nil, prometheus.NewRegistry())
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(metricsOf(sum("a", 2, 0))))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if r.OTLP().ServeHTTP(w, req); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "free space") {
		t.Errorf("got %d %s, want 503 and the reason", w.Code, w.Body)
	}
}

// TestOTLPBomb: a small request that unpacks to much is refused, and what it would have become is never in memory.
func TestOTLPBomb(t *testing.T) {
	st, r := setup(t, Limits{RequestBytes: 1 << 20, DecodedBytes: 8 << 20})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(metricsOf(sum("a", 2, 0))); err != nil {
		t.Fatal(err)
	}
	for range 256 {
		if _, err := z.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/", &packed)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r.OTLP().ServeHTTP(w, req)
	runtime.ReadMemStats(&after)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 64 {
		t.Errorf("got %d MiB allocated", got)
	}
	if got := all(t, st); len(got) > 0 {
		t.Errorf("got %v in the store", got)
	}
}
