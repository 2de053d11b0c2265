package remote

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics observe the requests.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	written  prometheus.Counter
	refused  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_store_requests_total", Help: "Requests to the store, by what was asked and how it was answered.",
		}, []string{"request", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "plimsoll_store_request_duration_seconds", Help: "Time to an answer of the store.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"request"}),
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plimsoll_store_written_samples_total", Help: "Samples that the store took.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plimsoll_store_refused_samples_total", Help: "Samples that the store refused for good, by reason; at least so many, as not every store says.",
		}, []string{"reason"}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.duration, m.written, m.refused)
	}
	return m
}

// observe counts one attempt: by its status, or by "none" without an answer.
func (m metrics) observe(what string, took time.Duration, status int, err error) {
	outcome := strconv.Itoa(status)
	if status == 0 {
		outcome = "none"
	}
	if status/100 == 2 && err != nil {
		outcome = "broken"
	}
	m.requests.WithLabelValues(what, outcome).Inc()
	m.duration.WithLabelValues(what).Observe(took.Seconds())
}
