package platformevents

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// retryAfter is how many seconds a sender that is refused for now should wait.
const retryAfter = 30

// mux has one path for each source.
func (r *eventsReceiver) mux() (*http.ServeMux, error) {
	mux := http.NewServeMux()
	for _, name := range r.cfg.sourceNames() {
		source := r.cfg.source(name)
		kind, err := source.kind()
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
		kind = r.named(kind, source.Kind)
		guard, err := newGuard(source, kind, r.now, r.set.Logger.With(zap.String("name", name)))
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", name, err)
		}
		mux.Handle("POST "+source.Path, &door{
			receiver: r, source: source, kind: kind, guard: guard,
			hands: make(chan struct{}, source.MaxConcurrent),
			pace:  rate.NewLimiter(rate.Limit(source.RateLimit.PerSecond), source.RateLimit.Burst),
		})
	}
	return mux, nil
}

// door takes the deliveries of one source. Nothing of a delivery is logged or sent back, neither is what was wrong with
// its authentication: the counter platform.events.received says how often that happens.
type door struct {
	receiver *eventsReceiver
	source   SourceConfig
	kind     source.Kind
	guard    guard
	hands    chan struct{} // one element for each delivery in hand
	pace     *rate.Limiter // of authentic deliveries, so that others can not use it up
}

// ServeHTTP answers one delivery.
func (d *door) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	select {
	case d.hands <- struct{}{}:
		defer func() { <-d.hands }()
	default:
		d.reject(w, "busy", http.StatusTooManyRequests)
		return
	}
	body, verdict, status := d.admit(w, req)
	if verdict != "" {
		d.reject(w, verdict, status)
		return
	}
	r := d.receiver
	events, err := d.kind.Decode(req.Header, body, r.now())
	if err != nil {
		r.set.Logger.Warn("delivery is not readable", zap.String("source", d.kind.Name), zap.Error(err))
		d.reject(w, "malformed", http.StatusBadRequest)
		return
	}
	if err := r.counting.Add(events...); err != nil {
		r.set.Logger.Error("delivery is not counted", zap.String("source", d.kind.Name), zap.Error(err))
		answer(w, http.StatusServiceUnavailable)
		return
	}
	answer(w, consumeStatus(r.passOn(req.Context(), events)))
}

// admit returns the body of a delivery that is authentic and within the limits, or why it is not and what to answer.
func (d *door) admit(w http.ResponseWriter, req *http.Request) (body []byte, verdict string, status int) {
	if d.guard.request != nil && !d.guard.request(req) {
		return nil, "unauthentic", http.StatusUnauthorized
	}
	reader := req.Body
	if d.source.MaxBodySize > 0 {
		reader = http.MaxBytesReader(w, reader, d.source.MaxBodySize)
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return nil, "unread", readStatus(err)
	}
	if d.guard.body != nil && !d.guard.body(req.Header, body) {
		return nil, "unauthentic", http.StatusUnauthorized
	}
	if !d.pace.AllowN(d.receiver.now(), 1) {
		return nil, "limited", http.StatusTooManyRequests
	}
	return body, "", 0
}

func (d *door) reject(w http.ResponseWriter, verdict string, status int) {
	d.receiver.counting.Reject(d.kind.Name, verdict)
	answer(w, status)
}

func readStatus(err error) int {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

func consumeStatus(err error) int {
	switch {
	case err == nil:
		return http.StatusAccepted
	case consumererror.IsPermanent(err):
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

func answer(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(status)
}
