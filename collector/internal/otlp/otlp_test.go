package otlp_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	apisources "github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
)

var (
	received = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	compare  = cmp.AllowUnexported(event.Attr{})
)

// ended returns the event of a run, task or step that took a minute.
func ended(name string, attempt int64, attrs ...event.Attr) event.Event {
	attrs = append(
		attrs, event.String(event.RepositoryOwner, "acme"), event.String(event.Repository, "shop"),
		event.String(event.PipelineName, "build"), event.String(event.RunID, "7"), event.Int(event.RunAttempt, attempt),
	)
	return event.Event{
		Name: name, Source: "github", Subject: "gh/1/run/7", Key: "gh/1/run/7/" + name,
		Start: received.Add(-time.Minute), Time: received, Observed: received.Add(time.Second), Attrs: event.NewSet(attrs...),
	}
}

// TestRoundTrip: an event is the same after it was a log record.
func TestRoundTrip(t *testing.T) {
	body, err := os.ReadFile("../../../exporters/pipelines/sources/testdata/github/completed.payload.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := sources.GitHub(map[string][]string{"X-Github-Event": {"workflow_run"}}, body, received)
	if err != nil {
		t.Fatal(err)
	}
	if body, err = os.ReadFile("../../../exporters/platformapi/sources/testdata/kubernetes_audit/hand.log"); err != nil {
		t.Fatal(err)
	}
	api, err := apisources.KubernetesAudit(apisources.AuditOptions{}).Decode(nil, body, received)
	if err != nil {
		t.Fatal(err)
	}
	want = append(
		append(want, api...), ended(event.RunFinished, 2, event.String(event.Result, "failure"), event.Float(event.RunDuration, 60.5), event.Bool(event.Waiting, true)),
		event.Event{Name: event.Unused, Source: "gitlab", Time: received, Observed: received},
	)
	logs := otlp.Logs("scope", want, pcommon.NewResource())
	var got []event.Event
	for _, record := range logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		e, ok := otlp.Event(record, received.Add(time.Hour))
		if !ok {
			t.Errorf("%q is not read back", record.EventName())
		}
		got = append(got, e)
	}
	for i := range want {
		if want[i].Attrs == nil {
			want[i].Attrs = event.NewSet()
		}
	}
	if diff := cmp.Diff(want, got, compare, cmp.Comparer(func(a, b event.Set) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHostileRecords: what is not an event, or more than one, does not come through.
func TestHostileRecords(t *testing.T) {
	f := func(what string, change func(plog.LogRecord), want bool) event.Event {
		t.Helper()
		logs := otlp.Logs("scope", []event.Event{ended(event.RunFinished, 1)}, pcommon.NewResource())
		record := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		change(record)
		e, ok := otlp.Event(record, received.Add(time.Minute))
		if ok != want {
			t.Errorf("%s: read is %v, want %v", what, ok, want)
		}
		return e
	}
	put := func(name, value string) func(plog.LogRecord) {
		return func(r plog.LogRecord) { r.Attributes().PutStr(name, value) }
	}
	f("no name", func(r plog.LogRecord) { r.SetEventName("") }, false)
	f("no source", put(event.EventSource, ""), false)
	f("a sentence as source", put(event.EventSource, "not a word"), false)
	f("no key", put("platform.event.key", ""), false)
	f("key of another subject", put("platform.event.key", "gh/2/run/7/x"), false)
	f("long key", put("platform.event.key", "gh/1/run/7/"+strings.Repeat("x", 2000)), false)
	f("not UTF-8", put("platform.event.key", "gh/1/run/7/\xff"), false)
	if e := f("other attribute", put("user.email", "a@example.org"), true); e.Attrs.Text("user.email") != "" {
		t.Error("an attribute of no namespace of ours came through")
	}
	if e := f("long text", put("vcs.repository.name", strings.Repeat("x", 9999)), true); len(e.Attrs.Text(event.Repository)) > event.MaxText {
		t.Error("a long text came through")
	}
	nan := func(r plog.LogRecord) { r.Attributes().PutDouble(event.RunDuration, math.NaN()) }
	if e := f("NaN", nan, true); len(e.Attrs) != 5 {
		t.Errorf("NaN came through: %v", e.Attrs)
	}
	future := func(r plog.LogRecord) {
		r.SetTimestamp(pcommon.NewTimestampFromTime(received.AddDate(1, 0, 0)))
		r.SetObservedTimestamp(r.Timestamp())
	}
	if e := f("the future", future, true); !e.Observed.Equal(received.Add(time.Minute)) || !e.Time.Equal(e.Observed) {
		t.Errorf("observed at %v and happened at %v, want both now", e.Observed, e.Time)
	}
}

// TestTraces: run, tasks and steps of one attempt are one trace, whichever delivery they come with, and a rerun is
// linked to the attempt before.
func TestTraces(t *testing.T) {
	task := []event.Attr{event.String("cicd.pipeline.task.run.id", "70"), event.String("cicd.pipeline.task.name", "lint")}
	step := append([]event.Attr{event.String("cicd.pipeline.step.name", "checkout"), event.Int("platform.step.number", 1)}, task...)
	failed := event.String("cicd.pipeline.task.run.result", "failure")
	spans := func(e ...event.Event) (all []ptrace.Span) {
		traces, n := otlp.Traces("scope", e, pcommon.NewResource())
		for _, span := range traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			all = append(all, span)
		}
		if len(all) != n {
			t.Errorf("%d spans, said to be %d", len(all), n)
		}
		return all
	}
	first := spans(
		ended(event.RunFinished, 1, event.String(event.Result, "timeout")),
		ended("cicd.pipeline.task.finished", 1, append(task, failed)...),
		ended("cicd.pipeline.task.step.finished", 1, step...),
		ended(event.RunStarted, 1), event.Event{Name: event.RunFinished, Source: "github", Time: received},
	)
	if len(first) != 3 {
		t.Fatalf("%d spans, want 3", len(first))
	}
	run, job, checkout := first[0], first[1], first[2]
	again := spans(ended(event.RunFinished, 1, event.String(event.Result, "timeout")))[0]
	second := spans(ended(event.RunFinished, 2, event.String(event.Result, "success")))[0]
	f := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	// printf 'github\0acme/shop\0%s\0%s' 7 1 | sha256sum
	f("trace id", run.TraceID().String(), "b884e5b9f4febada26a83b12b9b84882")
	f("run", fmt.Sprint(run.Name(), run.Kind(), run.Status().Code(), run.ParentSpanID().IsEmpty()), "RUN buildServer Error true")
	f("why", run.Attributes().AsRaw()["error.type"], "timeout")
	f("task", fmt.Sprint(job.Name(), job.Kind(), job.Status().Code()), "RUN lintInternal Error")
	f("step", fmt.Sprint(checkout.Name(), checkout.Kind(), checkout.Status().Code()), "RUN checkoutInternal Unset")
	f("task's trace", job.TraceID(), run.TraceID())
	f("task's parent", job.ParentSpanID(), run.SpanID())
	f("step's parent", checkout.ParentSpanID(), job.SpanID())
	f("took", run.EndTimestamp().AsTime().Sub(run.StartTimestamp().AsTime()), time.Minute)
	f("the same again", again.SpanID(), run.SpanID())
	f("rerun's trace differs", second.TraceID() == run.TraceID(), false)
	f("rerun's links", second.Links().Len(), 1)
	f("rerun's link", fmt.Sprint(second.Links().At(0).TraceID(), second.Links().At(0).SpanID()), fmt.Sprint(run.TraceID(), run.SpanID()))
	f("success", second.Status().Code(), ptrace.StatusCodeUnset)
}
