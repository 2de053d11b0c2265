package otlp

import (
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Attributes of the canonical log record of an event, besides those of the event itself and event.EventSource.
const (
	eventKey     = "platform.event.key"     // Event.Key
	eventSubject = "platform.event.subject" // Event.Subject
	eventStart   = "platform.event.start"   // Event.Start in RFC 3339, absent if it is zero
)

// Logs returns the events as log records, in their order: the record's event name, timestamp and observed timestamp are
// the event's, its attributes those of the event with its source, key, subject and start. scopeName says who made them.
func Logs(scopeName string, events []event.Event, collector pcommon.Resource) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	setResource(resource.Resource(), collector)
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(scopeName)
	scope.LogRecords().EnsureCapacity(len(events))
	for _, e := range events {
		record := scope.LogRecords().AppendEmpty()
		record.SetEventName(e.Name)
		record.SetTimestamp(pcommon.NewTimestampFromTime(e.Time))
		record.SetObservedTimestamp(pcommon.NewTimestampFromTime(e.Observed))
		record.SetSeverityNumber(plog.SeverityNumberInfo)
		setAttributes(record.Attributes(), e.Attrs)
		record.Attributes().PutStr(event.EventSource, e.Source)
		for name, value := range map[string]string{eventKey: e.Key, eventSubject: e.Subject} {
			if value != "" {
				record.Attributes().PutStr(name, value)
			}
		}
		if !e.Start.IsZero() {
			record.Attributes().PutStr(eventStart, e.Start.UTC().Format(time.RFC3339Nano))
		}
	}
	return logs
}

const (
	maxKey        = 1024 // bytes of a subject or key
	maxAttributes = 64
)

// Event reads a log record back; ok is false if it is not of the form that Logs writes. What a relay added does not come
// through: attributes outside of the namespaces of events, other types than an event has, and texts longer than
// event.MaxText. A record observed in the future was observed now. What only counters decide, see event.Inner, is refused.
func Event(record plog.LogRecord, now time.Time) (e event.Event, ok bool) {
	e = event.Event{Name: event.Clean(record.EventName()), Observed: observed(record, now)}
	e.Time, _ = event.Clamp(record.Timestamp().AsTime(), e.Observed)
	var attrs []event.Attr
	seen := map[string]bool{}
	for name, value := range record.Attributes().All() {
		switch name {
		case event.EventSource:
			e.Source = event.Word(value.AsString())
		case eventKey:
			e.Key = value.AsString()
		case eventSubject:
			e.Subject = value.AsString()
		case eventStart:
			if start, err := time.Parse(time.RFC3339Nano, value.AsString()); err == nil && !start.After(e.Observed.Add(event.MaxSkew)) {
				e.Start = start.UTC()
			}
		default:
			// Whoever made the record may have given a name twice.
			if a, ok := attribute(name, value); ok && !seen[name] && len(attrs) < maxAttributes {
				seen[name] = true
				attrs = append(attrs, a)
			}
		}
	}
	e.Attrs = event.NewSet(attrs...)
	known := e.Name == event.Unused || isKey(e.Subject) && isKey(e.Key) && strings.HasPrefix(e.Key, e.Subject)
	return e, e.Name != "" && e.Source != "" && known && !event.Inner(e.Name)
}

func observed(record plog.LogRecord, now time.Time) time.Time {
	at := record.ObservedTimestamp().AsTime()
	if record.ObservedTimestamp() == 0 || at.After(now) {
		return now
	}
	return at
}

func isKey(s string) bool { return s != "" && len(s) <= maxKey && utf8.ValidString(s) }

// attribute returns an attribute as an event has it, if it can have it.
func attribute(name string, value pcommon.Value) (event.Attr, bool) {
	namespace, _, _ := strings.Cut(name, ".")
	switch namespace {
	case "cicd", "vcs", "deployment", "platform", "incident", "secret", "service", "error", "policy", "k8s", "slo", "http":
	default:
		return event.Attr{}, false
	}
	switch value.Type() {
	case pcommon.ValueTypeStr:
		text := event.Clean(value.Str())
		return event.String(name, text), text != ""
	case pcommon.ValueTypeInt:
		return event.Int(name, value.Int()), true
	case pcommon.ValueTypeDouble:
		return event.Float(name, value.Double()), value.Double()-value.Double() == 0
	case pcommon.ValueTypeBool:
		return event.Bool(name, value.Bool()), true
	}
	return event.Attr{}, false
}
