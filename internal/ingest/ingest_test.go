package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// setup returns a store and a receiver in front of it.
func setup(t *testing.T, l Limits) (*store.Store, *Receiver) {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st, New(st, func() time.Time { return t0 }, l, nil, prometheus.NewRegistry())
}

// all returns what is in the store: series and the seconds after t0 of its samples.
func all(t *testing.T, st *store.Store) map[string][]float64 {
	t.Helper()
	q, err := st.Queryable().Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, store.Name, ".+"))
	out := map[string][]float64{}
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			ms, _ := it.At()
			key := set.At().Labels().String()
			out[key] = append(out[key], float64(ms-t0.UnixMilli())/1000)
		}
	}
	return out
}

// v1 encodes a series called name with samples at seconds after t0.
func v1(t *testing.T, series map[string][]int) []byte {
	t.Helper()
	var req prompb.WriteRequest
	for _, name := range []string{"a", "b", "c"} {
		if series[name] == nil {
			continue
		}
		ts := prompb.TimeSeries{Labels: []prompb.Label{{Name: store.Name, Value: name}}}
		for _, s := range series[name] {
			ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: t0.UnixMilli() + int64(s)*1000, Value: float64(s)})
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	text, err := proto.Marshal(&req)
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, text)
}

func v2(t *testing.T, series map[string][]int) []byte {
	t.Helper()
	req := writev2.Request{Symbols: []string{"", store.Name, "a", "b", "c"}}
	for i, name := range []string{"a", "b", "c"} {
		if series[name] == nil {
			continue
		}
		ts := writev2.TimeSeries{LabelsRefs: []uint32{1, uint32(2 + i)}}
		for _, s := range series[name] {
			ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: t0.UnixMilli() + int64(s)*1000, Value: float64(s)})
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	text, err := proto.Marshal(&req)
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, text)
}

