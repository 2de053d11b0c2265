package server

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const (
	// SeriesFilled marks the ticks of the past that are evaluated for a new SLO, as SeriesTick does for all.
	SeriesFilled = "plimsoll_backfilled_tick_seconds"
	// fillMore is how much more than the longest window the past of an SLO is evaluated.
	fillMore = time.Hour
	// fillNear is how many ticks from the present the schedule itself takes over.
	fillNear = 1
	// publishAgain is the wait before the new past is tried to be stored again.
	publishAgain = time.Minute
)

// backfill evaluates the past of new SLOs beside the schedule, with rules of their own, until it has come so near
// to the present that the schedule can take them in.
type backfill struct {
	rs      *ruleset
	names   []string
	draft   *store.Draft // if the past of some was recorded by other rules: the new past, until it is whole
	renewed bool         // there was a draft
	engine  *engine.Engine
	from    time.Time
	at      atomic.Int64 // the next tick, in seconds
	target  atomic.Int64 // the tick that the schedule evaluates next, in seconds
	stop    context.CancelFunc
	done    chan struct{} // closed when nothing goes on in the background
	shown   bool          // the draft is what the schedule goes on with
}

// startFill begins to evaluate the past of those SLOs of rs that are not known. One that is in progress ends.
func (s *Server) startFill(rs *ruleset) {
	s.dropFill()
	changed := s.ledger.changed(rs)
	names := slices.Clone(changed)
	for _, n := range rs.names() {
		if _, there := slices.BinarySearch(s.loaded, n); !there {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	s.metrics.filling.Set(float64(len(names)))
	if len(names) == 0 {
		return
	}
	f, err := s.newFill(rs, names, len(changed) > 0)
	if err != nil {
		s.log.Error("the past of new SLOs is not evaluated", "slos", names, "err", err)
		if f != nil {
			f.close()
		}
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
		if s.opts.Store != nil {
			s.skipEmpty(ctx, f)
		}
		for ctx.Err() == nil && f.at.Load() < f.target.Load()-fillNear*int64(rs.step/time.Second) {
			s.fillTick(ctx, f)
		}
	}()
}

// dropFill ends a backfill that is in progress.
func (s *Server) dropFill() {
	if s.fill == nil {
		return
	}
	f := s.fill
	f.stop()
	<-f.done
	if f.draft != nil {
		f.draft.Hide()
	}
	s.closing.Go(f.close)
	s.fill = nil
}

// close gives the draft up. It waits for queries that read it.
func (f *backfill) close() {
	if f.draft != nil {
		_ = f.draft.Close() // of a temporary directory, which Close removes
		f.draft = nil
	}
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// recordedOf returns what tells the records of the SLOs called names from other series.
func recordedOf(names []string) func(store.Labels) bool {
	return func(l store.Labels) bool {
		metric := l[store.Name]
		if !strings.HasPrefix(metric, "slo:") && metric != "ALERTS" && metric != "ALERTS_FOR_STATE" {
			return false
		}
		_, ok := slices.BinarySearch(names, l[slo.LabelSLO])
		return ok
	}
}

// newFill prepares a backfill, which is to be closed even after an error. One without an engine has nothing to do.
func (s *Server) newFill(rs *ruleset, names []string, changed bool) (*backfill, error) {
	f := &backfill{rs: rs, names: names, stop: func() {}, done: closed()}
	f.target.Store(s.next.Unix())
	oldest, newest := s.store.Span()
	if far := s.opts.Store; far != nil {
		oldest, newest = s.next.Add(-far.Backfill()), s.next
	}
	if oldest.IsZero() || !oldest.Before(s.next.Add(-rs.step)) {
		return f, nil
	}
	f.from = oldest
	if far := s.next.Add(-rs.longest(names) - fillMore); far.After(f.from) {
		f.from = far
	}
	f.from = f.from.Truncate(rs.step).Add(rs.step)
	into := s.store
	if changed {
		d, err := s.store.Draft(recordedOf(names))
		if err != nil {
			return nil, err
		}
		f.draft, f.renewed, into = d, true, d.Store
	}
	e, err := engine.Open(into, s.ruleEngine("backfill", engine.Options{}))
	if err != nil {
		return f, err
	}
	var last time.Time
	if !changed {
		if last, err = lastFilled(e, names, newest); err != nil {
			return f, err
		}
	}
	if last.After(f.from) {
		f.from = last.Add(rs.step)
	}
	files, err := rs.filesOf(rs.withMembers(names))
	if err != nil {
		return f, err
	}
	if err := e.Load(files...); err != nil {
		return f, fmt.Errorf("load rules: %w", err)
	}
	if err := e.Warm(context.Background(), f.from.Add(-rs.step)); err != nil {
		return f, err
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
	_, err := s.evaluate(ctx, f.engine, t)
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, store.ErrAway) {
		f.engine.Rewind(t)
		s.pause(ctx)
		return
	}
	for _, err := range split(err) {
		if !engine.Rejected(err) {
			s.metrics.failures.Inc()
		}
	}
	var marks []store.Sample
	if f.draft != nil {
		s.metrics.filled.Inc()
		f.at.Store(t.Add(f.rs.step).Unix())
		return
	}
	for _, n := range f.names {
		marks = append(marks, store.Sample{Labels: store.Labels{store.Name: SeriesFilled, "slo": n}, T: t, V: float64(t.Unix())})
	}
	if err := s.store.Append(marks...); err != nil && !engine.Rejected(err) {
		s.log.Error("tick of the past not stored, trying again", "tick", t, "err", err)
		f.engine.Rewind(t)
		s.pause(ctx)
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
	if f.shown {
		s.finishFill(ctx, f)
		return
	}
	for f.engine != nil && f.at.Load() < s.next.Unix() {
		if ctx.Err() != nil {
			return
		}
		s.fillTick(ctx, f)
	}
	if f.draft != nil {
		s.showFill(ctx, f)
		return
	}
	s.fill = nil
	if err := s.loadAfter(ctx, f); err != nil {
		s.log.Error("rules of new SLOs not loaded", "err", err)
		return
	}
	s.filled(f)
}

// filled notes that the past of the SLOs of f is recorded.
func (s *Server) filled(f *backfill) {
	if err := s.ledger.add(f.rs, f.names); err != nil {
		s.log.Error("the past of new SLOs will be evaluated again at the next start", "err", err)
	}
	s.metrics.filling.Set(0)
	s.shipFill(f)
	if f.engine != nil {
		s.log.Info("the past of new SLOs is evaluated", "slos", len(f.names), "from", f.from)
	}
	s.show()
}

// shipFill sends the past of a backfill to the store of others. One that takes the place of another cannot be sent: no
// store replaces samples.
func (s *Server) shipFill(f *backfill) {
	switch {
	case s.ship == nil || f.engine == nil:
	case f.renewed:
		s.log.Warn("the store keeps the past that the SLOs had before they were changed; the state has the new one", "slos", f.names)
	default:
		s.ship.also(f.names, f.from.Add(-f.rs.offset))
	}
}

// showFill lets the schedule go on with the new past of changed SLOs. It takes the place of the old in the background,
// which may take minutes.
func (s *Server) showFill(ctx context.Context, f *backfill) {
	// From now on the store holds neither the old past nor the new one as a whole.
	if err := s.ledger.doubt(f.names); err != nil {
		s.log.Error("the new past of changed SLOs is not taken over", "err", err)
		s.startFill(f.rs)
		return
	}
	f.draft.Show()
	f.shown = true
	if err := s.loadAfter(ctx, f); err != nil {
		s.log.Error("rules of new SLOs not loaded", "err", err)
	}
	until := s.next.Add(-s.step())
	background, stop := context.WithCancel(context.Background())
	f.stop, f.done = stop, make(chan struct{})
	go func() {
		defer close(f.done)
		for background.Err() == nil {
			err := s.publish(background, f, until)
			if err == nil || background.Err() != nil {
				return
			}
			s.log.Error("the new past of changed SLOs is not stored yet, trying again", "err", err, "after", publishAgain)
			again := time.NewTimer(publishAgain)
			select {
			case <-background.Done():
			case <-again.C:
			}
			again.Stop()
		}
	}()
	s.show()
}

// finishFill ends a backfill whose new past is in the store.
func (s *Server) finishFill(ctx context.Context, f *backfill) {
	if err := f.draft.Finish(ctx); err != nil {
		s.log.Error("the new past of changed SLOs is not taken over", "err", err)
		s.startFill(f.rs)
		return
	}
	s.fill = nil
	s.closing.Go(f.close)
	s.filled(f)
}

// loadAfter loads the rules of the SLOs of f and those before it. What alerts of changed SLOs did by their old past is
// forgotten.
func (s *Server) loadAfter(ctx context.Context, f *backfill) error {
	last := s.next.Add(-s.step())
	err := s.load(ctx, s.live.complete(sortedUnion(s.loaded, f.names)), last)
	if err == nil && f.draft != nil {
		if err = s.engine.Restart(); err == nil {
			err = s.engine.Warm(ctx, last)
		}
	}
	return err
}

// publish replaces the old past of the SLOs of f by the new one, up to a time.
func publish(ctx context.Context, f *backfill, until time.Time) error {
	var some []string
	for _, n := range f.names {
		some = append(some, regexp.QuoteMeta(n))
	}
	return f.draft.Publish(ctx, slo.LabelSLO, strings.Join(some, "|"), until)
}

func sortedUnion(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
