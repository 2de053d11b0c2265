package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// reply is an answer of the query API.
type reply struct {
	Status    string
	ErrorType string
	Error     string
	Warnings  []string
	IsPartial bool // VictoriaMetrics: some of its storages did not answer
	Data      struct {
		ResultType model.ValueType
		Result     json.RawMessage
	}
}

// Query evaluates a PromQL expression at ts, exact to the millisecond. A scalar is one sample without labels. The order
// is that of the store.
func (s *Store) Query(ctx context.Context, expr string, ts time.Time) ([]store.Sample, error) {
	rep, err := s.ask(ctx, expr, ts)
	if err != nil {
		return nil, err
	}
	var vec model.Vector
	switch rep.Data.ResultType {
	case model.ValVector:
		err = json.Unmarshal(rep.Data.Result, &vec)
	case model.ValScalar:
		var x model.Scalar
		err = json.Unmarshal(rep.Data.Result, &x)
		vec = model.Vector{{Value: x.Value}}
	default:
		err = fmt.Errorf("want a vector or scalar, have %q", rep.Data.ResultType)
	}
	if err != nil {
		return nil, s.strange(err)
	}
	out := make([]store.Sample, 0, len(vec))
	for _, x := range vec {
		if x.Histogram != nil {
			return nil, s.trouble(s.asking(nil), CodeQuery, 0, "want floats, have a native histogram", nil)
		}
		out = append(out, store.Sample{Labels: labelsOf(x.Metric), T: ts, V: float64(x.Value)})
	}
	return out, nil
}

// Samples returns the raw samples of the series that match a selector in the time (to-span, to]. Of the ends of series
// VictoriaMetrics tells, others do not.
func (s *Store) Samples(ctx context.Context, selector string, to time.Time, span time.Duration) ([]store.Row, error) {
	rep, err := s.ask(ctx, fmt.Sprintf("%s[%dms]", selector, span.Milliseconds()), to)
	if err != nil {
		return nil, err
	}
	var m model.Matrix
	if err := json.Unmarshal(rep.Data.Result, &m); err != nil {
		return nil, s.strange(err)
	}
	var out []store.Row
	for _, x := range m {
		row := store.Row{Labels: labelsOf(x.Metric), Samples: make([]store.Point, 0, len(x.Values))}
		for _, v := range x.Values {
			if t := v.Timestamp.Time(); t.After(to.Add(-span)) { // Prometheus 2 and VictoriaMetrics take the first one, too
				p := store.Point{T: t.UTC(), V: float64(v.Value)}
				if s.o.Type == VictoriaMetrics && math.IsNaN(p.V) {
					p.V = store.Stale()
				}
				row.Samples = append(row.Samples, p)
			}
		}
		out = append(out, row)
	}
	return out, nil
}

func labelsOf(m model.Metric) store.Labels {
	out := make(store.Labels, len(m))
	for k, v := range m {
		out[string(k)] = string(v)
	}
	return out
}

// asking returns the request for a form.
func (s *Store) asking(form url.Values) request {
	return request{
		what: "query", to: s.query.JoinPath("api", "v1", "query"), body: []byte(form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	}
}

// ask sends an instant query and waits for a whole answer.
func (s *Store) ask(ctx context.Context, expr string, ts time.Time) (reply, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return reply{}, s.lost(s.asking(nil), ctx.Err())
	}
	form := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(ts.UnixMilli())/1000, 'f', 3, 64)}}
	for k, v := range s.wholeAnswers() {
		form.Set(k, v)
	}
	r := s.asking(form)
	s.asked.Add(1)
	a, err := s.do(ctx, r)
	if err != nil {
		return reply{}, err
	}
	var rep reply
	err = json.Unmarshal(a.body, &rep)
	switch {
	case a.status/100 != 2 && err == nil && rep.Error != "":
		return reply{}, s.trouble(r, CodeQuery, a.status, fmt.Sprintf("%d %s: %s", a.status, rep.ErrorType, s.quote([]byte(rep.Error))), nil)
	case a.status/100 != 2:
		return reply{}, s.trouble(r, CodeQuery, a.status, s.words(a), nil)
	case err != nil || rep.Status != "success":
		return reply{}, s.trouble(r, CodeAnswer, a.status, "the answer is not one of the query API: "+s.quote(a.body[:min(len(a.body), 200)]), err)
	}
	if why := rep.partial(); why != "" {
		return reply{}, s.trouble(r, CodePartial, a.status, "the answer is not whole: "+s.quote([]byte(why)), nil)
	}
	return rep, nil
}

// wholeAnswers are parameters without which stores answer from a part of their data, or for another time.
func (s *Store) wholeAnswers() map[string]string {
	switch s.o.Type {
	case VictoriaMetrics:
		// Without nocache, questions about the last 30 s are answered as of 30 s ago (-search.latencyOffset).
		return map[string]string{"nocache": "1", "deny_partial_response": "1"}
	case Thanos:
		return map[string]string{"partial_response": "false", "dedup": "true"}
	}
	return nil
}

// partial says why an answer is not whole, or returns "". Warnings about the query itself are fine.
func (r *reply) partial() string {
	if r.IsPartial {
		return "isPartial"
	}
	for _, w := range r.Warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return w
		}
	}
	return ""
}

func (s *Store) strange(err error) error {
	return s.trouble(s.asking(nil), CodeAnswer, http.StatusOK, s.quote([]byte(err.Error())), err)
}
