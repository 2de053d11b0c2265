package cost_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const budgetSpec = `
apiVersion: plimsoll.dev/v1
kind: Service
metadata: {name: cost}
spec: {owner: {team: platform}, runbook: "https://runbooks.example/cost"}
---
apiVersion: plimsoll.dev/v1
kind: SLO
metadata: {name: production}
spec:
  service: cost
  objective: {target: "99%", window: {calendar: month}}
  sli:
    spend:
      cost: sum(cost_accrued{deployment_environment_name="prod",cost_metric="billed",cost_currency="USD"})
      amount: 3000
      currency: USD
`

// budget is an engine with the rules of budgetSpec, and what it is fed from.
type budget struct {
	engine *engine.Engine
	store  *store.Store
	book   *cost.Book
}

func newBudget(t *testing.T) *budget {
	t.Helper()
	set, found := slo.Compile([]slo.File{{Name: "spec.yaml", Text: []byte(budgetSpec)}})
	if set == nil {
		t.Fatalf("spec does not compile: %v", found)
	}
	b := &budget{book: cost.NewBook(now, cost.Options{})}
	var err error
	if b.store, err = store.Open("", store.Options{Replay: 60 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	if b.engine, err = engine.Open(b.store, engine.Options{}); err != nil {
		t.Fatal(err)
	}
	files, err := rules.Files(set, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var load []engine.RuleFile
	for _, f := range files {
		load = append(load, engine.RuleFile{Name: f.Name, Content: f.Content})
	}
	if err := b.engine.Load(load...); err != nil {
		t.Fatal(err)
	}
	return b
}

// scrape stores what the book says.
func (b *budget) scrape(at time.Time) error {
	batch := b.store.Batch()
	put := func(value float64, labels store.Labels) error {
		labels["job"], labels["instance"] = "cost", "i"
		series, err := b.store.Series(labels)
		if err != nil {
			return err
		}
		return batch.Add(series, at, value)
	}
	if err := put(1, store.Labels{store.Name: "up"}); err != nil {
		return err
	}
	for _, family := range b.book.Read(at).Families {
		for _, p := range family.Points {
			labels := store.Labels{store.Name: strings.ReplaceAll(family.Name, ".", "_")}
			for _, a := range p.Attrs {
				labels[strings.ReplaceAll(a.Name, ".", "_")] = a.Text()
			}
			if err := put(p.Value+float64(p.Count), labels); err != nil {
				return err
			}
		}
	}
	return batch.Commit()
}

// value returns the only value of a query.
func (b *budget) value(t *testing.T, query string, at time.Time) float64 {
	t.Helper()
	got, err := b.engine.Query(t.Context(), query, at)
	if err != nil || len(got) != 1 {
		t.Fatalf("%s: %v, %v, want one value", query, got, err)
	}
	return got[0].V
}

// TestBudget plays eight hours of deliveries through the rules of a spend SLO: its burn rate is spend against budget,
// and neither a copy, a replay nor a restated bill is spent twice.
func TestBudget(t *testing.T) {
	start := time.Date(2024, 9, 10, 0, 0, 0, 0, time.UTC)
	b := newBudget(t)
	const prod = `{"env":"prod"}`
	before := line("500", 9, 5, prod)
	load(t, b.book, "september.csv", before) // the first pass, before the first scrape
	deliveries := map[time.Duration]func(){
		1 * time.Hour: func() { load(t, b.book, "september.csv", before, line("30", 9, 10, prod)) },
		2 * time.Hour: func() { load(t, b.book, "copy.csv", before, line("30", 9, 10, prod)) },
		3 * time.Hour: func() { load(t, b.book, "september.csv", before, line("30", 9, 10, prod)) },
		4 * time.Hour: func() { load(t, b.book, "dev.csv", line("1000", 9, 10, `{"env":"dev"}`)) },
		// Another team of production appears, and the 5th is corrected by a credit.
		5 * time.Hour: func() { load(t, b.book, "team.csv", line("90", 9, 10, `{"env":"prod","team":"new"}`)) },
		6 * time.Hour: func() { load(t, b.book, "september.csv", line("480", 9, 5, prod), line("30", 9, 10, prod)) },
		// The copy, which is of before the credit, goes away: until then both files were there.
		7 * time.Hour: func() { load(t, b.book, "copy.csv") },
	}
	next := start
	err := b.engine.Run(t.Context(), engine.Replay{From: start, To: start.Add(8*time.Hour + 30*time.Minute), Feed: func(at time.Time) error {
		for ; !next.After(at); next = next.Add(30 * time.Second) {
			if deliver := deliveries[next.Sub(start)]; deliver != nil {
				deliver()
			}
			if err := b.scrape(next.Add(-20 * time.Second)); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(query string, at time.Duration, want float64) {
		t.Helper()
		if got := b.value(t, query, start.Add(at)); math.Abs(got-want) > 1e-3 {
			t.Errorf("%s after %v = %g, want %g", query, at, got, want)
		}
	}
	left := slo.SeriesBudgetRemaining + `{slo="production"}`
	f(left, 30*time.Minute, 1)
	f(left, 4*time.Hour+30*time.Minute, 1-30./3000)
	f(left, 5*time.Hour+30*time.Minute, 1-120./3000)
	f(left, 8*time.Hour+30*time.Minute, 1-100./3000)
	// The plan is an even part of the amount for each hour of a mean month.
	const perHour = 3000 / (30.436875 * 24)
	f(`slo:burn_rate:ratio{slo="production",window="1h"}`, 5*time.Hour+30*time.Minute, 90/perHour)
	f(`slo:burn_rate:ratio{slo="production",window="1h"}`, 8*time.Hour+30*time.Minute, 0)
}
