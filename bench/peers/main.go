// Command peers puts the rules of Plimsoll, of Sloth, of Pyrra and of the SRE Workbook side by side: the same month
// of the same services in one store, evaluated by Prometheus' own engine, in one process.
//
//	go run ./bench/peers -sloth bin/sloth -o bench/results/peers.txt
//
// It prints one figure a line, name and number.
//
//   - Cost is measured at the end of the month, when every window is full. The rule sets take turns on the same
//     store; each turn is the shortest time after which all its groups were evaluated equally often. Samples are
//     totalQueryableSamples of Prometheus and exact; CPU is that of the process, garbage collection included,
//     median over the turns. Everything is given per SLO and 30 s. The month lies where a Prometheus server would have
//     it: in blocks of up to 54 hours, with the last one to three hours in memory.
//   - Exactness compares the error budget consumed over 30 days with the count of the events themselves.
//
// How the history comes about that rules read: it is recorded at every tick, 30 s, of the whole month. Rules that
// nothing reads over time are left out until the end. The increments of Plimsoll, and the 5m ratio that Sloth averages
// over 30 days, are evaluated at these ticks by range queries of a day each, which a test shows to give the very
// samples that a rule group records; the rollups of Plimsoll, which depend on earlier rollups, by a rule group. Pyrra
// and the Workbook read raw samples only.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/plimsoll-slo/plimsoll/bench/program"
	"github.com/plimsoll-slo/plimsoll/bench/scenario"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options of a run.
type options struct {
	sloth  string
	seed   uint64
	length time.Duration // of the replay before anything is measured
	rounds int
	scale  []int     // numbers of SLOs
	talk   io.Writer // progress
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program.Run("peers", args, stdout, stderr, func(f *flag.FlagSet) func(io.Writer) error {
		o := options{talk: stderr, scale: []int{10, 100, 1000}}
		f.StringVar(&o.sloth, "sloth", "bin/sloth", "Sloth, to generate its rules with")
		f.Uint64Var(&o.seed, "seed", 1, "of the month")
		f.DurationVar(&o.length, "length", budgetWindow+2*time.Hour, "of the replay; below 720h the figures mean little")
		f.IntVar(&o.rounds, "rounds", 10, "turns of each rule set")
		return func(w io.Writer) error {
			if most := int(lookAhead/turnLength) - 2; o.rounds < 1 || o.rounds > most {
				return fmt.Errorf("%w: want 1 to %d rounds, have %d", program.ErrUsage, most, o.rounds)
			}
			return measure(ctx, o, w)
		}
	})
}

// measure does everything and writes the report.
func measure(ctx context.Context, o options, w io.Writer) error {
	began := time.Now()
	m, err := openMonth(o, scenario.Month())
	if err != nil {
		return err
	}
	defer func() { m.store.Close() }()
	if err := m.build(ctx); err != nil {
		return err
	}
	machine(w)
	fmt.Fprintf(w, "# month: %d services, one SLO each of 99.9%% over 30 days, seed %d, %s of history at an evaluation interval of %s\n", len(m.services), o.seed, o.length, tick)
	sets, err := m.sets(ctx, o.sloth)
	if err != nil {
		return err
	}
	for _, s := range sets { // fills what the history leaves out
		if _, err := s.turn(ctx, m.end); err != nil {
			return err
		}
	}
	budgets, err := m.exactness(ctx, sets[0])
	if err != nil {
		return err
	}
	turns, err := alternate(ctx, m, sets, o.rounds)
	if err != nil {
		return err
	}
	sizes, err := scale(ctx, m)
	if err != nil {
		return err
	}
	r := report{w: w}
	r.cost(m, turns)
	r.exactness(budgets)
	r.parts(sets[0].parts(), sizes)
	r.verdicts()
	fmt.Fprintf(w, "wall_seconds %.0f\n", time.Since(began).Seconds())
	return nil
}
