// Package sources has the decoders of what secret stores say of themselves in audit logs. They read an allow-list of
// fields: no request data, no response data, no text of an error.
package sources

import (
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// Kinds returns every kind of store there is a decoder for, sorted by name. naming says what of the names of secrets is
// in their events.
func Kinds(naming secrets.Naming) []source.Kind {
	return []source.Kind{
		{Name: "secretsmanager", Decode: SecretsManager(naming), Frame: source.Document},
		{Name: "vault", Decode: Vault(naming), Frame: source.Lines},
	}
}
