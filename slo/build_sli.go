package slo

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
)

// sli builds the one variant that is written, or returns nil.
func (r *reader) sli(s *sliSpec, groupBy []string) SLI {
	q := queries{r, groupBy}
	switch {
	case s.Events != nil:
		return q.events(s.Events)
	case s.Latency != nil:
		return q.latency(s.Latency)
	case s.Threshold != nil:
		q.gauge(&s.Threshold.Metric)
		return &Threshold{s.Threshold.Metric.text(), s.Threshold.Op.V, optional(&s.Threshold.Value)}
	case s.Deadline != nil:
		return q.deadline(s.Deadline)
	case s.Freshness != nil:
		q.gauge(&s.Freshness.Timestamp)
		return &Freshness{s.Freshness.Timestamp.text(), Duration(s.Freshness.MaxAge.V)}
	case s.Coverage != nil:
		q.gauge(&s.Coverage.Observed)
		q.gauge(&s.Coverage.Expected)
		q.different(&s.Coverage.Observed, &s.Coverage.Expected)
		return &Coverage{s.Coverage.Observed.text(), s.Coverage.Expected.text()}
	case s.Spend != nil:
		q.plain(&s.Spend.Cost)
		return &Spend{s.Spend.Cost.text(), optional(&s.Spend.Amount), s.Spend.Currency.V}
	case s.Availability != nil:
		q.gauge(&s.Availability.Probe)
		return &Availability{s.Availability.Probe.text()}
	case s.Raw != nil:
		q.instant(&s.Raw.ErrorRatio)
		return &Raw{s.Raw.ErrorRatio.text()}
	case s.Composite != nil:
		return r.composite(s.Composite)
	}
	return nil
}

// text returns the canonical query, or "" when it is wrong.
func (q *query) text() string {
	return q.canonical
}

// queries checks the queries of one SLI.
type queries struct {
	*reader
	groupBy []string
}

func (q queries) events(s *eventsSpec) SLI {
	part := &s.Bad
	if !s.Good.At.IsZero() {
		part = &s.Good
	}
	q.counter(part)
	q.counter(&s.Total)
	q.different(part, &s.Total)
	q.agree(part, &s.Total)
	return &Events{s.Good.text(), s.Bad.text(), s.Total.text()}
}

func (q queries) deadline(s *deadlineSpec) SLI {
	q.counter(&s.Started)
	q.counter(&s.Finished)
	q.different(&s.Finished, &s.Started)
	return &Deadline{s.Started.text(), s.Finished.text(), Duration(s.Within.V)}
}

// instant checks what every query must be: an instant vector or a scalar that
// keeps the group labels.
func (q queries) instant(x *query) {
	if !x.ok {
		return
	}
	switch x.expr.Type() {
	case promql.Matrix:
		q.ranged(x)
		return
	case promql.String:
		q.add(x.at(diag.Error, diag.PromQLType, promql.Problem{Len: len(x.V), Msg: "the query is a string, not a number", Hint: "write a selector such as http_requests_total"}))
		return
	}
	for _, p := range x.expr.Lint() {
		sev, code := diag.Warning, diag.MatcherRegexp
		if strings.Contains(p.Msg, "template variable") {
			sev, code = diag.Error, diag.PromQLPlaceholder
		}
		q.add(x.at(sev, code, p))
	}
	for _, l := range q.groupBy {
		if x.expr.KeepsLabels(l) == promql.No {
			q.add(x.at(diag.Error, diag.GroupLabelDropped, promql.Problem{
				Len: len(x.V), Msg: fmt.Sprintf("the result has no label %q, by which the SLO is grouped", l),
				Hint: "keep it: sum by (" + strings.Join(q.groupBy, ", ") + ") (...), or write the selector alone",
			}))
		}
	}
}

// gauge checks a query for the present value of something.
func (q queries) gauge(x *query) {
	q.instant(x)
	if !x.ok {
		return
	}
	if s, plain := x.expr.Selector(); plain && promql.CounterName(s.Name) {
		q.add(x.at(diag.Warning, diag.CounterAsGauge, promql.Problem{Off: s.Off, Len: len(s.Name), Msg: fmt.Sprintf("%s is a counter by its name, but its present value is asked for", s.Name), Hint: "use an SLI of kind events, or take a rate"}))
	}
}

