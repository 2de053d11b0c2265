// Package history replays real incidents on a virtual clock: it turns the
// entries of a status page into request counters of the named components whose
// truth is known exactly, so that what rules compute can be compared with it.
//
//	incidents, err := history.GitHub()
//	h := history.New(incidents, history.DefaultModel())
//	r := h.Replay(history.DefaultTraffic(), from)
//	for s := range r.Samples(to, time.Minute) { ... }       // to a TSDB
//	bad, total := r.Truth("Actions", from, to)              // what rules must find
//
// When an incident was and what it affected are facts of the page. Which part
// of the requests failed (Model) and how many there were (Traffic) are
// assumptions, because no page says it; a user of the package should show them.
package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Model says how many of 1000 requests fail during an incident of each impact,
// each in [0, 1000]. It is an assumption.
type Model struct {
	None, Minor, Major, Critical int64
}

// DefaultModel is none 0%, minor 5%, major 30%, critical 100%.
func DefaultModel() Model { return Model{None: 0, Minor: 50, Major: 300, Critical: 1000} }

// String returns m in words, to be shown with any figure that rests on it.
func (m Model) String() string {
	f := func(name string, permille int64) string { return fmt.Sprintf("%s %g%%", name, float64(permille)/10) }
	return "failing requests: " + strings.Join([]string{f(None, m.None), f(Minor, m.Minor), f(Major, m.Major), f(Critical, m.Critical)}, ", ")
}

// permille returns how many of 1000 requests fail; a maintenance fails none.
func (m Model) permille(impact string) int64 {
	switch impact {
	case Minor:
		return m.Minor
	case Major:
		return m.Major
	case Critical:
		return m.Critical
	case None:
		return m.None
	}
	return 0
}

// Outage is a stretch of time in which the same part of the requests fails.
type Outage struct {
	From, To time.Time // To is not part of it
	Permille int64     // failing requests of 1000, above 0
}

// Summary counts what became of the entries: each is in exactly one of the
// fields from Maintenance to Counted.
type Summary struct {
	Entries      int
	Maintenance  int // planned work: no errors, see History.Maintenances
	Retroactive  int // posted afterwards without a length
	Harmless     int // no requests fail by the model
	Unattributed int // no component is named: nobody knows what was down
	Counted      int
	Inferred     int // of Counted: the components were guessed from the text
}

// History is the availability of components over time. It is not changed after
// New and safe for concurrent use.
type History struct {
	model       Model
	summary     Summary
	components  []string // see Components
	outages     map[string][]Outage
	incidents   map[string][]Incident
	maintenance map[string][]Incident
}

