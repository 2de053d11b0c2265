package report

import (
	"maps"
	"slices"
	"strings"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// Labels of the series of cost, as exporters/cost names them.
const (
	costKind     = "cost_metric"
	costCurrency = "cost_currency"
	costTeam     = "platform_team"
	costName     = "cost_budget_name"
	costPeriod   = "cost_period"
)

// costs asks for money that was accrued until some moments. The newest figure of the day before each is taken, as the
// program that reads bills may be away for a while.
func (p *planner) costs(source string) {
	b := batch{source: &slo.DataSource{Meta: slo.Meta{Name: source}}}
	accrued := "sum by (" + strings.Join([]string{costCurrency, costKind, costTeam}, ", ") + ") (last_over_time(cost_accrued[1d]))"
	p.instant(cost, b, accrued, p.now.until)
	p.instant(costStart, b, accrued, p.now.From)
	p.instant(costBefore, b, accrued, p.before.From)
	p.instant(costBudget, b, "max by ("+strings.Join([]string{costCurrency, costName, costPeriod}, ", ")+") (last_over_time(cost_budget[1d]))", p.now.until)
}

// purse is money of one kind.
type purse struct{ source, currency, kind string }

// accounts is what was accrued by teams until the three moments, and the budgets by currency.
type accounts struct {
	until   map[role]map[purse]map[string]float64
	budgets map[purse][]Money
}

func newAccounts() accounts {
	return accounts{until: map[role]map[purse]map[string]float64{cost: {}, costStart: {}, costBefore: {}}, budgets: map[purse][]Money{}}
}

// add takes an answer of one of the roles of cost.
func (a accounts) add(q Query, s Series, period slo.Period) {
	k := purse{q.DataSource, s.Labels[costCurrency], s.Labels[costKind]}
	v := s.Points[len(s.Points)-1].V
	if q.role == costBudget {
		if s.Labels[costPeriod] == string(period) {
			a.budgets[k] = append(a.budgets[k], Money{s.Labels[costName], v})
		}
		return
	}
	if a.until[q.role][k] == nil {
		a.until[q.role][k] = map[string]float64{}
	}
	a.until[q.role][k][s.Labels[costTeam]] += v
}

// costs returns what was accrued in the period. A team that had no figure at its start, although others had, began in
// it.
func (a accounts) costs() []Cost {
	out := []Cost{}
	keys := slices.SortedFunc(maps.Keys(a.until[cost]), func(x, y purse) int {
		return slices.Compare([]string{x.source, x.currency, x.kind}, []string{y.source, y.currency, y.kind})
	})
	for _, k := range keys {
		end, start, before := a.until[cost][k], a.until[costStart][k], a.until[costBefore][k]
		c := Cost{DataSource: k.source, Currency: k.currency, Kind: k.kind, Teams: []TeamCost{}, Budgets: []Money{}}
		if k.kind == "billed" {
			c.Budgets = append(c.Budgets, a.budgets[purse{source: k.source, currency: k.currency}]...)
		}
		if start != nil {
			sum := total(end) - total(start)
			c.Amount = &sum
			for _, team := range slices.Sorted(maps.Keys(end)) {
				c.Teams = append(c.Teams, TeamCost{team, end[team] - start[team]})
			}
			if before != nil {
				sum := total(start) - total(before)
				c.Previous = &sum
			}
		}
		out = append(out, c)
	}
	return out
}

// total adds up in the order of names, so that equal input gives equal sums.
func total(m map[string]float64) float64 {
	sum := 0.0
	for _, k := range slices.Sorted(maps.Keys(m)) {
		sum += m[k]
	}
	return sum
}
