// Package cost is a collector receiver that reads bills and cost reports from files, and costs from OpenCost, and passes
// on what the platform costs. Nothing of costs is passed on before each source was read once as a whole.
package cost

import (
	"context"
	"io"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
)

const (
	// typeName is the receiver's type in configurations.
	typeName = "cost"
	// scopeName says who made what is passed on.
	scopeName = "github.com/plimsoll-slo/plimsoll/collector/receiver/cost"
)

// Parquet opens a Parquet file as comma-separated values.
type Parquet func(file io.ReaderAt, size int64) (io.ReadCloser, error)

// NewFactory returns the receiver's factory. now is the clock by which bills are read and what is passed on is stamped;
// parquet is nil in builds that do not read such files.
func NewFactory(now func() time.Time, parquet Parquet) receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType(typeName),
		createDefaultConfig,
		receiver.WithMetrics(func(
			_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
		) (receiver.Metrics, error) {
			return newReceiver(cfg.(*Config), set, next, now, parquet)
		}, component.StabilityLevelDevelopment),
	)
}

func createDefaultConfig() component.Config {
	return &Config{Interval: time.Minute, Settle: 30 * time.Second, Prometheus: scrape.DefaultConfig()}
}
