package main

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/dashboards"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// buildFlags are the flags of build and plan.
type buildFlags struct {
	dir, target, format string
	force, exitCode     bool
	tests               bool
	alertmanager        bool
	apart               []string
	boards              boardFlags
}

func (f *buildFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.dir, "output", "o", "", "directory of the generated files")
	c.Flags().StringVar(&f.target, "target", "", "form of the rules: "+strings.Join(targets(), ", ")+" (default: what the data source is)")
	c.Flags().BoolVar(&f.tests, "tests", false, "write promtool unit tests of the rules as well")
	c.Flags().BoolVar(&f.alertmanager, "alertmanager", false, "write the parts of an Alertmanager configuration as well")
	apartFlag(c, &f.apart)
	f.boards.addForm(c)
	f.boards.add(c)
	c.Flags().BoolVar(&f.force, "force", false, "overwrite what was edited since plimsoll wrote it, and files that it did not write")
}

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "build -o DIR [PATH...]",
		Short: "Write rules and dashboards",
		Long: `Build compiles the specs and writes what the tools load:

  rules/*.yaml        recording and alert rules
  rules/tests/*.yaml  with --tests: unit tests for promtool test rules
  alertmanager/       with --alertmanager: routes, inhibitions, mute time intervals, templates
  grafana/            dashboards and their provisioning file; or, with --dashboards,
                      resources of Grafana's own API, custom resources of
                      grafana-operator, or ConfigMaps for the sidecar
  set.json            the compiled set, every default filled in

Files are replaced as a whole and at once, or, when anything fails, not at all.
Generated files that no spec asks for any more are removed. A file that plimsoll
did not write is never touched without --force. Output is the same, byte for byte,
for the same specs.`,
		Example: "  plimsoll build -o generated slos/",
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.plan(args, f)
			if err != nil {
				return err
			}
			if err := p.WriteConflicts(a.stderr); err != nil {
				return world(err)
			}
			if err := p.Apply(); err != nil {
				return world(err)
			}
			fmt.Fprintln(a.stdout, p.Result())
			return nil
		},
	}
	f.add(c)
	cobra.CheckErr(c.MarkFlagRequired("output"))
	a.specFlags(c)
	return c
}

func (a *app) planCommand() *cobra.Command {
	var f buildFlags
	var g grafanaFlags
	c := &cobra.Command{
		Use:   "plan {-o DIR | --grafana URL} [PATH...]",
		Short: "Show what build or apply would change",
		Long: `Plan compiles the specs and shows, as a diff, what build would write, without
writing anything. With --grafana it shows what apply would change in a Grafana; changes
of a dashboard are shown by the paths of their values. With --exit-code it ends with 3
when there is a change.`,
		Example: "  plimsoll plan -o generated --exit-code slos/\n  plimsoll plan --grafana https://grafana.example.com --token-file token slos/",
		RunE: func(c *cobra.Command, args []string) error {
			if g.url != "" {
				p, err := a.planGrafana(c.Context(), args, g, f.boards, f.force)
				if err != nil {
					return err
				}
				return a.showPlan(&p.Plan, f)
			}
			p, err := a.plan(args, f)
			if err != nil {
				return err
			}
			return a.showPlan(p, f)
		},
	}
	f.add(c)
	c.Flags().StringVar(&f.format, "format", "text", "format: text or json")
	c.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 3 when something would change")
	g.add(c)
	c.MarkFlagsOneRequired("output", "grafana")
	for _, name := range []string{"output", "target", "tests", "alertmanager", "apart", "dashboards", "schema"} {
		c.MarkFlagsMutuallyExclusive("grafana", name)
	}
	a.specFlags(c)
	return c
}

func (a *app) showPlan(p *output.Plan, f buildFlags) error {
	var err error
	switch f.format {
	case "json":
		err = p.WriteJSON(a.stdout)
	case "text":
		if err = p.WriteDiff(a.stdout); err == nil {
			_, err = fmt.Fprintln(a.stderr, p.Summary())
		}
	default:
		return fmt.Errorf("want --format text or json, have %q", f.format)
	}
	if err != nil {
		return world(err)
	}
	if len(p.Conflicts) > 0 {
		if f.format == "text" {
			if err := p.WriteConflicts(a.stderr); err != nil {
				return world(err)
			}
		}
		return world(&output.ConflictError{Conflicts: p.Conflicts})
	}
	if f.exitCode && p.Changed() {
		return exitError(exitChanged)
	}
	return nil
}

// plan compiles the specs and compares the result with the output directory.
func (a *app) plan(args []string, f buildFlags) (*output.Plan, error) {
	if f.dir == "" {
		return nil, errors.New("want a directory with -o")
	}
	if f.target != "" && !slices.Contains(targets(), f.target) {
		return nil, fmt.Errorf("want --target %s, have %q", strings.Join(targets(), ", "), f.target)
	}
	set, err := a.mustLoad(args)
	if err != nil {
		return nil, err
	}
	boards, err := f.boards.options(set)
	if err != nil {
		return nil, err
	}
	files, err := artifacts(set, rules.Target(f.target), boards)
	var large *dashboards.TooLargeError
	if errors.As(err, &large) {
		return nil, a.findings(diag.List{large.Finding()}, nil)
	}
	if err != nil {
		return nil, world(err)
	}
	if f.tests {
		if err := addTests(files, set, rules.Target(f.target)); err != nil {
			return nil, world(err)
		}
	}
	if f.alertmanager {
		if err := addAlertmanager(files, set, f.apart); err != nil {
			return nil, world(err)
		}
	}
	p, err := output.NewPlan(f.dir, files, output.Options{Force: f.force})
	return p, world(err)
}

// targets returns the forms of the rules.
func targets() []string {
	var out []string
	for _, t := range []rules.Target{rules.Prometheus, rules.PrometheusOperator, rules.Mimir, rules.VictoriaMetrics, rules.VictoriaMetricsOperator} {
		out = append(out, string(t))
	}
	return out
}

// addTests adds the unit tests of the rules.
func addTests(files map[string][]byte, set *slo.Set, target rules.Target) error {
	tests, err := rules.PromtoolTests(set, rules.Options{Target: target})
	if err != nil {
		return fmt.Errorf("generate tests: %w", err)
	}
	for _, f := range tests {
		files[path.Join("rules", "tests", f.Name)] = f.Content
	}
	return nil
}

// artifacts returns every generated file of a set by its path.
func artifacts(set *slo.Set, target rules.Target, boards dashboards.Options) (map[string][]byte, error) {
	out := map[string][]byte{}
	rf, err := rules.Files(set, rules.Options{Target: target})
	if err != nil {
		return nil, fmt.Errorf("generate rules: %w", err)
	}
	for _, f := range rf {
		out[path.Join("rules", f.Name)] = f.Content
	}
	df, err := dashboards.Generate(set, boards)
	if err != nil {
		return nil, fmt.Errorf("generate dashboards: %w", err)
	}
	for _, f := range df {
		out[path.Join("grafana", f.Name)] = f.Content
	}
	var b bytes.Buffer
	if _, err := set.WriteTo(&b); err != nil {
		return nil, err
	}
	out["set.json"] = b.Bytes()
	return out, nil
}
