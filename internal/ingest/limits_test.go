package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// floodPart is how many series of a flood are in one request.
const floodPart = 50_000

// flood1 is a part of a flood by remote write 1.0.
func flood1(t *testing.T, from int) []byte {
	var req prompb.WriteRequest
	for i := from; i < from+floodPart; i++ {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels:  []prompb.Label{{Name: store.Name, Value: "flood"}, {Name: "i", Value: fmt.Sprint(i)}},
			Samples: []prompb.Sample{{Timestamp: t0.UnixMilli(), Value: 1}},
		})
	}
	text, err := proto.Marshal(&req)
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, text)
}

// flood2 is a part of a flood by remote write 2.0.
func flood2(t *testing.T, from int) []byte {
	req := writev2.Request{Symbols: []string{"", store.Name, "flood", "i"}}
	for i := from; i < from+floodPart; i++ {
		req.Symbols = append(req.Symbols, fmt.Sprint(i))
		req.Timeseries = append(req.Timeseries, writev2.TimeSeries{
			LabelsRefs: []uint32{1, 2, 3, uint32(len(req.Symbols) - 1)}, Samples: []writev2.Sample{{Timestamp: t0.UnixMilli(), Value: 1}},
		})
	}
	text, err := proto.Marshal(&req)
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, text)
}

// floodOTLP is a part of a flood by OTLP.
func floodOTLP(t *testing.T, from int) []byte {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("flood")
	points := m.SetEmptyGauge().DataPoints()
	for i := from; i < from+floodPart; i++ {
		p := points.AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(t0))
		p.SetIntValue(1)
		p.Attributes().PutStr("i", fmt.Sprint(i))
	}
	text, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestFlood: a flood of series from one source costs no more than its limit, by whatever door it comes, and another
// source is served in between.
func TestFlood(t *testing.T) {
	for _, c := range []struct {
		name, contentType string
		door              func(*Receiver) http.Handler
		part              func(*testing.T, int) []byte
	}{
		{"remote write 1.0", type1, (*Receiver).RemoteWrite, flood1},
		{"remote write 2.0", type2, (*Receiver).RemoteWrite, flood2},
		{"OTLP", type1, (*Receiver).OTLP, floodOTLP},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, r := setup(t, Limits{SeriesPerSource: 1000})
			h, began := c.door(r), time.Now()
			before := heap()
			other := func(second int) {
				t.Helper()
				req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(v1(t, map[string][]int{"a": {second}})))
				req.Header.Set("Content-Type", type1)
				w := httptest.NewRecorder()
				r.RemoteWrite().ServeHTTP(w, req.WithContext(WithSource(req.Context(), "other")))
				if w.Code/100 != 2 {
					t.Errorf("another source at %d s: got %d %s", second, w.Code, w.Body)
				}
			}
			for from := 0; from < flood; from += floodPart {
				got := send(h, c.contentType, c.part(t, from))
				if got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "too many active series") || got.Body.Len() > 4096 {
					t.Fatalf("got %d and %d bytes that begin with %.300s, want 400 and the reason", got.Code, got.Body.Len(), got.Body)
				}
				other(from / floodPart)
			}
			if got := st.SeriesCount(); got != 1000+1 {
				t.Errorf("got %d series, want 1001", got)
			}
			grown := float64(heap()-before) / 1e6
			t.Logf("%d series in %v, of which 1000 are stored; the heap is %.1f MB larger", flood, time.Since(began).Round(time.Millisecond), grown)
			if grown > 64 {
				t.Errorf("the flood left %.1f MB behind", grown)
			}
		})
	}
}

// heap returns the size of what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPending: what is being received is limited for all sources together and for each of them, and the room comes back.
func TestPending(t *testing.T) {
	_, r := setup(t, Limits{RequestBytes: 1000, PendingBytes: 4000})
	slow := func(source string) (w *httptest.ResponseRecorder, body *io.PipeWriter, done chan struct{}) {
		in, out := io.Pipe()
		req := httptest.NewRequest(http.MethodPost, "/", in)
		req.Header.Set("Content-Type", type1)
		w, done = httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(done)
			r.RemoteWrite().ServeHTTP(w, req.WithContext(WithSource(req.Context(), source)))
			_ = in.Close()
		}()
		return w, out, done
	}
	var bodies []*io.PipeWriter
	var ends []chan struct{}
	for i := range 4 {
		_, body, done := slow(fmt.Sprint(i))
		for _, n := range []int{490, 490, 1} { // what was written before is counted when the next part is read
			if _, err := body.Write(make([]byte, n)); err != nil {
				t.Fatalf("source %d: %v", i, err)
			}
		}
		bodies, ends = append(bodies, body), append(ends, done)
	}
	refused := func(source string, n int) {
		t.Helper()
		w, body, done := slow(source)
		_, _ = body.Write(make([]byte, n))
		_ = body.Close()
		<-done
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%d bytes more of source %s: got %d %s", n, source, w.Code, w.Body)
		}
	}
	refused("0", 30)  // it has its share
	refused("9", 100) // nobody has room
	for i := range bodies {
		_ = bodies[i].CloseWithError(io.ErrUnexpectedEOF)
		<-ends[i]
	}
	if got := send(r.RemoteWrite(), type1, v1(t, map[string][]int{"a": {0}})); got.Code/100 != 2 {
		t.Errorf("when all is over: got %d %s", got.Code, got.Body)
	}
	if r.pending != 0 {
		t.Errorf("%d bytes are still counted", r.pending)
	}
}

// TestSourcesGone: senders that are gone make room for others, and their newest sample is remembered.
func TestSourcesGone(t *testing.T) {
	st, err := store.Open("", store.Options{Replay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := t0
	r := New(st, func() time.Time { return now }, Limits{}, nil, prometheus.NewRegistry())
	from := func(name string, second int) {
		t.Helper()
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(v1(t, map[string][]int{"a": {second}})))
		req.Header.Set("Content-Type", type1)
		w := httptest.NewRecorder()
		r.RemoteWrite().ServeHTTP(w, req.WithContext(WithSource(context.Background(), name)))
		if w.Code/100 != 2 {
			t.Fatalf("%s: got %d %s", name, w.Code, w.Body)
		}
	}
	from("gone", 60)
	for i := range maxSources - 2 {
		r.source(fmt.Sprint("pod ", i))
	}
	now = now.Add(generation)
	from("stays", 61)
	if r.source("late"); r.Sources() != maxSources+1 || r.sources[otherName] == nil {
		t.Fatalf("got %d sources, want the last one among others", r.Sources())
	}
	now = now.Add(generation + time.Minute)
	if r.source("later"); r.Sources() != 3 || r.sources["stays"] == nil || r.sources["gone"] != nil {
		t.Errorf("got %d sources, want the one that stays, others and the new one", r.Sources())
	}
	if got := r.Newest(); !got.Equal(t0.Add(61 * time.Second)) {
		t.Errorf("newest sample: got %s", got)
	}
	now = now.Add(3 * generation)
	if r.source("last"); r.Sources() != 1 || !r.Newest().Equal(t0.Add(61*time.Second)) {
		t.Errorf("got %d sources and newest %s, want one and what is remembered", r.Sources(), r.Newest())
	}
}
