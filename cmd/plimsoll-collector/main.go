// Command plimsoll-collector is Plimsoll's OpenTelemetry Collector: the upstream collector with receivers for what
// platform teams lack, small enough for every node. Start it with --config FILE; see also the subcommands validate and
// components.
package main

import (
	"os"
	"time"

	"github.com/plimsoll-slo/plimsoll/collector"
)

func main() {
	os.Exit(collector.Run(collector.Settings(collector.Version(), time.Now), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
