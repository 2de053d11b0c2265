package cost

import (
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Families returns every metric of a book with these rules, in the order of a snapshot and without points. nil rules are
// DefaultRules.
func Families(rules []Rule) []metric.Family {
	if rules == nil {
		rules = DefaultRules()
	}
	allocated := func(more ...string) []string {
		var names []string
		for _, rule := range rules {
			names = append(names, rule.Attribute)
		}
		return append(names, more...)
	}
	return []metric.Family{
		{
			Name: "cost.accrued", Unit: "{currency}", Kind: metric.Gauge, From: "bills",
			Help:       "Cost known so far, of all periods. The difference of two moments is what was spent, credits and restated bills included.",
			Attributes: allocated(MetricName, CurrencyName),
		},
		{
			Name: "cost.spend", Unit: "{currency}", Kind: metric.Gauge, From: "bills",
			Help:       "Cost of a period that ends now, or with the last whole day of data.",
			Attributes: allocated(MetricName, CurrencyName, SpendPeriod, CategoryName),
		},
		{
			Name: "cost.budget", Unit: "{currency}", Kind: metric.Gauge, From: "configuration",
			Help:       "Amount that may be spent in a calendar month.",
			Attributes: allocated(BudgetName, CurrencyName, SpendPeriod),
		},
		{
			Name: "cost.environments", Unit: "{environment}", Kind: metric.Gauge, From: "bills",
			Help: "Environments that tags name in the current billing period.",
		},
		{
			Name: "cost.data.age", Unit: "s", Kind: metric.Gauge, From: "bills",
			Help:       "Time since the end of the newest charge that is known.",
			Attributes: []string{ProviderName},
		},
		{
			Name: "cost.rows", Unit: "{row}", Kind: metric.Counter, From: "bills",
			Help:       "Rows of deliveries that said something new, by what became of them.",
			Attributes: []string{RowClass, RowAllocation},
		},
		{
			Name: "cost.data.troubles", Unit: "{row}", Kind: metric.Gauge, From: "bills",
			Help:       "Rows of the present data with something wrong, by what.",
			Attributes: []string{TroubleName},
		},
	}
}

// point is one series with its exact value.
type point struct {
	attrs event.Set
	value Amount
}

// shown returns a metric with points as monitoring systems take them.
func shown(family metric.Family, points []point) metric.Family {
	for _, p := range points {
		to := metric.Point{Attrs: p.attrs}
		if family.Kind == metric.Counter {
			to.Count = uint64(p.value.Float()) // a whole number far below 2^53
		} else {
			to.Value = p.value.Float()
		}
		family.Points = append(family.Points, to)
	}
	family.Sort()
	return family
}
