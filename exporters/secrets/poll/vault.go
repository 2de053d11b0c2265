package poll

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// renewEvery is how often a token is renewed.
const renewEvery = 30 * time.Minute

// engines says under which path an engine keeps its static roles. Reading one tells when it was rotated and not what to.
// Source: Vault and OpenBao, API of the database and LDAP engines.
func engines() map[string]string {
	return map[string]string{"database": "static-roles", "ldap": "static-role", "openldap": "static-role"}
}

// vault looks at the static roles, and if wanted the key-value stores, of Vault or OpenBao. Each mount is a list of its
// own: one that can not be read says nothing of the others.
func (r *round) vault() error {
	if r.cfg.Renew && !r.now.Before(r.renew) {
		if err := r.ask(http.MethodPost, "/v1/auth/token/renew-self", "renew token", r.vaultHeader(), &struct{}{}); err != nil {
			r.errs = append(r.errs, err)
		} else {
			r.renew = r.now.Add(renewEvery)
		}
	}
	var answer struct {
		Data map[string]struct {
			Type    string            `json:"type"`
			Options map[string]string `json:"options"`
		} `json:"data"`
	}
	if err := r.ask(http.MethodGet, "/v1/sys/mounts", "read sys/mounts", r.vaultHeader(), &answer); err != nil {
		return err
	}
	for _, wanted := range r.cfg.Mounts {
		if _, ok := answer.Data[strings.Trim(wanted, "/")+"/"]; !ok {
			r.errs = append(r.errs, fmt.Errorf("want a mount %q, have none", wanted))
		}
	}
	for _, mount := range slices.Sorted(maps.Keys(answer.Data)) {
		m := answer.Data[mount]
		mount = strings.Trim(mount, "/")
		if len(r.cfg.Mounts) > 0 && !slices.ContainsFunc(r.cfg.Mounts, func(w string) bool { return strings.Trim(w, "/") == mount }) {
			continue
		}
		var err error
		if path := engines()[m.Type]; path != "" {
			err = r.roles(mount, path)
		} else if r.cfg.KV && m.Type == "kv" && m.Options["version"] == "2" {
			err = r.metadata(mount)
		}
		if err != nil {
			r.errs = append(r.errs, err)
		}
	}
	r.gone(func(mount string) bool { _, ok := answer.Data[mount+"/"]; return !ok })
	return nil
}

// gone tells that there is nothing any more at mounts that are no more.
func (r *round) gone(isGone func(mount string) bool) {
	for _, below := range slices.Sorted(maps.Keys(r.told)) {
		if isGone(r.told[below].mount) {
			r.tell(below, nil, true)
			delete(r.told, below)
		}
	}
}

// tellMount is tell for what is at a mount.
func (r *round) tellMount(mount, below string, all []found, complete bool) {
	r.tell(below, all, complete)
	r.told[below].mount = mount
}

func (r *round) vaultHeader() http.Header {
	header := http.Header{"X-Vault-Token": {r.token}, "X-Vault-Request": {"true"}}
	if r.cfg.Namespace != "" {
		header.Set("X-Vault-Namespace", r.cfg.Namespace)
	}
	return header
}

// keys lists the names at a path.
func (r *round) keys(mount, path string) ([]string, error) {
	var answer struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	what := fmt.Sprintf("list %s/%s", mount, strings.SplitN(path, "/", 2)[0])
	err := r.ask(http.MethodGet, "/v1/"+escape(mount+"/"+path)+"?list=true", what, r.vaultHeader(), &answer)
	if errors.Is(err, errNone) {
		return nil, nil // Vault says so of an empty list
	}
	return answer.Data.Keys, err
}

// roles looks at the static roles of a mount.
func (r *round) roles(mount, path string) error {
	names, err := r.keys(mount, path)
	if err != nil {
		return err
	}
	scope := sources.VaultScope(r.cfg.Namespace, mount)
	below := secrets.Below("vault", r.cfg.Instance, scope, "static-role")
	var all []found
	for _, name := range names {
		if !r.spend() {
			r.tellMount(mount, below, all, false)
			return fmt.Errorf("list %s/%s: %w", mount, path, errTooMany)
		}
		var answer struct {
			Data staticRole `json:"data"`
		}
		err := r.ask(http.MethodGet, "/v1/"+escape(mount+"/"+path+"/"+name), fmt.Sprintf("read a role of %s/%s", mount, path), r.vaultHeader(), &answer)
		if errors.Is(err, errNone) {
			continue // it went in between
		}
		if err != nil {
			r.tellMount(mount, below, all, false)
			return err
		}
		policy, err := answer.Data.policy()
		policy.Grace = max(r.cfg.Grace, 0)
		if err != nil {
			r.errs = append(r.errs, fmt.Errorf("read a role of %s/%s: %w", mount, path, err))
		}
		all = append(all, r.found(scope, "static-role", name, secrets.State{Rotated: whole(answer.Data.Rotated.Time), Mode: secrets.Active, Policy: policy}))
	}
	r.tellMount(mount, below, all, true)
	return nil
}

