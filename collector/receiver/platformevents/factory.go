// Package platformevents is a collector receiver that turns the webhooks of CI systems into metrics an SLO can be
// written on. It checks the signature of each delivery, decodes it, counts it once, and passes the cumulative counters
// on: what a delivery changed at once, everything every interval.
//
// What the sender is told: 202 counted and taken over, 503 the disk can not keep it or the next consumer refuses for now
// (a redelivery is counted once), 400 not readable or refused for good, 401 not authentic, 413 too large.
package platformevents

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

// typeName is the receiver's type in configurations.
const typeName = "platform_events"

// defaultEndpoint is on loopback: who wants to be reached from outside says so.
const defaultEndpoint = "127.0.0.1:19418"

// NewFactory returns the receiver's factory. now is the clock that stamps what is received and passed on.
func NewFactory(now func() time.Time) receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType(typeName),
		createDefaultConfig,
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			return newReceiver(cfg.(*Config), set, next, now)
		}, component.StabilityLevelDevelopment),
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
		EventsConfig: EventsConfig{
			Interval: 30 * time.Second,
			Settle:   30 * time.Minute,
			Limits:   LimitsConfig{Series: 2000, Runs: 50_000},
		},
	}
}
