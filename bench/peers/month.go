package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/scenario"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// What all rule sets have in common.
const (
	objective    = .999
	budgetWindow = 30 * 24 * time.Hour
	tick         = 30 * time.Second // between two evaluations
	turnLength   = 4 * time.Minute  // virtual time from one turn to the next; the slowest group of Plimsoll
	// lookAhead is how much raw data there is after the end of the month, for the turns.
	lookAhead = 50 * time.Minute
)

// month is a store with the raw samples of the services, and what Plimsoll's rules made of them.
type month struct {
	opts       options
	store      *store.Store
	world      *scenario.World
	start, end time.Time // end is the first tick whose evaluations are not part of the history
	services   []string
	live       int // raw series at the end
	took       struct{ raw, history time.Duration }
}

func openMonth(o options, spec scenario.Spec) (*month, error) {
	st, err := store.Open("", store.Options{Replay: o.length + 2*lookAhead})
	if err != nil {
		return nil, err
	}
	// The end is at the time of day of the start plus two hours: traffic is high, and all pods run.
	start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := &month{opts: o, store: st, start: start, end: start.Add(o.length)}
	for _, s := range spec.Services {
		m.services = append(m.services, s.Name)
	}
	if m.world, err = scenario.New(st, start, o.seed, spec); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return m, nil
}

// build writes the raw samples of the month, and a little more for the turns, and the history of Plimsoll's rules.
func (m *month) build(ctx context.Context) error {
	began := time.Now()
	for _, until := range []time.Time{m.end, m.end.Add(lookAhead)} {
		if err := m.world.Feed(until); err != nil {
			return err
		}
		if until.Equal(m.end) {
			m.live = m.world.Live()
		}
	}
	m.store.MapChunks()
	m.took.raw = time.Since(began)
	fmt.Fprintf(m.opts.talk, "raw samples written in %.0f s\n", m.took.raw.Seconds())
	began = time.Now()
	groups, err := plimsollGroups(m.services)
	if err != nil {
		return err
	}
	plain, recursive := unroll(history(straight(groups)))
	for _, g := range plain {
		for _, r := range g.Rules {
			if err := m.record(ctx, r.Record, r.Expr, r.Labels, g.Interval, g.QueryOffset); err != nil {
				return err
			}
		}
		fmt.Fprintf(m.opts.talk, "history of %s recorded after %.0f s\n", g.Name, time.Since(began).Seconds())
	}
	err = m.replay(ctx, recursive)
	m.took.history = time.Since(began)
	return err
}

// record evaluates a recording rule at every multiple of interval before the end, offset earlier, and writes what it
// records. It does so in range queries of a day, which evaluate the expression at the same times, on the same
// samples, with the same engine as a rule group does, but open the data once a day and not at every evaluation.
// When the server is down, nothing is evaluated. A series that ends gets a staleness marker at the next evaluation.
func (m *month) record(ctx context.Context, name, expr string, labels map[string]string, interval, offset time.Duration) error {
	e, err := engine.Open(m.store, engine.Options{MaxSamples: 500_000_000, QueryTimeout: time.Hour})
	if err != nil {
		return err
	}
	batch := m.store.Batch()
	handles := map[string]*store.Series{}
	const span = 24 * time.Hour
	for from := m.start; from.Before(m.end); from = from.Add(span) {
		to := from.Add(span)
		if to.After(m.end) {
			to = m.end
		}
		rows, err := e.QueryRange(ctx, expr, from.Add(-offset), to.Add(-offset-interval), interval)
		if err != nil {
			return err
		}
		for _, row := range rows {
			row.Labels[store.Name] = name
			for k, v := range labels {
				row.Labels[k] = v
			}
			key := row.Labels.String()
			if handles[key] == nil {
				if handles[key], err = m.store.Series(row.Labels); err != nil {
					return err
				}
			}
			if err := m.write(batch, handles[key], row.Samples, to.Add(-offset), interval, offset); err != nil {
				return err
			}
		}
		if err := batch.Commit(); err != nil {
			return err
		}
	}
	m.store.MapChunks()
	return nil
}

