package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	pages "github.com/plimsoll-slo/plimsoll/docs/diag"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/explain"
	"github.com/plimsoll-slo/plimsoll/internal/schema"
	"github.com/plimsoll-slo/plimsoll/slo"
)

func (a *app) explainCommand() *cobra.Command {
	var format, code string
	var paths []string
	c := &cobra.Command{
		Use:   "explain [SLO...]",
		Short: "Say what SLOs mean, in words and numbers",
		Long: `Explain says what each named SLO (default: all) promises: the budget in minutes and
events, every alert tier, when a total outage and smaller error ratios would page,
how soon the page ends, and how often it would page for nothing at the declared
traffic. With --code it shows the page of a finding instead.`,
		Example: "  plimsoll explain -f slos/ checkout-availability\n  plimsoll explain --code tier-unreachable",
		RunE: func(_ *cobra.Command, args []string) error {
			if code != "" {
				return a.explainCode(code)
			}
			if format != "text" && format != "json" {
				return fmt.Errorf("want -o text or json, have %q", format)
			}
			set, err := a.mustLoad(paths)
			if err != nil {
				return err
			}
			return a.explain(set, args, format)
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "text", "format: text or json")
	c.Flags().StringArrayVarP(&paths, "file", "f", nil, "spec file or directory, may be repeated (default: the present directory)")
	c.Flags().StringVar(&code, "code", "", "show the page of this code of a finding")
	a.specFlags(c)
	return c
}

// explainCode prints the page of a code.
func (a *app) explainCode(code string) error {
	text, ok := pages.Page(code)
	if !ok {
		var known []string
		for _, c := range diag.Codes() {
			known = append(known, string(c))
		}
		return world(unknown("code", code, known))
	}
	_, err := io.WriteString(a.stdout, text)
	return world(err)
}

func (a *app) explain(set *slo.Set, names []string, format string) error {
	var known []string
	for _, x := range set.SLOs {
		known = append(known, x.Name)
	}
	if len(names) == 0 {
		names = known
	}
	out := []*explain.Explanation{}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return world(unknown("SLO", n, known))
		}
		e, err := explain.SLO(set, n)
		if err != nil {
			return world(err)
		}
		out = append(out, e)
	}
	if format == "json" {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return world(e.Encode(out))
	}
	for i, e := range out {
		if i > 0 {
			fmt.Fprintf(a.stdout, "\n%s\n\n", strings.Repeat("-", 78))
		}
		if err := e.Text(a.stdout); err != nil {
			return world(err)
		}
	}
	return nil
}

// unknown says that nothing has this name, and which name is like it.
func unknown(what, name string, known []string) error {
	if s := schema.Closest(name, known); s != "" {
		return fmt.Errorf("there is no %s %q; did you mean %q?", what, name, s)
	}
	if _, err := os.Stat(name); err == nil {
		return fmt.Errorf("there is no %s %q; name files and directories with -f", what, name)
	}
	return fmt.Errorf("there is no %s %q", what, name)
}
