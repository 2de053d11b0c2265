package sources

import "github.com/plimsoll-slo/plimsoll/exporters/source"

// Kinds returns every kind of system that tells of incidents, sorted by name.
func Kinds() []source.Kind {
	return []source.Kind{
		{Name: alertmanager, Decode: Alertmanager},
		{Name: cdevents, Decode: CDEvents},
		{Name: pagerduty, Decode: PagerDuty, Signature: source.SignedByPagerDuty},
	}
}
