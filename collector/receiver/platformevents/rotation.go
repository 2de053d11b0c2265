package platformevents

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
	secretsources "github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// RotationConfig is one store that is asked when its secrets were rotated. What is not set has the default of
// poll.Config.
type RotationConfig struct {
	// Kind is "vault" (also OpenBao), "cert-manager" or "file". By default it is the name.
	Kind string `mapstructure:"kind"`

	// Instance tells apart stores of one kind. Audit logs are of the one without.
	Instance string `mapstructure:"instance"`

	// BaseURL is where the API begins. https, except on loopback.
	BaseURL string `mapstructure:"base_url"`

	// TokenFile holds the token and is read for each round.
	TokenFile string `mapstructure:"token_file"`

	// CAFile holds certificates of authorities that are trusted besides those of the system.
	CAFile string `mapstructure:"ca_file"`

	// Timeout of one request. 10s.
	Timeout time.Duration `mapstructure:"timeout"`

	// Interval is the time between two rounds. 1m.
	Interval time.Duration `mapstructure:"interval"`

	// Grace is how long after it was due a secret may still be rotated. A tenth of the interval, from 1m to 24h.
	Grace time.Duration `mapstructure:"grace"`

	// Namespace is that of Vault.
	Namespace string `mapstructure:"namespace"`

	// Mounts are those of Vault that are looked at. Empty: all.
	Mounts []string `mapstructure:"mounts"`

	// KV looks at the custom metadata of key-value stores, too.
	KV bool `mapstructure:"kv"`

	// Renew renews Vault's token each half hour.
	Renew bool `mapstructure:"renew"`

	// Path is that of the policy file.
	Path string `mapstructure:"path"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// SecretNamesConfig says what is shown of the names of secrets. By default a hash that who knows all names can find out.
type SecretNamesConfig struct {
	// Plain shows names as they are.
	Plain bool `mapstructure:"plain"`

	// KeyFile holds the key of the hash, of at least 16 bytes. It is read once.
	KeyFile string `mapstructure:"key_file"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// naming reads the key.
func (c SecretNamesConfig) naming() (secrets.Naming, error) {
	n := secrets.Naming{Plain: c.Plain}
	if c.KeyFile == "" {
		return n, nil
	}
	b, err := os.ReadFile(c.KeyFile)
	if err != nil {
		return n, fmt.Errorf("read key for names of secrets: %w", err)
	}
	if n.Key = strings.TrimSpace(string(b)); len(n.Key) < MinSecret {
		return n, fmt.Errorf("want a key of at least %d bytes in %q, have %d", MinSecret, c.KeyFile, len(n.Key))
	}
	return n, nil
}

// poller returns what asks the store. The error says what is wrong with the configuration.
func (c RotationConfig) poller(name string, naming secrets.Naming) (*poll.Poller, error) {
	if c.Kind == "" {
		c.Kind = name
	}
	return poll.New(poll.Config{
		Kind: poll.Kind(c.Kind), Instance: c.Instance, Naming: naming, Interval: c.Interval,
		BaseURL: c.BaseURL, TokenFile: c.TokenFile, CAFile: c.CAFile, Timeout: c.Timeout, Grace: c.Grace,
		Namespace: c.Namespace, Mounts: c.Mounts, KV: c.KV, Renew: c.Renew, Path: c.Path,
	})
}

// rotationNames returns the names in a fixed order.
func (c *Config) rotationNames() []string { return slices.Sorted(maps.Keys(c.Rotation)) }

// validateRotation checks each store.
func (c *Config) validateRotation() (errs []error) {
	if c.SecretNames.Plain && c.SecretNames.KeyFile != "" {
		errs = append(errs, errors.New("secret_names: want one of plain and key_file, have both"))
	}
	for _, name := range c.rotationNames() {
		if _, err := c.Rotation[name].poller(name, secrets.Naming{}); err != nil {
			errs = append(errs, fmt.Errorf("rotation::%s: %w", name, err))
		}
	}
	return errs
}

// named returns a kind with what the user wants shown of the names of secrets; configured is the name of the kind in the
// configuration. CloudTrail has what Secrets Manager writes there, too.
func (r *eventsReceiver) named(kind source.Kind, configured string) source.Kind {
	if kind.Name == "cloudtrail" && configured != mapped {
		secretsManager := source.Kind{Name: kind.Name, Decode: secretsources.SecretsManager(r.naming)}
		return source.Joined([]source.Kind{kind, secretsManager})[0]
	}
	for _, k := range secretsources.Kinds(r.naming) {
		if k.Name == kind.Name && configured != mapped {
			return k
		}
	}
	return kind
}

// rotation asks all stores, each on its own, until the receiver ends.
func (r *eventsReceiver) rotation(running context.Context) {
	for _, name := range r.cfg.rotationNames() {
		r.serving.Go(func() {
			every := min(askEvery, max(r.cfg.Rotation[name].Interval, time.Second))
			if r.cfg.Rotation[name].Interval <= 0 {
				every = askEvery
			}
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			a := &asker{receiver: r, name: name}
			for {
				a.ask(running)
				select {
				case <-running.Done():
					return
				case <-ticker.C:
				}
			}
		})
	}
}

// asker counts what one store says.
type asker struct {
	receiver *eventsReceiver
	name     string
	poller   *poll.Poller
}

// ask asks once, and passes on what is new. A round that is not taken over is told again in whole.
func (a *asker) ask(ctx context.Context) {
	r := a.receiver
	log := r.set.Logger.With(zap.String("rotation", a.name))
	if a.poller == nil {
		var err error
		if a.poller, err = r.cfg.Rotation[a.name].poller(a.name, r.naming); err != nil {
			log.Error("nothing is asked for", zap.Error(err))
			return
		}
	}
	events, err := a.poller.Poll(ctx, r.now())
	if err != nil && ctx.Err() == nil {
		log.Warn("not every secret could be looked at, that is tried again", zap.Error(err))
	}
	if len(events) == 0 {
		return
	}
	if err := r.counting.Add(events...); err != nil {
		a.poller = nil
		log.Error("what was found is not counted, it is asked for again", zap.Error(err))
		return
	}
	if err := r.passOn(ctx, events); err != nil && ctx.Err() == nil {
		if !consumererror.IsPermanent(err) {
			a.poller = nil
		}
		log.Warn("what was found was refused, it is told again", zap.Error(err))
	}
}
