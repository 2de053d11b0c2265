package event

import "time"

// Origin is what every fact has: who says so, about what, and when. The fields are those of Event.
type Origin struct {
	Source, Subject, Key string
	Time, Observed       time.Time
	Unmapped             string // the attribute Unmapped; the zero text if everything was understood
}

// NewOrigin returns the origin of a fact that happened at the given time; a time that can not be is replaced, see Clamp.
// Key is subject and key with / between them.
func NewOrigin(source, subject, key string, at, observed time.Time) Origin {
	o := Origin{Source: source, Subject: subject, Key: subject + "/" + key, Observed: observed}
	var ok bool
	if o.Time, ok = Clamp(at, observed); !ok {
		o.Unmapped = "clock"
	}
	return o
}

// Event returns the fact as an event, with the attribute Unmapped besides attrs. A start that lies more than MaxSkew after
// it was observed is none: everything that comes later would be older than it.
func (o Origin) Event(name string, start time.Time, attrs ...Attr) Event {
	if start.After(o.Observed.Add(MaxSkew)) {
		start = time.Time{}
		if o.Unmapped == "" {
			o.Unmapped = "clock"
		}
	}
	return Event{
		Name: name, Source: o.Source, Subject: o.Subject, Key: o.Key,
		Start: start, Time: o.Time, Observed: o.Observed, Attrs: NewSet(append(attrs, String(Unmapped, o.Unmapped))...),
	}
}

// Origin reads back what Origin.Event wrote, without a reading of the monotonic clock, which does not survive in a
// journal.
func (e Event) Origin() Origin {
	return Origin{e.Source, e.Subject, e.Key, e.Time.Round(0), e.Observed.Round(0), e.Attrs.Text(Unmapped)}
}

// NewUnused returns the event for an authentic delivery that nothing reads.
func NewUnused(source string, observed time.Time) Event {
	return Event{Name: Unused, Source: source, Time: observed, Observed: observed}
}
