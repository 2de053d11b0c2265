package packs_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
)

// load reads a bill in FOCUS' form; without one, that of FOCUS' sample.
func load(t *testing.T, b *cost.Book, name string, bill []byte) {
	t.Helper()
	if bill == nil {
		bill = exportertest.Read(t, "../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv")
	}
	if _, _, err := b.Load(name, "focus", bytes.NewReader(bill), cost.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
}

// bill is the bill of a day of an environment: the second row of FOCUS' sample ten times over, with other times, tags and
// cost; some of the ten rows have no tags, and cost nothing.
func bill(t *testing.T, day time.Time, environment string, amount, untagged int) []byte {
	t.Helper()
	sample, err := csv.NewReader(bytes.NewReader(exportertest.Read(t, "../../exporters/cost/testdata/focus/focus_sample_first_500_rows.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	head := sample[0]
	rows := [][]string{head}
	for i := range 10 {
		row := slices.Clone(sample[2])
		set := func(column, value string) { row[slices.Index(head, column)] = value }
		set("BillingPeriodStart", "2026-03-01 00:00:00")
		set("BillingPeriodEnd", "2026-04-01 00:00:00")
		set("ChargePeriodStart", day.Format(time.DateTime))
		set("ChargePeriodEnd", day.AddDate(0, 0, 1).Format(time.DateTime))
		set("Tags", fmt.Sprintf(`{"environment": %q, "team": "shop"}`, environment))
		set("BilledCost", fmt.Sprint(amount))
		if i >= 10-untagged {
			set("Tags", "NULL")
			set("BilledCost", "0")
		}
		rows = append(rows, row)
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// costs replays bills by what each row with tags cost in production and in development: one that was there, and that of
// the day before t0 at six in the morning. They are late by so many days.
func costs(t *testing.T, a *asserted, late, untagged int, production, development [2]int) (p *play, spent, spentDev float64) {
	p = newPlay(t, a, "cost", 2*time.Minute)
	p.book = cost.NewBook(t0, cost.Options{})
	day := 24 * time.Hour
	for i := range production {
		charged := t0.Add(time.Duration(-late)*day + time.Duration(i-2)*day)
		if i > 0 {
			spent += float64(10-untagged) * float64(production[i])
			spentDev += float64(10-untagged) * float64(development[i])
		}
		p.at([]time.Duration{0, 6 * time.Hour}[i], func() error {
			load(t, p.book, fmt.Sprintf("bill-%d", i), bill(t, charged, "production", production[i], untagged))
			load(t, p.book, fmt.Sprintf("bill-dev-%d", i), bill(t, charged, "development", development[i], untagged))
			return nil
		})
	}
	p.run(9 * time.Hour)
	return p, spent, spentDev
}

// costRunsAway is F6. Production bears 180,000 / 31 = 5,806 a day, development 387, and what bills have in all is added
// up here: ten times what can be borne is a page.
func costRunsAway(t *testing.T, a *asserted) {
	p, spent, dev := costs(t, a, 0, 1, [2]int{100, 9000}, [2]int{5, 5})
	p.fired("cost-budget-production", "ticket 6h 7h", "page 6h 7h")
	p.leftIs("cost-budget-production", 1-spent/180_000, 1e-6)
	p.fired("cost-budget-development")
	p.leftIs("cost-budget-development", 1-dev/12_000, 1e-6)
	p.fired("cost-freshness")
}

// costInProduction is twice the rate in production, a ticket, while development runs away. Four in ten rows of their bills
// have no tags.
func costInProduction(t *testing.T, a *asserted) {
	p, spent, dev := costs(t, a, 0, 4, [2]int{100, 2200}, [2]int{5, 700})
	p.fired("cost-budget-production", "ticket 6h 7h")
	p.leftIs("cost-budget-production", 1-spent/180_000, 1e-6)
	p.fired("cost-budget-development", "ticket 6h 7h", "page 6h 7h")
	p.leftIs("cost-budget-development", 1-dev/12_000, 1e-6)
	p.fired("cost-tag-coverage", "ticket 6h 7h")
	p.left("cost-tag-coverage", 4+4, 10+10)
}

// costIsOld is ten times the rate on bills that are three days late: a ticket, and one that they are late.
func costIsOld(t *testing.T, a *asserted) {
	p, spent, _ := costs(t, a, 3, 1, [2]int{100, 9000}, [2]int{5, 5})
	p.fired("cost-budget-production", "ticket 6h 7h")
	p.leftIs("cost-budget-production", 1-spent/180_000, 1e-6)
	p.fired("cost-freshness", "ticket 0h 6h")
	p.leftIs("cost-freshness", 1-1/0.01, 0.1) // all the time
}
