package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// SeriesTick is the series that marks the evaluated ticks: at each tick the time of it, in seconds. It is written after
// everything that the tick recorded, and the write-ahead log keeps that order: if the mark is there, so is the tick.
const SeriesTick = "plimsoll_evaluated_tick_seconds"

const (
	// markSpan is how far before the newest sample the last mark is looked for.
	markSpan = "7d"
	// quiet is how long a sender that works off a backlog may pause.
	quiet = 10 * time.Second
	// poll is how often a tick that has to wait is looked at again.
	poll = 500 * time.Millisecond
	// liveTicks is how many ticks may be due before alerts are held back until the server has caught up with them.
	liveTicks = 3
	// longest is the longest time without looking at the clock, which may jump.
	longest = 5 * time.Second
)

// begin loads the rules and finds out where the schedule goes on.
func (s *Server) begin(ctx context.Context, rs *ruleset) error {
	last, err := s.lastTick(ctx)
	if err != nil {
		return err
	}
	if s.ship != nil {
		if last, err = s.takeOver(ctx, rs, last); err != nil {
			return err
		}
	}
	s.live = rs
	if err := s.load(ctx, s.ledger.known(rs), last); err != nil {
		return err
	}
	s.taken()
	now := s.opts.Now()
	step := s.step()
	s.next = now.Add(-s.opts.Delay).Truncate(step).Add(step)
	if !last.IsZero() {
		s.next = last.Truncate(step).Add(step)
		if oldest := now.Add(-s.opts.MaxCatchUp).Truncate(step); s.next.Before(oldest) {
			skipped := oldest.Sub(s.next) / step
			s.log.Error("ticks left out, they are too long ago", "ticks", int64(skipped), "from", s.next, "to", oldest)
			s.metrics.skipped.Add(float64(skipped))
			s.next = oldest
		}
	}
	s.engine.Rewind(s.next)
	if s.ship != nil {
		s.ship.begin(s.next.Add(-s.step() - rs.offset))
	}
	s.startFill(rs)
	s.show()
	return nil
}

// takeOver adopts what the store has recorded behind the tick last and returns the last tick then. A store that is
// away is not waited for: what is missing is evaluated.
func (s *Server) takeOver(ctx context.Context, rs *ruleset, last time.Time) (time.Time, error) {
	if err := s.adopt(ctx, rs, last); err != nil {
		if !errors.Is(err, store.ErrAway) || last.IsZero() {
			return last, fmt.Errorf("take over what the store has recorded: %w", err)
		}
		s.log.Error("what the store has recorded is not taken over", "err", err)
	}
	return s.lastTick(ctx)
}

// taken tells others which set is evaluated now.
func (s *Server) taken() {
	if s.opts.Taken != nil {
		s.opts.Taken(s.live.set)
	}
}

// step is the time between two ticks.
func (s *Server) step() time.Duration { return s.live.step }

// lastTick returns the last evaluated tick that the store knows of, or zero.
func (s *Server) lastTick(ctx context.Context) (time.Time, error) {
	_, newest := s.store.Span()
	if newest.IsZero() {
		return time.Time{}, nil
	}
	points, err := s.engine.Query(ctx, "max_over_time("+SeriesTick+"["+markSpan+"])", newest)
	if err != nil || len(points) == 0 {
		return time.Time{}, err
	}
	return time.Unix(int64(points[0].V), 0).UTC(), nil
}

// Step evaluates every tick that is due and can be evaluated now, oldest first, and returns how long nothing else
// has to be done.
func (s *Server) Step(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		s.joinFill(ctx)
		now := s.opts.Now()
		due := now.Add(-s.opts.Delay).Truncate(s.step())
		s.clockBack(due)
		behind := int(due.Sub(s.next)/s.step()) + 1
		s.metrics.due.Set(float64(max(behind, 0)))
		s.catchUp(behind, now)
		if behind <= 0 {
			s.ready.Store(true)
			return min(s.next.Add(s.opts.Delay).Sub(now), longest)
		}
		if s.mustWait(now) {
			return poll
		}
		if err := s.tick(ctx); err != nil {
			return min(poll<<s.tries, longest)
		}
	}
	return 0
}

// clockBack notices that the clock was set back by more than a tick: to wait until it is as late as it was could
// take for ever.
func (s *Server) clockBack(due time.Time) {
	if s.next.Sub(due) <= 2*s.step() {
		return
	}
	s.log.Error("the clock was set back, or ran ahead before", "expected", s.next, "due", due)
	s.metrics.clockJumps.Inc()
	s.next = due.Add(s.step())
	s.engine.Rewind(s.next)
	s.show()
}

// catchUp notes when a catching up begins and ends. Alerts of the past are not sent before it ends.
func (s *Server) catchUp(behind int, now time.Time) {
	switch {
	case behind > liveTicks && s.resumed.IsZero():
		s.resumed = now
		s.queue.Hold(true)
		s.log.Warn("catching up with missed ticks", "ticks", behind, "from", s.next)
		s.show()
	case behind <= liveTicks && !s.resumed.IsZero():
		s.resumed = time.Time{}
		s.queue.Hold(false)
		s.log.Info("caught up", "next", s.next)
		s.show()
	}
}

