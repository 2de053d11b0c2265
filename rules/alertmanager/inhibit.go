package alertmanager

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// inhibitions returns which alerts make which others needless. Escalations are never inhibited: they go to people who
// have asked for them. down are the SLOs whose pages mean that telemetry is lost.
func (g *generator) inhibitions(down []*slo.SLO) []Inhibition {
	burn := is("alertname", slo.AlertBudgetBurn)
	page := is(slo.LabelSeverity, slo.Page)
	out := []Inhibition{{
		Note:   "One notification an incident: who is paged needs no ticket of the same SLO.",
		Source: []string{burn, page}, Target: []string{burn, is(slo.LabelSeverity, slo.Ticket)},
		Equal: g.equal(append([]string{slo.LabelSLO}, g.groupLabels()...)),
	}}
	paging := keep(g.slos, func(x *slo.SLO) bool { return x.Alerting.Page })
	telling := keep(g.slos, func(x *slo.SLO) bool { return x.Alerting.Page || x.Alerting.Ticket })
	for _, r := range g.consequences(paging, telling) {
		out = append(out, Inhibition{
			Note:   "A page of what they need explains these.",
			Source: []string{burn, page, g.selector(r.sources, paging)},
			Target: []string{burn, g.selector(r.targets, telling)}, Equal: g.equal(r.labels),
		})
	}
	source := keep(down, func(x *slo.SLO) bool { return tells(x, slo.Page) })
	if len(source) > 0 {
		out = append(out, Inhibition{
			Note:   "While telemetry is known to be lost, missing telemetry is no news.",
			Source: []string{oneOf("alertname", []string{slo.AlertBudgetBurn, slo.AlertNoData}), page, oneOf(slo.LabelSLO, names(source))},
			Target: []string{is("alertname", slo.AlertNoData), noneOf(slo.LabelSLO, names(down))}, Equal: g.equal(nil),
		})
	}
	return out
}

// equal returns labels and those that tell copies apart, sorted, each once.
func (g *generator) equal(labels []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(labels), g.apart...))))
}

// groupLabels returns every label that some SLO is grouped by. An alert without one of them has it equal to all others
// without it.
func (g *generator) groupLabels() []string {
	var out []string
	for _, x := range g.slos {
		out = append(out, x.GroupBy...)
	}
	return out
}

// rule says that a page of one of sources explains alerts of targets with equal labels.
type rule struct {
	sources, targets []*slo.SLO
	labels           []string // that both are grouped by
}

// consequences returns which pages explain which alerts: of an SLO that another one critically depends on, and of the
// services that a service depends on. Only direct dependencies count: an inhibited page still inhibits, and where
// what lies between is fine, the outage has not come through it. Nothing inhibits itself over a circle, or else
// nobody would be told.
func (g *generator) consequences(paging, telling []*slo.SLO) []rule {
	edges := g.needs(paging, telling)
	circle := circles(g.slos, edges)
	byKey := map[string]*rule{}
	for _, x := range telling {
		shared := map[string][]*slo.SLO{} // by the labels that both are grouped by
		for _, source := range edges[x] {
			if circle[source] == circle[x] {
				continue
			}
			labels := slices.DeleteFunc(slices.Clone(x.GroupBy), func(l string) bool { return !slices.Contains(source.GroupBy, l) })
			slices.Sort(labels)
			k := strings.Join(labels, ",")
			shared[k] = append(shared[k], source)
		}
		for _, labels := range slices.Sorted(maps.Keys(shared)) {
			k := fmt.Sprint(names(shared[labels]), labels)
			if byKey[k] == nil {
				byKey[k] = &rule{sources: shared[labels]}
				if labels != "" {
					byKey[k].labels = strings.Split(labels, ",")
				}
			}
			byKey[k].targets = append(byKey[k].targets, x)
		}
	}
	var out []rule
	for _, k := range slices.Sorted(maps.Keys(byKey)) {
		out = append(out, *byKey[k])
	}
	return out
}

// needs returns, for each SLO that tells, the SLOs that page and that it needs, sorted by name, each once.
func (g *generator) needs(paging, telling []*slo.SLO) map[*slo.SLO][]*slo.SLO {
	byService, byName := map[string][]*slo.SLO{}, map[string]*slo.SLO{}
	for _, x := range paging {
		byService[x.Service] = append(byService[x.Service], x)
		byName[x.Name] = x
	}
	out := map[*slo.SLO][]*slo.SLO{}
	for _, x := range telling {
		var needed []*slo.SLO
		for _, d := range x.DependsOn {
			if y := byName[d.SLO]; y != nil && d.Critical {
				needed = append(needed, y)
			}
		}
		if s, ok := g.set.Service(x.Service); ok {
			for _, name := range s.DependsOn {
				needed = append(needed, byService[name]...)
			}
		}
		slices.SortFunc(needed, func(a, b *slo.SLO) int { return cmp.Compare(a.Name, b.Name) })
		out[x] = slices.Compact(needed)
	}
	return out
}

// circles numbers the SLOs so that those have the same number that need each other, directly or over others: Tarjan's
// strongly connected components.
func circles(slos []*slo.SLO, needs map[*slo.SLO][]*slo.SLO) map[*slo.SLO]int {
	index, low, out := map[*slo.SLO]int{}, map[*slo.SLO]int{}, map[*slo.SLO]int{}
	var stack []*slo.SLO
	var visit func(x *slo.SLO)
	visit = func(x *slo.SLO) {
		n := len(index) + 1
		index[x], low[x] = n, n
		stack = append(stack, x)
		for _, y := range needs[x] {
			if index[y] == 0 {
				visit(y)
			}
			if out[y] == 0 { // still on the stack
				low[x] = min(low[x], low[y])
			}
		}
		if low[x] < n {
			return
		}
		for {
			y := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			out[y] = n
			if y == x {
				return
			}
		}
	}
	for _, x := range slos {
		if index[x] == 0 {
			visit(x)
		}
	}
	return out
}
