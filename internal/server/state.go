package server

import (
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/web"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// view is what others may see of the schedule, as of the last tick.
type view struct {
	specs   specsView
	set     *slo.Set
	loaded  []string
	next    time.Time
	step    time.Duration
	behind  bool // catching up
	alerts  []engine.Alert
	failing map[string]error // by group and rule
	fill    *backfill
	away    error // why the store of others cannot be asked; nil if it can
}

// specsView is what became of the specs on disk.
type specsView struct {
	seen     string // digest of the texts
	loadedAt time.Time
	problems []string // empty: the specs on disk are those that are evaluated
}

// show makes the present state of the schedule visible.
func (s *Server) show() {
	alerts := s.engine.Alerts()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &s.view
	v.set, v.loaded, v.next, v.step, v.alerts, v.fill = s.live.set, s.loaded, s.next, s.step(), alerts, s.fill
	v.behind = !s.resumed.IsZero()
}

// state returns what the state API and the status page show.
func (s *Server) state() web.State {
	s.mu.Lock()
	v := s.view
	s.mu.Unlock()
	out := web.State{
		Set: v.set, Evaluated: v.loaded, LastTick: v.next.Add(-v.step), Step: v.step, CatchingUp: v.behind, Alerts: v.alerts,
		SpecsLoadedAt: v.specs.loadedAt, SpecProblems: v.specs.problems, Alertmanagers: s.queue.Status(),
		Sources: s.receiver.Sources(), Series: s.store.SeriesCount(),
	}
	for _, k := range slices.Sorted(maps.Keys(v.failing)) {
		out.FailingRules = append(out.FailingRules, k+": "+v.failing[k].Error())
	}
	if s.ship != nil {
		upTo, problem := s.ship.status()
		out.Store = &web.RemoteStore{Name: s.opts.Store.Name(), WrittenTo: upTo}
		if problem != "" {
			out.Store.Problems = append(out.Store.Problems, problem)
		}
		if v.away != nil {
			out.Store.Problems = append(out.Store.Problems, v.away.Error())
		}
	}
	if f := v.fill; f != nil {
		out.Backfill = &web.Backfill{SLOs: f.names, From: f.from, At: time.Unix(f.at.Load(), 0).UTC(), To: time.Unix(f.target.Load(), 0).UTC()}
	}
	return out
}
