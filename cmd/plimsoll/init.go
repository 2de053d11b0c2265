package main

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

//go:embed all:starter
var starter embed.FS

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first working repository of specs",
		Long: `Init writes a small repository of specs into DIR (default: the present directory): a
service, two SLOs, an alert profile, a budget policy, a maintenance window, a
Makefile and a GitHub workflow that checks every change. It never overwrites a
file.`,
		Example: "  plimsoll init slos && cd slos && make",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			return world(a.init(dir))
		},
	}
}

// init copies the starter files, all or, when one is there already, none.
func (a *app) init(dir string) error {
	var names []string
	err := fs.WalkDir(starter, "starter", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	target := func(name string) string {
		rel, _ := filepath.Rel("starter", name)
		return filepath.Join(dir, rel)
	}
	for _, n := range names {
		if _, err := os.Lstat(target(n)); err == nil {
			return fmt.Errorf("%s is there already: init writes only into a place that has none of its files", target(n))
		}
	}
	for _, n := range names {
		b, err := starter.ReadFile(n)
		if err != nil {
			return err
		}
		to := target(n)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, filepath.ToSlash(to))
	}
	return nil
}
