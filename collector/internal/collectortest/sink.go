package collectortest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Sink is a backend that takes OTLP over HTTP and keeps the JSON form of all of it.
type Sink struct {
	mu   sync.Mutex
	text strings.Builder
	came chan struct{}
}

// NewSink returns an empty sink.
func NewSink() *Sink { return &Sink{came: make(chan struct{}, 1)} }

// request is one OTLP request.
type request interface {
	UnmarshalProto(data []byte) error
	MarshalJSON() ([]byte, error)
}

// ServeHTTP takes one request.
func (s *Sink) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var r request
	switch {
	case strings.HasSuffix(req.URL.Path, "/v1/metrics"):
		r = pmetricotlp.NewExportRequest()
	case strings.HasSuffix(req.URL.Path, "/v1/logs"):
		r = plogotlp.NewExportRequest()
	case strings.HasSuffix(req.URL.Path, "/v1/traces"):
		r = ptraceotlp.NewExportRequest()
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := plain(req)
	if err != nil || r.UnmarshalProto(body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	text, err := r.MarshalJSON()
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.text.Write(text)
	s.text.WriteByte('\n')
	s.mu.Unlock()
	select {
	case s.came <- struct{}{}:
	default:
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
}

func plain(req *http.Request) ([]byte, error) {
	if req.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(req.Body)
	}
	r, err := gzip.NewReader(req.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Text returns everything that came, one request a line.
func (s *Sink) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Wait returns when something with each of the texts in it has come.
func (s *Sink) Wait(t *testing.T, texts ...string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for _, text := range texts {
		for !strings.Contains(s.Text(), text) {
			select {
			case <-s.came:
			case <-deadline:
				t.Fatalf("%q does not come", text)
			}
		}
	}
}
