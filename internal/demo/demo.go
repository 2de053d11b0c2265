// Package demo plays a real incident history through the generated rules on a
// virtual clock and tells who would have been paged, when, and how much budget
// was left, beside the exact truth.
package demo

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/history"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

//go:embed specs/*.yaml
var specs embed.FS

// The replay starts with May 2023, the worst month of the history. Twelve days
// hold its great outages.
var (
	start  = time.Date(2023, 5, 1, 0, 0, 0, 0, time.UTC)
	length = 12 * 24 * time.Hour
)

// warmup is replayed before the start, so that the counters are known when the
// first incident comes.
const warmup = 2 * time.Hour

// Options of Run.
type Options struct {
	Out      io.Writer // the story
	Progress io.Writer // a progress line that is overwritten; nil for none
	Length   time.Duration
	// Notify, if set, receives every page and ticket and its end as it happens.
	Notify func(ctx context.Context, alerts []engine.Alert) error
}

// Result is what the rules said about one SLO, and the truth.
type Result struct {
	SLO            *slo.SLO
	Component      string
	Outages        int
	Pages, Tickets int
	BudgetLeft     float64 // as recorded by the rules at the end
	TruthLeft      float64 // computed from the events themselves
	Bad, Total     int64
}

// Specs compiles the specs of the demo.
func Specs() (*slo.Set, []slo.File, error) {
	entries, err := fs.Glob(specs, "specs/*.yaml")
	if err != nil {
		return nil, nil, err
	}
	var files []slo.File
	for _, name := range entries {
		b, err := specs.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, slo.File{Name: name, Text: b})
	}
	set, l := slo.Compile(files)
	if set == nil {
		return nil, nil, fmt.Errorf("compile the specs of the demo: %v", l)
	}
	return set, files, nil
}

// Run plays the history and writes the story to o.Out.
func Run(ctx context.Context, set *slo.Set, o Options) ([]Result, error) {
	if o.Length == 0 {
		o.Length = length
	}
	incidents, err := history.GitHub()
	if err != nil {
		return nil, err
	}
	h := history.New(incidents, history.DefaultModel())
	p := &play{set: set, opts: o, replay: h.Replay(history.DefaultTraffic(), start.Add(-warmup)), history: h, end: start.Add(o.Length)}
	p.components(h)
	p.intro(len(incidents))
	if err := p.open(); err != nil {
		return nil, err
	}
	defer p.store.Close()
	err = p.run(ctx)
	p.clearProgress()
	if err != nil {
		return nil, err
	}
	return p.results(ctx)
}

// play is one run of the demo.
type play struct {
	set     *slo.Set
	opts    Options
	history history.History
	replay  *history.Replay
	end     time.Time

	store   *store.Store
	engine  *engine.Engine
	feed    []counter
	byName  map[string]*Result // by name of the SLO
	ordered []*Result
}

// counter is the pair of series of one component.
type counter struct {
	component string
	good, bad *store.Series
}

// components finds the component that each SLO is about: they have the same
// display name.
func (p *play) components(h history.History) {
	p.byName = map[string]*Result{}
	for i := range p.set.SLOs {
		x := &p.set.SLOs[i]
		r := &Result{SLO: x, Component: x.DisplayName}
		for _, out := range h.Outages(r.Component) {
			if !out.From.Before(start) && out.From.Before(p.end) {
				r.Outages++
			}
		}
		p.byName[x.Name] = r
		p.ordered = append(p.ordered, r)
	}
}

// open makes the store and the engine and loads the generated rules.
func (p *play) open() error {
	var err error
	if p.store, err = store.Open("", store.Options{Replay: p.opts.Length + warmup + time.Hour}); err != nil {
		return err
	}
	if p.engine, err = engine.Open(p.store, engine.Options{}); err != nil {
		return err
	}
	files, err := rules.Files(p.set, rules.Options{})
	if err != nil {
		return err
	}
	var load []engine.RuleFile
	for _, f := range files {
		load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := p.engine.Load(load...); err != nil {
		return err
	}
	for _, r := range p.ordered {
		c := counter{component: r.Component}
		for code, into := range map[string]**store.Series{"200": &c.good, "500": &c.bad} {
			*into, err = p.store.Series(store.Labels{store.Name: "http_requests_total", "component": r.Component, "code": code, "job": "github", "instance": "status"})
			if err != nil {
				return err
			}
		}
		p.feed = append(p.feed, c)
	}
	return nil
}

// run replays the history, samples every minute, rules as their groups say.
func (p *play) run(ctx context.Context) error {
	up, err := p.store.Series(store.Labels{store.Name: "up", "job": "github", "instance": "status"})
	if err != nil {
		return err
	}
	from := start.Add(-warmup)
	fed := from
	return p.engine.Run(ctx, engine.Replay{
		From: from, To: p.end,
		Feed: func(t time.Time) error {
			batch := p.store.Batch()
			for ; !fed.After(t); fed = fed.Add(time.Minute) {
				if err := p.sample(batch, up, fed); err != nil {
					return err
				}
			}
			return batch.Commit()
		},
		OnTick: func(t time.Time, events []engine.Event) error { return p.tick(ctx, t, events) },
	})
}

// sample appends the counters of every component at one time.
func (p *play) sample(b *store.Batch, up *store.Series, at time.Time) error {
	if err := b.Add(up, at, 1); err != nil {
		return err
	}
	for _, c := range p.feed {
		bad, total := p.replay.Truth(c.component, start.Add(-warmup), at)
		if err := b.Add(c.good, at, float64(total-bad)); err != nil {
			return err
		}
		if err := b.Add(c.bad, at, float64(bad)); err != nil {
			return err
		}
	}
	return nil
}

// results reads the budgets from the recorded series.
func (p *play) results(ctx context.Context) ([]Result, error) {
	points, err := p.engine.Query(ctx, slo.SeriesBudgetRemaining, p.end)
	if err != nil {
		return nil, err
	}
	for _, pt := range points {
		if r := p.byName[pt.Labels[slo.LabelSLO]]; r != nil {
			r.BudgetLeft = pt.V
		}
	}
	var out []Result
	for _, r := range p.ordered {
		from := p.end.Add(-r.SLO.Window.Length())
		if first := start.Add(-warmup); from.Before(first) {
			from = first
		}
		r.Bad, r.Total = p.replay.Truth(r.Component, from, p.end)
		r.TruthLeft = 1 - float64(r.Bad)/(float64(r.Total)*r.SLO.Budget.Float())
		out = append(out, *r)
	}
	return out, nil
}
