// Package explain says what an SLO means: its budget in time and events, when
// outages page, and how often it would page for nothing.
package explain

import (
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// Explanation is the meaning of one SLO in numbers. Durations are in
// Prometheus notation in JSON; ratios are fractions.
type Explanation struct {
	SLO         string      `json:"slo"`
	Title       string      `json:"title"`
	Service     string      `json:"service"`
	Owner       slo.Owner   `json:"owner"`
	Description string      `json:"description,omitempty"`
	Objective   slo.Decimal `json:"objective"`
	Window      string      `json:"window"`
	SLI         []string    `json:"sli"`                   // what is good, in words
	Budget      Budget      `json:"budget"`                //
	Tiers       []Tier      `json:"tiers"`                 // in the order of the profile
	Cases       []Case      `json:"cases"`                 // what some error ratios lead to
	FalsePages  *FalsePages `json:"falsePages"`            // null without declared traffic
	NoData      slo.NoData  `json:"noData"`                //
	Policy      []string    `json:"policy"`                // what a spent budget leads to, in words
	Adjustments []string    `json:"adjustments,omitempty"` // what is taken out of the budget, and mutes, in words
	Notes       []string    `json:"notes,omitempty"`       // what the numbers assume
}

// Budget is the error budget of one window.
type Budget struct {
	Ratio         slo.Decimal  `json:"ratio"`
	Outage        slo.Duration `json:"outage"`           // total outage that spends it, at steady traffic
	Events        float64      `json:"events,omitempty"` // bad events that spend it, at the declared traffic
	EventsTotal   float64      `json:"eventsTotal,omitempty"`
	EventsPerHour slo.Decimal  `json:"eventsPerHour,omitempty"`
}

// Tier is one alert condition.
type Tier struct {
	Severity   string       `json:"severity"`
	Long       slo.Duration `json:"long"`
	Short      slo.Duration `json:"short"`
	BurnRate   float64      `json:"burnRate"`
	Spent      float64      `json:"spent"`               // share of the budget spent within long at that rate
	ErrorRatio float64      `json:"errorRatio"`          // the condition as an error ratio
	NeededBad  float64      `json:"neededBad,omitempty"` // fewest bad events in long, at the declared traffic
	Capped     bool         `json:"capped"`              // ErrorRatio is the cap and not BurnRate
}

// Case is what a constant error ratio leads to.
type Case struct {
	ErrorRatio float64       `json:"errorRatio"`
	Page       *slo.Duration `json:"page"`      // time until somebody is paged; null when never
	Ticket     *slo.Duration `json:"ticket"`    // time until a ticket; null when never
	Reset      *slo.Duration `json:"reset"`     // time from recovery until the page ends, after an hour of it
	Exhausted  *slo.Duration `json:"exhausted"` // time until a full budget is spent
}

// FalsePages is a simulated rate of pages on a healthy service.
type FalsePages struct {
	PerMonth float64 `json:"perMonth"`
	AtMost   float64 `json:"atMost"` // one-sided 95% confidence
}

// caseRatios are the error ratios of the cases.
func caseRatios() []float64 { return []float64{1, 0.1, 0.02, 0.01} }

// seed makes the simulation of false pages the same on every run.
const seed = 1

// SLO explains the SLO of this name. Error: there is none.
func SLO(set *slo.Set, name string) (*Explanation, error) {
	x, ok := set.SLO(name)
	if !ok {
		return nil, fmt.Errorf("there is no SLO %q", name)
	}
	profile, ok := set.Profile(x.Alerting.Profile)
	if !ok {
		return nil, fmt.Errorf("SLO %q: there is no alert profile %q", name, x.Alerting.Profile)
	}
	policy := profile.BurnPolicy()
	policy.Tiers = wanted(policy.Tiers, x.Alerting)
	b := x.BurnBudget()
	e := &Explanation{
		SLO: x.Name, Title: x.Title(), Service: x.Service, Owner: x.Owner, Description: x.Description,
		Objective: x.Objective, Window: x.Window.String(), SLI: sliWords(x.SLI.SLI),
		Budget: budget(x, b), NoData: x.NoData, Tiers: []Tier{}, Cases: []Case{}, Policy: policyWords(set, x),
	}
	for _, t := range policy.Tiers {
		e.Tiers = append(e.Tiers, tier(t, policy.Evidence, b, x.EventsPerHour.Float()))
	}
	for _, r := range caseRatios() {
		e.Cases = append(e.Cases, constant(policy.Tiers, b, r))
	}
	if perHour := x.EventsPerHour.Float(); perHour > 0 && b.Ratio > 0 && len(policy.Tiers) > 0 {
		f, err := burnrate.ExpectedFalsePages(policy, b, burnrate.Traffic{PerHour: perHour}, seed)
		if err != nil {
			return nil, fmt.Errorf("SLO %q: %w", name, err)
		}
		e.FalsePages = &FalsePages{f.PerMonth, f.AtMost}
	}
	e.Adjustments, e.Notes = adjustmentWords(set, x), notes(x)
	return e, nil
}

// wanted returns the tiers of the severities that are switched on.
func wanted(tiers []burnrate.Tier, a slo.Alerting) []burnrate.Tier {
	var out []burnrate.Tier
	for _, t := range tiers {
		if t.Severity == burnrate.Page && a.Page || t.Severity == burnrate.Ticket && a.Ticket {
			out = append(out, t)
		}
	}
	return out
}

func budget(x *slo.SLO, b burnrate.Budget) Budget {
	out := Budget{Ratio: x.Budget, EventsPerHour: x.EventsPerHour}
	if d, ok := b.Outage(1, 0); ok {
		out.Outage = slo.Duration(d.Round(time.Second))
	}
	if n := x.EventsPerHour.Float(); n > 0 {
		out.EventsTotal = n * b.Period.Hours()
		out.Events = b.Events(out.EventsTotal)
	}
	return out
}

func tier(t burnrate.Tier, e burnrate.Evidence, b burnrate.Budget, perHour float64) Tier {
	burn := t.Factor(b.Period)
	out := Tier{
		Severity: string(t.Severity), Long: slo.Duration(t.Long), Short: slo.Duration(t.Short), BurnRate: burn,
		Spent: burnrate.Share(burn, t.Long, b.Period), ErrorRatio: t.Threshold(b),
		Capped: b.Ratio > 0 && t.Threshold(b) < burn*b.Ratio,
	}
	if perHour > 0 && e != nil {
		if n, ok := burnrate.Needed(e, b.Events(perHour*t.Long.Hours())); ok {
			out.NeededBad = n
		}
	}
	return out
}

// constant returns what the error ratio r leads to when it starts after a clean
// period and lasts.
func constant(tiers []burnrate.Tier, b burnrate.Budget, r float64) Case {
	c := Case{ErrorRatio: r}
	for _, t := range tiers {
		d, ok := t.Detect(b, r)
		if !ok {
			continue
		}
		at := &c.Ticket
		if t.Severity == burnrate.Page {
			at = &c.Page
			if reset, ok := t.Reset(b, r, max(time.Hour, 2*d)); ok && (c.Reset == nil || slo.Duration(reset) > *c.Reset) {
				c.Reset = rounded(reset)
			}
		}
		if *at == nil || slo.Duration(d) < **at {
			*at = rounded(d)
		}
	}
	if d, ok := b.Exhaustion(1, b.Burn(r)); ok {
		c.Exhausted = rounded(d)
	}
	return c
}

func rounded(d time.Duration) *slo.Duration {
	r := slo.Duration(d.Round(time.Second))
	return &r
}
