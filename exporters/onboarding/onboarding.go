// Package onboarding measures how long a service takes from being asked for to its first successful deployment to
// production, once for each service.
package onboarding

import (
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Options of Onboarding. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Settle is how long after the request and the deployment of a service were both heard of an earlier one of either is
	// still waited for. 30 minutes.
	Settle time.Duration
	// Abandon is how long after its request a service without a deployment is abandoned. 90 days.
	Abandon time.Duration
	// MaxSeries bounds the series of each metric. 2,000, plus overflow series.
	MaxSeries int
	// MaxServices bounds the services in memory, those that are deployed included. 20,000, some 10 MB. That not heard of for
	// longest makes room.
	MaxServices int
}

func (o Options) withDefaults() Options {
	if o.Settle <= 0 {
		o.Settle = 30 * time.Minute
	}
	if o.Abandon <= 0 {
		o.Abandon = 90 * 24 * time.Hour
	}
	if o.MaxSeries <= 0 {
		o.MaxSeries = 2000
	}
	if o.MaxServices <= 0 {
		o.MaxServices = 20_000
	}
	return o
}

// Onboarding is a domain of counters.
type Onboarding struct {
	wanted    Options
	options   Options // those that count
	services  *counters.Remembered[string, service]
	open      map[string]bool // those that are waited for or not settled
	durations *metric.Table
	requests  *metric.Table
	outcomes  *metric.Table
}

var _ counters.Domain = (*Onboarding)(nil)

// service is what is remembered of one.
type service struct {
	team      string
	subject   string    // of the request that counts
	requested time.Time // zero if nobody asked for it
	deployed  time.Time // the first time that is known, zero if there was none
	abandoned time.Time // by who asked
	heard     time.Time // when one of these changed
	asked     bool      // counted among the requests
	done      bool      // counted, for ever
}

// settled is the event that counts a service, asked the one before it that counts its request.
const (
	settled = event.OnboardingSettled
	asked   = event.OnboardingAsked
)

// Values of event.OnboardingOutcome.
const (
	completed = "completed"
	abandoned = "abandoned"
	lost      = "lost" // there was no room for it
)

// New returns the domain with nothing counted.
func New(options Options) *Onboarding {
	options = options.withDefaults()
	const day = 86_400
	return &Onboarding{
		wanted: options, options: options, open: map[string]bool{},
		services: counters.NewRemembered[string, service](options.MaxServices),
		durations: metric.NewTable(metric.Family{
			Name: "platform.onboarding.duration", Unit: "s", Kind: metric.Histogram, From: "requests, deployments",
			Help:       "Time between a service being asked for and its first successful deployment to production.",
			Bounds:     []float64{3600, 14_400, 28_800, day, 2 * day, 3 * day, 5 * day, 7 * day, 10 * day, 14 * day, 21 * day, 30 * day, 60 * day, 90 * day},
			Attributes: []string{event.Team},
		}, options.MaxSeries),
		requests: metric.NewTable(metric.Family{
			Name: "platform.onboarding.requests", Unit: "{service}", Kind: metric.Counter, From: "requests, deployments",
			Help:       "Services that were asked for, counted when the request is settled, without those in production before it.",
			Attributes: []string{event.Team},
		}, options.MaxSeries),
		outcomes: metric.NewTable(metric.Family{
			Name: "platform.onboarding.outcomes", Unit: "{service}", Kind: metric.Counter, From: "requests, deployments",
			Help:       "Services that were asked for, by what became of them.",
			Attributes: []string{event.Team, event.OnboardingOutcome},
		}, options.MaxSeries),
	}
}

// Name returns the word for the domain.
func (d *Onboarding) Name() string { return "onboarding" }

// Tables returns the metrics.
func (d *Onboarding) Tables() []*metric.Table {
	return []*metric.Table{d.durations, d.requests, d.outcomes}
}

// Add works in a request, or a deployment, which other domains follow as well.
func (d *Onboarding) Add(revision uint64, e event.Event) (counters.Verdict, bool) {
	switch e.Name {
	case asked:
		d.ask(revision, d.services.Get(e.Subject))
		return "", true
	case settled:
		d.settle(revision, e)
		return "", true
	}
	if r, ok := requestOf(e); ok {
		return d.request(revision, r), true
	}
	names := deployedTo(e)
	for _, name := range names {
		d.deployed(revision, name, e)
	}
	return counters.Counted, len(names) > 0
}

// heard returns what is known of a service.
func (d *Onboarding) heard(revision uint64, name string, now time.Time) *service {
	if d.services.Get(name) == nil && d.services.Full() {
		oldest, _, s, _ := d.services.Oldest()
		if s.waits() {
			d.ask(revision, s)
			d.outcome(revision, s, lost).Add(revision, 1)
		}
		delete(d.open, oldest)
	}
	s, _ := d.services.Heard(name, now)
	return s
}

// waits tells whether a deployment is waited for.
func (s *service) waits() bool { return !s.done && !s.requested.IsZero() && s.deployed.IsZero() }

