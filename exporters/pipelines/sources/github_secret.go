package sources

import (
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// githubSecretDelivery returns that a secret was found in a repository, when GitHub says so and when an alert about it is
// opened again. What was found, and where in the repository, is not read.
func githubSecretDelivery(payload []byte, observed time.Time) ([]event.Event, error) {
	var delivery struct {
		Action string `json:"action"`
		Alert  struct {
			Number  int64        `json:"number"`
			Type    string       `json:"secret_type"`
			Created source.Stamp `json:"created_at"`
			Updated source.Stamp `json:"updated_at"`
		} `json:"alert"`
		Repository GitHubRepository `json:"repository"`
	}
	exact, err := source.Unmarshal(payload, &delivery)
	if err != nil {
		return nil, err
	}
	alert, key, at := delivery.Alert, "created", delivery.Alert.Created
	action := event.Word(delivery.Action)
	if action == "reopened" {
		at = alert.Updated
		key = fmt.Sprint("reopened/", at.Unix())
	}
	if action != "created" && action != "reopened" || alert.Number <= 0 || delivery.Repository.ID <= 0 {
		return []event.Event{event.NewUnused("github", observed)}, nil
	}
	subject := fmt.Sprintf("gh/%d/secret/%d", delivery.Repository.ID, alert.Number)
	l := secrets.Leak{Origin: event.NewOrigin("github", subject, key, at.Time, observed), Store: "github", Kind: event.Word(alert.Type)}
	l.Owner, l.Repository = pipelines.Split(delivery.Repository.FullName)
	if !exact {
		l.Unmapped = "type"
	}
	return []event.Event{l.Event()}, nil
}
