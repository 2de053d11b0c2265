// Command alerts scores alert policies on simulated incidents: the six methods
// of the SRE Workbook, the shape of Pyrra's alerts, and Plimsoll's default
// profile, each on the same traces.
//
//	go run ./bench/alerts -o bench/results/alerts.txt
//
// Sloth's and Grafana's default alerts are method 6.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
	"github.com/plimsoll-slo/plimsoll/burnrate"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	return program.Run("alerts", args, stdout, stderr, func(f *flag.FlagSet) func(io.Writer) error {
		runs := f.Int("runs", 12, "traces of 90 days a setting")
		seed := f.Uint64("seed", 1, "seed of the traces")
		return func(w io.Writer) error { return score(w, *runs, *seed) }
	})
}

// setting is one kind of service.
type setting struct {
	objective, perHour float64
	period             time.Duration
}

const (
	hour = time.Hour
	day  = 24 * hour
)

func settings() []setting {
	return []setting{
		{0.999, 180_000, 30 * day},
		{0.999, 3600, 30 * day},
		{0.999, 180, 30 * day},
		{0.999, 100, 30 * day},
		{0.999, 30, 30 * day},
		{0.999, 18, 30 * day},
		{0.999, 10, 30 * day},
		{0.9999, 180_000, 30 * day},
		{0.99, 18, 30 * day},
		{0.95, 180_000, 30 * day},
		{0.9, 180_000, 30 * day},
		{0.999, 180_000, 7 * day},
	}
}

// method is a named policy.
type method struct {
	name   string
	policy burnrate.Policy
}

func methods() []method {
	page := func(long, short time.Duration, burn float64, hold time.Duration) burnrate.Tier {
		return burnrate.Tier{Severity: burnrate.Page, Long: long, Short: short, Floor: burn, Cap: 1, For: hold}
	}
	ticket := func(t burnrate.Tier) burnrate.Tier {
		t.Severity = burnrate.Ticket
		return t
	}
	const m = time.Minute
	one := func(t ...burnrate.Tier) burnrate.Policy { return burnrate.Policy{Tiers: t} }
	poisson := burnrate.DefaultPolicy()
	poisson.Evidence = burnrate.WilsonHilferty{Z: 3.0902}
	return []method{
		{"Workbook 1: 10m window", one(page(10*m, 10*m, 1, 0))},
		{"Workbook 2: 36h window", one(page(36*hour, 36*hour, 1, 0))},
		{"Workbook 3: for 1h", one(page(m, m, 1, hour))},
		{"Workbook 4: burn rate 36", one(page(hour, hour, 36, 0))},
		{"Workbook 5: two burn rates", one(page(hour, hour, 14.4, 0), page(6*hour, 6*hour, 6, 0), ticket(page(72*hour, 72*hour, 1, 0)))},
		{"Workbook 6 = Sloth", burnrate.WorkbookPolicy()},
		{"Pyrra's shape, 30d", one(
			page(64*m, 5*m, 14, 2*m), page(386*m, 32*m, 7, 15*m),
			ticket(page(1543*m, 129*m, 2, hour)), ticket(page(6171*m, 386*m, 1, 3*hour)))},
		{"Plimsoll", burnrate.DefaultPolicy()},
		{"Plimsoll, poisson 0.1%", poisson},
	}
}

func score(w io.Writer, runs int, seed uint64) error {
	fmt.Fprintf(w, "alerts: %d traces of 90 days a setting, seed %d, background burn %g, evaluation every 30s\n", runs, seed, burnrate.HealthyBurn)
	for _, s := range settings() {
		fmt.Fprintf(w, "\nobjective %g%%, %g events an hour, %g days\n", s.objective*100, s.perHour, s.period.Hours()/24)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "  policy\trecall\tprecision\tdetection\treset\tbudget at detection\tfalse pages/30d\ttickets/30d")
		for _, m := range methods() {
			sc := burnrate.Scenario{
				Budget: burnrate.ForObjective(s.objective, s.period), Traffic: burnrate.Traffic{PerHour: s.perHour},
				Background: burnrate.HealthyBurn, Runs: runs, Seed: seed,
			}
			card, err := sc.Run(m.policy)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			fmt.Fprintf(t, "  %s\t%.1f%%\t%.1f%%\t%s\t%s\t%.2f%%\t%.2f\t%.2f\n", m.name, 100*card.Recall(), 100*card.Precision(),
				minutes(card.DetectionMedian), minutes(card.ResetMedian), 100*card.BudgetAtDetected, card.FalsePagesPerMonth(), card.TicketsPerMonth)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func minutes(d time.Duration) string { return fmt.Sprintf("%.1f min", d.Minutes()) }
