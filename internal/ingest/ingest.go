// Package ingest takes in samples: remote write 1.0 and 2.0, OTLP over HTTP, and scrapes. The protocols are those of
// Prometheus, by its own handlers; what is added is that nobody can take the server down. Requests are limited in size
// and number, sources in series; and of a request with some bad samples the good ones are kept.
//
// It is the only package that imports prometheus/storage/remote, prometheus/scrape and prometheus/discovery.
package ingest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
)

// The defaults of Limits.
const (
	DefaultRequestBytes    = 16 << 20
	DefaultDecodedBytes    = 64 << 20
	DefaultPendingBytes    = 512 << 20
	DefaultRequests        = 32
	DefaultSeriesPerSource = 500_000
	DefaultLabels          = 100
	DefaultLabelBytes      = 8 << 10
	DefaultTargets         = 10_000
	DefaultQueueFor        = 5 * time.Second
)

// Limits bound what senders can do. Each zero value means the default.
type Limits struct {
	RequestBytes    int64         // of one request as it is sent
	DecodedBytes    int64         // of one request or scrape after decompression
	PendingBytes    int64         // of all requests that are being received or worked on; a quarter is for one source
	Requests        int           // that are worked on at the same time
	QueueFor        time.Duration // how long a request waits for its turn
	SeriesPerSource int           // active series of one source: a sender, or a target that is scraped
	Labels          int           // of one series, the metric name included
	LabelBytes      int           // of a name or a value of a label
	Targets         int           // of one job that is scraped
}

func (l Limits) withDefaults() Limits {
	l.RequestBytes = cmp.Or(l.RequestBytes, DefaultRequestBytes)
	l.DecodedBytes = cmp.Or(l.DecodedBytes, DefaultDecodedBytes)
	l.PendingBytes = max(cmp.Or(l.PendingBytes, DefaultPendingBytes), l.RequestBytes)
	l.Requests = cmp.Or(l.Requests, DefaultRequests)
	l.QueueFor = cmp.Or(l.QueueFor, DefaultQueueFor)
	l.SeriesPerSource = cmp.Or(l.SeriesPerSource, DefaultSeriesPerSource)
	l.Labels = cmp.Or(l.Labels, DefaultLabels)
	l.LabelBytes = cmp.Or(l.LabelBytes, DefaultLabelBytes)
	l.Targets = cmp.Or(l.Targets, DefaultTargets)
	return l
}

// Store is where samples go.
type Store interface {
	Appendable() storage.Appendable
	AppendableV2() storage.AppendableV2
}

// Receiver takes in pushed samples. It is safe for concurrent use.
type Receiver struct {
	limits  Limits
	now     func() time.Time
	slots   chan struct{}
	metrics metrics
	write   http.Handler
	otlp    http.Handler

	mu      sync.Mutex
	sources map[string]*source
	swept   time.Time // when sources was looked through for those that are gone
	newest  time.Time // of the samples of sources that are gone
	pending int64     // bytes of requests in memory
}

// New returns a receiver into st. now is the wall clock. logger may be nil.
func New(st Store, now func() time.Time, l Limits, logger *slog.Logger, reg prometheus.Registerer) *Receiver {
	l = l.withDefaults()
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &Receiver{limits: l, now: now, slots: make(chan struct{}, l.Requests), sources: map[string]*source{}, swept: now(), metrics: newMetrics(reg)}
	// The handlers log each bad sample; the metrics and the answer tell enough.
	quiet := slog.New(slog.DiscardHandler)
	r.write = remote.NewWriteHandler(quiet, reg, &guarded{r: r, v1: st.Appendable()},
		remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType}, false, false, false)
	r.otlp = newOTLPHandler(&guarded{r: r, v2: st.AppendableV2()}, l.DecodedBytes, logger, reg, r.metrics.rejected)
	return r
}

// RemoteWrite returns the handler of remote write 1.0 and 2.0.
func (r *Receiver) RemoteWrite() http.Handler { return r.limited(remoteWrite, r.write, true) }

// OTLP returns the handler of OTLP/HTTP metrics, protobuf and JSON.
func (r *Receiver) OTLP() http.Handler { return r.limited(otlp, r.otlp, false) }

// The protocols, as metrics name them.
const (
	remoteWrite = "remote_write"
	otlp        = "otlp"
)

// sourceKey is the key of WithSource.
type sourceKey struct{}

// WithSource names the sender of a request, for its limits: the authenticated user. Without it the address counts.
func WithSource(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, sourceKey{}, name)
}

// sourceOf names the sender of a request.
func sourceOf(req *http.Request) string {
	if name, ok := req.Context().Value(sourceKey{}).(string); ok && name != "" {
		return name
	}
	host, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		return req.RemoteAddr
	}
	return host
}