// plain checks a query into which Plimsoll puts windows: no range, offset or
// function of its own.
func (q queries) plain(x *query) {
	if !x.ok {
		return
	}
	before := len(q.part.diags)
	for _, s := range x.selectors {
		switch {
		case s.Range > 0 && len(s.Under) > 0 && slices.Contains(rates(), s.Under[len(s.Under)-1]):
			f := s.Under[len(s.Under)-1]
			q.add(x.at(diag.Error, diag.RateInSelector, promql.Problem{Off: callBefore(x.V, f, s.Off), Len: len(f), Msg: f + "() is applied to the counter", Hint: "write the counter alone: Plimsoll counts its increments over its own windows"}))
		case s.Range > 0:
			q.ranged(x)
		case s.Offset != 0 || s.HasAt:
			q.add(x.at(diag.Error, diag.OffsetInSelector, modifier(x.V, s)))
		}
		for _, f := range s.Under {
			if s.Range == 0 && !slices.Contains(linear(), f) {
				q.add(x.at(diag.Error, diag.RateInSelector, promql.Problem{Off: callBefore(x.V, f, s.Off), Len: len(f), Msg: fmt.Sprintf("the events of a counter cannot be counted through %s()", f), Hint: "use selectors and sums of them, or an SLI of kind raw"}))
			}
		}
	}
	if p, bad := x.expr.Nonlinear(); bad && len(q.part.diags) == before {
		p.Hint = "use selectors, sums, differences and multiples of them, or an SLI of kind raw"
		q.add(x.at(diag.Error, diag.RateInSelector, p))
	}
	if len(q.part.diags) == before {
		q.instant(x)
	}
}

// callBefore returns the place of the last call of f in query that starts
// before offset end, or 0.
func callBefore(query, f string, end int) int {
	for at := end; at > 0; {
		if at = strings.LastIndex(query[:at], f); at < 0 {
			break
		}
		inWord := at > 0 && (query[at-1] == '_' || query[at-1] == ':' || query[at-1] >= '0' && query[at-1] <= '9' || query[at-1]|0x20 >= 'a' && query[at-1]|0x20 <= 'z')
		rest := strings.TrimLeft(query[at+len(f):], " \t\n")
		if !inWord && (strings.HasPrefix(rest, "(") || strings.HasPrefix(rest, "by") || strings.HasPrefix(rest, "without")) {
			return at
		}
	}
	return 0
}

var modifierRE = regexp.MustCompile(`^\s*((?i:offset)\s+\S+|@\s*[^\s)]+)`)

// modifier returns the problem of the offset or @ behind s in query.
func modifier(query string, s promql.Selector) promql.Problem {
	p := promql.Problem{Off: s.Off, Len: s.Len, Msg: "the selector has an offset or @ modifier", Hint: "remove it: Plimsoll puts offsets in"}
	if end := s.Off + s.Len; end <= len(query) {
		if m := modifierRE.FindStringSubmatchIndex(query[end:]); m != nil {
			p.Off, p.Len = end+m[2], m[3]-m[2]
		}
	}
	return p
}

func (q queries) ranged(x *query) {
	q.add(x.at(diag.Error, diag.RangeInSelector, promql.Problem{Len: len(x.V), Msg: "the query has a range", Hint: "write the selector without [...]: Plimsoll puts the windows in"}))
}

// rates are the functions that people apply to counters.
func rates() []string { return []string{"rate", "irate", "increase", "delta", "idelta"} }

// linear are the functions and aggregations under which increments stay
// increments.
func linear() []string {
	return []string{"sum", "label_replace", "label_join", "sort", "sort_desc"}
}

// counter checks a query for a counter.
func (q queries) counter(x *query) {
	q.plain(x)
	if !x.ok {
		return
	}
	for _, s := range x.selectors {
		if promql.LooksLikeGauge(s.Name) && s.Range == 0 {
			q.add(x.at(diag.Warning, diag.GaugeAsCounter, promql.Problem{Off: s.Off, Len: len(s.Name), Msg: fmt.Sprintf("%s is a gauge by its name, but is counted", s.Name), Hint: "use a counter (..._total), or an SLI of kind threshold or availability"}))
		}
	}
}

// different reports two queries that are the same.
func (q queries) different(part, whole *query) {
	if part.ok && whole.ok && part.canonical == whole.canonical {
		d := part.at(diag.Error, diag.SameQuery, promql.Problem{Len: len(part.V), Msg: "both queries are the same", Hint: "restrict one of them with a matcher"})
		d.Related = &diag.Related{Pos: whole.At.Pos(), Msg: "the other one"}
		q.add(d)
	}
}

// agree reports a good or bad selector that shares no series with the total,
// or is not a part of it.
func (q queries) agree(part, whole *query) {
	if !part.ok || !whole.ok {
		return
	}
	a, okA := part.expr.Selector()
	b, okB := whole.expr.Selector()
	if !okA || !okB || a.Name != b.Name || part.canonical == whole.canonical {
		return
	}
	if ma, mb, bad := promql.Conflict(a, b); bad {
		d := part.at(diag.Error, diag.MatcherConflict, promql.Problem{Off: ma.Off, Len: ma.Len, Msg: fmt.Sprintf("%s can never agree with %s of the total", ma, mb), Hint: "the total must contain the events that are counted here"})
		pos, _ := whole.At.Span(mb.Off, mb.Len)
		d.Related = &diag.Related{Pos: pos, Msg: mb.String()}
		q.add(d)
		return
	}
	if promql.Subset(a, b) == promql.No {
		q.add(part.at(diag.Warning, diag.MatcherSubset, promql.Problem{Off: a.Off, Len: a.Len, Msg: "some of these events are not among the total", Hint: "give both selectors the same matchers, and this one one more"}))
	}
}

