package sources

import "github.com/plimsoll-slo/plimsoll/exporters/source"

// Kinds returns every kind of policy engine there is a decoder for, sorted by name.
func Kinds() []source.Kind {
	return []source.Kind{
		{Name: gatekeeper, Decode: Gatekeeper},
		{Name: kyverno, Decode: Kyverno},
	}
}
