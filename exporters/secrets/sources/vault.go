package sources

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// vaultLine is what is read of a line of an audit log. What it is about is in HMACs or left out; the text of an error is
// looked at for one phrase and goes nowhere, since plugins put addresses, users and parts of passwords into it.
type vaultLine struct {
	Time source.Stamp `json:"time"`
	Type string       `json:"type"`
	Auth struct {
		Policies  []string `json:"policies"`
		TokenType string   `json:"token_type"`
		Entity    string   `json:"entity_id"`
		Name      string   `json:"display_name"`
	} `json:"auth"`
	Request struct {
		ID        string `json:"id"`
		Operation string `json:"operation"`
		Mount     string `json:"mount_point"`
		MountType string `json:"mount_type"`
		Path      string `json:"path"`
		Namespace struct {
			Path string `json:"path"`
		} `json:"namespace"`
	} `json:"request"`
	Error string `json:"error"`
}

// Vault returns the decoder of the audit log of Vault or OpenBao, JSON lines in any number, as source.Decoder says. Of
// each request it reads the line of the response: rotations by hand, removed roles, and accesses to secrets. What a store
// rotates by itself it does not write down; that is what package poll is for.
func Vault(naming secrets.Naming) source.Decoder {
	return func(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
		var events []event.Event
		lines := 0
		for text := range bytes.Lines(body) {
			if text = bytes.TrimSpace(text); len(text) == 0 {
				continue
			}
			var line vaultLine
			exact, err := source.Unmarshal(text, &line)
			if err != nil || !exact && line.Type == "" {
				continue
			}
			lines++
			events = append(events, line.events(naming, exact, observed)...)
		}
		if lines == 0 {
			return nil, errors.New("decode vault audit log: no line of one")
		}
		if len(events) == 0 {
			events = append(events, event.NewUnused("vault", observed))
		}
		return events, nil
	}
}

// vaultThing is what a path is about.
type vaultThing struct {
	kind, name, operation string
	rotates               bool // by hand, if it succeeds
	removes               bool
}

func (l vaultLine) events(naming secrets.Naming, exact bool, observed time.Time) (events []event.Event) {
	r := l.Request
	thing := l.thing()
	if l.Type != "response" || thing.name == "" || r.ID == "" {
		return nil
	}
	secret := secrets.Secret{
		Store: "vault", Kind: thing.kind, Scope: VaultScope(r.Namespace.Path, r.Mount), Name: naming.Show(thing.name),
	}
	subject := secrets.Subject("vault", "", secret.Scope, secret.Kind, secret.Name)
	origin := func(what string) event.Origin {
		o := event.NewOrigin("vault", subject, what+"/"+source.Ident(r.ID), l.Time.Time, observed)
		if !exact {
			o.Unmapped = "type"
		}
		return o
	}
	outcome := l.outcome()
	if thing.rotates {
		result := secrets.Succeeded
		if outcome != "ok" {
			result = secrets.Failed
		}
		if outcome != "denied" { // else nobody tried
			events = append(events, secrets.Attempt{Origin: origin("rotation"), Secret: secret, Result: result, Trigger: "manual"}.Event())
		}
	}
	if thing.removes && outcome == "ok" {
		events = append(events, secrets.Removal{Origin: origin("removal"), Secret: secret}.Event())
	}
	return append(events, secrets.Access{
		Origin: origin("access"), Secret: secret, Operation: thing.operation, Outcome: outcome, Principal: l.principal(), Who: naming.Digest(l.who()),
	}.Event())
}

// who returns what tells apart those who access secrets: their entity, or the name that the way they logged in gave them.
func (l vaultLine) who() string {
	if l.Auth.Entity != "" {
		return l.Auth.Entity
	}
	return l.Auth.Name
}

// VaultScope returns the scope of secrets at a mount in a namespace.
func VaultScope(namespace, mount string) string {
	return event.Clean(strings.Trim(strings.Trim(namespace, "/")+"/"+strings.Trim(mount, "/"), "/"))
}

func (l vaultLine) outcome() string {
	switch {
	case l.Error == "":
		return "ok"
	case strings.Contains(l.Error, "permission denied"):
		return "denied"
	}
	return "error"
}

func (l vaultLine) principal() string {
	switch {
	case slices.Contains(l.Auth.Policies, "root"):
		return "root"
	case l.Auth.TokenType == "service" || l.Auth.TokenType == "batch":
		return l.Auth.TokenType
	}
	return "other"
}

// operations are the words for what a request does.
func vaultOperation(operation string) string {
	switch operation {
	case "read", "delete", "list":
		return operation
	case "create", "update", "patch":
		return "write"
	}
	return ""
}

// thing tells what a request is about; a name that is empty means nothing of interest.
func (l vaultLine) thing() vaultThing {
	r := l.Request
	path, ok := strings.CutPrefix(r.Path, r.Mount)
	t := vaultThing{operation: vaultOperation(r.Operation)}
	if !ok || r.Mount == "" || t.operation == "" {
		return vaultThing{}
	}
	head, rest, _ := strings.Cut(path, "/")
	switch r.MountType {
	case "kv", "generic":
		return t.kv(head, rest, path)
	case "database", "ldap", "openldap", "aws", "gcp", "azure", "ad":
		return t.role(head, rest)
	case "transit":
		name, action, _ := strings.Cut(rest, "/")
		if head == "keys" && action == "rotate" {
			return vaultThing{"key", name, "rotate", true, false}
		}
	case "system":
		if path == "rotate" || path == "rotate/keyring" {
			return vaultThing{"keyring", "keyring", "rotate", true, false}
		}
	}
	return vaultThing{}
}

// kv tells what of a key-value store a path is: of version 2, where the first word says so, or of version 1.
func (t vaultThing) kv(head, rest, path string) vaultThing {
	t.kind, t.name = "kv", rest
	switch head {
	case "data":
		t.rotates = t.operation == "write"
	case "delete", "undelete", "destroy":
		t.operation = "delete"
	case "metadata":
		t.removes = t.operation == "delete"
		if t.operation == "read" || t.operation == "write" {
			return vaultThing{} // and nothing of the secret
		}
	case "config", "subkeys":
		return vaultThing{}
	default:
		t.name, t.rotates, t.removes = path, t.operation == "write", t.operation == "delete"
	}
	return t
}

// role tells what of an engine with roles a path is.
func (t vaultThing) role(head, rest string) vaultThing {
	t.kind, t.name = "static-role", rest
	switch head {
	case "static-creds", "static-cred":
	case "creds":
		t.kind = "role"
	case "rotate-role":
		t.operation, t.rotates = "rotate", true
	case "rotate-root":
		t.kind, t.operation, t.rotates = "root", "rotate", true
		if t.name == "" {
			t.name = "root"
		}
	case "static-roles", "static-role":
		if t.removes = t.operation == "delete"; !t.removes {
			return vaultThing{}
		}
	default:
		return vaultThing{}
	}
	return t
}
