package ingest

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// lookback is how long a series counts as present after its last sample.
const lookback = 5 * time.Minute

// deltaHint says what to do about metrics that are not cumulative.
const deltaHint = "want cumulative temporality: set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative for the SDK, " +
	"or put the processor deltatocumulative into the collector"

// otlpHandler takes in OTLP metrics with the translation of Prometheus. What differs from Prometheus' own handler: of a
// request with something wrong the rest is stored, and metrics of delta temporality are refused with a hint.
//
// They are not converted. A sum that is kept in memory starts anew with the process, and then grows past the old value
// unseen, or counts a delta twice that is sent again: a budget would be wrong without a sign. The sender has the
// cumulative value, or a collector close to it.
type otlpHandler struct {
	into     storage.AppendableV2
	limit    int64 // of bytes after decompression
	log      *slog.Logger
	settings prometheusremotewrite.Settings
	warnings *prometheus.CounterVec
	rejected *prometheus.CounterVec
}

func newOTLPHandler(into storage.AppendableV2, limit int64, log *slog.Logger, reg prometheus.Registerer, rejected *prometheus.CounterVec) *otlpHandler {
	c := config.DefaultOTLPConfig
	h := &otlpHandler{into: into, limit: limit, log: log, rejected: rejected, settings: prometheusremotewrite.Settings{
		AddMetricSuffixes:                    c.TranslationStrategy.ShouldAddSuffixes(),
		AllowUTF8:                            !c.TranslationStrategy.ShouldEscape(),
		PromoteResourceAttributes:            prometheusremotewrite.NewPromoteResourceAttributes(c),
		KeepIdentifyingResourceAttributes:    c.KeepIdentifyingResourceAttributes,
		ConvertHistogramsToNHCB:              c.ConvertHistogramsToNHCB,
		PromoteScopeMetadata:                 c.PromoteScopeMetadata,
		LookbackDelta:                        lookback,
		LabelNameUnderscoreSanitization:      c.LabelNameUnderscoreSanitization,
		LabelNamePreserveMultipleUnderscores: c.LabelNamePreserveMultipleUnderscores,
	}}
	h.warnings = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "plimsoll_otlp_warnings_total", Help: "Oddities in OTLP metrics that were stored nevertheless, by category.",
	}, []string{"category"})
	reg.MustRegister(h.warnings)
	return h
}

// ServeHTTP implements http.Handler.
func (h *otlpHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	md, err := h.decode(r)
	if errors.Is(err, errUnpacked) {
		http.Error(w, fmt.Sprintf("want at most %d bytes after decompression", h.limit), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	deltas := takeDeltas(md)
	fatal, bad := h.store(r.Context(), md)
	if fatal != nil {
		h.log.Error("OTLP metrics not stored", "err", fatal)
		w.Header().Set("Retry-After", "5")
		http.Error(w, fatal.Error(), http.StatusServiceUnavailable) // OTLP senders do not try again after 500
		return
	}
	if deltas.points > 0 {
		h.rejected.WithLabelValues("delta").Add(float64(deltas.points))
		bad = errors.Join(fmt.Errorf("%d points of %d metrics have delta temporality and are not stored, the first metric is %q: %s",
			deltas.points, deltas.metrics, deltas.first, deltaHint), bad)
	}
	if bad != nil {
		http.Error(w, bad.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// errUnpacked is what becomes of a request that is too large when it is unpacked.
var errUnpacked = errors.New("too large")

// decode reads a request. Prometheus' own function cuts what is too large, and stores the first part.
func (h *otlpHandler) decode(r *http.Request) (pmetric.Metrics, error) {
	none := pmetric.NewMetrics()
	body := io.Reader(r.Body)
	switch kind := r.Header.Get("Content-Encoding"); kind {
	case "":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return none, err
		}
		body = z
	default:
		return none, fmt.Errorf("want gzip or no compression, have %q", kind)
	}
	text, err := io.ReadAll(io.LimitReader(body, h.limit+1))
	if err != nil {
		return none, err
	}
	if int64(len(text)) > h.limit {
		return none, errUnpacked
	}
	req := pmetricotlp.NewExportRequest()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/x-protobuf":
		err = req.UnmarshalProto(text)
	case "application/json":
		err = req.UnmarshalJSON(text)
	default:
		err = fmt.Errorf("want the content type application/x-protobuf or application/json, have %q", kind)
	}
	return req.Metrics(), err
}

// store writes what can be written. A fatal error means that nothing is stored and that sending again may help; bad is
// what is wrong with the rest.
func (h *otlpHandler) store(ctx context.Context, md pmetric.Metrics) (fatal, bad error) {
	app, ok := h.into.AppenderV2(ctx).(*appenderV2)
	if !ok {
		panic("ingest: OTLP wants guarded appenders")
	}
	warnings, bad := prometheusremotewrite.NewPrometheusConverter(app).FromMetrics(ctx, md, h.settings)
	for category, n := range prometheusremotewrite.CountWarningsByCategory(warnings) {
		h.warnings.WithLabelValues(string(category)).Add(float64(n))
	}
	if fatal = errors.Join(app.fatal, ctx.Err()); fatal != nil {
		return errors.Join(fatal, app.Rollback()), nil
	}
	err := app.Commit()
	if app.fatal != nil {
		return app.fatal, nil
	}
	return nil, errors.Join(bad, err)
}

// deltas counts what takeDeltas took out.
type deltas struct {
	points, metrics int
	first           string
}

// takeDeltas removes the metrics of delta temporality.
func takeDeltas(md pmetric.Metrics) deltas {
	var out deltas
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				n := deltaPoints(m)
				if n == 0 {
					return false
				}
				if out.metrics++; out.metrics == 1 {
					out.first = m.Name()
				}
				out.points += n
				return true
			})
		}
	}
	return out
}

// deltaPoints returns the number of points of a metric of delta temporality, or 0.
func deltaPoints(m pmetric.Metric) int {
	var t pmetric.AggregationTemporality
	n := 0
	switch m.Type() {
	case pmetric.MetricTypeSum:
		t, n = m.Sum().AggregationTemporality(), m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		t, n = m.Histogram().AggregationTemporality(), m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		t, n = m.ExponentialHistogram().AggregationTemporality(), m.ExponentialHistogram().DataPoints().Len()
	}
	if t != pmetric.AggregationTemporalityDelta {
		return 0
	}
	return n
}
