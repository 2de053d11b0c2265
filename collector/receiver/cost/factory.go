// Package cost is a collector receiver that reads bills and cost reports from files and buckets, and costs from OpenCost,
// and passes on what the platform costs. Nothing of costs is passed on before each source was read once as a whole.
package cost

import (
	"context"
	"io"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
)

const (
	// typeName is the receiver's type in configurations.
	typeName = "cost"
	// scopeName says who made what is passed on.
	scopeName = "github.com/plimsoll-slo/plimsoll/collector/receiver/cost"
)

// Readers are what larger builds read besides.
type Readers struct {
	// Parquet opens a Parquet file as comma-separated values. nil: such files are refused.
	Parquet func(file io.ReaderAt, size int64) (io.ReadCloser, error)
	// Buckets opens a bucket of an object store. nil: sources with one are refused.
	Buckets func(intake.BucketOptions) (intake.Bucket, error)
}

// NewFactory returns the receiver's factory. now is the clock by which bills are read and what is passed on is stamped.
func NewFactory(now func() time.Time, readers Readers) receiver.Factory {
	return receiver.NewFactory(
		component.MustNewType(typeName),
		createDefaultConfig,
		receiver.WithMetrics(func(
			_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
		) (receiver.Metrics, error) {
			return newReceiver(cfg.(*Config), set, next, now, readers)
		}, component.StabilityLevelDevelopment),
	)
}

func createDefaultConfig() component.Config {
	return &Config{Interval: time.Minute, Settle: 30 * time.Second, Prometheus: scrape.DefaultConfig()}
}