// limited reads the whole request before it takes one of the slots, so that slow senders hold up nobody but themselves.
// What is being read is limited, too: as a whole, and for each source.
func (r *Receiver) limited(protocol string, h http.Handler, snappy bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		refuse := func(code int, reason, text string) {
			r.metrics.requests.WithLabelValues(protocol, reason).Inc()
			http.Error(w, text, code)
		}
		if req.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuse(http.StatusMethodNotAllowed, "method", "want POST")
			return
		}
		from := r.source(sourceOf(req))
		in := &metered{Reader: http.MaxBytesReader(w, req.Body, r.limits.RequestBytes), to: r, from: from}
		defer in.release()
		body, err := io.ReadAll(in)
		if errors.Is(err, errPending) {
			w.Header().Set("Retry-After", "1")
			refuse(http.StatusServiceUnavailable, "busy", "too many bytes at the same time, try again")
			return
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			refuse(http.StatusRequestEntityTooLarge, "size", fmt.Sprintf("want a request of at most %d bytes", r.limits.RequestBytes))
			return
		} else if err != nil {
			refuse(http.StatusBadRequest, "read", "the request did not arrive as a whole")
			return
		}
		if n, k := binary.Uvarint(body); snappy && k > 0 && n > uint64(r.limits.DecodedBytes) {
			refuse(http.StatusRequestEntityTooLarge, "size", fmt.Sprintf("want at most %d bytes after decompression", r.limits.DecodedBytes))
			return
		}
		if !r.enter(req.Context()) {
			w.Header().Set("Retry-After", "1")
			refuse(http.StatusServiceUnavailable, "busy", "too many requests at the same time, try again")
			return
		}
		defer func() { <-r.slots }()
		partial := !strings.Contains(req.Header.Get("Content-Type"), "io.prometheus.write.v2")
		ctx := context.WithValue(req.Context(), callKey{}, call{from, partial})
		req = req.WithContext(ctx)
		req.Body = io.NopCloser(bytes.NewReader(body))
		a := &answer{ResponseWriter: w, code: http.StatusOK}
		defer func() { r.metrics.requests.WithLabelValues(protocol, outcomeOf(a.code)).Inc() }()
		h.ServeHTTP(a, req)
	})
}

// maxWords is how much of an answer that is no success is sent, in bytes: remote write 2.0 tells of every single sample.
const maxWords = 4 << 10

// answer remembers the status of a response, and cuts the words of a refusal.
type answer struct {
	http.ResponseWriter
	code int
	said int // bytes of a refusal
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

// Write implements io.Writer.
func (a *answer) Write(p []byte) (int, error) {
	if a.code < http.StatusBadRequest {
		return a.ResponseWriter.Write(p)
	}
	some := p[:min(len(p), maxWords-a.said)]
	a.said += len(some)
	if _, err := a.ResponseWriter.Write(some); err != nil {
		return 0, err
	}
	return len(p), nil
}

// outcomeOf names what became of a request that was let in, by the status of the answer.
func outcomeOf(code int) string {
	switch {
	case code >= http.StatusInternalServerError:
		return "failed"
	case code >= http.StatusBadRequest:
		return "refused"
	}
	return "taken"
}

// enter waits for a slot.
func (r *Receiver) enter(ctx context.Context) bool {
	select {
	case r.slots <- struct{}{}:
		return true
	default:
	}
	t := time.NewTimer(r.limits.QueueFor)
	defer t.Stop()
	select {
	case r.slots <- struct{}{}:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// metrics observe a Receiver.
type metrics struct {
	requests, rejected *prometheus.CounterVec
	samples            prometheus.Counter
	sources            prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_ingest_requests_total", Help: "Requests with samples, by what became of them.",
		}, []string{"protocol", "outcome"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_ingest_rejected_samples_total", Help: "Pushed samples that were not stored.",
		}, []string{"reason"}),
		samples: prometheus.NewCounter(prometheus.CounterOpts{Name: "plimsoll_ingest_samples_total", Help: "Pushed samples that were stored."}),
		sources: prometheus.NewGauge(prometheus.GaugeOpts{Name: "plimsoll_ingest_sources", Help: "Senders of the last hours."}),
	}
	r.MustRegister(m.requests, m.rejected, m.samples, m.sources)
	for _, protocol := range []string{remoteWrite, otlp} {
		for _, outcome := range []string{"taken", "refused", "failed", "busy", "size", "read", "method"} {
			m.requests.WithLabelValues(protocol, outcome) // there at 0, so that no push is not missing telemetry
		}
	}
	return m
}
