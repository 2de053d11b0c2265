package platformevents

import (
	"errors"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// kind is what the receiver knows of one kind of source.
type kind struct {
	authentic func(secrets []string, header http.Header, body []byte) bool
	decode    func(header http.Header, body []byte, observed time.Time) ([]event.Event, error)
}

func kinds() map[string]kind {
	return map[string]kind{
		"github": {authentic: sources.SignedByGitHub, decode: sources.GitHub},
	}
}

// mux has one path for each source.
func (r *eventsReceiver) mux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, name := range r.cfg.sourceNames() {
		source := r.cfg.source(name)
		secrets := make([]string, len(source.Secrets))
		for i, secret := range source.Secrets {
			secrets[i] = string(secret)
		}
		mux.Handle("POST "+source.Path, r.handler(source.Kind, secrets))
	}
	return mux
}

// handler answers deliveries of one kind of source. Nothing of a delivery is logged or sent back, neither is what was wrong with its
// signature: the counter platform.events.received says how often that happens.
func (r *eventsReceiver) handler(source string, secrets []string) http.HandlerFunc {
	k := kinds()[source]
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			r.counters.Reject(source, "unread")
			answer(w, readStatus(err))
			return
		}
		if !k.authentic(secrets, req.Header, body) {
			r.counters.Reject(source, "unauthentic")
			answer(w, http.StatusUnauthorized)
			return
		}
		events, err := k.decode(req.Header, body, r.now())
		if err != nil {
			r.counters.Reject(source, "malformed")
			r.set.Logger.Warn("delivery is not readable", zap.String("source", source), zap.Error(err))
			answer(w, http.StatusBadRequest)
			return
		}
		if err := r.counters.Add(events...); err != nil {
			r.set.Logger.Error("delivery is not counted", zap.String("source", source), zap.Error(err))
			answer(w, http.StatusServiceUnavailable)
			return
		}
		answer(w, consumeStatus(r.passChanges(req.Context())))
	}
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
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	w.WriteHeader(status)
}
