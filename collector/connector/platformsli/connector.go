// Package platformsli is a collector connector from logs to metrics: it counts the events that platform_events receivers
// pass on as log records, once each, however many ways and times they come. The metrics are those of the receiver.
package platformsli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

const (
	// typeName is the connector's type in configurations.
	typeName = "platform_sli"
	// scopeName says who made the metrics.
	scopeName = "github.com/plimsoll-slo/plimsoll/collector/connector/platformsli"
)

// Config is the configuration of the connector.
type Config struct {
	// Config is about what is counted.
	counting.Config `mapstructure:",squash"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Validate reports everything that is wrong with the configuration.
func (c *Config) Validate() error { return c.Check() }

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Validator   = (*Config)(nil)
	_ connector.Logs      = (*sliConnector)(nil)
	_ component.Component = (*sliConnector)(nil)
)

// NewFactory returns the connector's factory. now is the clock that stamps what is passed on.
func NewFactory(now func() time.Time) connector.Factory {
	return connector.NewFactory(
		component.MustNewType(typeName),
		func() component.Config { return &Config{Config: counting.DefaultConfig()} },
		connector.WithLogsToMetrics(func(
			_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics,
		) (connector.Logs, error) {
			return &sliConnector{
				log: set.Logger, now: now,
				counting: counting.New(cfg.(*Config).Config, scopeName, set.TelemetrySettings, next.ConsumeMetrics, now),
			}, nil
		}, component.StabilityLevelDevelopment),
	)
}

type sliConnector struct {
	log      *zap.Logger
	now      func() time.Time
	counting *counting.Counting
	running  bool
}

// Start takes up the counters where they were left and begins to pass metrics on.
func (c *sliConnector) Start(ctx context.Context, host component.Host) error {
	if err := c.counting.Open(); err != nil {
		return err
	}
	if err := c.counting.Run(ctx, host); err != nil {
		return errors.Join(err, c.counting.Close())
	}
	c.running = true
	return nil
}

// Shutdown passes on the last state of the counters.
func (c *sliConnector) Shutdown(ctx context.Context) error {
	if !c.running {
		return nil
	}
	c.running = false
	return c.counting.Shutdown(ctx)
}

// Capabilities says that logs are left as they are.
func (c *sliConnector) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeLogs counts the events among the records. It returns when they are on disk, if there is storage, so that what
// the sender was told is kept. Records that are no events are not counted, and not an error: they may be for somebody
// else. After an error the sender sends them again, and they are counted once.
func (c *sliConnector) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	now := c.now()
	var events []event.Event
	others := 0
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if e, ok := otlp.Event(record, now); ok {
					events = append(events, e)
				} else {
					others++
				}
			}
		}
	}
	if others > 0 {
		c.log.Debug("log records that are no events are not counted", zap.Int("records", others))
	}
	if len(events) == 0 {
		return nil
	}
	if err := c.counting.Add(events...); err != nil {
		return fmt.Errorf("count events: %w", err)
	}
	return c.counting.PassChanges(ctx)
}
