package collector

import (
	"io"
	"runtime/debug"

	"go.opentelemetry.io/collector/otelcol"
)

// Run executes one command line of a build and returns the exit status: 0, or 1 after an error, which is on stderr.
func Run(build otelcol.CollectorSettings, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := otelcol.NewCommand(build)
	command.SetArgs(args)
	command.SetIn(stdin)
	command.SetOut(stdout)
	command.SetErr(stderr)
	if err := command.Execute(); err != nil {
		return 1
	}
	return 0
}

// Version is that of the module the running program was built from.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
