package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/util/compression"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// Outcome is what became of written samples.
type Outcome struct {
	Written int
	Refused map[string]int // by reason, one of the Refused constants; of 1.0 only Prometheus lets us find out how many
	Why     string         // the words of the store about some of those that it refused
}

// Why a store refuses samples.
const (
	RefusedDuplicate  = "duplicate"    // it has another value at that time, of another replica
	RefusedOutOfOrder = "out-of-order" // it has later samples of the series
	RefusedTooOld     = "too-old"      // further back than it takes samples at all
	RefusedOther      = "other"
)

func (o *Outcome) add(x Outcome) {
	o.Written += x.Written
	for k, n := range x.Refused {
		o.refuse(k, n, x.Why)
	}
}

func (o *Outcome) refuse(reason string, n int, why string) {
	if o.Refused == nil {
		o.Refused = map[string]int{}
	}
	o.Refused[reason] += n
	o.Why = why
}

// Write sends samples in one request if the store takes them all. Of those that it refuses, the others are written
// nevertheless. After an error some may be written; writing all of them again is harmless, but for VictoriaMetrics
// without -dedup.minScrapeInterval, which then has them twice.
func (s *Store) Write(ctx context.Context, all []store.Row) (Outcome, error) {
	for {
		plain, more := s.plain.Load(), maxHalves
		out, err := s.send(ctx, all, plain, &more)
		if errors.Is(err, errNotV2) && s.o.Version != V2 {
			s.o.Logger.Info("the store takes no remote write 2.0, going on with 1.0", "store", s.Name())
			s.plain.Store(true)
			continue
		}
		if err == nil {
			s.metrics.written.Add(float64(out.Written))
			for reason, n := range out.Refused {
				s.metrics.refused.WithLabelValues(reason).Add(float64(n))
			}
		}
		return out, err
	}
}

var errNotV2 = errors.New("the store does not take remote write 2.0")

// maxHalves is how many more requests may be sent to find the samples of one that are refused.
const maxHalves = 256

// send writes samples by one version of the protocol. more is how many more requests it may send.
func (s *Store) send(ctx context.Context, all []store.Row, plain bool, more *int) (Outcome, error) {
	r, err := s.writing(all, plain)
	if err != nil {
		return Outcome{}, err
	}
	a, err := s.do(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	n := count(all)
	written, counted := writtenSamples(a)
	switch {
	case !plain && !counted && s.o.Version != V2 && a.status == http.StatusBadRequest:
		// It may have understood nothing at all. What becomes of single samples 1.0 tells.
		return Outcome{}, s.trouble(r, CodeWrite, a.status, errNotV2.Error(), errNotV2)
	case !plain && (a.status == http.StatusUnsupportedMediaType || a.status/100 == 2 && n > 0 && !counted):
		return Outcome{}, s.trouble(r, CodeWrite, a.status, errNotV2.Error(), errNotV2)
	case a.status/100 == 2:
		return Outcome{Written: n}, nil
	case !plain && a.status == http.StatusBadRequest && counted:
		// 2.0 writes what can be written, and says how much.
		out := Outcome{Written: written}
		out.refuse(reasonOf(a.body), n-written, s.words(a))
		return out, nil
	case n == 0:
		return Outcome{}, nil // Cortex takes no empty request; the way to it is right
	case s.o.Type != Prometheus && a.status != http.StatusRequestEntityTooLarge:
		// They write what can be written, and say one reason.
		out := Outcome{Written: n - 1}
		out.refuse(reasonOf(a.body), 1, s.words(a))
		return out, nil
	case n == 1 || *more <= 0:
		out := Outcome{}
		out.refuse(reasonOf(a.body), n, s.words(a))
		return out, nil
	}
	// With 1.0, Prometheus writes none of the request and does not say which samples are to blame: find them.
	var out Outcome
	for _, half := range halves(all) {
		*more--
		part, err := s.send(ctx, half, plain, more)
		out.add(part)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// writtenSamples returns how many samples a receiver of 2.0 says it wrote.
func writtenSamples(a answer) (int, bool) {
	n, err := strconv.Atoi(a.header.Get("X-Prometheus-Remote-Write-Samples-Written"))
	return n, err == nil
}

// reasonOf tells from the words of a store why it refuses samples.
func reasonOf(body []byte) string {
	text := strings.ToLower(string(body))
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("duplicate", "new-value-for-timestamp", "new value for timestamp"):
		return RefusedDuplicate
	case has("too old", "too-old", "too far", "out of bounds"):
		return RefusedTooOld
	case has("out of order", "out-of-order"):
		return RefusedOutOfOrder
	}
	return RefusedOther
}

func count(all []store.Row) int {
	n := 0
	for _, x := range all {
		n += len(x.Samples)
	}
	return n
}

// halves splits series, or the samples of the only one, in two.
func halves(all []store.Row) [][]store.Row {
	if len(all) > 1 {
		return [][]store.Row{all[:len(all)/2], all[len(all)/2:]}
	}
	x, middle := all[0], len(all[0].Samples)/2
	return [][]store.Row{{{Labels: x.Labels, Samples: x.Samples[:middle]}}, {{Labels: x.Labels, Samples: x.Samples[middle:]}}}
}

// writing returns the request that writes samples.
func (s *Store) writing(all []store.Row, plain bool) (request, error) {
	message, h := encodeV2(all), http.Header{
		"Content-Encoding": {"snappy"}, "Content-Type": {"application/x-protobuf;proto=io.prometheus.write.v2.Request"},
		"X-Prometheus-Remote-Write-Version": {"2.0.0"},
	}
	if plain {
		message = encodeV1(all)
		h.Set("Content-Type", "application/x-protobuf")
		h.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	}
	raw, err := message.Marshal()
	if err == nil {
		raw, err = compression.Encode(compression.Snappy, raw, nil)
	}
	if err != nil {
		return request{}, fmt.Errorf("encode remote write: %w", err)
	}
	return request{what: "write", to: s.write, header: h, body: raw}, nil
}

type marshaler interface{ Marshal() ([]byte, error) }

func encodeV1(all []store.Row) marshaler {
	out := &prompb.WriteRequest{}
	for _, x := range all {
		var ts prompb.TimeSeries
		labels.FromMap(x.Labels).Range(func(l labels.Label) {
			ts.Labels = append(ts.Labels, prompb.Label{Name: l.Name, Value: l.Value})
		})
		for _, p := range x.Samples {
			ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: p.T.UnixMilli(), Value: p.V})
		}
		out.Timeseries = append(out.Timeseries, ts)
	}
	return out
}

func encodeV2(all []store.Row) marshaler {
	symbols, out := writev2.NewSymbolTable(), &writev2.Request{}
	for _, x := range all {
		ts := writev2.TimeSeries{LabelsRefs: symbols.SymbolizeLabels(labels.FromMap(x.Labels), nil)}
		ts.Metadata.Type = writev2.Metadata_METRIC_TYPE_GAUGE
		for _, p := range x.Samples {
			ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: p.T.UnixMilli(), Value: p.V})
		}
		out.Timeseries = append(out.Timeseries, ts)
	}
	out.Symbols = symbols.Symbols()
	return out
}
