package server

import "github.com/prometheus/client_golang/prometheus"

// metrics observe the schedule and the specs.
type metrics struct {
	ticks, late, skipped, unstored, clockJumps  prometheus.Counter
	evaluations, failures                       prometheus.Counter
	due, lag, slos, specsOK, specsTime, filling prometheus.Gauge
	unwritten, queries                          prometheus.Gauge
	filled                                      prometheus.Counter
	reloads, events                             *prometheus.CounterVec
	duration                                    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		r.MustRegister(g)
		return g
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		r.MustRegister(c)
		return c
	}
	m := metrics{
		ticks:       counter("plimsoll_ticks_total", "Evaluated ticks."),
		late:        counter("plimsoll_ticks_late_total", "Ticks that were done only when the next one was due already."),
		skipped:     counter("plimsoll_ticks_skipped_total", "Ticks that were missed so long ago that they were left out."),
		unstored:    counter("plimsoll_ticks_unstored_total", "Evaluations of ticks that could not be stored and were tried again."),
		evaluations: counter("plimsoll_rule_evaluations_total", "Evaluations of single rules."),
		failures:    counter("plimsoll_rule_failures_total", "Evaluations of single rules that failed."),
		clockJumps:  counter("plimsoll_clock_jumps_total", "Times that the clock was found set back."),
		due:         gauge("plimsoll_ticks_due", "Ticks that should be evaluated and are not yet."),
		lag:         gauge("plimsoll_tick_lag_seconds", "How long after its time the last tick was done."),
		slos:        gauge("plimsoll_slos", "SLOs that are evaluated."),
		specsOK:     gauge("plimsoll_specs_ok", "1 if the specs on disk are the ones that are evaluated, 0 if they are wrong."),
		specsTime:   gauge("plimsoll_specs_loaded_timestamp_seconds", "When specs were taken over last."),
		filling:     gauge("plimsoll_backfill_slos", "SLOs whose past is being evaluated."),
		unwritten:   gauge("plimsoll_store_unwritten_seconds", "With --store: how much time of what is recorded the store does not have yet."),
		queries:     gauge("plimsoll_store_tick_queries", "With --store: queries to the store since the tick before the last."),
		filled:      counter("plimsoll_backfill_ticks_total", "Ticks of the past that were evaluated for new SLOs."),
		reloads:     vec("plimsoll_reloads_total", "Looks at changed specs, by outcome.", "outcome"),
		events:      vec("plimsoll_alert_events_total", "Alerts that began, ended or expired.", "event"),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "plimsoll_tick_duration_seconds", Help: "Time to evaluate a tick.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
	}
	r.MustRegister(m.duration)
	return m
}
