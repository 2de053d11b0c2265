package cost

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Kind is the kind of a metric.
type Kind int

// The kinds of metrics.
const (
	Gauge Kind = iota
	Counter
)

// Snapshot is what a book says at one moment: plain data that the faces print.
type Snapshot struct {
	// Start is since when counters count.
	Start time.Time
	// Families are the metrics in a fixed order; those without points are left out.
	Families []Family
}

// Family is one metric.
type Family struct {
	// Name and Unit are OpenTelemetry's (unit "s", "{row}" or "{currency}"), Help is one sentence.
	Name, Unit, Help string
	Kind             Kind
	// Points are sorted by attributes.
	Points []Point
}

// Point is one series of a metric.
type Point struct {
	Attrs event.Set
	Value Amount
}

// maxStale is how old the newest data of a provider may be for sums of its last days to mean anything.
const maxStale = 7 * 24 * time.Hour

// maxSilent is how old the newest data of a provider may be for its age to be given. Whoever was to hear of it has, and a
// provider that is not used any more is to stop burning the budget of freshness.
const maxSilent = 62 * 24 * time.Hour

// Read returns what the book says at now. It shares nothing with the book that changes later.
func (b *Book) Read(now time.Time) Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	pieces := b.live()
	newest := newestData(pieces, now)
	s := Snapshot{Start: b.start}
	for _, family := range []Family{
		b.readAccrued(pieces),
		b.readSpend(pieces, newest, now),
		b.readBudgets(),
		b.readEnvironments(pieces, now),
		readAge(newest, now),
		b.readRows(),
		readTroubles(pieces),
	} {
		if len(family.Points) > 0 {
			slices.SortFunc(family.Points, func(x, y Point) int { return compareSets(x.Attrs, y.Attrs) })
			s.Families = append(s.Families, family)
		}
	}
	return s
}

func compareSets(a, b event.Set) int {
	return slices.CompareFunc(a, b, func(x, y event.Attr) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Text(), y.Text()))
	})
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
func (b *Book) readAccrued(pieces []*livePiece) Family {
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
	family := Family{
		Name: "cost.accrued", Unit: "{currency}", Kind: Gauge,
		Help: "Cost known so far, of all periods. The difference of two moments is what was spent, credits and restated bills included.",
	}
	for key, sum := range sums {
		attrs := append(b.allocated(key.Allocation), event.String(MetricName, key.Metric.String()), event.String(CurrencyName, key.Currency))
		family.Points = append(family.Points, Point{event.NewSet(attrs...), sum})
	}
	return family
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
func (b *Book) readSpend(pieces []*livePiece, newest map[string]time.Time, now time.Time) Family {
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
	family := Family{Name: "cost.spend", Unit: "{currency}", Kind: Gauge, Help: "Cost of a period that ends now, or with the last whole day of data."}
	for key, sum := range sums {
		family.Points = append(family.Points, Point{event.NewSet(append(
			b.allocated(key.Allocation), event.String(MetricName, key.Metric.String()), event.String(CurrencyName, key.Currency),
			event.String(SpendPeriod, key.period), event.String(CategoryName, string(key.category)),
		)...), sum})
	}
	return family
}

func (d days) contains(now time.Time) bool {
	return !now.Before(timeOf(d.Start)) && now.Before(timeOf(d.End))
}

func (b *Book) readBudgets() Family {
	family := Family{Name: "cost.budget", Unit: "{currency}", Kind: Gauge, Help: "Amount that may be spent in a calendar month."}
	for _, budget := range b.options.Budgets {
		attrs := []event.Attr{event.String(BudgetName, budget.Name), event.String(CurrencyName, budget.Currency), event.String(SpendPeriod, "month")}
		for name, value := range budget.Match {
			attrs = append(attrs, event.String(name, value))
		}
		family.Points = append(family.Points, Point{event.NewSet(attrs...), budget.Amount})
	}
	return family
}

// readEnvironments counts the environments that have charges in the current billing period.
func (b *Book) readEnvironments(pieces []*livePiece, now time.Time) Family {
	family := Family{Name: "cost.environments", Unit: "{environment}", Kind: Gauge, Help: "Environments that tags name in the current billing period."}
	at := slices.IndexFunc(b.options.Rules, func(r Rule) bool { return r.Attribute == Environment })
	if at < 0 || len(pieces) == 0 {
		return family
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
	family.Points = []Point{{nil, Whole(int64(len(seen)))}}
	return family
}

func readAge(newest map[string]time.Time, now time.Time) Family {
	family := Family{Name: "cost.data.age", Unit: "s", Kind: Gauge, Help: "Time since the end of the newest charge that is known."}
	for provider, end := range newest {
		if now.Sub(end) > maxSilent {
			continue
		}
		age := max(0, now.Sub(end)) / time.Second
		family.Points = append(family.Points, Point{event.NewSet(event.String(ProviderName, provider)), Whole(int64(age))})
	}
	return family
}

func (b *Book) readRows() Family {
	family := Family{Name: "cost.rows", Unit: "{row}", Kind: Counter, Help: "Rows of deliveries that said something new, by what became of them."}
	for key, n := range b.rows {
		attrs := []event.Attr{event.String(RowClass, string(key.Class))}
		if key.Class != Unparsable {
			attrs = append(attrs, event.Bool(RowAllocation, key.Tagged))
		}
		family.Points = append(family.Points, Point{event.NewSet(attrs...), Whole(n)})
	}
	return family
}

// readTroubles counts what is wrong with the deliveries that count now.
func readTroubles(pieces []*livePiece) Family {
	sums := map[Trouble]int64{}
	for _, p := range pieces {
		for t, n := range p.troubles {
			sums[t] += n
		}
	}
	family := Family{Name: "cost.data.troubles", Unit: "{row}", Kind: Gauge, Help: "Rows of the present data with something wrong, by what."}
	for _, t := range slices.Sorted(maps.Keys(sums)) {
		family.Points = append(family.Points, Point{event.NewSet(event.String(TroubleName, string(t))), Whole(sums[t])})
	}
	return family
}