// New returns the history that incidents make under m. Times are cut to whole
// seconds. It panics when m is not a model. It does not keep incidents.
func New(incidents []Incident, m Model) History {
	for _, p := range []int64{m.None, m.Minor, m.Major, m.Critical} {
		if p < 0 || p > 1000 {
			panic(fmt.Sprintf("history: want 0 to 1000 failing requests of 1000, have %d", p))
		}
	}
	h := History{
		model: m, summary: Summary{Entries: len(incidents)}, outages: map[string][]Outage{},
		incidents: map[string][]Incident{}, maintenance: map[string][]Incident{},
	}
	for _, x := range incidents {
		x.Start, x.End = x.Start.UTC().Truncate(time.Second), x.End.UTC().Truncate(time.Second)
		x.Components = slices.Clone(x.Components)
		h.add(x)
	}
	for _, by := range []map[string][]Incident{h.incidents, h.maintenance} {
		for _, l := range by {
			slices.SortFunc(l, func(a, b Incident) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
		}
	}
	for c, l := range h.incidents {
		h.outages[c] = worst(l, m)
	}
	h.components = h.byDowntime()
	return h
}

func (h *History) add(x Incident) {
	to := h.incidents
	switch {
	case x.Maintenance:
		h.summary.Maintenance++
		to = h.maintenance
	case x.Retroactive || !x.End.After(x.Start):
		h.summary.Retroactive++
		return
	case h.model.permille(x.Impact) == 0:
		h.summary.Harmless++
		return
	case len(x.Components) == 0:
		h.summary.Unattributed++
		return
	default:
		h.summary.Counted++
		if x.Inferred {
			h.summary.Inferred++
		}
	}
	for _, c := range x.Components {
		to[c] = append(to[c], x)
	}
}

// worst returns disjoint outages in the order of time: where incidents
// overlap, the one in which most requests fail counts.
func worst(incidents []Incident, m Model) []Outage {
	type edge struct {
		at       time.Time
		permille int64
		by       int
	}
	var edges []edge
	for _, x := range incidents {
		p := m.permille(x.Impact)
		edges = append(edges, edge{x.Start, p, 1}, edge{x.End, p, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	var out []Outage
	open := map[int64]int{}
	for i, e := range edges {
		if open[e.permille] += e.by; open[e.permille] == 0 {
			delete(open, e.permille)
		}
		if len(open) == 0 || i+1 == len(edges) || edges[i+1].at.Equal(e.at) {
			continue
		}
		o := Outage{From: e.at, To: edges[i+1].at, Permille: slices.Max(slices.Collect(maps.Keys(open)))}
		if n := len(out); n > 0 && out[n-1].To.Equal(o.From) && out[n-1].Permille == o.Permille {
			out[n-1].To = o.To
			continue
		}
		out = append(out, o)
	}
	return out
}

func (h *History) byDowntime() []string {
	down := map[string]time.Duration{}
	for c, l := range h.outages {
		for _, o := range l {
			down[c] += o.To.Sub(o.From)
		}
	}
	return slices.SortedFunc(maps.Keys(down), func(a, b string) int {
		return cmp.Or(cmp.Compare(down[b], down[a]), cmp.Compare(a, b))
	})
}

// Summary returns what became of the entries.
func (h History) Summary() Summary { return h.summary }

// Model returns the assumption that h rests on.
func (h History) Model() Model { return h.model }

// Components returns the components with an outage, the longest down first.
func (h History) Components() []string { return slices.Clone(h.components) }

// Incidents returns the incidents that count for a component, by start.
func (h History) Incidents(component string) []Incident {
	return slices.Clone(h.incidents[component])
}

// Maintenances returns the planned work on a component, by start. It fails no
// requests here; a demo can turn it into adjustments.
func (h History) Maintenances(component string) []Incident {
	return slices.Clone(h.maintenance[component])
}

// Outages returns the disjoint outages of a component in the order of time.
func (h History) Outages(component string) []Outage { return slices.Clone(h.outages[component]) }

// ErrorRatio returns the part of the requests of a component that fails at a
// time, in [0, 1]. It is 1 for a component that is not in Components, so that
// a misspelt name does not look healthy.
func (h History) ErrorRatio(component string, at time.Time) float64 {
	l, ok := h.outages[component]
	if !ok {
		return 1
	}
	if i := after(l, at) - 1; i >= 0 && at.Before(l[i].To) {
		return float64(l[i].Permille) / 1000
	}
	return 0
}

// Up reports whether no request of a component fails at a time. It is false
// for a component that is not in Components.
func (h History) Up(component string, at time.Time) bool {
	return h.ErrorRatio(component, at) == 0
}

// Downtime returns for how long in [from, to) some requests of a component
// fail.
func (h History) Downtime(component string, from, to time.Time) time.Duration {
	var sum time.Duration
	for _, o := range h.outages[component] {
		sum += max(0, earlier(o.To, to).Sub(later(o.From, from)))
	}
	return sum
}

// after returns the index of the first outage that starts after at.
func after(l []Outage, at time.Time) int {
	i, _ := slices.BinarySearchFunc(l, at, func(o Outage, t time.Time) int {
		if o.From.After(t) {
			return 1
		}
		return -1
	})
	return i
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
