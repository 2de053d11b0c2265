package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// trailRecord is what is read of a record of CloudTrail. ARN, arn and aRN are one name here; AWS writes all three.
type trailRecord struct {
	Time     source.Stamp `json:"eventTime"`
	Source   string       `json:"eventSource"`
	Name     string       `json:"eventName"`
	Type     string       `json:"eventType"`
	ID       string       `json:"eventID"`
	Region   string       `json:"awsRegion"`
	Account  string       `json:"recipientAccountId"`
	Error    string       `json:"errorCode"`
	Identity struct {
		Type string `json:"type"`
		ID   string `json:"principalId"` // for a role with a colon and the session after it
	} `json:"userIdentity"`
	Request struct {
		SecretID string   `json:"secretId"`
		Name     string   `json:"name"`
		Stages   []string `json:"versionStages"`
		Rules    struct {
			Days     float64 `json:"automaticallyAfterDays"`
			Schedule string  `json:"scheduleExpression"`
			Duration string  `json:"duration"`
		} `json:"rotationRules"`
	} `json:"requestParameters"`
	Response struct {
		ARN string `json:"arn"`
	} `json:"responseElements"`
	Additional struct {
		ARN      string `json:"arn"`
		SecretID string `json:"SecretId"`
	} `json:"additionalEventData"`
}

// maxRecords bounds the records of one delivery.
const maxRecords = 10_000

// SecretsManager returns the decoder of what AWS Secrets Manager writes to CloudTrail, as source.Decoder says: a log file
// with Records, an event of EventBridge, or a record on its own, alone or in a list.
func SecretsManager(naming secrets.Naming) source.Decoder {
	return func(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
		records, err := trailRecords(body)
		if err != nil {
			return nil, err
		}
		var events []event.Event
		for _, text := range records {
			var r trailRecord
			exact, err := source.Unmarshal(text, &r)
			if err == nil && strings.EqualFold(r.Source, "secretsmanager.amazonaws.com") && r.ID != "" {
				events = append(events, r.events(naming, exact, observed)...)
			}
		}
		if len(events) == 0 {
			events = append(events, event.NewUnused("secretsmanager", observed))
		}
		return events, nil
	}
}

// trailRecords finds the records of a delivery.
func trailRecords(body []byte) ([]json.RawMessage, error) {
	wrong := errors.New("decode secretsmanager delivery: no record of CloudTrail")
	body = bytes.TrimSpace(body)
	list := []json.RawMessage{body}
	if len(body) > 0 && body[0] == '[' {
		if _, err := source.Unmarshal(body, &list); err != nil {
			return nil, wrong
		}
	}
	var records []json.RawMessage
	for _, text := range list {
		var envelope struct {
			Records []json.RawMessage `json:"Records"`
			Detail  json.RawMessage   `json:"detail"`
			Name    string            `json:"eventName"`
		}
		if _, err := source.Unmarshal(text, &envelope); err != nil && len(list) == 1 {
			return nil, wrong
		}
		switch {
		case len(envelope.Records) > 0:
			records = append(records, envelope.Records...)
		case len(envelope.Detail) > 0:
			records = append(records, envelope.Detail)
		case envelope.Name != "":
			records = append(records, text)
		}
	}
	if len(records) == 0 || len(records) > maxRecords {
		return nil, wrong
	}
	return records, nil
}

// suffix ends the name in an ARN: Secrets Manager puts it there.
var suffix = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// secret returns the name of the secret without what Secrets Manager adds, and where it is.
func (r trailRecord) secret() (name, scope string) {
	account, region := r.Account, r.Region
	for _, id := range []string{r.Additional.ARN, r.Additional.SecretID, r.Response.ARN, r.Request.SecretID, r.Request.Name} {
		if id == "" {
			continue
		}
		name = id
		if parts := strings.SplitN(id, ":", 7); len(parts) == 7 && parts[0] == "arn" {
			region, account, name = parts[3], parts[4], suffix.ReplaceAllString(parts[6], "")
		}
		break
	}
	return name, event.Clean(account + "/" + region)
}

