//go:build remove_all_sd

// Package gateway is the large build of Plimsoll's OpenTelemetry Collector: everything that the small one has, and what
// is too heavy to run on every node. It scrapes Prometheus targets, knows Kubernetes, and writes to remote storage.
package gateway

import (
	"errors"
	"maps"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/k8sattributesprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/otelcol"

	"github.com/plimsoll-slo/plimsoll/collector"
	"github.com/plimsoll-slo/plimsoll/collector/receiver/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/bucket"
)

// Command is the name of the large build's program.
const Command = "plimsoll-gateway"

// Settings returns what makes the collector the large build; see collector.Settings.
func Settings(version string, now func() time.Time) otelcol.CollectorSettings {
	settings := collector.Settings(version, now)
	settings.BuildInfo.Command = Command
	settings.BuildInfo.Description = "Plimsoll's OpenTelemetry Collector for gateways"
	settings.Factories = func() (otelcol.Factories, error) { return Components(now) }
	return settings
}

// Components returns the factories of everything that is in the large build: those of the small one and a few more.
func Components(now func() time.Time) (otelcol.Factories, error) {
	all, err := collector.Components(now)
	if err != nil {
		return otelcol.Factories{}, err
	}
	return all, errors.Join(
		add(all.Receivers, prometheusreceiver.NewFactory()),
		add(all.Receivers, cost.NewFactory(now, cost.Readers{Parquet: parquetOpener(), Buckets: bucket.Open})), // in place of the small build's
		add(all.Processors, k8sattributesprocessor.NewFactory()),
		add(all.Exporters, prometheusremotewriteexporter.NewFactory()),
	)
}

// add puts one more factory among the others, under its name and its old ones.
func add[T component.Factory](to map[component.Type]T, factory T) error {
	more, err := otelcol.MakeFactoryMap(factory)
	maps.Copy(to, more)
	return err
}
