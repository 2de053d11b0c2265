package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store/remote"
)

// openStore reads the file of --store, if there is one, and makes a client of the store. It returns what is wrong with
// the text of the file.
func (f *serveFlags) openStore(log *slog.Logger) (compiled, error) {
	if f.store == "" {
		return compiled{}, nil
	}
	if f.server.ScrapeConfig != "" {
		return compiled{}, errors.New("want either --store or --scrape-config: with --store, what scrapes sends its samples to the store")
	}
	text, err := os.ReadFile(f.store)
	if err != nil {
		return compiled{}, world(fmt.Errorf("--store: %w", err))
	}
	o, found := remote.Read(f.store, text)
	if found.Failed() {
		return compiled{findings: found}, nil // without the text, which may hold what should not be there: a password
	}
	o.Logger, o.Registerer, o.Now = log.With("part", "store"), f.server.Registry, time.Now
	if f.server.Store, err = remote.New(o); err != nil {
		return compiled{}, world(fmt.Errorf("--store: %w", err))
	}
	return compiled{}, nil
}