func (r trailRecord) events(naming secrets.Naming, exact bool, observed time.Time) (events []event.Event) {
	name, scope := r.secret()
	if name == "" {
		return nil
	}
	secret := secrets.Secret{Store: "aws", Kind: "secret", Scope: scope, Name: naming.Show(name)}
	subject := secrets.Subject("aws", "", scope, secret.Kind, secret.Name)
	unmapped := source.Inexact(exact)
	origin := func(what string) event.Origin {
		o := event.NewOrigin("secretsmanager", subject, what+"/"+source.Ident(r.ID), r.Time.Time, observed)
		if o.Unmapped == "" {
			o.Unmapped = unmapped
		}
		return o
	}
	if r.Error == "" {
		switch r.Name {
		case "RotationStarted", "RotationSucceeded", "RotationFailed", "RotationAbandoned":
			events = append(events, secrets.Attempt{
				Origin: origin("rotation"), Secret: secret, Result: trailResult(r.Name), Trigger: "automatic",
			}.Event())
		case "PutSecretValue":
			if r.current() {
				events = append(events, secrets.Attempt{
					Origin: origin("rotation"), Secret: secret, Result: secrets.Succeeded, Trigger: "manual",
				}.Event())
			}
		case "DeleteSecret":
			events = append(events, secrets.Removal{Origin: origin("removal"), Secret: secret}.Event())
		case "RotateSecret", "CancelRotateSecret", "CreateSecret", "RestoreSecret":
			state, ok := r.state(secret)
			if !ok {
				unmapped = "schedule"
			}
			state.Origin = origin("state")
			events = append(events, state.Event())
		}
	}
	if operation := trailOperation(r.Name); operation != "" {
		who, _, _ := strings.Cut(r.Identity.ID, ":")
		events = append(events, secrets.Access{
			Origin: origin("access"), Secret: secret, Operation: operation, Outcome: trailOutcome(r.Error), Principal: trailPrincipal(r.Identity.Type), Who: naming.Digest(who),
		}.Event())
	}
	return events
}

func trailResult(name string) secrets.Result {
	switch name {
	case "RotationSucceeded":
		return secrets.Succeeded
	case "RotationFailed":
		return secrets.Failed
	case "RotationAbandoned":
		return secrets.Abandoned
	}
	return secrets.Started
}

// current tells whether a new version is the one in use at once; a rotation puts it there as pending first.
func (r trailRecord) current() bool {
	for _, stage := range r.Request.Stages {
		if stage == "AWSCURRENT" {
			return true
		}
	}
	return len(r.Request.Stages) == 0
}

// state returns what a call says of how the secret is to be rotated; ok is false if its schedule is not understood.
func (r trailRecord) state(secret secrets.Secret) (s secrets.State, ok bool) {
	s.Secret = secret
	switch r.Name {
	case "CreateSecret":
		s.Rotated = r.Time.Truncate(time.Second)
	case "CancelRotateSecret":
		s.Mode = secrets.Disabled
	case "RotateSecret":
		s.Mode = secrets.Active
		interval, known := r.interval()
		if interval > 0 {
			window := hours(r.Request.Rules.Duration)
			if window == 0 {
				window = 24 * time.Hour // the rotation is on any hour of its day
			}
			s.Policy = &secrets.Policy{Interval: interval, Window: window}
		}
		return s, known
	}
	return s, true
}

var rate = regexp.MustCompile(`^rate\(([0-9]{1,4}) (day|hour)s?\)$`)

// interval returns how often the secret is to be rotated, 0 if the call does not say. A cron expression is not understood.
func (r trailRecord) interval() (d time.Duration, ok bool) {
	rules := r.Request.Rules
	if rules.Days >= 1 && rules.Days <= 1000 {
		return time.Duration(rules.Days * float64(24*time.Hour)), true
	}
	m := rate.FindStringSubmatch(rules.Schedule)
	if m == nil {
		return 0, rules.Schedule == ""
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, false
	}
	return time.Duration(n) * map[string]time.Duration{"day": 24 * time.Hour, "hour": time.Hour}[m[2]], true
}

// hours reads a duration such as "3h", 0 if it is none.
func hours(text string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "h"))
	if err != nil || n < 0 || n > 24 {
		return 0
	}
	return time.Duration(n) * time.Hour
}

func trailOperation(name string) string {
	switch name {
	case "GetSecretValue":
		return "read"
	case "PutSecretValue", "CreateSecret", "UpdateSecret":
		return "write"
	case "DeleteSecret":
		return "delete"
	case "RotateSecret":
		return "rotate"
	}
	return ""
}

func trailOutcome(code string) string {
	switch {
	case code == "":
		return "ok"
	case strings.HasPrefix(code, "AccessDenied"), strings.HasPrefix(code, "UnauthorizedOperation"):
		return "denied"
	}
	return "error"
}

func trailPrincipal(kind string) string {
	switch kind {
	case "Root":
		return "root"
	case "IAMUser", "FederatedUser", "IdentityCenterUser":
		return "user"
	case "AssumedRole", "Role":
		return "role"
	case "AWSService":
		return "service"
	}
	return "other"
}
