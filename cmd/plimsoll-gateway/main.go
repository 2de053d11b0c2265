//go:build remove_all_sd

// Command plimsoll-gateway is Plimsoll's OpenTelemetry Collector with everything in it: plimsoll-collector and what is
// too heavy for every node. Start it with --config FILE; see also the subcommands validate and components.
package main

import (
	"os"
	"time"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/gateway"
)

func main() {
	os.Exit(collector.Run(gateway.Settings(collector.Version(), time.Now), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
