package incidents_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

var t0 = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func minutes(m float64) time.Time { return t0.Add(time.Duration(m * float64(time.Minute))) }

type fatal interface{ Fatal(...any) }

func opened(t fatal, j counters.Journal, options incidents.Options) *counters.Counters {
	c, err := counters.Open(j, t0, incidents.New(options))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func add(t fatal, c *counters.Counters, events ...event.Event) {
	if err := c.Add(events...); err != nil {
		t.Fatal(err)
	}
}

func read(t fatal, c *counters.Counters, now time.Time) metric.Snapshot {
	s, err := c.Read(now, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// told is a report of an alert; at and start are minutes.
type told struct {
	alert, incident string
	state           incidents.State
	at, start       float64
	delay           float64 // until it is received
	condition       string
	pagerduty       bool
}

func (x told) event() event.Event {
	r := incidents.Report{
		State: x.state, Fingerprint: incidents.NewFingerprint(x.incident), Severity: "page", Service: x.incident, Team: "a",
		Start: minutes(x.start), Reporter: "webhook", Condition: x.condition,
	}
	source := "alertmanager"
	if x.pagerduty {
		source, r.Reporter = "pagerduty", ""
	}
	if x.state == incidents.Seen {
		r.Reporter = "list"
	}
	r.Origin = event.NewOrigin(source, "am/"+x.alert, fmt.Sprint(x.start, x.state, x.at), minutes(x.at), minutes(x.at+x.delay))
	return r.Event()
}

// listed is the end of a list that was asked for.
func listed(at float64) event.Event {
	return incidents.Listing{Origin: event.NewOrigin("alertmanager", "am/list/list", fmt.Sprint(at), minutes(at), minutes(at)), Reporter: "list"}.Event()
}

// totals are the counters that are not zero, by name and bounded attributes; of a histogram the count and the minutes.
func totals(s metric.Snapshot) map[string]float64 {
	all := map[string]float64{}
	for _, f := range s.Families {
		for _, p := range f.Points {
			key := strings.TrimPrefix(f.Name, "incident.")
			for _, name := range []string{event.Recurrence, event.IncidentReason, event.IncidentState, event.EventVerdict} {
				if text := p.Attrs.Text(name); text != "" {
					key += " " + text
				}
			}
			switch f.Kind {
			case metric.Histogram:
				all[key] += float64(p.Count)
				all[key+" minutes"] += p.Sum / 60
			case metric.Gauge:
				all[key] += p.Value
			default:
				all[key] += float64(p.Count)
			}
		}
	}
	for key, v := range all {
		if v == 0 || strings.HasPrefix(key, "platform.events") {
			delete(all, key)
		}
	}
	return all
}

func played(t *testing.T, options incidents.Options, until float64, events ...event.Event) map[string]float64 {
	t.Helper()
	c := counters.New(t0, incidents.New(options))
	for _, e := range events {
		read(t, c, e.Observed)
		add(t, c, e)
	}
	return totals(read(t, c, minutes(until)))
}
