package otlp

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Traces returns a span for each event that ends an attempt of a pipeline run, a task of it or a step of a task, and how
// many; other events, and those without a run id, have none. Each attempt is a trace of its own. Its ids are made from
// what identifies it, so that spans find their parents whenever and through whichever collector they come, and the same
// event gives the same span again. scopeName says who made them.
func Traces(scopeName string, events []event.Event, collector pcommon.Resource) (traces ptrace.Traces, spans int) {
	traces = ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	setResource(resource.Resource(), collector)
	scope := resource.ScopeSpans().AppendEmpty()
	scope.Scope().SetName(scopeName)
	for _, e := range events {
		if e.Attrs.Text(event.RunID) == "" {
			continue
		}
		switch e.Name {
		case event.RunFinished:
			setRun(scope.Spans().AppendEmpty(), e)
		case event.TaskFinished:
			setTask(scope.Spans().AppendEmpty(), e)
		case event.StepFinished:
			setStep(scope.Spans().AppendEmpty(), e)
		}
	}
	return traces, scope.Spans().Len()
}

func setRun(span ptrace.Span, e event.Event) {
	trace := traceID(e, attemptOf(e))
	setSpan(span, e, e.Attrs.Text(event.Result))
	span.SetName(strings.TrimSpace("RUN " + e.Attrs.Text(event.PipelineName)))
	span.SetKind(ptrace.SpanKindServer)
	span.SetTraceID(trace)
	span.SetSpanID(spanID(trace, "run"))
	if n := attemptOf(e); n > 1 {
		before := traceID(e, n-1)
		link := span.Links().AppendEmpty()
		link.SetTraceID(before)
		link.SetSpanID(spanID(before, "run"))
	}
}

func setTask(span ptrace.Span, e event.Event) {
	trace := traceID(e, attemptOf(e))
	setSpan(span, e, e.Attrs.Text(event.TaskResult))
	span.SetName(strings.TrimSpace("RUN " + e.Attrs.Text(event.TaskName)))
	span.SetTraceID(trace)
	span.SetSpanID(spanID(trace, "task", e.Attrs.Text(event.TaskID)))
	span.SetParentSpanID(spanID(trace, "run"))
}

func setStep(span ptrace.Span, e event.Event) {
	trace := traceID(e, attemptOf(e))
	name, number := e.Attrs.Text(event.StepName), strconv.FormatInt(e.Attrs.Integer(event.StepNumber), 10)
	setSpan(span, e, e.Attrs.Text(event.TaskResult))
	span.SetName(strings.TrimSpace("RUN " + name))
	span.SetTraceID(trace)
	span.SetSpanID(spanID(trace, "step", e.Attrs.Text(event.TaskID), number, name))
	span.SetParentSpanID(spanID(trace, "task", e.Attrs.Text(event.TaskID)))
}

// setSpan sets what all spans have in common.
func setSpan(span ptrace.Span, e event.Event, result string) {
	start := e.Start
	if seconds, ok := e.Attrs.Number(event.RunDuration); start.IsZero() && ok {
		start = e.Time.Add(-time.Duration(seconds * float64(time.Second)))
	}
	if start.IsZero() || start.After(e.Time) {
		start = e.Time
	}
	span.SetKind(ptrace.SpanKindInternal)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(e.Time))
	setAttributes(span.Attributes(), e.Attrs)
	span.Attributes().PutStr(event.EventSource, e.Source)
	switch result {
	case "failure", "error", "timeout":
		span.Status().SetCode(ptrace.StatusCodeError)
		if _, said := span.Attributes().Get("error.type"); !said {
			span.Attributes().PutStr("error.type", result)
		}
	}
}

// attemptOf returns the number of the attempt; a source that does not count has only first ones.
func attemptOf(e event.Event) int64 { return max(e.Attrs.Integer(event.RunAttempt), 1) }

// traceID identifies an attempt of a run. No part of it contains the separator: texts of events have no control
// characters.
func traceID(e event.Event, attempt int64) pcommon.TraceID {
	repository := strings.TrimPrefix(e.Attrs.Text(event.RepositoryOwner)+"/"+e.Attrs.Text(event.Repository), "/")
	all := digest(e.Source, repository, e.Attrs.Text(event.RunID), strconv.FormatInt(attempt, 10))
	return pcommon.TraceID(all[:16])
}

func spanID(trace pcommon.TraceID, parts ...string) pcommon.SpanID {
	all := digest(append([]string{trace.String()}, parts...)...)
	return pcommon.SpanID(all[:8])
}

func digest(parts ...string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}
