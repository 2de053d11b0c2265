// Package policy counts what policy engines say they decided: about requests, and about objects that are there already.
package policy

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Options of Policies. The zero value works: a zero field has the default named beside it.
type Options struct {
	// Retain is how long a subject is remembered after it was last heard of. What is then said of an object counts again.
	// 24 hours; engines audit every few minutes to hours.
	Retain time.Duration
	// MaxSeries bounds the series of the metric. 2,000, plus overflow series.
	MaxSeries int
	// MaxSubjects bounds the subjects in memory. 50,000, some 15 MB. That not heard of for longest makes room.
	MaxSubjects int
}

func (o Options) withDefaults() Options {
	if o.Retain <= 0 {
		o.Retain = 24 * time.Hour
	}
	if o.MaxSeries <= 0 {
		o.MaxSeries = 2000
	}
	if o.MaxSubjects <= 0 {
		o.MaxSubjects = 50_000
	}
	return o
}

// Policies is a domain of counters.
type Policies struct {
	wanted    Options
	options   Options // those that count
	subjects  *counters.Remembered[string, subject]
	decisions *metric.Table
}

var _ counters.Domain = (*Policies)(nil)

// subject is what is remembered of one.
type subject struct {
	count    int64
	decision string
	at       time.Time // of the decision
}

// New returns the domain with nothing counted.
func New(options Options) *Policies {
	options = options.withDefaults()
	return &Policies{
		wanted: options, options: options, subjects: counters.NewRemembered[string, subject](options.MaxSubjects),
		decisions: metric.NewTable(metric.Family{
			Name: "policy.decisions", Unit: "{decision}", Kind: metric.Counter, From: "policies",
			Help:       "What policy engines say they decided about requests, and about objects that violate a policy.",
			Attributes: []string{event.PolicyEngine, event.PolicyName, event.PolicyDecision, event.Namespace},
		}, options.MaxSeries),
	}
}

// Name returns the word for the domain.
func (p *Policies) Name() string { return "policy" }

// Settled returns nothing: time decides nothing here.
func (p *Policies) Settled(time.Time) []event.Event { return nil }

// Tables returns the metric.
func (p *Policies) Tables() []*metric.Table { return []*metric.Table{p.decisions} }

// Gauges returns nothing.
func (p *Policies) Gauges(time.Time) []*metric.Table { return nil }

// Add counts a decision.
func (p *Policies) Add(revision uint64, e event.Event) (counters.Verdict, bool) {
	d, ok := decisionOf(e)
	if !ok {
		return "", false
	}
	p.subjects.Forget(d.Observed.Add(-p.options.Retain))
	s, isNew := p.subjects.Heard(d.Subject, d.Observed)
	if d.Count > 0 {
		return p.requests(revision, d, s), true
	}
	return p.object(revision, d, s, isNew), true
}

// requests counts how many there were since the subject was last heard of.
func (p *Policies) requests(revision uint64, d Decision, s *subject) counters.Verdict {
	switch {
	case d.Count == s.count:
		return counters.Duplicate
	case d.Count < s.count:
		return counters.Late
	}
	p.series(revision, d).Add(revision, uint64(d.Count-s.count))
	s.count = d.Count
	return counters.Counted
}

// object counts what is said of an object if it is not what was said before.
func (p *Policies) object(revision uint64, d Decision, s *subject, isNew bool) counters.Verdict {
	switch {
	case !isNew && d.Time.Before(s.at):
		return counters.Late
	case !isNew && d.Decision == s.decision:
		s.at = d.Time
		return counters.Duplicate
	}
	s.decision, s.at = d.Decision, d.Time
	if d.Decision != "" {
		p.series(revision, d).Add(revision, 1)
	}
	return counters.Counted
}

func (p *Policies) series(revision uint64, d Decision) *metric.Series {
	return p.decisions.At(revision, []event.Attr{
		event.String(event.PolicyEngine, d.Engine), event.String(event.PolicyName, d.Policy), event.String(event.Namespace, d.Namespace),
	}, []event.Attr{event.String(event.PolicyDecision, d.Decision)})
}

// savedPolicies is the state in a form that encoding/gob can write. Fields may be added; old ones keep their name and
// meaning.
type savedPolicies struct {
	Options  Options
	Subjects []savedSubject // least recently heard of first
}

type savedSubject struct {
	Subject   string
	Heard, At time.Time
	Count     int64
	Decision  string
}

// Save returns the state.
func (p *Policies) Save() ([]byte, error) {
	saved := savedPolicies{Options: p.options}
	p.subjects.All(func(name string, heard time.Time, s *subject) {
		saved.Subjects = append(saved.Subjects, savedSubject{name, heard, s.at, s.count, s.decision})
	})
	return counters.Encode(saved)
}

// Restore takes the state up.
func (p *Policies) Restore(state []byte) error {
	var saved savedPolicies
	if err := counters.Decode(state, &saved); err != nil {
		return err
	}
	p.adopt(saved.Options.withDefaults())
	for _, x := range saved.Subjects {
		s, _ := p.subjects.Heard(x.Subject, x.Heard)
		*s = subject{x.Count, x.Decision, x.At}
	}
	return nil
}

// Adopt makes the options that New was given count from now on.
func (p *Policies) Adopt() bool {
	if p.options == p.wanted {
		return false
	}
	p.adopt(p.wanted)
	return true
}

func (p *Policies) adopt(options Options) {
	p.options = options
	p.decisions.SetLimit(options.MaxSeries)
	p.subjects.SetLimit(options.MaxSubjects)
}
