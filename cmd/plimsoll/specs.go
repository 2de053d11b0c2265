package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/internal/diag"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// specFlags adds the flags of every command that reads specs.
func (a *app) specFlags(c *cobra.Command) {
	c.Flags().BoolVar(&a.strict, "strict", false, "make warnings errors")
	c.Flags().StringVar(&a.stdinName, "stdin-name", "<stdin>", "file name for findings in standard input")
}

// compiled is what became of the specs that the arguments name.
type compiled struct {
	set      *slo.Set
	findings diag.List
	files    []slo.File
	others   []slo.File // checked against the set, but no part of it
}

// load reads and compiles the specs that args name: files, directories, or "-"
// for standard input. Without arguments it takes the present directory.
func (a *app) load(args []string) (compiled, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	var c compiled
	var paths []string
	for _, p := range args {
		if p != "-" {
			paths = append(paths, p)
			continue
		}
		b, err := io.ReadAll(io.LimitReader(a.stdin, yamlsrc.MaxBytes+1))
		if err != nil {
			return c, world(fmt.Errorf("read standard input: %w", err))
		}
		c.files = append(c.files, slo.File{Name: a.stdinName, Text: b})
	}
	if len(paths) > 0 {
		files, l := slo.ReadFiles(paths...)
		c.files, c.findings = append(c.files, files...), l
	}
	set, l := slo.Compile(c.files)
	c.findings = append(c.findings, l...)
	c.findings.Sort()
	if a.strict {
		c.findings = c.findings.Strict()
	}
	if !c.findings.Failed() {
		c.set = set
	}
	return c, nil
}

// sources returns the texts of the files that have findings.
func (c compiled) sources() diag.Sources {
	src := diag.Sources{}
	for _, f := range slices.Concat(c.files, c.others) {
		src[f.Name] = f.Text
	}
	return src
}

// mustLoad loads specs for a command that needs them to be right: it prints
// the findings and ends the command when one is an error.
func (a *app) mustLoad(args []string) (*slo.Set, error) {
	c, err := a.load(args)
	if err != nil {
		return nil, err
	}
	if err := diag.Text(a.stderr, c.findings, c.sources(), a.color(a.stderr)); err != nil {
		return nil, world(err)
	}
	if c.set == nil {
		return nil, a.failed(c.findings)
	}
	return c.set, nil
}

// failed says how many findings there were and ends the command.
func (a *app) failed(l diag.List) error {
	errs, warns, _ := l.Count()
	fmt.Fprintf(a.stderr, "%s, %s\n", count(errs, "error"), count(warns, "warning"))
	return exitError(exitFindings)
}

// count writes "1 error", "2 errors".
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// color reports whether w is a terminal that wants colours.
func (a *app) color(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