func (q queries) latency(s *latencySpec) SLI {
	native := boolOr(s.Native, false)
	out := &Latency{Native: native, Threshold: Duration(s.Threshold.V)}
	q.plain(&s.Histogram)
	if s.Histogram.ok {
		q.histogram(&s.Histogram)
		out.Histogram = s.Histogram.canonical
	}
	if native {
		at := s.Boundary.At
		if at.IsZero() && len(s.Buckets) > 0 {
			at = s.Native.At
		}
		if !at.IsZero() {
			q.add(at.Error(diag.HistogramBoundary, "a native histogram has no boundaries of its own", "remove boundary and buckets, or native: true"))
		}
		return out
	}
	if s.Threshold.V > 0 {
		out.Boundary = q.boundary(s)
	}
	return out
}

// histogram checks that the selector names the histogram and not a part of it.
func (q queries) histogram(x *query) {
	s, plain := x.expr.Selector()
	if !plain {
		if len(q.part.diags) == 0 || !q.part.diags.Failed() {
			q.add(x.at(diag.Error, diag.HistogramName, promql.Problem{Len: len(x.V), Msg: "a latency SLI needs one plain selector", Hint: "write for example http_request_duration_seconds{job=\"api\"}"}))
		}
		return
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if base, ok := strings.CutSuffix(s.Name, suffix); ok {
			q.add(x.at(diag.Error, diag.HistogramName, promql.Problem{Off: s.Off, Len: len(s.Name), Msg: fmt.Sprintf("%s is a part of the histogram %s", s.Name, base), Hint: "write " + base + ": Plimsoll adds " + suffix}))
			return
		}
	}
	if s.Name == "" || strings.HasSuffix(s.Name, "_total") {
		q.add(x.at(diag.Error, diag.HistogramName, promql.Problem{Off: s.Off, Len: s.Len, Msg: "the selector does not name a histogram", Hint: "write for example http_request_duration_seconds{job=\"api\"}"}))
	}
	for _, m := range s.Matchers {
		if m.Name == "le" {
			q.add(x.at(diag.Error, diag.HistogramBoundary, promql.Problem{Off: m.Off, Len: m.Len, Msg: "the boundary is given by threshold", Hint: "remove the matcher on le"}))
		}
	}
}

// boundary returns the le value of the threshold and reports one that is not a
// number, is not the threshold, or that the histogram does not have.
func (q queries) boundary(s *latencySpec) string {
	seconds := big.NewRat(int64(s.Threshold.V), 1e9)
	text := string(decimal(seconds))
	if s.Boundary.V != "" {
		text = s.Boundary.V
		x, ok := new(big.Rat).SetString(text)
		switch {
		case !ok:
			q.add(s.Boundary.At.Error(diag.HistogramBoundary, fmt.Sprintf("%q is not the value of an le label", text), fmt.Sprintf("write it as the series carry it, for example \"%s\"", decimal(seconds))))
		case x.Cmp(seconds) != 0:
			q.add(s.Boundary.At.Error(diag.HistogramBoundary, fmt.Sprintf("boundary %s is not the threshold of %s seconds", text, decimal(seconds)), fmt.Sprintf("write boundary: \"%s\", or change the threshold", decimal(seconds))))
		}
	}
	var have []string
	for _, b := range s.Buckets {
		if b.V == nil || b.V.Cmp(seconds) == 0 {
			return text
		}
		have = append(have, string(decimal(b.V)))
	}
	if len(have) > 0 {
		q.add(s.Threshold.At.Error(diag.HistogramBoundary, fmt.Sprintf("the histogram has no boundary at %s seconds", decimal(seconds)), "choose one of "+strings.Join(have, ", ")))
	}
	return text
}

func (r *reader) composite(s *compositeSpec) SLI {
	out := &Composite{Method: s.Method.V}
	seen := map[string]bool{}
	for _, m := range s.Members {
		if m.SLO.V == "" {
			continue
		}
		if seen[m.SLO.V] {
			r.add(m.SLO.At.Error(diag.CompositeMembership, fmt.Sprintf("SLO %q takes part twice", m.SLO.V), "remove one of the two, or give one a weight"))
			continue
		}
		seen[m.SLO.V] = true
		if m.Weight != nil && out.Method != Weighted && out.Method != "" {
			r.add(m.Weight.At.Error(diag.CompositeMembership, fmt.Sprintf("method %s has no weights", out.Method), "remove weight, or write method: weighted"))
		}
		w := optional(m.Weight)
		if w == "" {
			w = "1"
		}
		out.Members = append(out.Members, Member{m.SLO.V, w})
	}
	if len(s.Members) > 0 && len(out.Members) < 2 && len(seen) == len(s.Members) {
		r.add(s.At.Error(diag.CompositeMembership, "a composite needs at least two members", ""))
	}
	return out
}
