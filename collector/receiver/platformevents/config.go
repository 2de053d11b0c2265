package platformevents

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
)

// Config is the configuration of the receiver. The server's settings (endpoint, tls, max_request_body_size, ...) are
// those of every HTTP receiver of the collector.
type Config struct {
	confighttp.ServerConfig `mapstructure:",squash"`
	EventsConfig            `mapstructure:",squash"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// EventsConfig is the part of the configuration that is not about the server.
type EventsConfig struct {
	// Config is about what is counted.
	counting.Config `mapstructure:",squash"`

	// Sources are the systems that deliver events, by a name of the user's choice.
	Sources map[string]SourceConfig `mapstructure:"sources"`

	// Backfill are the systems that are asked for what they failed to deliver, by a name of the user's choice.
	Backfill map[string]BackfillConfig `mapstructure:"backfill"`

	// Files are what is read from files instead of being delivered, by a name of the user's choice under which it is kept
	// how far they are read.
	Files map[string]FilesConfig `mapstructure:"files"`
	// Rotation are the stores that are asked when their secrets were rotated, by a name of the user's choice.
	Rotation map[string]RotationConfig `mapstructure:"rotation"`

	// SecretNames says what is shown of the names of secrets.
	SecretNames SecretNamesConfig `mapstructure:"secret_names"`

	// InsecurePlaintext allows to listen without TLS on an address that can be reached from outside, for example behind
	// a proxy that ends TLS on the same network.
	InsecurePlaintext bool `mapstructure:"insecure_plaintext"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ component.Config = (*Config)(nil)

// Unmarshal reads the configuration and refuses unknown keys. Left to itself confmap would take the embedded server's
// Unmarshal for that of the whole, and ignore every key that is not the server's.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := c.ServerConfig.Unmarshal(conf); err != nil {
		return err
	}
	rest := confmap.New()
	if err := rest.Merge(conf); err != nil {
		return err
	}
	for _, key := range serverKeys(reflect.TypeFor[confighttp.ServerConfig]()) {
		rest.Delete(key)
	}
	return rest.Unmarshal(&c.EventsConfig)
}

// serverKeys returns the keys of a configuration struct, those of squashed fields included.
func serverKeys(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		key, options, _ := strings.Cut(t.Field(i).Tag.Get("mapstructure"), ",")
		if options == "squash" {
			keys = append(keys, serverKeys(t.Field(i).Type)...)
		} else if key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// Validate reports everything that is wrong with the configuration. It never quotes a secret.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.NetAddr.Endpoint == "" {
		bad("endpoint: want host:port, have nothing")
	}
	errs = append(errs, c.EventsConfig.Config.Check())
	if !c.TLS.HasValue() && !c.InsecurePlaintext && !c.onLoopback() {
		bad("tls: want a certificate to listen on %q, or insecure_plaintext: true", c.NetAddr.Endpoint)
	}
	if len(c.Sources) == 0 && len(c.Backfill) == 0 && len(c.Rotation) == 0 && len(c.Files) == 0 {
		bad("sources: want at least one, have none")
	}
	errs = append(errs, c.validateBackfill()...)
	errs = append(errs, c.validateRotation()...)
	errs = append(errs, c.validateFiles()...)
	paths := map[string]string{}
	for _, name := range c.sourceNames() {
		s := c.source(name)
		errs = append(errs, s.validate(name))
		if s.ClientCertificate != nil && (!c.TLS.HasValue() || c.TLS.Get().ClientCAFile == "") {
			bad("sources::%s::client_certificate: want tls::client_ca_file to know whose certificates count", name)
		}
		if other, taken := paths[s.Path]; taken {
			bad("sources::%s::path: want a path of its own, have %q like %s", name, s.Path, other)
		}
		paths[s.Path] = name
	}
	return errors.Join(errs...)
}

// sourceNames returns the names in a fixed order.
func (c *Config) sourceNames() []string {
	var names []string
	for name := range c.Sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
