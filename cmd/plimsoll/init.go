package main

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/server"
	"github.com/plimsoll-slo/plimsoll/slo"
)

//go:embed all:starter
var starter embed.FS

func (a *app) initCommand() *cobra.Command {
	var self bool
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first working repository of specs",
		Long: `Init writes a small repository of specs into DIR (default: the present directory): a
service, two SLOs, an alert profile, a budget policy, a maintenance window, a
Makefile and a GitHub workflow that checks every change. It never overwrites a
file.

With --self it writes the SLOs of Plimsoll itself instead, which serve --self-slos
evaluates, for those who scrape Plimsoll with another server.`,
		Example: "  plimsoll init slos && cd slos && make\n  plimsoll init --self slos",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if self {
				return world(a.init(dir, []slo.File{server.SelfSpecs()}))
			}
			files, err := starterFiles()
			if err != nil {
				return world(err)
			}
			return world(a.init(dir, files))
		},
	}
	c.Flags().BoolVar(&self, "self", false, "write the SLOs of Plimsoll itself")
	return c
}

// starterFiles returns the starter repository, named by paths with slashes.
func starterFiles() ([]slo.File, error) {
	root, err := fs.Sub(starter, "starter")
	if err != nil {
		return nil, err
	}
	var out []slo.File
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		out = append(out, slo.File{Name: name, Text: b})
		return err
	})
	return out, err
}

// init writes files below dir, all or, when one is there already, none.
func (a *app) init(dir string, files []slo.File) error {
	target := func(f slo.File) string { return filepath.Join(dir, filepath.FromSlash(f.Name)) }
	for _, f := range files {
		if _, err := os.Lstat(target(f)); err == nil {
			return fmt.Errorf("%s is there already: init writes only into a place that has none of its files", target(f))
		}
	}
	for _, f := range files {
		to := target(f)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, f.Text, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, filepath.ToSlash(to))
	}
	return nil
}
