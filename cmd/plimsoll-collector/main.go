// Command plimsoll-collector is Plimsoll's OpenTelemetry Collector: the upstream collector with receivers for what
// platform teams lack. Start it with --config FILE; see also the subcommands validate and components.
package main

import (
	"io"
	"os"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/collector/otelcol"

	"github.com/plimsoll-slo/plimsoll/collector"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit status: 0, or 1 after an error, which is on stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := otelcol.NewCommand(collector.Settings(version(), time.Now))
	command.SetArgs(args)
	command.SetIn(stdin)
	command.SetOut(stdout)
	command.SetErr(stderr)
	if err := command.Execute(); err != nil {
		return 1
	}
	return 0
}

// version is that of the module this program was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
