package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/amconfig"
	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/rules/alertmanager"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// alertmanagerFlags are the flags of alertmanager.
type alertmanagerFlags struct {
	config          string
	apart           []string
	write, exitCode bool
}

func (a *app) alertmanagerCommand() *cobra.Command {
	var f alertmanagerFlags
	c := &cobra.Command{
		Use:   "alertmanager --config FILE [PATH...]",
		Short: "Put routes, inhibitions and templates into an Alertmanager configuration",
		Long: `Alertmanager compiles the specs and shows what it would put into the configuration
of an Alertmanager: routes to the receivers of owners and escalations, inhibitions,
mute time intervals of recurring maintenance, and plimsoll.tmpl beside it, with
templates of notifications. With --write it does so, and every other byte of the
configuration stays as it is. What is ours stands between two comments.

Receivers are yours: it is an error if one that the specs name does not exist. The
lines around a change are not shown, because a configuration may hold secrets.`,
		Example: "  plimsoll alertmanager --config alertmanager.yml slos/\n  plimsoll alertmanager --config alertmanager.yml --write slos/ && amtool check-config alertmanager.yml",
		RunE: func(_ *cobra.Command, args []string) error {
			return a.alertmanager(args, f)
		},
	}
	c.Flags().StringVar(&f.config, "config", "", "configuration file of the Alertmanager (required)")
	apartFlag(c, &f.apart)
	c.Flags().BoolVar(&f.write, "write", false, "write the change; without it nothing is written")
	c.Flags().BoolVar(&f.exitCode, "exit-code", false, "without --write, exit with 3 when there is a change")
	cobra.CheckErr(c.MarkFlagRequired("config"))
	a.specFlags(c)
	return c
}

// apartFlag adds the flag that becomes alertmanager.Options.Apart.
func apartFlag(c *cobra.Command, to *[]string) {
	c.Flags().StringSliceVar(to, "apart", nil, "labels that tell copies of an SLO apart in Alertmanager, such as cluster")
}

func (a *app) alertmanager(args []string, f alertmanagerFlags) error {
	set, err := a.mustLoad(args)
	if err != nil {
		return err
	}
	changes, err := a.alertmanagerChanges(set, f)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if !f.write {
			_, err = a.stdout.Write(withoutContext(c.Diff()))
		} else if c.Action != output.Unchanged {
			err = writeBeside(c)
		}
		if err != nil {
			return world(err)
		}
	}
	n := 0
	for _, c := range changes {
		if c.Action != output.Unchanged {
			n++
		}
	}
	switch {
	case f.write:
		fmt.Fprintf(a.stdout, "%s changed\n", count(n, "file"))
	case n > 0:
		fmt.Fprintf(a.stderr, "%s to change; --write does it\n", count(n, "file"))
		if f.exitCode {
			return exitError(exitChanged)
		}
	}
	return nil
}

// alertmanagerChanges returns what changes in the file of the templates and in the configuration, in the order in which
// it has to be written: the one names the other.
func (a *app) alertmanagerChanges(set *slo.Set, f alertmanagerFlags) ([]output.Change, error) {
	name, err := filepath.EvalSymlinks(f.config)
	if err != nil {
		return nil, world(fmt.Errorf("read configuration: %w", err))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, world(fmt.Errorf("read configuration: %w", err))
	}
	merged, l, err := merge(set, f.apart, filepath.ToSlash(f.config), text)
	if err != nil {
		return nil, world(err)
	}
	if l.Failed() {
		return nil, a.findings(l, nil) // without the lines of the file, which may hold secrets
	}
	templates, err := change(filepath.Join(filepath.Dir(name), alertmanager.TemplatesName), alertmanager.Templates())
	if err != nil {
		return nil, world(err)
	}
	config := output.Change{Path: name, Action: output.Update, Old: text, New: merged}
	if bytes.Equal(text, merged) {
		config.Action = output.Unchanged
	}
	return []output.Change{templates, config}, nil
}

// merge puts the parts that follow from a set into a configuration, whose receivers must exist.
func merge(set *slo.Set, apart []string, name string, text []byte) ([]byte, diag.List, error) {
	generated, err := alertmanager.Generate(set, alertmanager.Options{Apart: apart})
	if err != nil {
		return nil, nil, err
	}
	if len(text) > yamlsrc.MaxBytes {
		text = text[:yamlsrc.MaxBytes+1] // which Parse refuses
	}
	file, l := amconfig.Parse(name, text)
	if l.Failed() {
		return nil, l, nil
	}
	var refs []amconfig.Reference
	for _, r := range generated.Receivers {
		refs = append(refs, amconfig.Reference(r))
	}
	var parts []amconfig.Part
	for _, p := range generated.Parts() {
		parts = append(parts, amconfig.Part(p))
	}
	out, more := file.Merge(parts)
	return out, append(append(l, file.Missing(refs)...), more...), nil
}

// change compares a generated file with what is there. It refuses a file that plimsoll did not write.
func change(name string, want []byte) (output.Change, error) {
	have, err := os.ReadFile(name)
	c := output.Change{Path: name, Action: output.Update, Old: have, New: want}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Action = output.Create
	case err != nil:
		return c, err
	case bytes.Equal(have, want):
		c.Action = output.Unchanged
	case !strings.HasPrefix(string(have), alertmanager.TemplatesHeader):
		return c, fmt.Errorf("%q was not written by plimsoll: move it away", name)
	}
	return c, nil
}

// writeBeside writes a change at once.
func writeBeside(c output.Change) error {
	if c.Action == output.Create {
		return output.WriteFile(c.Path, c.New, 0o644)
	}
	return replaceFile(c.Path, c.New)
}

// withoutContext removes the lines of a diff that do not change.
func withoutContext(diff []byte) []byte {
	var out []byte
	for line := range bytes.Lines(diff) {
		if line[0] != ' ' && line[0] != '\n' {
			out = append(out, line...)
		}
	}
	return out
}

// addAlertmanager adds the parts of an Alertmanager configuration, and the templates.
func addAlertmanager(files map[string][]byte, set *slo.Set, apart []string) error {
	parts, err := alertmanager.Files(set, alertmanager.Options{Apart: apart})
	if err != nil {
		return fmt.Errorf("generate configuration of Alertmanager: %w", err)
	}
	for _, f := range parts {
		files[path.Join("alertmanager", f.Name)] = f.Content
	}
	return nil
}
