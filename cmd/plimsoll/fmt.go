package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/slo"
)

func (a *app) fmtCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Lay out specs in one way",
		Long: `Fmt rewrites spec files in one layout: two spaces of indentation, LF line ends, one
"---" between documents. Values, their order and comments stay; a file of which
that cannot be promised is left alone and reported. - formats standard input to
standard output.`,
		Example: "  plimsoll fmt slos/\n  plimsoll fmt --check slos/",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return a.formatStream()
			}
			return a.format(args, check)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "write nothing; print the files that would change and exit with 1 if there are any")
	return c
}

func (a *app) formatStream() error {
	b, err := io.ReadAll(io.LimitReader(a.stdin, yamlsrc.MaxBytes+1))
	if err != nil {
		return world(fmt.Errorf("read standard input: %w", err))
	}
	text, l := yamlsrc.Format("<stdin>", b)
	if l.Failed() {
		return a.findings(l, []slo.File{{Name: "<stdin>", Text: b}})
	}
	_, err = a.stdout.Write(text)
	return world(err)
}

func (a *app) format(args []string, check bool) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	files, l := slo.ReadFiles(args...)
	changed := false
	for _, f := range files {
		text, fl := yamlsrc.Format(f.Name, f.Text)
		l = append(l, fl...)
		if fl.Failed() || bytes.Equal(text, f.Text) {
			continue
		}
		changed = true
		fmt.Fprintln(a.stdout, f.Name)
		if check {
			continue
		}
		if err := replaceFile(filepath.FromSlash(f.Name), text); err != nil {
			return world(err)
		}
	}
	if l.Failed() {
		return a.findings(l, files)
	}
	if check && changed {
		return exitError(exitFindings)
	}
	return nil
}

// findings prints l and ends the command.
func (a *app) findings(l diag.List, files []slo.File) error {
	l.Sort()
	if err := diag.Text(a.stderr, l, compiled{files: files}.sources(), a.color(a.stderr)); err != nil {
		return world(err)
	}
	return a.failed(l)
}

// replaceFile replaces the content of an existing file at once.
func replaceFile(name string, text []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return output.WriteFile(name, text, info.Mode().Perm())
}
