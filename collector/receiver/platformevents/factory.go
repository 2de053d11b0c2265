// Package platformevents is a collector receiver that turns the webhooks of CI systems into metrics an SLO can be
// written on. It checks that each delivery is authentic, decodes it, counts it once, and passes the cumulative counters
// on: what a delivery changed at once, everything every interval. In pipelines for logs and traces it also passes on
// each event, and a span for each run that ended.
//
// What the sender is told: 202 counted and taken over, 503 the disk can not keep it or the next consumer refuses for now
// (a redelivery is counted once), 400 not readable or refused for good, 401 not authentic, 413 too large.
package platformevents

import (
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/receiver"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
)

// typeName is the receiver's type in configurations.
const typeName = "platform_events"

// defaultEndpoint is on loopback: who wants to be reached from outside says so.
const defaultEndpoint = "127.0.0.1:19418"

// scopeName says who made what is passed on.
const scopeName = "github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"

// NewFactory returns the receiver's factory. now is the clock that stamps what is received and passed on.
func NewFactory(now func() time.Time) receiver.Factory {
	all := &receivers{now: now, byConfig: map[*Config]*eventsReceiver{}}
	return receiver.NewFactory(
		component.MustNewType(typeName),
		createDefaultConfig,
		receiver.WithMetrics(all.createMetrics, component.StabilityLevelDevelopment),
		receiver.WithLogs(all.createLogs, component.StabilityLevelDevelopment),
		receiver.WithTraces(all.createTraces, component.StabilityLevelDevelopment),
	)
}

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultEndpoint
	server.MaxRequestBodySize = 8 << 20
	server.ReadTimeout = 30 * time.Second
	// A signature is over the bytes that were sent: no decompression before it is checked.
	server.CompressionAlgorithms = []string{""}
	return &Config{
		ServerConfig: server,
		EventsConfig: EventsConfig{Config: counting.DefaultConfig()},
	}
}
