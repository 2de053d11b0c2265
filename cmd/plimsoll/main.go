// Command plimsoll compiles SLO specs to burn-rate rules, alerts and
// dashboards, and shows what they mean.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes of every command.
const (
	exitFindings = 1 // the specs or the world are wrong
	exitUsage    = 2 // the command line is wrong
	exitChanged  = 3 // --exit-code: something would change
)

// run runs the command line args and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	var code exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errWorld):
		fmt.Fprintf(stderr, "plimsoll: %v\n", err)
		return exitFindings
	}
	fmt.Fprintf(stderr, "plimsoll: %v\nRun 'plimsoll --help' for usage.\n", err)
	return exitUsage
}

// exitError ends the program with its code; everything has been said.
type exitError int

// Error implements error.
func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errWorld marks errors that are not the fault of the command line.
var errWorld = errors.New("")

// world marks err as not the fault of the command line.
func world(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w%w", errWorld, err)
}

// app is what the commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	strict         bool
	stdinName      string
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "plimsoll",
		Short: "SLOs from YAML to burn-rate rules, alerts and dashboards",
		Long: `Plimsoll compiles a directory of SLO specs to recording and alert rules that are
exact and cheap, to Grafana dashboards, and to words that say what they mean.

Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 --exit-code found changes.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		a.initCommand(), a.packsCommand(), a.checkCommand(), a.buildCommand(), a.planCommand(), a.applyCommand(), a.pushCommand(),
		a.alertmanagerCommand(),
		a.explainCommand(), a.reportCommand(), a.fmtCommand(), a.serveCommand(), a.schemaCommand(), a.demoCommand(), a.versionCommand(),
	)
	return root
}
