package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/closed"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/slo"
)

func (a *app) checkCommand() *cobra.Command {
	var format string
	var world worldFlags
	c := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Report every mistake in the specs",
		Long: `Check reads files and directories of specs (default: the present directory; - is
standard input) as one set and reports every mistake of every file in one run:
place, code, and what to do about it. Each code has a page in docs/diag.

With --closed the queries are also checked against a closed world: every series that
a rule records, that the telemetry of the DataSource gives, or that its field series
declares. A query for anything else would find nothing, without a word. --with names
files or directories with rules and dashboards of your own, which may read all of that.

-o text      for people, on standard error
-o json      one object, on standard output: see docs/json-output.md
-o sarif     SARIF 2.1.0, for code scanning
-o github    annotations of GitHub Actions`,
		Example: "  plimsoll check slos/\n  plimsoll check --strict -o sarif slos/ > findings.sarif\n  plimsoll check --closed --with rules/ --with dashboards/ slos/\n  cat slo.yaml | plimsoll check -",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.check(args, format, world)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "text", "format of the findings: text, json, sarif or github")
	c.Flags().BoolVar(&world.closed, "closed", false, "report queries for series and labels that are neither recorded nor declared")
	c.Flags().StringArrayVar(&world.with, "with", nil, "with --closed: check the rule files (*.yaml) and Grafana dashboards (*.json) here as well")
	a.specFlags(c)
	return c
}

func (a *app) check(args []string, format string, w worldFlags) error {
	switch format {
	case "text", "json", "sarif", "github":
	default:
		return fmt.Errorf("want -o text, json, sarif or github, have %q", format)
	}
	c, err := a.load(args)
	if err != nil {
		return err
	}
	if len(w.with) > 0 && !w.closed {
		return errors.New("want --closed for --with")
	}
	if w.closed {
		if err := c.close(w.with); err != nil {
			return err
		}
	}
	switch format {
	case "json":
		err = diag.JSON(a.stdout, c.findings)
	case "sarif":
		err = diag.SARIF(a.stdout, c.findings, versionText())
	case "github":
		err = diag.GitHub(a.stdout, c.findings)
	default:
		err = diag.Text(a.stderr, c.findings, c.sources(), a.color(a.stderr))
	}
	if err != nil {
		return world(fmt.Errorf("write findings: %w", err))
	}
	if c.set == nil {
		if format != "text" {
			return exitError(exitFindings)
		}
		return a.failed(c.findings)
	}
	if format == "text" {
		_, warns, _ := c.findings.Count()
		fmt.Fprintf(a.stdout, "%s of %s in %s: %s\n", count(len(c.set.SLOs), "SLO"), count(len(c.set.Services), "service"), count(len(c.files), "file"), count(warns, "warning"))
	}
	return nil
}

// worldFlags are the flags about the closed world.
type worldFlags struct {
	closed bool
	with   []string
}

// close checks the queries of specs that are right otherwise, and those of other
// files, against the series that can be read.
func (c *compiled) close(with []string) error {
	if c.set == nil {
		return nil
	}
	found, err := closed.Specs(c.set, c.files)
	if err != nil {
		return world(err)
	}
	files, err := readOthers(with)
	if err != nil {
		return world(err)
	}
	others, err := closed.Others(c.set, files)
	if err != nil {
		return world(err)
	}
	c.others = files
	c.findings = slices.Concat(c.findings, found, others)
	c.findings.Sort()
	if c.findings.Failed() {
		c.set = nil
	}
	return nil
}

// readOthers reads files, and of directories the YAML and JSON below them.
func readOthers(paths []string) ([]slo.File, error) {
	var out []slo.File
	for _, root := range paths {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			kind := filepath.Ext(name)
			if err != nil || d.IsDir() || name != root && kind != ".yaml" && kind != ".yml" && kind != ".json" {
				return err
			}
			text, err := os.ReadFile(name)
			if err == nil {
				out = append(out, slo.File{Name: filepath.ToSlash(name), Text: text})
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read rules and dashboards: %w", err)
		}
	}
	return out, nil
}
