package poll

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// certificate is what is read of a Certificate. Source: cert-manager, API reference, cert-manager.io/v1.
type certificate struct {
	Metadata struct {
		Namespace string            `json:"namespace"`
		Name      string            `json:"name"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	Status struct {
		From     source.Stamp `json:"notBefore"`
		Renewal  source.Stamp `json:"renewalTime"`
		Failure  source.Stamp `json:"lastFailureTime"`
		Failures int          `json:"failedIssuanceAttempts"`
	} `json:"status"`
}

// ownerLabel says who has to see to a certificate.
const ownerLabel = "plimsoll.dev/owner"

// certManager looks at the Certificates of all namespaces: each is due at its renewal time and was rotated when it became
// valid. They are one list, so that a namespace that goes takes its certificates along.
func (r *round) certManager() error {
	header := http.Header{"Authorization": {"Bearer " + r.token}}
	var all []found
	for from := ""; ; {
		var answer struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []certificate `json:"items"`
		}
		path := "/apis/cert-manager.io/v1/certificates?limit=500&continue=" + url.QueryEscape(from)
		if err := r.ask(http.MethodGet, path, "list certificates", header, &answer); err != nil {
			return err
		}
		for _, c := range answer.Items {
			if !r.spend() {
				return fmt.Errorf("list certificates: %w", errTooMany)
			}
			if c.Metadata.Name != "" {
				all = append(all, r.certificate(c))
			}
		}
		if from = answer.Metadata.Continue; from == "" {
			break
		}
	}
	r.tell("kubernetes/"+instance(r.cfg.Instance), all, true)
	return nil
}

func (r *round) certificate(c certificate) found {
	secret := secrets.Secret{
		Store: "kubernetes", Kind: "certificate", Scope: event.Clean(c.Metadata.Namespace),
		Name: r.cfg.Naming.Show(c.Metadata.Name), Owner: owner(c.Metadata.Labels[ownerLabel]),
	}
	f := found{
		subject: secrets.Subject(secret.Store, r.cfg.Instance, secret.Scope, secret.Kind, secret.Name),
		state: secrets.State{
			Secret: secret, Rotated: whole(c.Status.From.Time), Mode: secrets.Active, Policy: &secrets.Policy{Due: whole(c.Status.Renewal.Time), Grace: max(r.cfg.Grace, 0)},
		},
	}
	if c.Status.Failures > 0 {
		f.failure = whole(c.Status.Failure.Time)
	}
	return f
}
