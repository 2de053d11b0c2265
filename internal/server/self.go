package server

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/slo"
)

const (
	// SelfJob is the label job of what a server scrapes of itself, and the specs of selfSpecs expect.
	SelfJob = "plimsoll"
	// selfEvery is the time between two scrapes of itself: the rules look 15 s back.
	selfEvery = 15 * time.Second
)

//go:embed self.yaml
var selfText []byte

// SelfSpecs returns the specs of the SLOs of Plimsoll itself, as YAML: examples/plimsoll-self.
func SelfSpecs() slo.File {
	return slo.File{Name: "plimsoll-self.yaml", Text: append([]byte{}, selfText...)}
}

// withSelf adds the SLOs of Plimsoll itself to those of the specs.
func withSelf(set *slo.Set) (*slo.Set, error) {
	own, findings := slo.Compile([]slo.File{SelfSpecs()})
	if own == nil {
		panic("server: the specs of Plimsoll itself are wrong: " + findings[0].String())
	}
	out, err := slo.Join(set, own)
	if err != nil {
		return nil, fmt.Errorf("SLOs of Plimsoll itself: %w", err)
	}
	return out, nil
}

// watchSelf scrapes the server itself until ctx ends.
func (s *Server) watchSelf(ctx context.Context) {
	every := time.NewTicker(selfEvery)
	defer every.Stop()
	for {
		s.scrapeSelf(ctx)
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// scrapeSelf stores the metrics of the server.
func (s *Server) scrapeSelf(ctx context.Context) {
	err := s.self.Scrape(ctx, s.opts.Now())
	if (err == nil) == s.selfOK.Load() {
		return
	}
	if s.selfOK.Store(err == nil); err != nil {
		s.log.Error("own metrics not stored, trying again", "err", err)
		return
	}
	s.log.Info("own metrics are stored again")
}
