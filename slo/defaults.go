package slo

import (
	"strconv"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
)

// DefaultName is the name of the built-in alert profile and data source. A
// document of that name replaces the built-in object.
const DefaultName = "default"

// builtinPos is the place of what no file says.
func builtinPos() Pos { return Pos{File: "built-in"} }

func defaultEvidence() Evidence { return Evidence{Test: "sqrt", Significance: "0.01"} }

// defaultProfile returns the profile of burnrate.DefaultTiers.
func defaultProfile() AlertProfile {
	p := AlertProfile{
		Meta:        Meta{Name: DefaultName, At: builtinPos()},
		Description: "Pages within minutes of an outage, opens tickets for slow burning, stays silent for single failures at low traffic.",
		Evidence:    defaultEvidence(), MaxErrorRatio: "0.5", QuickReset: Duration(10 * time.Minute),
	}
	for _, t := range burnrate.DefaultTiers() {
		p.Tiers = append(p.Tiers, Tier{
			Severity: string(t.Severity), Long: Duration(t.Long), Short: Duration(t.Short),
			BudgetShare: floatDecimal(t.Share), MinBurn: floatDecimal(t.Floor),
		})
	}
	return p
}

// floatDecimal returns the shortest decimal that reads back as f.
func floatDecimal(f float64) Decimal { return Decimal(strconv.FormatFloat(f, 'f', -1, 64)) }

func defaultDataSource() DataSource {
	return DataSource{
		Meta: Meta{Name: DefaultName, At: builtinPos()}, Type: "prometheus",
		ScrapeInterval: Duration(30 * time.Second), EvaluationInterval: Duration(30 * time.Second),
	}
}

// defaultWindow is the window of an SLO for which nobody says one. Money is
// budgeted by the month.
func defaultWindow(sli SLI) Window {
	if _, ok := sli.(*Spend); ok {
		return Window{Calendar: Month, Zone: "UTC"}
	}
	return Window{Rolling: Duration(30 * 24 * time.Hour)}
}

// fill sets what the SLO does not say: first from its service, then built-in.
func (x *SLO) fill(s *service) {
	x.Owner.Team = or(x.Owner.Team, s.Owner.Team)
	x.Owner.Page = or(x.Owner.Page, s.Owner.Page)
	x.Owner.Ticket = or(x.Owner.Ticket, s.Owner.Ticket)
	x.Runbook = or(x.Runbook, s.Runbook)
	x.Window = or(or(x.Window, s.window), defaultWindow(x.SLI.SLI))
	x.EventsPerHour = or(x.EventsPerHour, s.events)
	x.NoData.After = or(or(x.NoData.After, s.noData.After), Duration(10*time.Minute))
	x.NoData.TreatAs = or(or(x.NoData.TreatAs, s.noData.TreatAs), "unknown")
	x.NoData.Notify = or(or(x.NoData.Notify, s.noData.Notify), Ticket)
	x.Alerting.Profile = or(or(x.Alerting.Profile, s.profile), DefaultName)
	x.Policy = or(x.Policy, s.policy)
	x.DataSource = or(or(x.DataSource, s.dataSource), DefaultName)
	for k, v := range s.Links {
		if _, set := x.Links[k]; !set {
			if x.Links == nil {
				x.Links = map[string]string{}
			}
			x.Links[k] = v
		}
	}
}

// or returns a unless it is zero, else b.
func or[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

// BurnTiers returns the tiers of p for the mathematics. The recovery window
// goes to the tiers whose short window is longer than it; tickets have none,
// because a ticket that closes and opens again is worse than one that stays.
func (p *AlertProfile) BurnTiers() []burnrate.Tier {
	out := make([]burnrate.Tier, 0, len(p.Tiers))
	for _, t := range p.Tiers {
		b := burnrate.Tier{
			Severity: burnrate.Severity(t.Severity), Long: time.Duration(t.Long), Short: time.Duration(t.Short),
			Share: t.BudgetShare.Float(), Floor: t.MinBurn.Float(), Cap: p.MaxErrorRatio.Float(),
		}
		if r := time.Duration(p.QuickReset); t.Severity == Page && r < b.Short {
			b.Recovery = r
		}
		out = append(out, b)
	}
	return out
}

// BurnBudget returns the error budget of s for the mathematics.
func (s *SLO) BurnBudget() burnrate.Budget {
	return burnrate.Budget{Ratio: s.Budget.Float(), Period: s.Window.Length()}
}
