package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// gathered is what the answers say about one row.
type gathered struct {
	x      *slo.SLO
	source *slo.DataSource
	group  map[string]string // nil without groups

	events, bad        []float64 // by coarse slot
	known              []bool    // whether events is known
	before             counted
	beforeKnown        bool
	burning, burningOf map[int]float64 // by fine slot
	firing             map[string]map[int]bool
	excluded           counted
	taken, takenBefore map[int]counted // by span
	takenSlots         map[int]map[int]float64
}

// counted is events and how many of them were bad.
type counted struct{ events, bad float64 }

// facts is what all answers say.
type facts struct {
	grid
	rows     map[string]*gathered
	bySLO    map[string][]*gathered
	there    map[string]float64 // by SLO
	looked   map[string]float64
	rollups  map[string]float64
	earlier  map[string]float64 // rollups of the period before
	accounts accounts
}

// gather reads the answers.
//
// Error: an answer is missing, or is not one to its query.
func (p *planner) gather(in Facts) (*facts, error) {
	f := &facts{
		grid: p.now, rows: map[string]*gathered{}, bySLO: map[string][]*gathered{}, accounts: newAccounts(),
		there: map[string]float64{}, looked: map[string]float64{}, rollups: map[string]float64{}, earlier: map[string]float64{},
	}
	for _, q := range p.out {
		series, ok := in[q.ID]
		if !ok {
			return nil, fmt.Errorf("query %s has no answer", q.ID)
		}
		for _, s := range series {
			if err := q.check(s); err != nil {
				return nil, fmt.Errorf("answer to query %s: %w", q.ID, err)
			}
			if len(s.Points) > 0 {
				f.add(q, s)
			}
		}
	}
	return f, nil
}

// check refuses an answer that is not one to q.
func (q Query) check(s Series) error {
	if q.ids != "" && !slices.ContainsFunc(q.slos, func(x *slo.SLO) bool { return x.Name == s.Labels[slo.LabelSLO] }) {
		return fmt.Errorf("want SLOs that were asked for, have %q", s.Labels[slo.LabelSLO])
	}
	for _, x := range s.Points {
		switch {
		case math.IsNaN(x.V) || math.IsInf(x.V, 0):
			return fmt.Errorf("want finite numbers, have %v at %s", x.V, x.T.Format(time.RFC3339))
		case q.Step == 0 && len(s.Points) != 1:
			return fmt.Errorf("want one point, have %d", len(s.Points))
		case q.Step > 0 && (x.T.Before(q.From) || x.T.After(q.To) || x.T.Sub(q.From)%q.Step != 0):
			return fmt.Errorf("want times from %s in steps of %v, have %s: something on the way moved them",
				q.From.Format(time.RFC3339Nano), q.Step, x.T.Format(time.RFC3339Nano))
		}
	}
	return nil
}

// row returns the row that a series is about.
func (f *facts) row(q Query, s Series) *gathered {
	name := s.Labels[slo.LabelSLO]
	i := slices.IndexFunc(q.slos, func(x *slo.SLO) bool { return x.Name == name })
	x := q.slos[i]
	key := name
	var group map[string]string
	for _, l := range slices.Sorted(slices.Values(x.GroupBy)) {
		if group == nil {
			group = map[string]string{}
		}
		group[l] = s.Labels[l]
		key += "\x00" + s.Labels[l]
	}
	if f.rows[key] == nil {
		f.rows[key] = f.empty(x, q.source, group)
		f.bySLO[name] = append(f.bySLO[name], f.rows[key])
	}
	return f.rows[key]
}

func (f *facts) empty(x *slo.SLO, source *slo.DataSource, group map[string]string) *gathered {
	n := f.slots(f.coarse)
	return &gathered{
		x: x, source: source, group: group, events: make([]float64, n), bad: make([]float64, n), known: make([]bool, n),
		burning: map[int]float64{}, burningOf: map[int]float64{}, firing: map[string]map[int]bool{},
		taken: map[int]counted{}, takenBefore: map[int]counted{}, takenSlots: map[int]map[int]float64{},
	}
}

// add takes one series of an answer.
func (f *facts) add(q Query, s Series) {
	name, v := s.Labels[slo.LabelSLO], s.Points[0].V
	switch q.role {
	case cost, costStart, costBefore, costBudget:
		f.accounts.add(q, s, f.Kind)
		return
	case there:
		f.there[name] = v
		return
	case looked:
		f.looked[name] = v
		return
	case rollups:
		f.rollups[name] = v
		return
	case rollupsBefore:
		f.earlier[name] = v
		return
	}
	g := f.row(q, s)
	switch q.role {
	case eventsBefore:
		g.before.events, g.beforeKnown = v, true
	case badBefore:
		g.before.bad = v
	case excluded:
		g.excluded.events = v
	case excludedBad:
		g.excluded.bad = v
	case taken:
		g.taken[q.index] = counted{v, g.taken[q.index].bad}
	case takenBad:
		g.taken[q.index] = counted{g.taken[q.index].events, v}
	case takenBefore:
		g.takenBefore[q.index] = counted{v, g.takenBefore[q.index].bad}
	case takenBadBefore:
		g.takenBefore[q.index] = counted{g.takenBefore[q.index].events, v}
	default:
		f.slotted(g, q, s)
	}
}

// slotted takes a series with a point for each slot.
func (f *facts) slotted(g *gathered, q Query, s Series) {
	for _, x := range s.Points {
		i := int((x.T.Sub(f.From)-q.tellOf())/q.Step) - 1
		switch q.role {
		case events:
			g.events[i], g.known[i] = x.V, true
		case bad:
			g.bad[i] = x.V
		case burning:
			g.burning[i] = x.V
		case burningOf:
			g.burningOf[i] = x.V
		case alerts:
			severity := s.Labels[slo.LabelSeverity]
			if g.firing[severity] == nil {
				g.firing[severity] = map[int]bool{}
			}
			g.firing[severity][i] = true
		case takenSlots:
			if g.takenSlots[q.index] == nil {
				g.takenSlots[q.index] = map[int]float64{}
			}
			g.takenSlots[q.index][i] = x.V
		}
	}
}

// tellOf is how much later than the end of a slot q asks for it.
func (q Query) tellOf() time.Duration {
	switch q.role {
	case alerts, takenSlots:
		return 0
	}
	return q.tell()
}
