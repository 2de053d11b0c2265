package secrets

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Settled returns the events of rotations that have become due, and of those whose time is over. After a gap in which
// nobody told the time, as in a restart, it waits for what the sources say before it takes silence for an answer.
func (s *Secrets) Settled(now time.Time) (events []event.Event) {
	if now.IsZero() {
		return nil
	}
	if s.awake.IsZero() || now.Sub(s.looked) > gap {
		s.awake, s.wake = now, time.Time{}
	}
	s.looked = now
	if now.Before(s.wake) {
		return nil
	}
	s.wake = now.Add(gap)
	s.bySubject.All(func(subject string, _ time.Time, t *tracked) {
		outcome, reason, over := t.verdict(now, s.awake, s.options.Silence)
		switch {
		case over:
			events = append(events, t.event(event.RotationDecided, subject, now,
				event.String(event.Outcome, outcome), event.String(event.RotationReason, reason)))
		case !t.came && !t.due.IsZero() && !now.Before(t.due):
			events = append(events, t.event(event.RotationCame, subject, now))
		default:
			if at := t.wake(s.awake, s.options.Silence); !at.IsZero() && at.Before(s.wake) {
				s.wake = at
			}
		}
	})
	if len(events) > 0 {
		s.wake = time.Time{} // until they are added
	}
	return events
}

func (t *tracked) event(name, subject string, now time.Time, attrs ...event.Attr) event.Event {
	key := fmt.Sprintf("%s/%s/%d", subject, name, t.due.Unix())
	return event.Event{
		Name: name, Source: cmp.Or(t.secret.Store, "secrets"), Subject: subject, Key: key, Time: now, Observed: now,
		Attrs: event.NewSet(append(attrs, event.Int(event.RotationDue, t.due.Unix()))...),
	}
}

// settle works in what Settled made.
func (s *Secrets) settle(e event.Event) {
	s.wake = time.Time{}
	t := s.bySubject.Get(e.Subject)
	if t == nil || t.due.IsZero() || t.due.Unix() != e.Attrs.Integer(event.RotationDue) {
		return // it has been decided in another way
	}
	if e.Name == event.RotationCame {
		if !t.came {
			t.came = true
			s.came.At(s.revision, t.secret.group(), nil).Add(s.revision, 1)
		}
		return
	}
	result, reason := e.Attrs.Text(event.Outcome), e.Attrs.Text(event.RotationReason)
	if !(result == bad && slices.Contains(badReasons(), reason)) && !(result == excluded && reason == paused) {
		return // it is of somebody else
	}
	s.decide(t, result, reason)
	if result == bad && t.overdue.IsZero() {
		t.overdue = t.deadline()
	}
	t.skip(e.Time)
}

// Gauges returns how many secrets are followed and overdue, their age, and how long ago their sources were heard of.
func (s *Secrets) Gauges(now time.Time) []*metric.Table {
	table := func(limit int, name, unit, help string, attributes ...string) *metric.Table {
		return metric.NewTable(metric.Family{
			Name: name, Unit: unit, Kind: metric.Gauge, From: "states", Help: help, Attributes: append(group(), attributes...),
		}, limit)
	}
	tracked := table(s.options.MaxSeries, "secret.rotation.tracked", "{secret}", "Secrets that have to be rotated.")
	overdue := table(s.options.MaxSeries, "secret.rotation.overdue", "{secret}", "Secrets that were not rotated in time, and not since.")
	age := table(s.options.MaxSeries, "secret.rotation.age", "s", "Time since the last rotation of the secret that was not rotated for longest.")
	silence := table(s.options.MaxSeries, "secret.rotation.telemetry.age", "s",
		"Time since a poller last heard how the secret is of which it has not heard for longest.")
	each := table(s.options.MaxOverdue, "secret.rotation.overdue.age", "s",
		"Time since window and grace of an overdue secret were over, one by one.", event.SecretName)
	all := []*metric.Table{tracked, overdue, age, silence, each}
	if now.IsZero() {
		return all
	}
	for _, t := range s.tracked() {
		g := t.secret.group()
		if !t.due.IsZero() || t.policy != (Policy{}) {
			tracked.At(1, g, nil).Value++
			overdue.At(1, g, nil)
		}
		if !t.rotated.IsZero() {
			raise(age.At(1, g, nil), now.Sub(t.rotated))
		}
		if t.listed {
			raise(silence.At(1, g, nil), now.Sub(t.confirmed))
		}
		if !t.overdue.IsZero() && t.mode != Paused {
			overdue.At(1, g, nil).Value++
			raise(each.At(1, append(g, event.String(event.SecretName, t.secret.Name)), nil), now.Sub(t.overdue))
		}
	}
	return all
}

// tracked returns every secret, those that are overdue for longest first.
func (s *Secrets) tracked() []*tracked {
	var all []*tracked
	s.bySubject.All(func(_ string, _ time.Time, t *tracked) { all = append(all, t) })
	slices.SortStableFunc(all, func(a, b *tracked) int {
		return cmp.Or(a.overdue.Compare(b.overdue), cmp.Compare(a.secret.Name, b.secret.Name))
	})
	return all
}

func raise(s *metric.Series, d time.Duration) { s.Value = max(s.Value, d.Seconds()) }
