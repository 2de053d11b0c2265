package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const (
	// adoptNames is how many SLOs are asked for at once, and adoptSpan how much time.
	adoptNames = 100
	adoptSpan  = 24 * time.Hour
	// adoptMore is how much more is read than the rules look back: they are evaluated for the state of alerts.
	adoptMore = 30 * time.Minute
)

// With a store of others, the directory of a server holds no more than what that store has too. A server that lost its
// directory, and a replica that was away while another went on, take over what the store has of their SLOs, and go on
// behind the last tick of it.

// adopt takes over from the store what it has recorded of the SLOs of rs behind the tick last.
func (s *Server) adopt(ctx context.Context, rs *ruleset, last time.Time) error {
	now := s.opts.Now()
	far, err := s.opts.Store.Query(ctx, "max_over_time("+SeriesTick+"["+markSpan+"])", now)
	if err != nil || len(far) == 0 {
		return err
	}
	tick := time.Unix(int64(far[0].V), 0).UTC()
	for _, x := range far {
		if t := time.Unix(int64(x.V), 0).UTC(); t.After(tick) {
			tick = t
		}
	}
	if !tick.After(last) {
		return nil
	}
	known := s.ledger.known(rs)
	there, err := s.recordedFar(ctx, rs, tick)
	if err != nil {
		return err
	}
	if last.IsZero() {
		known = rs.complete(there)
	}
	missing := slices.ContainsFunc(known, func(n string) bool { return !slices.Contains(there, n) })
	if missing || len(known) == 0 {
		return nil // the marks are those of other SLOs
	}
	// The mark has no labels of ours: what it has, the store adds to every series, as Thanos does. VictoriaMetrics keeps
	// the name, too.
	for name := range far[0].Labels {
		if name != store.Name {
			s.added = append(s.added, name)
		}
	}
	s.log.Info("taking over what the store has recorded", "slos", len(known), "from", last, "to", tick)
	if err := s.copyFar(ctx, rs, known, last, tick); err != nil {
		return err
	}
	if last.IsZero() {
		if err := s.ledger.add(rs, known); err != nil {
			return err
		}
	}
	s.ship.from(tick.Add(-rs.offset))
	return s.mark(tick)
}

// recordedFar returns the SLOs of rs that the store has recorded at a tick, sorted.
func (s *Server) recordedFar(ctx context.Context, rs *ruleset, tick time.Time) ([]string, error) {
	var out []string
	for names := range slices.Chunk(rs.names(), adoptNames) {
		found, err := s.opts.Store.Query(ctx, "group by (slo) ("+slo.SeriesEventsIncrement+of(names)+")", tick)
		if err != nil {
			return nil, err
		}
		for _, x := range found {
			out = append(out, x.Labels[slo.LabelSLO])
		}
	}
	slices.Sort(out)
	return out, nil
}

// of returns the matchers of the SLOs called names.
func of(names []string) string {
	var some []string
	for _, n := range names {
		some = append(some, regexp.QuoteMeta(n))
	}
	return "{" + slo.LabelSLO + "=~" + strconv.Quote(strings.Join(some, "|")) + "}"
}

