package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// set is the rules of one program, ready to be evaluated.
type set struct {
	name   string
	engine *engine.Engine
	slos   int
	cycle  time.Duration  // after which all groups but hourly ones were evaluated equally often
	hourly *engine.Engine // the groups that are evaluated once an hour; nil if there are none
}

// sets returns ours first. The history of Sloth is recorded on the way, and then the month comes to rest in a store
// like that of a server.
func (m *month) sets(ctx context.Context, sloth string) ([]*set, error) {
	ours, err := plimsollFiles(m.services)
	if err != nil {
		return nil, err
	}
	theirs, err := slothFile(sloth, m.services)
	if err != nil {
		return nil, err
	}
	if err := m.slothHistory(ctx); err != nil {
		return nil, err
	}
	pyrra, err := ruleFile("pyrra.yaml", pyrraGroups(m.services))
	if err != nil {
		return nil, err
	}
	workbook, err := ruleFile("workbook.yaml", workbookGroups(m.services))
	if err != nil {
		return nil, err
	}
	if err := m.settle(ctx); err != nil {
		return nil, err
	}
	var out []*set
	for _, x := range []struct {
		name  string
		cycle time.Duration
		files []engine.RuleFile
	}{
		{"plimsoll", turnLength, ours},
		{"sloth", tick, []engine.RuleFile{theirs}},
		{"pyrra", 150 * time.Second, []engine.RuleFile{pyrra}},
		{"workbook", tick, []engine.RuleFile{workbook}},
	} {
		e, err := open(m.store, x.files...)
		if err != nil {
			return nil, fmt.Errorf("rules of %s: %w", x.name, err)
		}
		out = append(out, &set{x.name, e, len(m.services), x.cycle, nil})
	}
	out[0].hourly, err = hourlyOf(m.store, m.services)
	return out, err
}

// cost is what rules take, per SLO and tick.
type cost struct {
	samples, allocs, bytes float64
	cpu                    time.Duration
}

func (c cost) add(other cost, times float64) cost {
	return cost{
		samples: c.samples + times*other.samples, cpu: c.cpu + time.Duration(times*float64(other.cpu)),
		allocs: c.allocs + times*other.allocs, bytes: c.bytes + times*other.bytes,
	}
}

// turn evaluates one cycle from a time on, and the hourly groups once, and returns what it took: of the hourly groups
// the part that falls on the cycle.
func (s *set) turn(ctx context.Context, from time.Time) (cost, error) {
	var ticks []time.Time
	for t := from; t.Before(from.Add(s.cycle)); t = t.Add(tick) {
		ticks = append(ticks, t)
	}
	c, err := measured(ctx, s.engine, ticks)
	if err == nil && s.hourly != nil {
		var once cost
		once, err = measured(ctx, s.hourly, []time.Time{from})
		c = c.add(once, s.cycle.Hours())
	}
	if err != nil {
		return cost{}, fmt.Errorf("rules of %s: %w", s.name, err)
	}
	return cost{}.add(c, 1/(float64(s.slos)*float64(s.cycle/tick))), nil
}

// measured evaluates at some times and returns what it took.
func measured(ctx context.Context, e *engine.Engine, at []time.Time) (cost, error) {
	e.ResetStats()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := program.CPU()
	for _, t := range at {
		if _, err := e.EvalAt(ctx, t); err != nil {
			return cost{}, err
		}
	}
	c := cost{cpu: program.CPU() - start}
	runtime.ReadMemStats(&after)
	for _, x := range e.Stats() {
		c.samples += float64(x.Samples)
	}
	c.allocs, c.bytes = float64(after.Mallocs-before.Mallocs), float64(after.TotalAlloc-before.TotalAlloc)
	return c, nil
}

// alternate gives every set its turns, one after the other, and returns the cost of each turn, by set and round. The
// first turn of each was before, at the end of the month.
func alternate(ctx context.Context, m *month, sets []*set, rounds int) ([][]cost, error) {
	all := make([][]cost, len(sets))
	for r := range rounds {
		from := m.end.Add(time.Duration(r+1) * turnLength)
		for i, s := range sets {
			c, err := s.turn(ctx, from)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], c)
		}
		fmt.Fprintf(m.opts.talk, "round %d of %d\n", r+1, rounds)
	}
	return all, nil
}

// part is what the rules of one name take, per SLO and tick.
type part struct {
	name    string // of the group's kind and the rule
	samples float64
	wall    time.Duration
}

// parts divides the cost of the last turn by rule, dearest first.
func (s *set) parts() []part {
	n := float64(s.slos) * float64(s.cycle/tick)
	stats := s.engine.Stats()
	if s.hourly != nil {
		for _, x := range s.hourly.Stats() {
			x.Samples, x.Duration = int64(float64(x.Samples)*s.cycle.Hours()), time.Duration(float64(x.Duration)*s.cycle.Hours())
			stats = append(stats, x)
		}
	}
	var out []part
	for _, x := range stats {
		name := rules.KindOfGroup(x.Group) + "." + x.Rule
		i := slices.IndexFunc(out, func(p part) bool { return p.name == name })
		if i < 0 {
			i, out = len(out), append(out, part{name: name})
		}
		out[i].samples += float64(x.Samples) / n
		out[i].wall += time.Duration(float64(x.Duration) / n)
	}
	slices.SortStableFunc(out, func(a, b part) int { return int(b.wall - a.wall) })
	return out
}

// median takes the median of each figure.
func median(cs []cost) cost {
	return cost{
		samples: middle(cs, func(c cost) float64 { return c.samples }), cpu: time.Duration(middle(cs, func(c cost) float64 { return float64(c.cpu) })),
		allocs: middle(cs, func(c cost) float64 { return c.allocs }), bytes: middle(cs, func(c cost) float64 { return c.bytes }),
	}
}

// middle returns the median of f over all.
func middle[T any](all []T, f func(T) float64) float64 {
	var v []float64
	for _, x := range all {
		v = append(v, f(x))
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// cpuRatio returns the median over the rounds of how many times the CPU of b the CPU of a is. What else the machine
// does meanwhile slows both turns of a round.
func cpuRatio(a, b []cost) float64 {
	rounds := make([]int, len(a))
	for i := range rounds {
		rounds[i] = i
	}
	return middle(rounds, func(i int) float64 { return float64(a[i].cpu) / float64(b[i].cpu) })
}
