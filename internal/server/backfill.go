package server

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

const (
	// SeriesFilled marks the ticks of the past that are evaluated for a new SLO, as SeriesTick does for all.
	SeriesFilled = "plimsoll_backfilled_tick_seconds"
	// fillMore is how much more than the longest window the past of an SLO is evaluated.
	fillMore = time.Hour
	// fillNear is how many ticks from the present the schedule itself takes over.
	fillNear = 4
)

// backfill evaluates the past of new SLOs beside the schedule, with rules of their own, until it has come so near
// to the present that the schedule can take them in.
type backfill struct {
	rs     *ruleset
	names  []string
	engine *engine.Engine
	from   time.Time
	at     atomic.Int64 // the next tick, in seconds
	target atomic.Int64 // the tick that the schedule evaluates next, in seconds
	stop   context.CancelFunc
	done   chan struct{}
}

// startFill begins to evaluate the past of those SLOs of rs that are not known. One that is in progress ends.
func (s *Server) startFill(rs *ruleset) {
	if s.fill != nil {
		s.fill.stop()
		<-s.fill.done
		s.fill = nil
	}
	var names []string
	for _, n := range rs.names() {
		if _, there := slices.BinarySearch(s.loaded, n); !there {
			names = append(names, n)
		}
	}
	s.metrics.filling.Set(float64(len(names)))
	if len(names) == 0 {
		return
	}
	f, err := s.newFill(rs, names)
	if err != nil {
		s.log.Error("the past of new SLOs is not evaluated", "slos", names, "err", err)
		f = &backfill{rs: rs, names: names, stop: func() {}, done: closed()}
	}
	s.fill = f
	if f.engine == nil {
		return
	}
	s.log.Info("evaluating the past of new SLOs", "slos", len(names), "from", f.from, "to", s.next)
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	go func() {
		defer close(f.done)
		for ctx.Err() == nil && f.at.Load() < f.target.Load()-fillNear*int64(rs.step/time.Second) {
			s.fillTick(ctx, f)
		}
	}()
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// newFill prepares a backfill. One without an engine has nothing to do.
func (s *Server) newFill(rs *ruleset, names []string) (*backfill, error) {
	f := &backfill{rs: rs, names: names, stop: func() {}, done: closed()}
	f.target.Store(s.next.Unix())
	oldest, newest := s.store.Span()
	if oldest.IsZero() || !oldest.Before(s.next.Add(-rs.step)) {
		return f, nil
	}
	f.from = oldest
	if far := s.next.Add(-rs.longest(names) - fillMore); far.After(f.from) {
		f.from = far
	}
	f.from = f.from.Truncate(rs.step).Add(rs.step)
	e, err := engine.Open(s.store, engine.Options{Logger: s.opts.Logger.With("part", "backfill"), MaxSamples: s.opts.MaxSamples})
	if err != nil {
		return nil, err
	}
	last, err := lastFilled(e, names, newest)
	if err != nil {
		return nil, err
	}
	if last.After(f.from) {
		f.from = last.Add(rs.step)
	}
	files, err := rs.filesOf(rs.withMembers(names))
	if err != nil {
		return nil, err
	}
	if err := e.Load(files...); err != nil {
		return nil, fmt.Errorf("load rules: %w", err)
	}
	if !last.IsZero() {
		if err := e.Warm(context.Background(), last); err != nil {
			return nil, err
		}
	}
	e.Rewind(f.from)
	f.at.Store(f.from.Unix())
	f.engine, f.done = e, make(chan struct{})
	return f, nil
}

// lastFilled returns up to where a backfill of all these SLOs came before the process ended, or zero.
func lastFilled(e *engine.Engine, names []string, newest time.Time) (time.Time, error) {
	points, err := e.Query(context.Background(), "max_over_time("+SeriesFilled+"[400d])", newest)
	if err != nil {
		return time.Time{}, err
	}
	at := map[string]float64{}
	for _, p := range points {
		at[p.Labels["slo"]] = p.V
	}
	least := at[names[0]]
	for _, n := range names {
		least = min(least, at[n])
	}
	if least == 0 {
		return time.Time{}, nil
	}
	return time.Unix(int64(least), 0).UTC(), nil
}

// fillTick evaluates one tick of the past.
func (s *Server) fillTick(ctx context.Context, f *backfill) {
	t := time.Unix(f.at.Load(), 0).UTC()
	_, err := f.engine.EvalAt(ctx, t)
	if ctx.Err() != nil {
		return
	}
	for _, err := range split(err) {
		if !engine.Rejected(err) {
			s.metrics.failures.Inc()
		}
	}
	var marks []store.Sample
	for _, n := range f.names {
		marks = append(marks, store.Sample{Labels: store.Labels{store.Name: SeriesFilled, "slo": n}, T: t, V: float64(t.Unix())})
	}
	if err := s.store.Append(marks...); err != nil && !engine.Rejected(err) {
		s.log.Error("tick of the past not stored, trying again", "tick", t, "err", err)
		f.engine.Rewind(t)
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
		return
	}
	s.metrics.filled.Inc()
	f.at.Store(t.Add(f.rs.step).Unix())
}

// joinFill takes the SLOs of a backfill that has come near to the present into the schedule.
func (s *Server) joinFill(ctx context.Context) {
	f := s.fill
	if f == nil {
		return
	}
	f.target.Store(s.next.Unix())
	select {
	case <-f.done:
	default:
		return
	}
	for f.engine != nil && f.at.Load() < s.next.Unix() {
		if ctx.Err() != nil {
			return
		}
		s.fillTick(ctx, f)
	}
	s.fill = nil
	if err := s.load(ctx, s.live.complete(sortedUnion(s.loaded, f.names)), s.next.Add(-s.step())); err != nil {
		s.log.Error("rules of new SLOs not loaded", "err", err)
		return
	}
	if err := s.ledger.add(f.rs, f.names); err != nil {
		s.log.Error("the past of new SLOs will be evaluated again at the next start", "err", err)
	}
	s.metrics.filling.Set(0)
	if f.engine != nil {
		s.log.Info("the past of new SLOs is evaluated", "slos", len(f.names), "from", f.from)
	}
	s.show()
}

func sortedUnion(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
