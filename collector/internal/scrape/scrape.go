// Package scrape shows Prometheus what a component counts: the same numbers that it passes on over OTLP.
package scrape

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Config is where Prometheus scrapes. Its keys are those of every HTTP receiver of the collector; without the section
// nobody listens.
type Config = configoptional.Optional[confighttp.ServerConfig]

// Endpoint is where it listens unless the configuration says otherwise.
const Endpoint = "localhost:19464"

// DefaultConfig returns the configuration in which nobody listens.
func DefaultConfig() Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = Endpoint
	return configoptional.Default(server)
}

// Server answers scrapes of /metrics.
type Server struct {
	http    *http.Server // nil if nobody listens
	serving sync.WaitGroup
}

// Open listens, if there is a configuration to. read returns what there is now, and is called at each scrape.
func Open(ctx context.Context, host component.Host, cfg Config, set component.TelemetrySettings, read func() metric.Snapshot) (*Server, error) {
	s := &Server{}
	if !cfg.HasValue() {
		return s, nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metric.Handler(read))
	listener, err := cfg.Get().ToListener(ctx)
	if err != nil {
		return nil, err
	}
	if s.http, err = cfg.Get().ToServer(ctx, host.GetExtensions(), set, mux); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.serving.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host, componentstatus.NewFatalErrorEvent(err))
		}
	})
	return s, nil
}

// Close ends it when the scrapes that are being answered are.
func (s *Server) Close(ctx context.Context) error {
	if s == nil || s.http == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	s.serving.Wait()
	s.http = nil
	return err
}
