package counting

import (
	"errors"
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
)

// Config is what every component that counts events lets the user decide.
type Config struct {
	// Interval is how often all metrics are passed on. What an event changed is passed on at once.
	Interval time.Duration `mapstructure:"interval"`

	// Settle is how long after a failure a rerun still changes the final outcome of a run.
	Settle time.Duration `mapstructure:"settle"`

	// Incidents say when an incident that comes again is the same one.
	Incidents IncidentsConfig `mapstructure:"incidents"`

	// Onboarding says when nobody waits for a service any more.
	Onboarding OnboardingConfig `mapstructure:"onboarding"`

	// Shed is how a request counts that an API refused to protect itself (429): bad, good or excluded.
	Shed string `mapstructure:"shed"`

	// Limits bound the memory.
	Limits LimitsConfig `mapstructure:"limits"`

	// Prometheus is where Prometheus may scrape what is counted, which is passed on all the same.
	Prometheus scrape.Config `mapstructure:"prometheus"`

	// Storage is where what was counted survives a restart. Without it counters are in memory and begin at zero.
	Storage StorageConfig `mapstructure:"storage"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// IncidentsConfig says when an incident that comes again is the same one.
type IncidentsConfig struct {
	// Reopen is how soon after its end it is the same incident, whose clock goes on; an end is final after this time.
	Reopen time.Duration `mapstructure:"reopen"`

	// Recur is how soon after its end it is a recurrence.
	Recur time.Duration `mapstructure:"recur"`

	// Absent is how long an alert is missing in Alertmanager's list before it has ended.
	Absent time.Duration `mapstructure:"absent"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// OnboardingConfig says when nobody waits for a service any more.
type OnboardingConfig struct {
	// Abandon is how long after it was asked for a service without a deployment is abandoned.
	Abandon time.Duration `mapstructure:"abandon"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// LimitsConfig bounds the memory.
type LimitsConfig struct {
	// Series is the most series of each metric before the overflow series takes over.
	Series int `mapstructure:"series"`

	// Runs is the most pipeline runs that are remembered.
	Runs int `mapstructure:"runs"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// StorageConfig is where events and counters are kept.
type StorageConfig struct {
	// Directory belongs to this component alone and is made if there is none. It must be on a local disk. Empty: nothing
	// is kept.
	Directory string `mapstructure:"directory"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DefaultConfig returns what counts if the user says nothing.
func DefaultConfig() Config {
	return Config{
		Interval:   30 * time.Second,
		Settle:     30 * time.Minute,
		Incidents:  IncidentsConfig{Reopen: 30 * time.Minute, Recur: 30 * 24 * time.Hour, Absent: 5 * time.Minute},
		Onboarding: OnboardingConfig{Abandon: 90 * 24 * time.Hour},
		Shed:       platformapi.Bad,
		Limits:     LimitsConfig{Series: 2000, Runs: 50_000},
		Prometheus: scrape.DefaultConfig(),
	}
}

// Check reports everything that is wrong with the configuration. It is not called Validate, which the collector would call
// by itself wherever a component embeds a Config, once for each level.
func (c Config) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Interval <= 0 {
		bad("interval: want more than 0s, have %v", c.Interval)
	}
	if c.Settle <= 0 {
		bad("settle: want more than 0s, have %v", c.Settle)
	}
	if i := c.Incidents; i.Reopen <= 0 || i.Recur <= i.Reopen || i.Absent <= 0 {
		bad("incidents: want reopen and absent above 0s and recur above reopen, have %v, %v and %v", i.Reopen, i.Absent, i.Recur)
	}
	if c.Onboarding.Abandon <= 0 {
		bad("onboarding::abandon: want more than 0s, have %v", c.Onboarding.Abandon)
	}
	switch c.Shed {
	case platformapi.Bad, platformapi.Good, platformapi.Excluded:
	default:
		bad("shed: want bad, good or excluded, have %q", c.Shed)
	}
	if c.Limits.Series <= 0 || c.Limits.Runs <= 0 {
		bad("limits: want series and runs above 0, have %d and %d", c.Limits.Series, c.Limits.Runs)
	}
	return errors.Join(errs...)
}

// domains returns what is counted, new.
func (cfg Config) domains() []counters.Domain {
	return []counters.Domain{
		pipelines.New(pipelines.Options{Settle: cfg.Settle, MaxSeries: cfg.Limits.Series, MaxRuns: cfg.Limits.Runs}),
		secrets.New(secrets.Options{MaxSeries: cfg.Limits.Series}),
		incidents.New(incidents.Options{
			Reopen: cfg.Incidents.Reopen, Recur: cfg.Incidents.Recur, Absent: cfg.Incidents.Absent, MaxSeries: cfg.Limits.Series,
		}),
		onboarding.New(onboarding.Options{Settle: cfg.Settle, Abandon: cfg.Onboarding.Abandon, MaxSeries: cfg.Limits.Series}),
		policy.New(policy.Options{MaxSeries: cfg.Limits.Series}),
		platformapi.New(platformapi.Options{Shed: cfg.Shed, MaxSeries: cfg.Limits.Series}),
	}
}