func (r *round) found(scope, kind, name string, state secrets.State) found {
	state.Secret = secrets.Secret{Store: "vault", Kind: kind, Scope: scope, Name: r.cfg.Naming.Show(name), Owner: state.Owner}
	return found{state: state, subject: secrets.Subject("vault", r.cfg.Instance, scope, kind, state.Name)}
}

// staticRole is what is read of a role. There is no field for a password, whatever the answer holds.
type staticRole struct {
	Rotated  source.Stamp `json:"last_vault_rotation"`
	Period   span         `json:"rotation_period"`
	Schedule string       `json:"rotation_schedule"`
	Window   span         `json:"rotation_window"`
}

// span is a duration as Vault writes it: a number of seconds, or a text such as "24h".
type span time.Duration

// UnmarshalJSON reads a number or a text; what is neither is 0.
func (s *span) UnmarshalJSON(b []byte) error {
	var n float64
	var text string
	*s = 0
	switch {
	case json.Unmarshal(b, &n) == nil && n > 0 && n < 1e9:
		*s = span(n * float64(time.Second))
	case json.Unmarshal(b, &text) == nil:
		if d, err := parseSpan(text); err == nil {
			*s = span(d)
		}
	}
	return nil
}

// policy returns when the role has to be rotated.
func (s staticRole) policy() (*secrets.Policy, error) {
	p := &secrets.Policy{Interval: time.Duration(s.Period), Window: time.Duration(s.Window)}
	if s.Schedule == "" {
		return p, nil
	}
	schedule, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(s.Schedule)
	if err != nil || s.Rotated.IsZero() {
		return p, errors.New("its schedule is not understood, or it was never rotated")
	}
	p.Due = schedule.Next(s.Rotated.UTC())
	if p.Due.IsZero() {
		return p, errors.New("its schedule has no time")
	}
	p.Interval = schedule.Next(p.Due).Sub(p.Due)
	return p, nil
}

// metadata looks at the custom metadata of the secrets of a key-value store of version 2.
func (r *round) metadata(mount string) error {
	scope := sources.VaultScope(r.cfg.Namespace, mount)
	all, complete, err := r.walk(mount, scope)
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.subject, b.subject) })
	r.tellMount(mount, secrets.Below("vault", r.cfg.Instance, scope, "kv"), all, complete && err == nil)
	return err
}

// walk goes through the folders of a key-value store; complete is false if there is a policy that is not understood.
func (r *round) walk(mount, scope string) (all []found, complete bool, err error) {
	complete = true
	for folders := []string{""}; len(folders) > 0; folders = folders[1:] {
		names, err := r.keys(mount, "metadata/"+folders[0])
		if err != nil {
			return all, false, err
		}
		for _, name := range names {
			if !r.spend() {
				return all, false, fmt.Errorf("list %s/metadata: %w", mount, errTooMany)
			}
			if strings.HasSuffix(name, "/") {
				folders = append(folders, folders[0]+name)
				continue
			}
			f, ok, err := r.kv(mount, scope, folders[0]+name)
			switch {
			case errors.Is(err, errPolicy):
				r.errs, complete = append(r.errs, fmt.Errorf("read metadata of %s: %w", mount, err)), false
			case err != nil:
				return all, false, err
			case ok:
				all = append(all, f)
			}
		}
	}
	return all, complete, nil
}

var errPolicy = errors.New("want a duration such as 90d in rotation_interval and rotation_grace, have something else")

// kv reads the metadata of one secret; ok is false if it has no policy.
func (r *round) kv(mount, scope, name string) (f found, ok bool, err error) {
	var answer struct {
		Data struct {
			Current int `json:"current_version"`
			Custom  struct {
				Interval string `json:"rotation_interval"`
				Grace    string `json:"rotation_grace"`
				Owner    string `json:"rotation_owner"`
				Paused   string `json:"rotation_paused"`
			} `json:"custom_metadata"`
			Versions map[string]struct {
				Created source.Stamp `json:"created_time"`
			} `json:"versions"`
		} `json:"data"`
	}
	what := fmt.Sprintf("read metadata of %s", mount)
	err = r.ask(http.MethodGet, "/v1/"+escape(mount+"/metadata/"+name), what, r.vaultHeader(), &answer)
	if errors.Is(err, errNone) {
		return f, false, nil
	}
	d := answer.Data
	if err != nil || d.Custom.Interval == "" {
		return f, false, err
	}
	policy := &secrets.Policy{}
	for _, x := range []struct {
		text string
		into *time.Duration
	}{{d.Custom.Interval, &policy.Interval}, {d.Custom.Grace, &policy.Grace}} {
		if *x.into, err = parseSpan(x.text); err != nil && x.text != "" {
			return f, false, errPolicy
		}
	}
	if policy.Grace == 0 {
		policy.Grace = max(r.cfg.Grace, 0)
	}
	state := secrets.State{Rotated: whole(d.Versions[fmt.Sprint(d.Current)].Created.Time), Mode: secrets.Active, Policy: policy}
	if d.Custom.Paused == "true" {
		state.Mode = secrets.Paused
	}
	state.Owner = owner(d.Custom.Owner)
	return r.found(scope, "kv", name, state), true, nil
}

// whole returns a time in whole seconds.
func whole(t time.Time) time.Time {
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return time.Unix(t.Unix(), 0).UTC()
}
