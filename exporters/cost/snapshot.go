package cost

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// maxStale is how old the newest data of a provider may be for sums of its last days to mean anything.
const maxStale = 7 * 24 * time.Hour

// maxSilent is how old the newest data of a provider may be for its age to be given. Whoever was to hear of it has, and a
// provider that is not used any more is to stop burning the budget of freshness.
const maxSilent = 62 * 24 * time.Hour

// Read returns what the book says at now, as the nearest floating-point numbers of exact sums. It shares nothing with the
// book that changes later. Do not show it before the first pass over all sources, or after a restart before the book is
// restored: series that appear on a target that was up are money spent from 0.
func (b *Book) Read(now time.Time) metric.Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := metric.Snapshot{Start: b.start}
	all := b.read(now)
	for i, family := range Families(b.options.Rules) {
		if len(all[i]) > 0 {
			s.Families = append(s.Families, shown(family, all[i]))
		}
	}
	return s
}

// read returns the points of each of Families.
func (b *Book) read(now time.Time) [][]point {
	pieces := b.live()
	newest := newestData(pieces, now)
	return [][]point{
		b.readAccrued(pieces),
		b.readSpend(pieces, newest, now),
		b.readBudgets(),
		b.readEnvironments(pieces, now),
		readAge(newest, now),
		b.readRows(),
		readTroubles(pieces),
	}
}

// newestData returns, for each provider, the end of the last charge that is for a day or less and has begun.
func newestData(pieces []*livePiece, now time.Time) map[string]time.Time {
	newest := map[string]time.Time{}
	for _, p := range pieces {
		for key, c := range p.cells {
			if !c.end.IsZero() && !timeOf(key.Day).After(now) && c.end.After(newest[key.Provider]) {
				newest[key.Provider] = c.end
			}
		}
	}
	return newest
}

// allocated returns the attributes of an allocation.
func (b *Book) allocated(allocation string) []event.Attr {
	if allocation == overflowed {
		return []event.Attr{event.Bool(event.Overflow, true)}
	}
	values := strings.Split(allocation, "\xff")
	var attrs []event.Attr
	for i, rule := range b.options.Rules {
		attrs = append(attrs, event.String(rule.Attribute, values[i]))
	}
	return attrs
}

// readAccrued sums up everything: it grows by what is new, and falls by credits and corrections.
func (b *Book) readAccrued(pieces []*livePiece) []point {
	sums := map[accruedKey]Amount{}
	for key := range b.accrued {
		sums[key] = Amount{}
	}
	for _, p := range pieces {
		if !timeOf(p.billing.End).After(b.options.Since) {
			continue
		}
		for key, c := range p.cells {
			for m := range metrics {
				if c.known[m] {
					at := accruedKey{Metric(m), key.Currency, b.allocation(key.Allocation)}
					sums[at] = sums[at].Plus(c.sums[m])
				}
			}
		}
	}
	var points []point
	for key, sum := range sums {
		attrs := append(b.allocated(key.Allocation), event.String(MetricName, key.Metric.String()), event.String(CurrencyName, key.Currency))
		points = append(points, point{event.NewSet(attrs...), sum})
	}
	return points
}

// spendKey is a series of cost.spend.
type spendKey struct {
	accruedKey
	period   string
	category Category
}

// trailing are the periods that end with the last whole day of the provider's data.
var trailing = [...]struct {
	name string
	days int32
}{{"last_day", 1}, {"trailing_7d", 7}, {"trailing_30d", 30}}

// readSpend sums up the charges of some periods. The month to date is by billing period, as on the invoice; the others
// are by the day of the charge.
func (b *Book) readSpend(pieces []*livePiece, newest map[string]time.Time, now time.Time) []point {
	sums := map[spendKey]Amount{}
	for _, p := range pieces {
		current := p.billing.contains(now)
		for key, c := range p.cells {
			end, fresh := dayOf(newest[key.Provider]), now.Sub(newest[key.Provider]) <= maxStale
			for m := range metrics {
				if !c.known[m] {
					continue
				}
				at := spendKey{accruedKey{Metric(m), key.Currency, b.allocation(key.Allocation)}, "mtd", key.Category}
				if current {
					sums[at] = sums[at].Plus(c.sums[m])
				}
				for _, t := range trailing {
					if at.period = t.name; fresh && key.Day < end && key.Day >= end-t.days {
						sums[at] = sums[at].Plus(c.sums[m])
					}
				}
			}
		}
	}
	var points []point
	for key, sum := range sums {
		points = append(points, point{event.NewSet(append(
			b.allocated(key.Allocation), event.String(MetricName, key.Metric.String()), event.String(CurrencyName, key.Currency),
			event.String(SpendPeriod, key.period), event.String(CategoryName, string(key.category)),
		)...), sum})
	}
	return points
}

func (d days) contains(now time.Time) bool {
	return !now.Before(timeOf(d.Start)) && now.Before(timeOf(d.End))
}

func (b *Book) readBudgets() []point {
	var points []point
	for _, budget := range b.options.Budgets {
		attrs := []event.Attr{event.String(BudgetName, budget.Name), event.String(CurrencyName, budget.Currency), event.String(SpendPeriod, "month")}
		for name, value := range budget.Match {
			attrs = append(attrs, event.String(name, value))
		}
		points = append(points, point{event.NewSet(attrs...), budget.Amount})
	}
	return points
}

// readEnvironments counts the environments that have charges in the current billing period.
func (b *Book) readEnvironments(pieces []*livePiece, now time.Time) []point {
	var points []point
	at := slices.IndexFunc(b.options.Rules, func(r Rule) bool { return r.Attribute == Environment })
	if at < 0 || len(pieces) == 0 {
		return points
	}
	none, _ := b.options.Rules[at].value(nil)
	seen := map[string]bool{}
	for _, p := range pieces {
		if !p.billing.contains(now) {
			continue
		}
		for key := range p.cells {
			if key.Allocation != overflowed {
				seen[strings.Split(key.Allocation, "\xff")[at]] = true
			}
		}
	}
	delete(seen, none)
	points = []point{{nil, Whole(int64(len(seen)))}}
	return points
}

func readAge(newest map[string]time.Time, now time.Time) []point {
	var points []point
	for provider, end := range newest {
		if now.Sub(end) > maxSilent {
			continue
		}
		age := max(0, now.Sub(end)) / time.Second
		points = append(points, point{event.NewSet(event.String(ProviderName, provider)), Whole(int64(age))})
	}
	return points
}

func (b *Book) readRows() []point {
	var points []point
	for key, n := range b.rows {
		attrs := []event.Attr{event.String(RowClass, string(key.Class))}
		if key.Class != Unparsable {
			attrs = append(attrs, event.Bool(RowAllocation, key.Tagged))
		}
		points = append(points, point{event.NewSet(attrs...), Whole(n)})
	}
	return points
}

// readTroubles counts what is wrong with the deliveries that count now.
func readTroubles(pieces []*livePiece) []point {
	sums := map[Trouble]int64{}
	for _, p := range pieces {
		for t, n := range p.troubles {
			sums[t] += n
		}
	}
	var points []point
	for _, t := range slices.Sorted(maps.Keys(sums)) {
		points = append(points, point{event.NewSet(event.String(TroubleName, string(t))), Whole(sums[t])})
	}
	return points
}
