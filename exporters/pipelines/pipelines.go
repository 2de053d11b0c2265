package pipelines

import (
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Pipelines follow pipeline runs, their tasks, deployments and commits, and count what becomes of them. It is a domain of
// counters.
type Pipelines struct {
	wanted    Options
	options   Options // those that count
	followers []follower
}

var _ counters.Domain = (*Pipelines)(nil)

// surplus is the verdict for what is of a run with more than maxAttempts attempts.
const surplus counters.Verdict = "surplus"

// follower follows the subjects of one kind of event. Its methods are those of counters.Domain.
type follower interface {
	add(revision uint64, e event.Event) (v counters.Verdict, ok bool)
	settled(now time.Time) []event.Event
	tables() []*metric.Table
	gauges(now time.Time) []*metric.Table
	// adopt makes the options those that count from now on.
	adopt(Options)
	// save puts its state, without tables, into s, and restore takes it from there, possibly from a state of an older
	// version where its part is missing.
	save(s *savedPipelines)
	restore(s *savedPipelines)
}

// savedPipelines is the state of all followers.
type savedPipelines struct {
	Options Options

	// Of runs, in the order of the lists.
	Open, Done []savedRun

	Tasks []savedTask // least recently heard of first, as everything below

	Deployments []savedDeployment
	Targets     []savedTarget
	LastTarget  uint32
	Commits     []savedCommit
	Arrivals    []savedArrival
}

// New returns the domain with nothing counted.
func New(options Options) *Pipelines {
	options = options.withDefaults()
	return &Pipelines{
		wanted: options, options: options,
		followers: []follower{newRuns(options), newTasks(options), newDeployments(options)},
	}
}

// Name returns the word for the domain.
func (p *Pipelines) Name() string { return "pipelines" }

// Add counts an event about a run, a task, a deployment or a commit.
func (p *Pipelines) Add(revision uint64, e event.Event) (v counters.Verdict, ok bool) {
	for _, f := range p.followers {
		if v, ok := f.add(revision, e); ok {
			return v, true
		}
	}
	return "", false
}

// Settled returns the events of outcomes that have settled by now.
func (p *Pipelines) Settled(now time.Time) (events []event.Event) {
	for _, f := range p.followers {
		events = append(events, f.settled(now)...)
	}
	return events
}

// Tables returns the metrics of runs, tasks and deployments.
func (p *Pipelines) Tables() (all []*metric.Table) {
	for _, f := range p.followers {
		all = append(all, f.tables()...)
	}
	return all
}

// Gauges returns what is the case at now.
func (p *Pipelines) Gauges(now time.Time) (all []*metric.Table) {
	for _, f := range p.followers {
		all = append(all, f.gauges(now)...)
	}
	return all
}

// Save returns the state.
func (p *Pipelines) Save() ([]byte, error) {
	s := savedPipelines{Options: p.options}
	for _, f := range p.followers {
		f.save(&s)
	}
	return counters.Encode(s)
}

// Restore takes the state up.
func (p *Pipelines) Restore(state []byte) error {
	var s savedPipelines
	if err := counters.Decode(state, &s); err != nil {
		return err
	}
	p.adopt(s.Options.withDefaults()) // an older version had fewer
	for _, f := range p.followers {
		f.restore(&s)
	}
	return nil
}

// Adopt makes the options that New was given count from now on.
func (p *Pipelines) Adopt() bool {
	if p.options == p.wanted {
		return false
	}
	p.adopt(p.wanted)
	return true
}

func (p *Pipelines) adopt(options Options) {
	p.options = options
	for _, f := range p.followers {
		f.adopt(options)
	}
}
