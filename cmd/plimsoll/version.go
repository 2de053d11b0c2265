package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/plimsoll-slo/plimsoll/slo"
)

// version returns the version that the build was given: the module version,
// else the commit, else "devel".
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(a.stdout, "plimsoll %s (%s, specs %s, %s/%s)\n", versionText(), runtime.Version(), slo.APIVersion, runtime.GOOS, runtime.GOARCH)
			return world(err)
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of specs", Args: cobra.NoArgs,
		Long: `Schema prints the JSON Schema of spec documents. For completion and checks in an
editor with a YAML language server, write it to a file and name it in the spec:

  # yaml-language-server: $schema=plimsoll.schema.json`,
		Example: "  plimsoll schema > plimsoll.schema.json",
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(slo.JSONSchema())
			return world(err)
		},
	}
}
