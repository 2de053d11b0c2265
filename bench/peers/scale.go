package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// How much a copy of the month holds, more than any rule of Plimsoll reads: of raw series, and of series that are
// recorded at every tick. What is recorded less often goes back the whole month.
const (
	rawHistory  = 20 * time.Minute
	fastHistory = 9 * time.Hour
)

// scaled is the cost of a number of SLOs.
type scaled struct {
	slos int
	cost
}

// scale measures the rules of Plimsoll for numbers of SLOs, each a copy of the first service of the month with raw
// series of its own: the median of two turns after a first one.
func scale(ctx context.Context, m *month) ([]scaled, error) {
	var out []scaled
	for _, n := range m.opts.scale {
		c, err := m.scaleTo(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d SLOs: %w", n, err)
		}
		out = append(out, scaled{n, c})
		fmt.Fprintf(m.opts.talk, "%d SLOs done\n", n)
	}
	return out, nil
}

func (m *month) scaleTo(ctx context.Context, n int) (c cost, err error) {
	const turns = 3
	s, st, err := m.copies(ctx, m.services[:1], n, m.end.Add(turns*turnLength))
	if err != nil {
		return cost{}, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	var all []cost
	for i := range turns {
		c, err := s.turn(ctx, m.end.Add(time.Duration(i)*turnLength))
		if err != nil {
			return cost{}, err
		}
		all = append(all, c)
	}
	return median(all[1:]), nil
}

// copies returns the rules of Plimsoll over a store of their own, which the caller must close. For each of services
// it holds n copies of what they read of it up to a time, under the name of the service if n is 1.
func (m *month) copies(ctx context.Context, services []string, n int, until time.Time) (*set, *store.Store, error) {
	st, err := store.Open("", store.Options{Replay: m.opts.length + 2*lookAhead})
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, from := range services {
		to := []string{from}
		if n > 1 {
			to = nil
			for i := range n {
				to = append(to, fmt.Sprintf("%s-%04d", from, i))
			}
		}
		names = append(names, to...)
		if err := m.copyService(ctx, st, from, to, until); err != nil {
			return nil, nil, errors.Join(err, st.Close())
		}
	}
	st.MapChunks()
	files, err := plimsollFiles(names)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	e, err := open(st, files...)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	hourly, err := hourlyOf(st, names)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return &set{"plimsoll", e, len(names), turnLength, hourly}, st, nil
}

// copyService writes the raw series of a service, and what the rules recorded for it, to another store for each of
// names. Raw series have a sample at each time for which rules are evaluated, with the value that they see then.
func (m *month) copyService(ctx context.Context, into *store.Store, from string, names []string, until time.Time) error {
	groups, err := plimsollGroups([]string{from})
	if err != nil {
		return err
	}
	e, err := engine.Open(m.store, engine.Options{})
	if err != nil {
		return err
	}
	c := copier{into, into.Batch(), from, names}
	for _, g := range history(groups) {
		first := m.start.Add(g.Interval)
		if g.Interval == tick && m.end.Add(-fastHistory).After(first) {
			first = m.end.Add(-fastHistory)
		}
		first, last := first.Truncate(g.Interval).Add(-g.QueryOffset), m.end.Add(-tick).Truncate(g.Interval).Add(-g.QueryOffset)
		for _, r := range g.Rules {
			// Not the selector alone: that would find the last sample for five minutes more.
			expr := fmt.Sprintf("sum_over_time(%s{slo=%q}[%s])", r.Record, from, promql.FormatDuration(g.Interval-time.Millisecond))
			if err := c.copy(ctx, e, r.Record, expr, first, last, g.Interval); err != nil {
				return err
			}
		}
	}
	at := func(t time.Time) time.Time { return t.Add(-rules.DefaultQueryOffset) }
	for _, name := range []string{"http_requests_total", "up"} {
		if err := c.copy(ctx, e, name, fmt.Sprintf("%s{job=%q}", name, from), at(m.end.Add(-rawHistory)), at(until), tick); err != nil {
			return err
		}
	}
	return c.batch.Commit()
}

// copier copies series of a service for others.
type copier struct {
	into  *store.Store
	batch *store.Batch
	from  string
	to    []string
}

// copy writes what an expression gives every step under a metric name. A series that ends gets a staleness marker.
func (c copier) copy(ctx context.Context, e *engine.Engine, name, expr string, first, last time.Time, step time.Duration) error {
	rows, err := e.QueryRange(ctx, expr, first, last, step)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, to := range c.to {
			l := store.Labels{}
			for k, v := range row.Labels {
				if v == c.from {
					v = to
				}
				l[k] = v
			}
			l[store.Name] = name
			series, err := c.into.Series(l)
			if err != nil {
				return err
			}
			for i, x := range row.Samples {
				err := c.batch.Add(series, x.T, x.V)
				next := x.T.Add(step)
				if gap := i+1 == len(row.Samples) || row.Samples[i+1].T.After(next); gap && !next.After(last) {
					err = errors.Join(err, c.batch.Add(series, next, store.Stale()))
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}
