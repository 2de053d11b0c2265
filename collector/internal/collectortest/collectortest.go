// Package collectortest runs builds of the collector in tests, and a backend that takes what they send.
package collectortest

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/otelcol"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Run starts a build with the configuration at the locations and returns when it serves. logs takes what it logs, as
// JSON; it is safe to read after stop, which ends the collector and reports how that went.
func Run(t *testing.T, build otelcol.CollectorSettings, logs io.Writer, locations ...string) (stop func()) {
	t.Helper()
	ready := make(chan struct{})
	build.DisableGracefulShutdown = true
	build.ConfigProviderSettings.ResolverSettings.URIs = locations
	build.LoggingOptions = []zap.Option{zap.WrapCore(func(zapcore.Core) zapcore.Core {
		return zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(zapcore.AddSync(logs)), zap.DebugLevel)
	}), zap.Hooks(func(e zapcore.Entry) error {
		if strings.HasPrefix(e.Message, "Everything is ready") {
			close(ready)
		}
		return nil
	})}
	c, err := otelcol.NewCollector(build)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Run(context.Background()) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("the collector ended: %v", err)
	}
	return func() {
		c.Shutdown()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// FreePort returns an address on loopback that was free a moment ago.
func FreePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
