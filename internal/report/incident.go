package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// incidents finds the stretches of a row, keeps those that count, and says in r how many bad events they hold.
func (f *facts) incidents(g *gathered, t takenOff, r *Row) []Incident {
	var out []Incident
	for _, s := range f.stretchesOf(g) {
		in := f.incident(g, t, r, s)
		if in.Bad > 0 && (in.Paged || in.ordered >= Smallest || in.Spent == nil) {
			out = append(out, in)
			r.InIncidents += in.Bad
		}
	}
	r.Elsewhere = r.Bad - r.InIncidents
	return out
}

// stretchesOf returns runs of fine slots, first and last, in which the budget burned or an alert fired; those less than
// Gap apart are one.
func (f *facts) stretchesOf(g *gathered) [][2]int {
	var out [][2]int
	for _, i := range slices.Sorted(maps.Keys(g.burning)) {
		if n := len(out) - 1; n >= 0 && (i == out[n][1]+1 || time.Duration(i-out[n][1]-1)*f.fine < Gap) {
			out[n][1] = i
			continue
		}
		out = append(out, [2]int{i, i})
	}
	return out
}

// incident describes one stretch. What adjustments take off its slots is no part of it.
func (f *facts) incident(g *gathered, t takenOff, r *Row, s [2]int) Incident {
	at := func(slot int) time.Time { return f.From.Add(time.Duration(slot) * f.fine).UTC() }
	in := Incident{SLO: r.SLO, Group: r.Group, From: at(s[0]), To: at(s[1] + 1), Open: at(s[1]+1).Equal(f.until.UTC()) && !f.over()}
	for i := s[0]; i <= s[1]; i++ {
		n := g.burning[i]
		in.Bad += n
		in.Taken += t.slots[i]
		if of := g.burningOf[i]; of > 0 {
			in.Peak = max(in.Peak, min(n/of, 1))
		}
	}
	in.Taken = min(in.Taken, in.Bad)
	in.Bad -= in.Taken
	// An alert may begin a little after the last bad event that it is about.
	until := s[1] + int(Gap/f.fine)
	for i := s[0]; i <= until; i++ {
		in.Paged = in.Paged || g.firing[slo.Page][i]
		in.Ticket = in.Ticket || g.firing[slo.Ticket][i]
	}
	if r.Allowed > 0 {
		spent := in.Bad / r.Allowed
		in.Spent, in.ordered = &spent, spent
	} else {
		in.ordered = in.Bad
	}
	if r.Bad > 0 {
		in.Share = in.Bad / r.Bad
	}
	return in
}

// sortIncidents puts those that spent most of their budgets first; those of SLOs that allow nothing before all others.
func sortIncidents(in []Incident) {
	slices.SortStableFunc(in, func(a, b Incident) int {
		if (a.Spent == nil) != (b.Spent == nil) {
			if a.Spent == nil {
				return -1
			}
			return 1
		}
		return cmp.Or(-cmp.Compare(a.ordered, b.ordered), a.From.Compare(b.From), cmp.Compare(a.SLO, b.SLO), compareGroups(a.Group, b.Group))
	})
}

// compareGroups orders group labels of one SLO.
func compareGroups(a, b map[string]string) int {
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if c := cmp.Compare(a[k], b[k]); c != 0 {
			return c
		}
	}
	return 0
}