// mustWait reports whether the next tick has to wait: for senders, which kept what they could not send; and for a clock
// that may have run ahead, since no sender knows of a time as late as that.
func (s *Server) mustWait(now time.Time) bool {
	if s.resumed.IsZero() || now.Sub(s.resumed) >= s.opts.Backlog {
		return false
	}
	if newest := s.receiver.Newest(); !newest.IsZero() && s.next.After(newest) {
		return true
	}
	if s.opts.SendersWait <= 0 || !s.next.Before(s.resumed) {
		return false
	}
	return now.Sub(s.resumed) < s.opts.SendersWait || s.receiver.Lagging(s.next, quiet)
}

// tick evaluates the next tick. It is finished even if ctx ends meanwhile. An error means that its results cannot be
// stored; the tick then stays due.
func (s *Server) tick(ctx context.Context) error {
	began := s.opts.Now()
	whole := context.WithoutCancel(ctx)
	if s.ship != nil {
		whole = ctx // a store that does not answer must not keep the process from ending
	}
	events, err := s.evaluate(whole, s.engine, s.next)
	s.count(events, err)
	if errors.Is(err, store.ErrAway) || whole.Err() != nil {
		return s.unfinished(err)
	}
	s.setAway(nil)
	s.tries = 0
	if err := s.mark(s.next); err != nil {
		s.engine.Rewind(s.next)
		if !s.failedLast {
			s.log.Error("tick not stored, trying again", "tick", s.next, "err", err)
		}
		s.failedLast = true
		s.metrics.unstored.Inc()
		return err
	}
	s.failedLast = false
	now := s.opts.Now()
	s.metrics.duration.Observe(now.Sub(began).Seconds())
	s.metrics.lag.Set(now.Sub(s.next).Seconds())
	s.metrics.ticks.Inc()
	if s.ship != nil {
		s.ship.until(s.next.Add(-s.live.offset))
		upTo, _ := s.ship.status()
		s.metrics.unwritten.Set(max(s.next.Add(-s.live.offset).Sub(upTo).Seconds(), 0))
		s.metrics.queries.Set(float64(s.opts.Store.Asked() - s.asked))
		s.asked = s.opts.Store.Asked()
	}
	if now.Sub(s.next) > s.opts.Delay+s.step() {
		s.metrics.late.Inc()
	}
	s.next = s.next.Add(s.step())
	s.show()
	return nil
}

// unfinished notes that the store went away in the midst of a tick, which stays due.
func (s *Server) unfinished(err error) error {
	s.engine.Rewind(s.next)
	if err == nil {
		return context.Canceled
	}
	s.metrics.unstored.Inc()
	s.tries = min(s.tries+1, 10)
	for _, err := range split(err) {
		if errors.Is(err, store.ErrAway) {
			s.setAway(err)
			break
		}
	}
	return err
}

// setAway notes why the store cannot be asked, or that it can.
func (s *Server) setAway(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.view.away == nil:
		s.log.Error("the store cannot be asked, the tick is tried again", "tick", s.next, "err", err)
	case err == nil && s.view.away != nil:
		s.log.Info("the store can be asked again", "tick", s.next)
	}
	s.view.away = err
}

// evaluate evaluates the tick at t with e and counts the rules.
func (s *Server) evaluate(ctx context.Context, e *engine.Engine, t time.Time) ([]engine.Event, error) {
	before := e.Evaluations()
	events, err := e.EvalAt(ctx, t)
	s.metrics.evaluations.Add(float64(e.Evaluations() - before))
	return events, err
}

// mark stores that the tick at t is evaluated.
func (s *Server) mark(t time.Time) error {
	err := s.store.Append(store.Sample{Labels: store.Labels{store.Name: SeriesTick}, T: t, V: float64(t.Unix())})
	if engine.Rejected(err) {
		return nil
	}
	return err
}

// count logs and counts what a tick did.
func (s *Server) count(events []engine.Event, err error) {
	for _, e := range events {
		s.metrics.events.WithLabelValues(string(e.Kind)).Inc()
		s.log.Info("alert "+string(e.Kind), "alert", e.Alert.Name, "slo", e.Alert.Labels["slo"], "severity", e.Alert.Labels["severity"], "tick", e.At)
	}
	failed := map[string]error{}
	for _, err := range split(err) {
		if r, ok := errors.AsType[*engine.RuleError](err); ok && !engine.Rejected(r.Err) && !errors.Is(r.Err, store.ErrAway) {
			failed[r.Group+"/"+r.Rule] = err
			s.metrics.failures.Inc()
		}
	}
	for name, err := range failed {
		if s.view.failing[name] == nil {
			s.log.Error("rule failed", "err", err)
		}
	}
	s.mu.Lock()
	s.view.failing = failed
	s.mu.Unlock()
}

// split returns the parts of a joined error.
func split(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// load gives the engine the rules of the SLOs called names, and the state of their alerts as of the tick last.
func (s *Server) load(ctx context.Context, names []string, last time.Time) error {
	files, err := s.live.filesOf(names)
	if err != nil {
		return err
	}
	if err := s.engine.Load(files...); err != nil {
		return fmt.Errorf("load rules: %w", err)
	}
	if !last.IsZero() {
		if err := s.engine.Warm(ctx, last); err != nil {
			return err
		}
	}
	s.loaded = names
	s.metrics.slos.Set(float64(len(names)))
	return nil
}
