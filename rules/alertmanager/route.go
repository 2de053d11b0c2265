package alertmanager

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// route returns the routes of all alerts of the set, and the receivers that they name. mutes are the intervals in
// which the alerts of an SLO stay silent, by its name.
func (g *generator) route(mutes map[string][]string) (Route, []Reference) {
	r := Route{
		Matchers: []string{oneOf("alertname", []string{slo.AlertBudgetBurn, slo.AlertNoData, slo.AlertEscalation})},
		GroupBy:  append([]string{"alertname", slo.LabelService, slo.LabelSLO, slo.LabelReason}, g.apart...),
	}
	var refs []Reference
	for _, e := range g.escalations() {
		refs = append(refs, e)
		r.Routes = append(r.Routes, Route{
			Matchers: []string{is("alertname", slo.AlertEscalation), is(slo.LabelNotify, e.Receiver)}, Receiver: e.Receiver,
		})
	}
	for _, severity := range []string{slo.Page, slo.Ticket} {
		routes, more := g.ownerRoutes(severity, mutes)
		r.Routes, refs = append(r.Routes, routes...), append(refs, more...)
		if nobody := g.without(severity); len(nobody) > 0 {
			r.Notes = append(r.Notes, fmt.Sprintf("Owners name no receiver of %ss here, so that above this route gets them: %s.", severity, strings.Join(nobody, ", ")))
		}
	}
	return r, first(refs)
}

// first keeps the first of the references to one receiver, and sorts them by name.
func first(refs []Reference) []Reference {
	slices.SortStableFunc(refs, func(a, b Reference) int { return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), a.At.Compare(b.At)) })
	return slices.CompactFunc(refs, func(a, b Reference) bool { return a.Receiver == b.Receiver })
}

// escalations returns the receivers of the escalations of SLOs, sorted by name, each once.
func (g *generator) escalations() []Reference {
	var out []Reference
	for _, x := range g.slos {
		p, ok := g.set.Policy(x.Policy)
		if !ok {
			continue
		}
		for i, e := range p.Escalations {
			out = append(out, Reference{e.Notify, p.PlaceOf(fmt.Sprintf("spec.escalations[%d].notify", i))})
		}
	}
	return first(out)
}

// tells reports whether there may be alerts of x with the severity, besides escalations.
func tells(x *slo.SLO, severity string) bool {
	return x.NoData.Notify == severity || severity == slo.Page && x.Alerting.Page || severity == slo.Ticket && x.Alerting.Ticket
}

// receiver returns who is told of alerts of x with the severity, or "".
func receiver(x *slo.SLO, severity string) string {
	if severity == slo.Page {
		return x.Owner.Page
	}
	return x.Owner.Ticket
}

// without returns the services that have alerts of the severity and no receiver for them.
func (g *generator) without(severity string) []string {
	var out []string
	for _, x := range g.slos {
		if tells(x, severity) && receiver(x, severity) == "" {
			out = append(out, x.Service)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// ownerRoutes returns the routes of one severity: one for each receiver and each set of mute intervals.
func (g *generator) ownerRoutes(severity string, mutes map[string][]string) ([]Route, []Reference) {
	type key struct{ receiver, mutes string }
	all := keep(g.slos, func(x *slo.SLO) bool { return tells(x, severity) })
	some := map[key][]*slo.SLO{}
	var keys []key
	var refs []Reference
	for _, x := range all {
		k := key{receiver(x, severity), strings.Join(mutes[x.Name], "\n")}
		if k == (key{}) {
			continue
		}
		if some[k] == nil {
			keys = append(keys, k)
		}
		some[k] = append(some[k], x)
		if k.receiver != "" {
			refs = append(refs, Reference{k.receiver, g.named(x, "spec.owner."+severity)})
		}
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.receiver, b.receiver), cmp.Compare(a.mutes, b.mutes)) })
	var out []Route
	for _, k := range keys {
		for _, s := range g.selectors(some[k], all) {
			r := Route{Matchers: []string{is(slo.LabelSeverity, severity), s}, Receiver: k.receiver}
			if k.mutes != "" {
				r.Mute = strings.Split(k.mutes, "\n")
			}
			out = append(out, r)
		}
	}
	return out, refs
}

// named returns where a field of x was written: in x, or in its service, from which x took it.
func (g *generator) named(x *slo.SLO, path string) slo.Pos {
	if slices.ContainsFunc(x.Places, func(p slo.Place) bool { return p.Path == path }) {
		return x.PlaceOf(path)
	}
	if s, ok := g.set.Service(x.Service); ok {
		return s.PlaceOf(path)
	}
	return x.PlaceOf(path)
}
