package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
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
	// adoptMore is how much more is read than the rules look back.
	adoptMore = 10 * time.Minute
	// alertSpan is how far back the state of alerts is looked for.
	alertSpan = time.Hour
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
	reach, err := s.reach(rs, names)
	if err != nil {
		return err
	}
	for _, metric := range slices.Sorted(maps.Keys(reach)) {
		from := tick.Add(-reach[metric] - adoptMore)
		if last.After(from) {
			from = last.Add(-rs.offset)
		}
		for ; from.Before(tick); from = from.Add(adoptSpan) {
			to := from.Add(adoptSpan)
			if to.After(tick) {
				to = tick
			}
			if err := s.copySpan(ctx, metric, names, from, to); err != nil {
				return fmt.Errorf("take over %s: %w", metric, err)
			}
		}
	}
	return nil
}

// reach returns how far back the rules of the SLOs called names look at what they record.
func (s *Server) reach(rs *ruleset, names []string) (map[string]time.Duration, error) {
	files, err := rs.filesOf(names)
	if err != nil {
		return nil, err
	}
	e, err := engine.Open(s.store, engine.Options{Raw: s.opts.Store})
	if err != nil {
		return nil, err
	}
	if err := e.Load(files...); err != nil {
		return nil, fmt.Errorf("load rules: %w", err)
	}
	out := e.Reach()
	for _, name := range []string{"ALERTS", "ALERTS_FOR_STATE"} {
		out[name] = max(out[name], alertSpan)
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
			return errors.Join(err, b.Discard())
		}
		for _, r := range rows {
			if err := b.AppendRow(r); err != nil && !engine.Rejected(err) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(append(errs, b.Commit())...)
}

// skipEmpty moves a backfill to the first hour of which the store has raw samples.
func (s *Server) skipEmpty(ctx context.Context, f *backfill) {
	var some []string
	for _, sel := range f.engine.RawSelectors() {
		some = append(some, "group(last_over_time("+sel+"[1h]))")
	}
	if len(some) == 0 {
		return
	}
	expr := strings.Join(some, " or ")
	for ctx.Err() == nil {
		end := time.Unix(f.at.Load(), 0).UTC().Add(time.Hour)
		if !end.Before(time.Unix(f.target.Load(), 0)) {
			return
		}
		found, err := s.opts.Store.Query(ctx, expr, end)
		switch {
		case errors.Is(err, store.ErrAway):
			s.pause(ctx)
		case err != nil || len(found) > 0:
			return
		default:
			f.at.Store(end.Unix())
		}
	}
}

// pause waits a little, or until ctx ends.
func (s *Server) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(poll):
	}
}