// copyFar copies as much of the past of the SLOs called names as their rules look back at, in (last, tick].
func (s *Server) copyFar(ctx context.Context, rs *ruleset, names []string, last, tick time.Time) error {
	e, err := s.reader(rs, names)
	if err != nil {
		return err
	}
	all, alerts := e.Reach()
	for _, metric := range slices.Sorted(maps.Keys(all)) {
		from := tick.Add(-all[metric] - adoptMore)
		if last.After(from) {
			from = last.Add(-rs.offset)
		}
		for ; from.Before(tick); from = from.Add(adoptSpan) {
			if err := s.copySpan(ctx, metric, names, from, earlier(from.Add(adoptSpan), tick)); err != nil {
				return err
			}
		}
	}
	// The state of alerts comes from an evaluation at the time when they began.
	began, err := s.began(ctx, names, tick)
	if err != nil {
		return err
	}
	for _, t := range began {
		for _, metric := range slices.Sorted(maps.Keys(alerts)) {
			if err := s.copySpan(ctx, metric, names, t.Add(-alerts[metric]-rs.offset), t); err != nil {
				return err
			}
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// reader returns an engine that knows the rules of the SLOs called names.
func (s *Server) reader(rs *ruleset, names []string) (*engine.Engine, error) {
	files, err := rs.filesOf(names)
	if err != nil {
		return nil, err
	}
	e, err := engine.Open(s.store, s.ruleEngine("rules", engine.Options{}))
	if err != nil {
		return nil, err
	}
	if err := e.Load(files...); err != nil {
		return nil, fmt.Errorf("load rules: %w", err)
	}
	return e, nil
}

// began returns when the alerts of the SLOs called names began that are active at a tick, sorted.
func (s *Server) began(ctx context.Context, names []string, tick time.Time) ([]time.Time, error) {
	starts := map[int64]bool{}
	for some := range slices.Chunk(names, adoptNames) {
		found, err := s.opts.Store.Query(ctx, "last_over_time(ALERTS_FOR_STATE"+of(some)+"[30m])", tick)
		if err != nil {
			return nil, err
		}
		for _, x := range found {
			starts[int64(x.V)] = true
		}
	}
	var out []time.Time
	for _, sec := range slices.Sorted(maps.Keys(starts)) {
		out = append(out, time.Unix(sec, 0).UTC())
	}
	return out, nil
}

// copySpan copies one metric of some SLOs in (from, to].
func (s *Server) copySpan(ctx context.Context, metric string, names []string, from, to time.Time) error {
	b := s.store.Batch()
	var errs []error
	for some := range slices.Chunk(names, adoptNames) {
		rows, err := s.opts.Store.Samples(ctx, metric+of(some), to, to.Sub(from))
		if err != nil {
			return errors.Join(fmt.Errorf("copy %s: %w", metric, err), b.Discard())
		}
		for _, r := range rows {
			for _, name := range s.added {
				delete(r.Labels, name)
			}
			if err := b.AppendRow(withEnds(r, to)); err != nil && !engine.Rejected(err) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, b.Commit())...)
}

// withEnds returns a row up to a time with the marks of its ends, which the query API leaves out: behind the last of each
// run of samples, as far as they are apart from one another.
func withEnds(r store.Row, to time.Time) store.Row {
	apart := time.Duration(0)
	for i := 1; i < len(r.Samples); i++ {
		if d := r.Samples[i].T.Sub(r.Samples[i-1].T); apart == 0 || d < apart {
			apart = d
		}
	}
	if apart == 0 {
		return r
	}
	out := store.Row{Labels: r.Labels}
	for i, p := range r.Samples {
		if store.IsStale(p.V) {
			return r // the store told them
		}
		next := to
		if i+1 < len(r.Samples) {
			next = r.Samples[i+1].T
		}
		out.Samples = append(out.Samples, p)
		if next.Sub(p.T) > apart {
			out.Samples = append(out.Samples, store.Point{T: p.T.Add(apart), V: store.Stale()})
		}
	}
	return out
}

// skipEmpty moves a backfill to the first tick that sees raw samples. Ticks before would know the SLO without its targets,
// and take what their counters had before the store knew them for new.
func (s *Server) skipEmpty(ctx context.Context, f *backfill) {
	from, target := time.Unix(f.at.Load(), 0).UTC(), time.Unix(f.target.Load(), 0).UTC()
	for {
		end := earlier(from.Add(time.Hour), target)
		if !from.Before(end) {
			f.at.Store(target.Unix())
			return
		}
		if s.anyRaw(ctx, f, from, end) {
			f.at.Store(earlier(s.firstRaw(ctx, f, from, end), target).Unix())
			return
		}
		from = end
	}
}

// firstRaw returns the first tick that sees samples behind from, of which there are some up to end.
func (s *Server) firstRaw(ctx context.Context, f *backfill, from, end time.Time) time.Time {
	steps := int(end.Sub(from) / f.rs.step)
	n := sort.Search(steps, func(i int) bool { return s.anyRaw(ctx, f, from, from.Add(time.Duration(i+1)*f.rs.step)) })
	return from.Add(time.Duration(n+1)*f.rs.step + f.rs.offset).Truncate(f.rs.step)
}

// anyRaw reports whether the store has samples in (from, to] that the rules of a backfill read. It waits while the store
// is away, and is true when ctx ends or the store refuses the question.
func (s *Server) anyRaw(ctx context.Context, f *backfill, from, to time.Time) bool {
	var some []string
	for _, sel := range f.engine.RawSelectors() {
		some = append(some, fmt.Sprintf("group(last_over_time(%s[%dms]))", sel, to.Sub(from).Milliseconds()))
	}
	for len(some) > 0 && ctx.Err() == nil {
		found, err := s.opts.Store.Query(ctx, strings.Join(some, " or "), to)
		if !errors.Is(err, store.ErrAway) {
			return err != nil || len(found) > 0
		}
		s.pause(ctx)
	}
	return true
}

// pause waits a little, or until ctx ends.
func (s *Server) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(poll):
	}
}
