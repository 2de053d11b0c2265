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

// bill is the bill of a day of production: the second row of FOCUS' sample ten times over, with other times, tags and cost;
// one of the ten rows has no tags.
func bill(t *testing.T, day time.Time, amount int) []byte {
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
		set("Tags", `{"environment": "production", "team": "shop"}`)
		set("BilledCost", fmt.Sprint(amount))
		if i == 9 {
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

// TestCost is F6. The budget bears 180,000 / 31 = 5,806 a day. Bills of the day before come at six, and what they
// have in all is added up here: ten times what can be borne is a page, but not if it is days old.
func TestCost(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for name, story := range map[string]struct {
		bills []int // of the rows with tags of each day, from two days before t0 on; nine of them
		late  int   // days that the bills are late
		want  []string
	}{
		"as agreed":          {[]int{100, 100, 100}, 0, nil},
		"twice the rate":     {[]int{100, 100, 2200}, 0, []string{"ticket 30h 31h"}},
		"ten times":          {[]int{100, 100, 9000}, 0, []string{"ticket 30h 31h", "page 30h 31h"}},
		"ten times, but old": {[]int{100, 100, 9000}, 3, []string{"ticket 30h 31h"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, "cost", 2*time.Minute, nil)
			p.book = cost.NewBook(t0, cost.Options{})
			spent := 0.0
			for i, n := range story.bills {
				charged := t0.Add(time.Duration(i-2-story.late) * day)
				if i > 0 {
					spent += 9 * float64(n)
				}
				p.at(max(0, time.Duration(i)*day-18*time.Hour), func() error {
					load(t, p.book, fmt.Sprintf("bill-%d", i), bill(t, charged, n))
					return nil
				})
			}
			p.run(36 * time.Hour)
			p.fired("cost-budget-production", story.want...)
			p.leftIs("cost-budget-production", 1-spent/180000, 1e-6)
			p.left("cost-tag-coverage", float64(len(story.bills)-1), 10*float64(len(story.bills)-1))
			if story.late > 0 {
				p.fired("cost-freshness", "ticket 0h 6h")
			} else {
				p.fired("cost-freshness")
			}
		})
	}
}