func (d *Onboarding) request(revision uint64, r Request) counters.Verdict {
	name := fold(r.Service)
	s := d.heard(revision, name, r.Observed)
	switch {
	case s.done:
		return counters.Late
	case r.Abandoned && (s.requested.IsZero() || s.subject != r.Subject):
		return counters.Late
	case r.Abandoned && !s.abandoned.IsZero():
		return counters.Duplicate
	case r.Abandoned:
		s.abandoned = r.Time
	case s.subject == r.Subject && !r.Time.Before(s.requested): // also if it was taken back since
		return counters.Duplicate
	case !s.requested.IsZero() && s.abandoned.IsZero() && !r.Time.Before(s.requested):
		return counters.Late
	default: // also if it is asked for again, which does not begin anew
		if s.requested.IsZero() || r.Time.Before(s.requested) {
			s.requested = r.Time
		}
		s.subject, s.team, s.abandoned = r.Subject, r.Team, time.Time{}
		d.requests.At(revision, s.attrs(), nil)
		d.outcome(revision, s, completed)
	}
	s.heard = r.Observed
	d.open[name] = true
	return counters.Counted
}

func (d *Onboarding) deployed(revision uint64, name string, e event.Event) {
	s := d.heard(revision, name, e.Observed)
	if at := e.Time.Round(0); !s.done && (s.deployed.IsZero() || at.Before(s.deployed)) {
		s.deployed, s.heard = at, e.Observed.Round(0)
	}
}

// due tells what has become of a service by now, or nothing if that is not certain yet.
func (d *Onboarding) due(s *service, now time.Time) (outcome string) {
	quiet := now.After(s.heard.Add(d.options.Settle))
	switch {
	case s.done || s.requested.IsZero():
		return ""
	case !s.deployed.IsZero() && quiet:
		return completed
	case !s.deployed.IsZero():
		return ""
	case !s.abandoned.IsZero() && quiet || now.After(s.requested.Add(d.options.Abandon)) && quiet:
		return abandoned
	}
	return ""
}

// Settled returns an event for each service of which it is certain what has become of it.
func (d *Onboarding) Settled(now time.Time) (events []event.Event) {
	for _, name := range slices.Sorted(maps.Keys(d.open)) {
		s := d.services.Get(name)
		outcome := d.due(s, now)
		e := event.Event{
			Name: settled, Source: "plimsoll", Subject: name, Key: name + "/" + settled, Time: now, Observed: s.heard,
			Attrs: event.NewSet(event.String(event.OnboardingOutcome, outcome)),
		}
		switch {
		case outcome != "":
		case !s.asked && s.waits() && now.After(s.heard.Add(d.options.Settle)):
			e.Name, e.Key, e.Attrs = asked, name+"/"+asked, event.NewSet()
		default:
			continue
		}
		events = append(events, e)
	}
	return events
}

// ask counts the request for a service, once until it is abandoned.
func (d *Onboarding) ask(revision uint64, s *service) {
	if s != nil && !s.asked && !s.requested.IsZero() {
		s.asked = true
		d.requests.At(revision, s.attrs(), nil).Add(revision, 1)
	}
}

// settle counts what has become of a service. One that was deployed before anybody asked for it was there already.
func (d *Onboarding) settle(revision uint64, e event.Event) {
	s := d.services.Get(e.Subject)
	delete(d.open, e.Subject)
	if s == nil || s.done || s.requested.IsZero() {
		return
	}
	outcome := e.Attrs.Text(event.OnboardingOutcome)
	switch {
	case outcome == abandoned: // and may be asked for again
		d.ask(revision, s)
		d.outcome(revision, s, abandoned).Add(revision, 1)
		s.requested, s.abandoned, s.asked = time.Time{}, time.Time{}, false
	case s.deployed.Before(s.requested):
		s.done = true
	default:
		s.done = true
		d.ask(revision, s)
		d.outcome(revision, s, completed).Add(revision, 1)
		d.durations.At(revision, s.attrs(), nil).Observe(revision, s.deployed.Sub(s.requested).Seconds())
	}
}

func (s *service) attrs() []event.Attr { return []event.Attr{event.String(event.Team, s.team)} }

func (d *Onboarding) outcome(revision uint64, s *service, outcome string) *metric.Series {
	return d.outcomes.At(revision, s.attrs(), []event.Attr{event.String(event.OnboardingOutcome, outcome)})
}

// Gauges returns how many services are waited for, and since when; 0 for the teams of those that came.
func (d *Onboarding) Gauges(now time.Time) []*metric.Table {
	open := metric.NewTable(metric.Family{
		Name: "platform.onboarding.open", Unit: "{service}", Kind: metric.Gauge, From: "requests, deployments",
		Help:       "Services that were asked for and are not in production yet.",
		Attributes: []string{event.Team},
	}, d.options.MaxSeries)
	oldest := metric.NewTable(metric.Family{
		Name: "platform.onboarding.oldest", Unit: "s", Kind: metric.Gauge, From: "requests, deployments",
		Help:       "Time since the service was asked for that is waited for since longest, 0 if none is.",
		Attributes: []string{event.Team},
	}, d.options.MaxSeries)
	d.services.All(func(_ string, _ time.Time, s *service) {
		if s.team == "" && s.requested.IsZero() {
			return
		}
		number, age := open.At(1, s.attrs(), nil), oldest.At(1, s.attrs(), nil)
		if s.waits() {
			number.Value++
			age.Value = max(age.Value, now.Sub(s.requested).Seconds())
		}
	})
	return []*metric.Table{open, oldest}
}

// Adopt makes the options that New was given count from now on.
func (d *Onboarding) Adopt() bool {
	if d.options == d.wanted {
		return false
	}
	d.adopt(d.wanted)
	return true
}

func (d *Onboarding) adopt(options Options) {
	d.options = options
	d.services.SetLimit(options.MaxServices)
	for _, t := range d.Tables() {
		t.SetLimit(options.MaxSeries)
	}
}
