package platformevents

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents/reconcile"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/backfill"
)

// BackfillConfig is one system that is asked for what its webhooks may have failed to tell. What is not set has the
// default of backfill.Config.
type BackfillConfig struct {
	// Kind is "github", "gitlab" or "alertmanager". By default it is the name.
	Kind string `mapstructure:"kind"`

	// BaseURL is where the API begins. By default that of github.com or gitlab.com.
	BaseURL string `mapstructure:"base_url"`

	// Repositories are "owner/name", or paths of projects for GitLab.
	Repositories []string `mapstructure:"repositories"`

	// TokenFile holds the access token and is read for each round.
	TokenFile string `mapstructure:"token_file"`

	// Lookback is how far back is asked. 72h.
	Lookback time.Duration `mapstructure:"lookback"`

	// Interval is the time between two rounds. 15m; 1m for alertmanager.
	Interval time.Duration `mapstructure:"interval"`

	// Tasks asks for the jobs of each finished run too; GitHub only.
	Tasks bool `mapstructure:"tasks"`

	// Deployments asks for deployments too; GitHub only.
	Deployments bool `mapstructure:"deployments"`

	// Receiver is the name of a receiver of Alertmanager's: only alerts that are routed to it count. By default all do.
	Receiver string `mapstructure:"receiver"`

	// InsecurePlaintext allows http to an Alertmanager that is not on loopback.
	InsecurePlaintext bool `mapstructure:"insecure_plaintext"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// poller asks one system, as backfill.Poller does.
type poller interface {
	Poll(ctx context.Context, now time.Time) ([]event.Event, error)
}

// poller returns what asks the system. The error says what is wrong with the configuration.
func (c BackfillConfig) poller(name string) (poller, error) {
	if c.Kind == "" {
		c.Kind = name
	}
	if c.Kind == "alertmanager" {
		if len(c.Repositories) > 0 || c.Lookback != 0 || c.Tasks || c.Deployments {
			return nil, errors.New("want no repositories, lookback, tasks or deployments for alertmanager")
		}
		return reconcile.New(reconcile.Config{
			BaseURL: c.BaseURL, Insecure: c.InsecurePlaintext, TokenFile: c.TokenFile, Receiver: c.Receiver, Interval: c.Interval,
		})
	}
	if c.Receiver != "" || c.InsecurePlaintext {
		return nil, fmt.Errorf("want no receiver and no insecure_plaintext for %q", c.Kind)
	}
	if c.BaseURL == "" {
		c.BaseURL = map[string]string{"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}[c.Kind]
	}
	return backfill.New(backfill.Config{
		System: backfill.System(c.Kind), BaseURL: c.BaseURL, Repositories: c.Repositories, TokenFile: c.TokenFile,
		Lookback: c.Lookback, Interval: c.Interval, Tasks: c.Tasks, Deployments: c.Deployments,
	})
}

// backfillNames returns the names in a fixed order.
func (c *Config) backfillNames() []string { return slices.Sorted(maps.Keys(c.Backfill)) }

// askEvery is how often a poller is told the time. It asks when its own interval is over.
const askEvery = time.Second

// backfill asks all systems, each on its own, until the receiver ends.
func (r *eventsReceiver) backfill(running context.Context) {
	for _, name := range r.cfg.backfillNames() {
		r.serving.Go(func() {
			ticker := time.NewTicker(askEvery)
			defer ticker.Stop()
			f := &filler{receiver: r, name: name}
			for {
				f.ask(running)
				select {
				case <-running.Done():
					return
				case <-ticker.C:
				}
			}
		})
	}
}

// filler counts what one system says.
type filler struct {
	receiver *eventsReceiver
	name     string
	poller   poller
}

// ask asks once. What is found is counted, but not passed on as logs and traces: most of it was, when it was delivered.
func (f *filler) ask(ctx context.Context) {
	r := f.receiver
	log := r.set.Logger.With(zap.String("backfill", f.name))
	if f.poller == nil {
		p, err := r.cfg.Backfill[f.name].poller(f.name)
		if err != nil {
			log.Error("nothing is asked for", zap.Error(err)) // the configuration was checked, so this is the file system
			return
		}
		f.poller = p
	}
	events, err := f.poller.Poll(ctx, r.now())
	if err != nil && ctx.Err() == nil {
		log.Warn("not everything could be asked for, that is tried again", zap.Error(err))
	}
	if len(events) == 0 {
		return
	}
	if err := r.counting.Add(events...); err != nil {
		f.poller = nil // a new one finds the same events
		log.Error("what was found is not counted, it is asked for again", zap.Error(err))
		return
	}
	if err := r.counting.PassChanges(ctx); err != nil && ctx.Err() == nil {
		log.Warn("metrics were refused, they are repeated with the next interval", zap.Error(err))
	}
}

// validateBackfill checks each system.
func (c *Config) validateBackfill() (errs []error) {
	for _, name := range c.backfillNames() {
		if _, err := c.Backfill[name].poller(name); err != nil {
			errs = append(errs, fmt.Errorf("backfill::%s: %w", name, err))
		}
	}
	return errs
}