const (
	type1 = "application/x-protobuf"
	type2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

// send posts a body and returns the answer.
func send(h http.Handler, contentType string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestPartial: of a request with some bad samples the good ones are kept, in both versions of the protocol, and the
// sender is told in a way that keeps it from sending all again.
func TestPartial(t *testing.T) {
	for name, encode := range map[string]func(*testing.T, map[string][]int) []byte{type1: v1, type2: v2} {
		st, r := setup(t, Limits{})
		h := r.RemoteWrite()
		if got := send(h, name, encode(t, map[string][]int{"a": {60}, "b": {30}})); got.Code/100 != 2 {
			t.Fatalf("%s: got %d %s", name, got.Code, got.Body)
		}
		// a is out of order; b goes on; c is new.
		got := send(h, name, encode(t, map[string][]int{"a": {45, 75}, "b": {60}, "c": {60}}))
		if got.Code != http.StatusBadRequest {
			t.Errorf("%s: got status %d, want 400", name, got.Code)
		}
		want := map[string][]float64{`{__name__="a"}`: {60, 75}, `{__name__="b"}`: {30, 60}, `{__name__="c"}`: {60}}
		if diff := cmp.Diff(want, all(t, st)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestSeriesLimit: one source cannot fill the store; its old series go on, and other sources do not notice.
func TestSeriesLimit(t *testing.T) {
	st, r := setup(t, Limits{SeriesPerSource: 2})
	h := r.RemoteWrite()
	from := func(source string, series map[string][]int) int {
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(v1(t, series)))
		req.Header.Set("Content-Type", type1)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req.WithContext(WithSource(req.Context(), source)))
		return w.Code
	}
	if got := from("one", map[string][]int{"a": {0}, "b": {0}, "c": {0}}); got != http.StatusBadRequest {
		t.Errorf("third series: got status %d, want 400", got)
	}
	if got := from("one", map[string][]int{"a": {30}, "b": {30}}); got/100 != 2 {
		t.Errorf("known series: got status %d", got)
	}
	if got := from("two", map[string][]int{"c": {30}}); got/100 != 2 {
		t.Errorf("another source: got status %d", got)
	}
	want := map[string][]float64{`{__name__="a"}`: {0, 30}, `{__name__="b"}`: {0, 30}, `{__name__="c"}`: {30}}
	if diff := cmp.Diff(want, all(t, st)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSize: what is too large is refused before it is unpacked.
func TestSize(t *testing.T) {
	_, r := setup(t, Limits{RequestBytes: 1000, DecodedBytes: 5000})
	bomb := binary.AppendUvarint(nil, 1<<32)
	for _, c := range []struct {
		name        string
		handler     http.Handler
		contentType string
		body        []byte
		want        int
	}{
		{"oversize remote write", r.RemoteWrite(), type1, make([]byte, 1001), http.StatusRequestEntityTooLarge},
		{"oversize OTLP", r.OTLP(), "application/json", make([]byte, 1001), http.StatusRequestEntityTooLarge},
		{"bomb", r.RemoteWrite(), type1, append(bomb, 0, 0, 0), http.StatusRequestEntityTooLarge},
		{"unpacks to too much", r.RemoteWrite(), type1, snappy.Encode(nil, make([]byte, 5001)), http.StatusRequestEntityTooLarge},
		{"not snappy", r.RemoteWrite(), type1, []byte("hello"), http.StatusBadRequest},
		{"not protobuf", r.RemoteWrite(), type1, snappy.Encode(nil, []byte("hello")), http.StatusBadRequest},
		{"not JSON", r.OTLP(), "application/json", []byte("{"), http.StatusBadRequest},
		{"unknown type", r.OTLP(), "text/plain", []byte("{}"), http.StatusBadRequest},
	} {
		if got := send(c.handler, c.contentType, c.body); got.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", c.name, got.Code, got.Body, c.want)
		}
	}
	w := httptest.NewRecorder()
	r.OTLP().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", w.Code)
	}
}

const otlpJSON = `{"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
"scopeMetrics": [{"metrics": [{"name": "requests", "unit": "1", "sum": {"aggregationTemporality": 2, "isMonotonic": true,
"dataPoints": [{"startTimeUnixNano": "%d", "timeUnixNano": "%d", "asInt": "7"}]}}]}]}]}`

// TestOTLP: a cumulative counter arrives as Prometheus names it, from JSON, plain or packed.
func TestOTLP(t *testing.T) {
	st, r := setup(t, Limits{})
	text := []byte(fmt.Sprintf(otlpJSON, t0.Add(-time.Hour).UnixNano(), t0.UnixNano()))
	if got := send(r.OTLP(), "application/json", text); got.Code != http.StatusOK {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	text = []byte(fmt.Sprintf(otlpJSON, t0.Add(-time.Hour).UnixNano(), t0.Add(30*time.Second).UnixNano()))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/", &packed)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	r.OTLP().ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		t.Fatalf("gzip: got %d %s", w.Code, w.Body)
	}
	got := all(t, st)[`{__name__="requests_total", job="shop"}`]
	if diff := cmp.Diff([]float64{0, 30}, got); diff != "" {
		t.Errorf("(-want +got):\n%s\nin the store: %v", diff, all(t, st))
	}
}

// TestBusy: a sender that trickles takes no slot from the others, and when all are taken, senders are told to wait.
func TestBusy(t *testing.T) {
	_, r := setup(t, Limits{Requests: 1, QueueFor: time.Millisecond})
	srv := httptest.NewServer(r.RemoteWrite())
	defer srv.Close()
	slow, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(srv.URL, type1, bytes.NewReader(v1(t, map[string][]int{"a": {0}})))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Errorf("beside a slow sender: got status %d", res.StatusCode)
	}
	r.slots <- struct{}{}
	if got := send(r.RemoteWrite(), type1, v1(t, map[string][]int{"a": {30}})); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("without a free slot: got %d, Retry-After %q", got.Code, got.Header().Get("Retry-After"))
	}
}

// TestLagging: a sender that works off a backlog is seen.
func TestLagging(t *testing.T) {
	_, r := setup(t, Limits{})
	f := func(d time.Duration, want bool) {
		t.Helper()
		if got := r.Lagging(t0.Add(d), time.Minute); got != want {
			t.Errorf("lagging behind %v: got %v", d, got)
		}
	}
	f(time.Minute, false)
	send(r.RemoteWrite(), type1, v1(t, map[string][]int{"a": {30}}))
	f(20*time.Second, false)
	f(time.Minute, true)
}

// TestScrape: targets of static and file discovery are scraped, and a wrong file changes nothing.
func TestScrape(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	both := make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "things_total 1")
		mu.Lock()
		defer mu.Unlock()
		if seen[r.URL.Path] = true; len(seen) == 2 {
			select {
			case <-both:
			default:
				close(both)
			}
		}
	}))
	defer target.Close()
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	dir, addr := t.TempDir(), strings.TrimPrefix(target.URL, "http://")
	put := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir + "/" + name
	}
	put("targets.json", `[{"targets": ["`+addr+`"]}]`)
	good := `
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs:
- {job_name: static, metrics_path: /static, static_configs: [{targets: ["` + addr + `"]}]}
- {job_name: file, metrics_path: /file, file_sd_configs: [{files: [targets.json]}]}
`
	path := put("scrape.yml", good)
	s, err := NewScraper(st, path, time.Now, Limits{}, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(done)
	}()
	select {
	case <-both:
	case <-time.After(30 * time.Second):
		t.Fatal("not both targets were scraped")
	}
	put("scrape.yml", "scrape_configs: 7")
	s.Reload()
	if got := len(s.Targets().ScrapePools()); got != 2 {
		t.Errorf("after a wrong file: got %d pools, want 2", got)
	}
	stop()
	<-done
	for _, text := range []string{"scrape_configs: 7", good + "rule_files: [x]\n", "nonsense: true\n"} {
		if _, err := NewScraper(st, put("bad.yml", text), time.Now, Limits{}, nil, prometheus.NewRegistry()); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}
