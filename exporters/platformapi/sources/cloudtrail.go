package sources

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// CloudTrailOptions say who is who. The zero value works.
type CloudTrailOptions struct {
	// PlatformRoles are patterns for the names of roles and users through which the platform makes changes. By default
	// none: what tools do is known by PlatformAgents.
	PlatformRoles []string `mapstructure:"platform_roles"`
	// PlatformAgents are patterns for the user agents of tools that make changes for the platform when a role that is
	// not a person's runs them. By default those of Terraform, OpenTofu, Pulumi, Crossplane and CloudFormation.
	PlatformAgents []string `mapstructure:"platform_agents"`
	// PersonRoles are patterns for the names of roles that people take on. By default those of IAM Identity Center.
	PersonRoles []string `mapstructure:"person_roles"`
	// EmergencyRoles are patterns for the names of roles and users for who breaks the glass. The root user is always one.
	EmergencyRoles []string `mapstructure:"emergency_roles"`
}

// trailSource is the kind, and the source of its events.
const trailSource = "cloudtrail"

// CloudTrail returns the decoder of CloudTrail: a log file's object with Records, one record, lines of them, or one in the
// envelope of EventBridge. It gives changes, of management events only.
func CloudTrail(o CloudTrailOptions) source.Kind {
	o.PlatformAgents = orDefault(o.PlatformAgents, "*erraform*", "*penTofu*", "*pulumi*", "*crossplane*", "cloudformation.amazonaws.com")
	o.PersonRoles = orDefault(o.PersonRoles, "AWSReservedSSO_*")
	return source.Kind{Name: trailSource, Decode: trail{o}.decode, Frame: source.Document}
}

type trail struct{ options CloudTrailOptions }

// trailRecord is what is read of a record.
type trailRecord struct {
	EventID    string        `json:"eventID"`
	EventTime  source.Stamp  `json:"eventTime"`
	Source     string        `json:"eventSource"`
	Name       string        `json:"eventName"`
	Type       string        `json:"eventType"`
	ReadOnly   *bool         `json:"readOnly"`
	Management *bool         `json:"managementEvent"`
	ErrorCode  string        `json:"errorCode"`
	UserAgent  string        `json:"userAgent"`
	Account    string        `json:"recipientAccountId"`
	Region     string        `json:"awsRegion"`
	Identity   trailIdentity `json:"userIdentity"`
}

type trailIdentity struct {
	Type      string `json:"type"`
	Principal string `json:"principalId"`
	ARN       string `json:"arn"`
	UserName  string `json:"userName"`
	InvokedBy string `json:"invokedBy"`
	Session   struct {
		Issuer struct {
			UserName string `json:"userName"`
		} `json:"sessionIssuer"`
	} `json:"sessionContext"`
}

// trailDocument is a log file, an envelope, or one record.
type trailDocument struct {
	Records elements[trailRecord] `json:"Records"`
	Detail  *trailRecord          `json:"detail"`
	trailRecord
}

// trailReading is one delivery or one file as it is read.
type trailReading struct {
	trail
	batch *platformapi.Batch
	id    hash.Hash // of the records so far
	seen  map[string]bool
}

func (t trail) decode(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	r := &trailReading{trail: t, batch: platformapi.NewBatch(trailSource, observed), id: sha256.New(), seen: map[string]bool{}}
	if err := r.body(bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))); err != nil {
		return nil, fmt.Errorf("decode %s delivery: %w", trailSource, err)
	}
	events := r.batch.Events(cmp.Or(header.Get(source.BatchHeader), hex.EncodeToString(r.id.Sum(nil))))
	if len(events) == 0 {
		events = append(events, event.NewUnused(trailSource, observed))
	}
	return events, nil
}

// body reads one document, or lines of them.
func (r *trailReading) body(body []byte) error {
	err := r.document(body)
	if err == nil || !bytes.Contains(body, []byte("\n")) {
		return err
	}
	read := false
	for line := range bytes.Lines(body) {
		read = r.document(line) == nil || read
	}
	if !read {
		return err
	}
	return nil
}

// document reads the records of one document.
func (r *trailReading) document(text []byte) error {
	d := trailDocument{Records: elements[trailRecord]{each: r.record}}
	if _, err := source.Unmarshal(text, &d); err != nil {
		return err
	}
	if d.Detail != nil {
		r.record(d.Detail)
	}
	if d.EventID != "" {
		r.record(&d.trailRecord)
	}
	if !d.Records.found && d.Detail == nil && d.EventID == "" {
		return errors.New("neither a record nor Records")
	}
	return nil
}

func (r *trailReading) record(record *trailRecord) {
	if record.EventID == "" || r.seen[record.EventID] {
		return
	}
	r.id.Write([]byte(record.EventID + "\x00"))
	r.seen[record.EventID] = true
	r.action(r.batch, *record)
}

// action counts a change that somebody made, other than AWS itself.
func (t trail) action(batch *platformapi.Batch, r trailRecord) {
	isChange := r.ReadOnly != nil && !*r.ReadOnly && (r.Management == nil || *r.Management) && r.ErrorCode == ""
	if !isChange || r.Type != "AwsApiCall" && r.Type != "AwsConsoleAction" {
		return
	}
	channel := t.channel(r)
	if channel == "" {
		return
	}
	service, _, _ := strings.Cut(r.Source, ".")
	batch.Action(platformapi.Action{
		Actor:   cmp.Or(r.Identity.ARN, r.Identity.Principal, r.Identity.InvokedBy) + "\x00" + r.Account + "\x00" + r.Region,
		Channel: channel, Target: label(service + ":" + r.Name), Time: r.EventTime.Time,
	})
}

// channel says which way a change came, or "" if it is AWS's own.
func (t trail) channel(r trailRecord) string {
	i, o := r.Identity, t.options
	name := cmp.Or(i.Session.Issuer.UserName, i.UserName)
	switch {
	case i.Type == "AWSService" || i.InvokedBy == "AWS Internal" || strings.Contains(i.ARN, ":role/aws-service-role/") ||
		strings.HasPrefix(name, "AWSServiceRoleFor"):
		return ""
	case i.Type == "Root" || name != "" && matches(name, o.EmergencyRoles):
		return platformapi.Emergency
	case name != "" && matches(name, o.PlatformRoles) || i.InvokedBy != "":
		return platformapi.Platform
	case i.Type != "AssumedRole" && i.Type != "WebIdentityUser" && i.Type != "FederatedUser":
		return platformapi.Manual
	case !matches(name, o.PersonRoles) && matches(r.UserAgent, o.PlatformAgents):
		return platformapi.Platform
	}
	return platformapi.Manual
}