// write writes what one series of a rule is from evaluation to evaluation before end.
func (m *month) write(batch *store.Batch, series *store.Series, samples []engine.Sample, end time.Time, interval, offset time.Duration) error {
	for i, x := range samples {
		if m.world.Down(x.T.Add(offset)) {
			continue
		}
		if err := batch.Add(series, x.T, x.V); err != nil {
			return err
		}
		next := x.T.Add(interval)
		ends := i+1 == len(samples) || samples[i+1].T.After(next)
		if !ends || !next.Before(end) || m.world.Down(next.Add(offset)) {
			continue
		}
		if err := batch.Add(series, next, store.Stale()); err != nil {
			return err
		}
	}
	return nil
}

// replay evaluates groups as a server does, at each of their times.
func (m *month) replay(ctx context.Context, groups []rules.Group) error {
	file, err := historyFile(groups)
	if err != nil {
		return err
	}
	e, err := open(m.store, file)
	if err != nil {
		return err
	}
	ticks := 0
	return e.Run(ctx, engine.Replay{
		From: m.start, To: m.end.Add(-e.Step()), Skip: m.world.Down,
		OnTick: func(t time.Time, _ []engine.Event) error {
			if ticks++; ticks%100 == 0 {
				m.store.MapChunks()
			}
			if t.Sub(m.start)%(5*24*time.Hour) == 0 {
				fmt.Fprintf(m.opts.talk, "replayed %.0f days\n", t.Sub(m.start).Hours()/24)
			}
			return nil
		},
	})
}

// settle moves the month to a store in which everything lies where a server would have it at the end of the month.
func (m *month) settle(ctx context.Context) error {
	began := time.Now()
	settled, err := m.store.Settled(ctx, m.end, store.Options{Retention: 2 * budgetWindow})
	if err != nil {
		return err
	}
	replayed := m.store
	m.store = settled
	fmt.Fprintf(m.opts.talk, "month settled in %.0f s\n", time.Since(began).Seconds())
	return replayed.Close()
}

// open returns an engine with rules.
func open(st *store.Store, files ...engine.RuleFile) (*engine.Engine, error) {
	e, err := engine.Open(st, engine.Options{Interval: tick})
	if err != nil {
		return nil, err
	}
	return e, e.Load(files...)
}

// truth returns the part of the budget of a service that is consumed at the end, 1 being all of it, and the number
// of bad events.
func (m *month) truth(service string) (consumed float64, bad int64) {
	events, bad := m.world.Truth(service, m.end.Add(-budgetWindow), m.end)
	return float64(bad) / float64(events) / (1 - objective), bad
}

// unroll divides groups into the rules that can be evaluated one after the other, each over all of time, and those
// that depend on what they recorded themselves earlier, or on such rules.
func unroll(groups []rules.Group) (plain, recursive []rules.Group) {
	var all []rules.Rule
	for _, g := range groups {
		all = append(all, g.Rules...)
	}
	names := recorded(all)
	// below holds, for each name, all names that it is made of.
	below := map[string]map[string]bool{}
	for _, n := range names {
		below[n] = map[string]bool{}
	}
	for range names {
		for _, r := range all {
			for _, n := range names {
				if reads(r.Expr, n) {
					below[r.Record][n] = true
					for deeper := range below[n] {
						below[r.Record][deeper] = true
					}
				}
			}
		}
	}
	loops := func(n string) bool {
		return below[n][n] || slices.ContainsFunc(names, func(m string) bool { return below[n][m] && below[m][m] })
	}
	for _, g := range groups {
		a, b := g, g
		a.Rules, b.Rules = nil, nil
		for _, r := range g.Rules {
			if loops(r.Record) {
				b.Rules = append(b.Rules, r)
			} else {
				a.Rules = append(a.Rules, r)
			}
		}
		if len(a.Rules) > 0 {
			plain = append(plain, a)
		}
		if len(b.Rules) > 0 {
			recursive = append(recursive, b)
		}
	}
	return plain, recursive
}
