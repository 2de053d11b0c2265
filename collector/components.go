// Package collector is Plimsoll's OpenTelemetry Collector distribution: the list of what is built in. The receivers of
// its own are below receiver/; everything else is the OpenTelemetry project's, unchanged.
package collector

import (
	"errors"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/envprovider"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
)

// Command is the name of the program.
const Command = "plimsoll-collector"

// Settings returns what makes the collector this distribution. version is shown to users and sent as service.version;
// now is the clock of Plimsoll's own components. Configuration is read from env:, file: and yaml: locations.
func Settings(version string, now func() time.Time) otelcol.CollectorSettings {
	return otelcol.CollectorSettings{
		BuildInfo: component.BuildInfo{Command: Command, Description: "Plimsoll's OpenTelemetry Collector", Version: version},
		Factories: func() (otelcol.Factories, error) { return Components(now) },
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			ProviderFactories: []confmap.ProviderFactory{
				envprovider.NewFactory(), fileprovider.NewFactory(), yamlprovider.NewFactory(),
			},
			DefaultScheme: "env",
		}},
	}
}

// Components returns the factories of everything that is built in. now is the clock of Plimsoll's own components.
func Components(now func() time.Time) (otelcol.Factories, error) {
	receivers, errReceivers := otelcol.MakeFactoryMap[receiver.Factory](
		otlpreceiver.NewFactory(),
		platformevents.NewFactory(now),
	)
	exporters, errExporters := otelcol.MakeFactoryMap[exporter.Factory](
		otlphttpexporter.NewFactory(),
		debugexporter.NewFactory(),
	)
	return otelcol.Factories{
		Receivers: receivers,
		Exporters: exporters,
		Telemetry: otelconftelemetry.NewFactory(),
	}, errors.Join(errReceivers, errExporters)
}
