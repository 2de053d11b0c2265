package platformevents

import (
	"errors"
	"fmt"
	"strings"

	incidents "github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	onboardings "github.com/plimsoll-slo/plimsoll/exporters/onboarding/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	api "github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	policies "github.com/plimsoll-slo/plimsoll/exporters/policy/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	secretsources "github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// KindConfig has the settings of those kinds that have some, under their names.
type KindConfig struct {
	// KubernetesAudit is for kind kubernetes_audit.
	KubernetesAudit *api.AuditOptions `mapstructure:"kubernetes_audit"`

	// AccessLog is for kind access_log.
	AccessLog *api.AccessLogOptions `mapstructure:"access_log"`

	// CloudTrail is for kind cloudtrail.
	CloudTrail *api.CloudTrailOptions `mapstructure:"cloudtrail"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// mapped is the kind of deliveries that a mapping reads.
const mapped = "json"

// kinds returns every kind of system that the receiver can read, sorted by name.
func kinds() []source.Kind {
	return source.Joined(
		sources.Kinds(), api.Kinds(), incidents.Kinds(), onboardings.Kinds(), policies.Kinds(), secretsources.Kinds(secrets.Naming{}),
	)
}

// kind returns how deliveries are read and proved. The error begins with the key that is wrong.
func (s SourceConfig) kind() (source.Kind, error) {
	if s.Kind == mapped && s.Mapping != nil {
		decode, err := s.Mapping.Decoder()
		if err != nil {
			return source.Kind{}, err
		}
		return source.Kind{Name: s.Mapping.Source, Decode: decode}, nil
	}
	if s.Kind == mapped {
		return source.Kind{}, errors.New("mapping: want one for kind json, have none")
	}
	if s.Mapping != nil {
		return source.Kind{}, fmt.Errorf("mapping: want kind json with a mapping, have %q", s.Kind)
	}
	return s.find(s.Kind, mapped)
}

// find returns the kind with a name, with its settings. more are names that the error offers besides.
func (c KindConfig) find(name string, more ...string) (source.Kind, error) {
	if err := c.validate(name); err != nil {
		return source.Kind{}, err
	}
	switch {
	case c.KubernetesAudit != nil:
		return api.KubernetesAudit(*c.KubernetesAudit), nil
	case c.AccessLog != nil:
		return api.AccessLog(*c.AccessLog), nil
	case c.CloudTrail != nil:
		return api.CloudTrail(*c.CloudTrail), nil
	}
	names := more
	for _, kind := range kinds() {
		if kind.Name == name {
			return kind, nil
		}
		names = append(names, kind.Name)
	}
	return source.Kind{}, fmt.Errorf("kind: want one of %s, have %q", strings.Join(names, ", "), name)
}

// validate checks that the settings are those of the kind.
func (c KindConfig) validate(name string) error {
	for _, settings := range []struct {
		kind string
		set  bool
	}{{"kubernetes_audit", c.KubernetesAudit != nil}, {"access_log", c.AccessLog != nil}, {"cloudtrail", c.CloudTrail != nil}} {
		if settings.set && settings.kind != name {
			return fmt.Errorf("%s: want kind %s for these settings, have %q", settings.kind, settings.kind, name)
		}
	}
	if c.AccessLog == nil {
		return nil
	}
	if err := c.AccessLog.Check(); err != nil {
		return fmt.Errorf("access_log::%w", err)
	}
	return nil
}
