package rules

import (
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// tier is one condition of an alert.
type tier struct {
	burnrate.Tier
	severity string
	notify   string // receiver of an escalation
	factor   float64
}

// longestFast is the longest window that is summed up from increments, tick by tick.
const longestFast = 3 * time.Hour

// makeTiers returns the tiers of the profile that make sense for the class, and the escalations of its policy.
// A deadline looks finished before it was due, so a window says something about it only if it is longer than the
// time that is given.
func (b *bundle) makeTiers() ([]tier, error) {
	var out []tier
	add := func(t tier) {
		if t.Long >= time.Duration(b.within) {
			out = append(out, t)
		}
	}
	for _, t := range b.prof.BurnTiers() {
		add(tier{Tier: t, severity: string(t.Severity), factor: t.Factor(b.window.Length())})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no tier of alert profile %q looks back as far as the deadline of %s", b.prof.Name, b.within)
	}
	for _, e := range b.pol.Escalations {
		d := time.Duration(e.For)
		add(tier{
			Tier:     burnrate.Tier{Long: d, Short: d, Floor: e.BurnRate.Float(), Cap: b.prof.MaxErrorRatio.Float()},
			severity: slo.SeverityEscalation, notify: e.Notify, factor: e.BurnRate.Float(),
		})
	}
	return out, nil
}

// chooseWindows decides which windows are recorded, and which of them at every tick.
func (b *bundle) chooseWindows() {
	urgent := map[time.Duration]bool{}
	for _, w := range b.alwaysWindows() {
		if w <= b.window.Length() {
			urgent[w] = false
		}
	}
	for _, t := range b.tiers {
		page := t.severity == slo.Page
		for _, w := range []time.Duration{t.Long, t.Short, t.Recovery} {
			if w > 0 {
				urgent[w] = urgent[w] || page
			}
		}
	}
	for w, page := range urgent {
		switch {
		case b.window.Calendar == "" && w == b.window.Length():
		case w%b.clock.slow != 0, w <= longestFast && page, w < 2*time.Hour:
			b.fastW = append(b.fastW, w)
		default:
			b.slowW = append(b.slowW, w)
		}
	}
	slices.Sort(b.fastW)
	slices.Sort(b.slowW)
}

// alwaysWindows are recorded whatever the tiers are, for dashboards.
func (b *bundle) alwaysWindows() []time.Duration {
	if b.opts.SlothNames {
		return slothWindows()
	}
	return []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}
}

// pace is how often a group is evaluated.
type pace bool

const (
	fast pace = true
	slow pace = false
)

// paceOf returns the group that the alerts of a severity stand in.
func paceOf(severity string) pace { return severity == slo.Page }
