package cost

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
	bills "github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/cost/intake"
)

// Config is the configuration of the receiver.
type Config struct {
	// Interval is how often sources are looked at and everything is passed on.
	Interval time.Duration `mapstructure:"interval"`

	// Settle is how long a file must not have changed to be read.
	Settle time.Duration `mapstructure:"settle"`

	// Sources are where bills come from, by a name of the user's choice.
	Sources map[string]SourceConfig `mapstructure:"sources"`

	// Rules allocate rows to attributes. By default to environments, teams and services by the usual tags.
	Rules []RuleConfig `mapstructure:"rules"`

	// Required are the attributes that a row needs from its tags to count as tagged.
	Required []string `mapstructure:"required"`

	// Budgets are shown beside the costs.
	Budgets []BudgetConfig `mapstructure:"budgets"`

	// Since is a day, "2026-05-01": bills of before are left out of cost.accrued.
	Since string `mapstructure:"since"`

	// Prometheus is where Prometheus may scrape the costs, which are passed on all the same.
	Prometheus scrape.Config `mapstructure:"prometheus"`

	// Storage is where what was read survives a restart. Without it all bills are read anew.
	Storage counting.StorageConfig `mapstructure:"storage"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SourceConfig is files of one format, or an OpenCost.
type SourceConfig struct {
	// Kind is one of the formats of docs/cost.md. By default it is the name.
	Kind string `mapstructure:"kind"`

	// Include are patterns for the paths of files, or for the keys of objects.
	Include []string `mapstructure:"include"`

	// BucketURL is a bucket of an object store with the API of S3, behind its endpoint.
	BucketURL string `mapstructure:"bucket_url"`

	// Region of the bucket, if the endpoint does not say it.
	Region string `mapstructure:"region"`

	// CredentialsFile has AWS' format and is read for each look. Without it the environment and the machine are asked.
	CredentialsFile string `mapstructure:"credentials_file"`

	// BaseURL is where the API of OpenCost begins.
	BaseURL string `mapstructure:"base_url"`

	// TokenFile holds a bearer token for the API and is read for each round.
	TokenFile string `mapstructure:"token_file"`

	// Days is how many days the API is asked for. 7.
	Days int `mapstructure:"days"`

	// Aggregate is OpenCost's parameter of that name. "namespace" for allocations.
	Aggregate string `mapstructure:"aggregate"`

	// Timeout of one request. 1m.
	Timeout time.Duration `mapstructure:"timeout"`

	// Interval is the least time between two looks at the source. That of the receiver for files, 15m for a bucket, 1h for
	// the API.
	Interval time.Duration `mapstructure:"interval"`

	// Currency is the code for rows that do not say it; OpenCost never does.
	Currency string `mapstructure:"currency"`

	// TimeZone is where times without a zone are from. UTC.
	TimeZone string `mapstructure:"time_zone"`

	// SlashDates is "month_first" or "day_first" for dates like 5/1/25. They are refused, but for Azure's.
	SlashDates string `mapstructure:"slash_dates"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// RuleConfig is how rows get the value of an attribute.
type RuleConfig struct {
	Attribute string            `mapstructure:"attribute"`
	Tags      []string          `mapstructure:"tags"`    // best first
	Aliases   map[string]string `mapstructure:"aliases"` // of values in lower case
	Default   string            `mapstructure:"default"` // "unallocated"

	// prevent unkeyed literal initialization
	_ struct{}
}

// BudgetConfig is what may be spent in a calendar month.
type BudgetConfig struct {
	Name     string            `mapstructure:"name"`
	Match    map[string]string `mapstructure:"match"`  // values of attributes of rules
	Amount   any               `mapstructure:"amount"` // a number, or a text to be exact
	Currency string            `mapstructure:"currency"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

// Validate reports everything that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Interval <= 0 {
		errs = append(errs, fmt.Errorf("interval: want more than 0s, have %v", c.Interval))
	}
	if c.Settle < 0 {
		errs = append(errs, fmt.Errorf("settle: want 0s or more, have %v", c.Settle))
	}
	options, err := c.options()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, options.Check())...)
}

// bookName is the file below the storage directory.
const bookName = "costs.gob"

// options returns what the configuration says. The error has everything that can not be understood.
func (c *Config) options() (intake.Options, error) {
	var errs []error
	o := intake.Options{Settle: c.Settle, Book: bills.Options{Required: c.Required}}
	if o.Settle == 0 {
		o.Settle = -1
	}
	if c.Storage.Directory != "" {
		o.Path = filepath.Join(c.Storage.Directory, bookName)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		s, err := c.Sources[name].source(name)
		o.Sources, errs = append(o.Sources, s), append(errs, err)
	}
	for _, r := range c.Rules {
		o.Book.Rules = append(o.Book.Rules, bills.Rule{Attribute: r.Attribute, Keys: r.Tags, Aliases: r.Aliases, Default: r.Default})
	}
	for i, b := range c.Budgets {
		amount, err := amountOf(b.Amount)
		if err != nil {
			errs = append(errs, fmt.Errorf("budgets::%d::amount: %w", i, err))
		}
		o.Book.Budgets = append(o.Book.Budgets, bills.Budget{Name: b.Name, Match: b.Match, Amount: amount, Currency: b.Currency})
	}
	if c.Since != "" {
		var err error
		if o.Book.Since, err = time.Parse(time.DateOnly, c.Since); err != nil {
			errs = append(errs, fmt.Errorf("since: want a day like 2026-05-01, have %q", c.Since))
		}
	}
	return o, errors.Join(errs...)
}

func amountOf(v any) (bills.Amount, error) {
	switch n := v.(type) {
	case int:
		return bills.Whole(int64(n)), nil
	case float64:
		return bills.ParseAmount(strconv.FormatFloat(n, 'f', -1, 64))
	case string:
		return bills.ParseAmount(n)
	}
	return bills.Amount{}, errors.New("want a number")
}

// source returns the source with its defaults.
func (s SourceConfig) source(name string) (intake.Source, error) {
	var errs []error
	if s.Kind == "" {
		s.Kind = name
	}
	out := intake.Source{Name: name, Format: bills.Format(s.Kind), Include: s.Include, Every: s.Interval}
	out.Read.Currency = s.Currency
	if s.BaseURL != "" {
		out.API = &intake.API{BaseURL: s.BaseURL, TokenFile: s.TokenFile, Days: s.Days, Aggregate: s.Aggregate, Timeout: s.Timeout}
		if s.Interval == 0 {
			out.Every = time.Hour
		}
	} else if s.TokenFile != "" || s.Days != 0 || s.Aggregate != "" || s.Timeout != 0 {
		errs = append(errs, fmt.Errorf("sources::%s: token_file, days, aggregate and timeout are for a base_url", name))
	}
	if s.BucketURL != "" {
		out.Bucket = &intake.BucketOptions{URL: s.BucketURL, Region: s.Region, CredentialsFile: s.CredentialsFile}
		if s.Interval == 0 {
			out.Every = 15 * time.Minute
		}
	} else if s.Region != "" || s.CredentialsFile != "" {
		errs = append(errs, fmt.Errorf("sources::%s: region and credentials_file are for a bucket_url", name))
	}
	if s.TimeZone != "" {
		zone, err := time.LoadLocation(s.TimeZone)
		if err != nil {
			errs = append(errs, fmt.Errorf("sources::%s::time_zone: want a name like Europe/Berlin, have %q", name, s.TimeZone))
		}
		out.Read.Zone = zone
	}
	switch s.SlashDates {
	case "":
	case "month_first":
		out.Read.SlashDates = bills.MonthFirst
	case "day_first":
		out.Read.SlashDates = bills.DayFirst
	default:
		errs = append(errs, fmt.Errorf("sources::%s::slash_dates: want month_first or day_first, have %q", name, s.SlashDates))
	}
	return out, errors.Join(errs...)
}
