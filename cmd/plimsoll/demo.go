package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/dashboards"
	"github.com/plimsoll-slo/plimsoll/internal/demo"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/output"
)

// demoFlags are the flags of demo.
type demoFlags struct {
	dir, alertmanager, collector string
	days                         int
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Replay a real incident history: who is paged, when, what is left",
		Long: `Demo needs nothing but this program. It compiles specs for five components of
GitHub, replays the incidents of GitHub's public status page on a virtual clock
through the generated rules, on Prometheus' own rule engine, and prints every page
as it comes, with the budget left beside the exact truth. The rules and dashboards
lie in the output directory afterwards.

Then it counts real CI telemetry: as /metrics would show it, and, when
plimsoll-collector stands beside this program, through the collector.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			defer stop()
			return a.demo(ctx, f)
		},
	}
	c.Flags().StringVarP(&f.dir, "output", "o", "plimsoll-demo", "directory for the generated rules and dashboards")
	c.Flags().StringVar(&f.alertmanager, "alertmanager", "", "URL of an Alertmanager that gets the pages as well, moved to the present")
	c.Flags().StringVar(&f.collector, "collector", "", "plimsoll-collector program (default: the one beside this program)")
	c.Flags().IntVar(&f.days, "days", 12, "days of the history to replay, 1 to 60")
	return c
}

func (a *app) demo(ctx context.Context, f demoFlags) error {
	if f.days < 1 || f.days > 60 {
		return fmt.Errorf("want --days between 1 and 60, have %d", f.days)
	}
	set, files, err := demo.Specs()
	if err != nil {
		return world(err)
	}
	opts := demo.Options{Out: a.stdout, Length: time.Duration(f.days) * 24 * time.Hour}
	if a.color(a.stderr) {
		opts.Progress = a.stderr
	}
	if f.alertmanager != "" {
		opts.Notify = func(ctx context.Context, alerts []engine.Alert) error {
			return engine.SendAlerts(ctx, nil, f.alertmanager, atPresent(alerts, time.Now()))
		}
	}
	results, err := demo.Run(ctx, set, opts)
	if err != nil {
		return world(err)
	}
	fmt.Fprintln(a.stdout)
	if err := demo.Table(a.stdout, results); err != nil {
		return world(err)
	}
	generated, err := artifacts(set, "", dashboards.Options{})
	if err != nil {
		return world(err)
	}
	for _, s := range files {
		generated[s.Name] = append([]byte(output.Header+"\n"), s.Text...)
	}
	p, err := output.NewPlan(f.dir, generated, output.Options{})
	if err == nil {
		err = p.Apply()
	}
	if err != nil {
		return world(err)
	}
	fmt.Fprintf(a.stdout, "\nThe specs, rules and dashboards are in %s: %s\n", f.dir, p.Result())
	return a.demoPipelines(ctx, f)
}

// demoPipelines counts real CI telemetry with both faces.
func (a *app) demoPipelines(ctx context.Context, f demoFlags) error {
	fmt.Fprintf(a.stdout, "\nCI telemetry: GitHub webhooks that report one run three times and a push, and a GitLab history.\nRuns by outcome, as /metrics counts them:\n")
	s, err := demo.Pipelines(time.Now())
	if err != nil {
		return world(err)
	}
	demo.PipelinesText(a.stdout, s)
	program, ok := f.program()
	if !ok {
		fmt.Fprintln(a.stdout, "\nplimsoll-collector is not beside this program: its part is left out.")
		return nil
	}
	fmt.Fprintf(a.stdout, "\nThe webhooks again, signed, through plimsoll-collector; it sends on by OTLP:\n")
	var story bytes.Buffer
	if err := demo.Collector(ctx, &story, program); err != nil {
		return world(err)
	}
	_, err = io.Copy(a.stdout, &story)
	return world(err)
}

// program returns the path of the collector, and whether there is one.
func (f demoFlags) program() (string, bool) {
	if f.collector != "" {
		return f.collector, true
	}
	self, err := os.Executable()
	if err != nil {
		return "", false
	}
	beside := filepath.Join(filepath.Dir(self), "plimsoll-collector")
	_, err = os.Stat(beside)
	return beside, !errors.Is(err, os.ErrNotExist)
}

// atPresent moves alerts of the replay to now, because an Alertmanager compares
// their times with its own clock: active ones start now, resolved ones end now.
func atPresent(alerts []engine.Alert, now time.Time) []engine.Alert {
	out := make([]engine.Alert, len(alerts))
	for i, x := range alerts {
		if x.ResolvedAt.IsZero() {
			x.FiredAt, x.ValidUntil = now, now.Add(5*time.Minute)
		} else {
			x.FiredAt, x.ResolvedAt = now.Add(-time.Minute), now
		}
		out[i] = x
	}
	return out
}
