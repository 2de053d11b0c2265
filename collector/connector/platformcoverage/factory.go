// Package platformcoverage is a collector connector that watches metrics, logs and traces pass by and tells which
// services of an inventory send them.
package platformcoverage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
)

const (
	// typeName is the connector's type in configurations.
	typeName = "platform_coverage"
	// scopeName says who made the metrics.
	scopeName = "github.com/plimsoll-slo/plimsoll/collector/connector/platformcoverage"
)

// Config is the configuration of the connector.
type Config struct {
	// Inventory are files, or patterns of files, with the services that there should be.
	Inventory []string `mapstructure:"inventory"`

	// Interval is how often coverage is passed on, sightings are kept, and the inventory is read again.
	Interval time.Duration `mapstructure:"interval"`

	// Windows are how long a service counts as covered after the last item.
	Windows WindowsConfig `mapstructure:"windows"`

	// Prometheus is where Prometheus may scrape coverage, which is passed on all the same.
	Prometheus scrape.Config `mapstructure:"prometheus"`

	// Storage is where sightings survive a restart. Without it coverage is not known after a restart until a window is over.
	Storage counting.StorageConfig `mapstructure:"storage"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// WindowsConfig has the windows by signal.
type WindowsConfig struct {
	Metrics time.Duration `mapstructure:"metrics"`
	Logs    time.Duration `mapstructure:"logs"`
	Traces  time.Duration `mapstructure:"traces"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

// NewFactory returns the connector's factory. now is the clock that stamps what is passed on.
func NewFactory(now func() time.Time) connector.Factory {
	all := &watches{now: now, byConfig: map[*Config]*watch{}}
	return connector.NewFactory(
		component.MustNewType(typeName),
		createDefaultConfig,
		connector.WithMetricsToMetrics(func(
			_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics,
		) (connector.Metrics, error) {
			return all.of(cfg, set, next), nil
		}, component.StabilityLevelDevelopment),
		connector.WithLogsToMetrics(func(
			_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics,
		) (connector.Logs, error) {
			return all.of(cfg, set, next), nil
		}, component.StabilityLevelDevelopment),
		connector.WithTracesToMetrics(func(
			_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics,
		) (connector.Traces, error) {
			return all.of(cfg, set, next), nil
		}, component.StabilityLevelDevelopment),
	)
}

func createDefaultConfig() component.Config {
	return &Config{
		Interval:   30 * time.Second,
		Windows:    WindowsConfig{Metrics: 10 * time.Minute, Logs: time.Hour, Traces: 24 * time.Hour},
		Prometheus: scrape.DefaultConfig(),
	}
}

// Validate reports everything that is wrong with the configuration, the inventory included.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Inventory) == 0 {
		bad("inventory: want at least one file, have none")
	} else if err := new(coverage.Inventory).Load(c.Inventory...); err != nil {
		errs = append(errs, err)
	}
	if c.Interval <= 0 {
		bad("interval: want more than 0s, have %v", c.Interval)
	}
	for _, w := range []struct {
		name   string
		window time.Duration
	}{{"metrics", c.Windows.Metrics}, {"logs", c.Windows.Logs}, {"traces", c.Windows.Traces}} {
		if w.window < 2*c.Interval {
			bad("windows::%s: want at least twice the interval of %v, have %v", w.name, c.Interval, w.window)
		}
	}
	return errors.Join(errs...)
}
