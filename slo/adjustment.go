package slo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
)

// Interval is a span of time; To is not part of it.
type Interval struct{ From, To time.Time }

// Occurrences returns the occurrences of a that overlap from..to, in order. A
// recurring adjustment keeps its wall-clock time in its zone when daylight
// saving begins or ends.
func (a *Adjustment) Occurrences(from, to time.Time) ([]Interval, error) {
	length := time.Duration(a.Duration)
	if a.Recurrence == "" {
		if a.Start.Before(to) && a.Start.Add(length).After(from) {
			return []Interval{{a.Start, a.Start.Add(length)}}, nil
		}
		return nil, nil
	}
	rule, err := a.rule(to)
	if err != nil {
		return nil, err
	}
	var out []Interval
	for _, t := range rule.Between(from.Add(-length), to, true) {
		if end := t.Add(length); end.After(from) && t.Before(to) {
			out = append(out, Interval{t.UTC(), end.UTC()})
		}
	}
	return out, nil
}

// rule returns the recurrence of a up to an instant.
func (a *Adjustment) rule(to time.Time) (*rrule.RRule, error) {
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return nil, fmt.Errorf("load time zone %q: %w", a.Zone, err)
	}
	opt, err := rrule.StrToROptionInLocation(a.Recurrence, zone)
	if err != nil {
		return nil, fmt.Errorf("read recurrence %q: %w", a.Recurrence, err)
	}
	opt.Dtstart = a.Start.In(zone)
	if opt.Until.IsZero() || opt.Until.After(to) {
		opt.Until = to // a rule that never fits would be followed to the year 9999
	}
	return rrule.NewRRule(*opt)
}

// Overlaps are looked for this far behind the last start, and among this many
// occurrences in all.
const (
	overlapHorizon = 2 * 366 * 24 * time.Hour
	overlapCount   = 200_000
)

func (l *linker) linkAdjustments() []Adjustment {
	out := []Adjustment{}
	for _, a := range unique(l, "Adjustment", l.adjustments, func(x *adjustment) *Meta { return &x.Meta }) {
		before := len(l.diags)
		a.SLOs = l.resolve(&a.Meta, a.sel)
		if len(a.SLOs) == 0 && len(l.diags) == before && !l.broken["Adjustment/"+a.Name] && !l.anyBroken("SLO/") {
			l.add(diag.Error, diag.AdjustmentNoTarget, a.PlaceOf("spec.slos"), "name SLOs, services or labels that exist", "adjustment %q touches no SLO", a.Name)
		}
		l.checkMaintenance(&a.Adjustment, a.sel.names)
		out = append(out, a.Adjustment)
	}
	l.checkOverlaps(out)
	return out
}

// checkMaintenance reports the SLOs that a maintenance names and can only mute. What is finished in it may have begun
// before, and money that was spent is gone. SLOs that it picks in bulk are not reported.
func (l *linker) checkMaintenance(a *Adjustment, names []string) {
	if a.Type != "maintenance" {
		return
	}
	for i, name := range names {
		x, ok := l.set.SLO(name)
		if !ok || l.broken["SLO/"+name] || x.SLI.SLI == nil {
			continue
		}
		if kind := x.SLI.Kind(); kind == (*Deadline)(nil).Kind() || kind == (*Spend)(nil).Kind() {
			l.add(diag.Warning, diag.AdjustmentMutesOnly, a.PlaceOf(fmt.Sprintf("spec.slos.names[%d]", i)),
				"leave it out, or take bad events back with a correction",
				"maintenance %q mutes SLO %q, but takes nothing out of a budget of kind %s", a.Name, name, kind)
		}
	}
}

// checkOverlaps reports adjustments of one SLO at the same time: an error when
// one is a correction, which would be counted twice. Of several at one time,
// each is reported with the one that ends last.
func (l *linker) checkOverlaps(as []Adjustment) {
	bySLO := map[string][]int{}
	for i := range as {
		if l.broken["Adjustment/"+as[i].Name] {
			continue
		}
		for _, s := range as[i].SLOs {
			bySLO[s] = append(bySLO[s], i)
		}
	}
	spans := occurrences(as)
	groups, pairs := map[string]bool{}, map[[2]int]bool{}
	for _, s := range l.sloNames {
		ids := bySLO[s]
		key := fmt.Sprint(ids)
		if len(ids) < 2 || groups[key] {
			continue
		}
		groups[key] = true
		var all []span
		for _, i := range ids {
			all = append(all, spans[i]...)
		}
		overlaps(all, func(i, j int, at time.Time) {
			if pair := [2]int{min(i, j), max(i, j)}; !pairs[pair] {
				pairs[pair] = true
				l.overlap(&as[pair[0]], &as[pair[1]], s, at)
			}
		})
	}
}

// span is one occurrence of the adjustment with index id.
type span struct {
	Interval
	id int
}

// occurrences returns the occurrences of each adjustment.
func occurrences(as []Adjustment) [][]span {
	var last time.Time
	for i := range as {
		last = latest(last, as[i].Start)
	}
	out := make([][]span, len(as))
	for i := range as {
		list, err := as[i].Occurrences(as[i].Start, last.Add(overlapHorizon))
		if err != nil {
			continue // the rule was reported where it was read
		}
		for _, x := range list[:min(len(list), max(10, overlapCount/len(as)))] {
			out[i] = append(out[i], span{x, i})
		}
	}
	return out
}

// overlaps calls found for spans of different adjustments that overlap.
func overlaps(all []span, found func(i, j int, at time.Time)) {
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.id, b.id)) })
	var first, second span // those that end last, of different adjustments
	first.id, second.id = -1, -1
	for _, x := range all {
		for _, y := range []span{first, second} {
			if y.id >= 0 && y.id != x.id && y.To.After(x.From) {
				found(y.id, x.id, x.From)
				break
			}
		}
		switch {
		case x.id == first.id:
			first.To = latest(first.To, x.To)
		case x.To.After(first.To):
			first, second = x, first
		case x.To.After(second.To):
			second = x
		}
	}
}

// overlap reports that a and b both touch an SLO at an instant.
func (l *linker) overlap(a, b *Adjustment, slo string, at time.Time) {
	if b.At.Compare(a.At) < 0 {
		a, b = b, a
	}
	sev, hint := diag.Warning, "move one, or let it name other SLOs; as it is, the shared time counts once"
	if a.Type == "correction" || b.Type == "correction" {
		sev, hint = diag.Error, "move one, or let it name other SLOs: the same events would be taken back twice"
	}
	l.diags.Add(diag.Diag{
		Sev: sev, Code: diag.AdjustmentOverlap, Pos: b.PlaceOf("spec.start"),
		Msg:     fmt.Sprintf("adjustments %q and %q both touch SLO %q at %s", a.Name, b.Name, slo, at.Format(time.RFC3339)),
		Hint:    hint,
		Related: &diag.Related{Pos: a.PlaceOf("spec.start"), Msg: "the other one"},
	})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// String returns the adjustment in words.
func (a *Adjustment) String() string {
	s := fmt.Sprintf("%s for %s from %s", a.Type, a.Duration, a.Start.Format(time.RFC3339))
	if a.Recurrence != "" {
		s += ", " + strings.ToLower(a.Recurrence)
	}
	return s
}
