package poll_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 11, 21, 1, 20, 0, 0, time.UTC)

const (
	token  = "s.token-that-nobody-may-see"
	canary = "hunter2 canary"
)

// vault answers as Vault does, and notes what it was asked for.
type vault struct {
	*httptest.Server
	t         *testing.T
	namespace string

	mu      sync.Mutex
	answers map[string]any // data by path; a number is a status
	asked   []string
}

func newVault(t *testing.T) *vault {
	v := &vault{t: t, answers: map[string]any{}}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *vault) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if req.Header.Get("X-Vault-Token") != token || req.Header.Get("X-Vault-Namespace") != v.namespace {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"errors":[%q]}`, canary)
		return
	}
	path := strings.TrimPrefix(req.URL.RequestURI(), "/v1/")
	v.asked = append(v.asked, path)
	answer, ok := v.answers[path]
	status, failed := answer.(int)
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case failed:
		w.Header().Set("Location", "/v1/elsewhere")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[%q]}`, canary)
	default:
		// Whatever else an answer holds is not to be seen, a password above all.
		b, err := json.Marshal(map[string]any{"request_id": canary, "data": answer, "auth": map[string]any{"client_token": canary}, "warnings": []string{canary}})
		if err != nil {
			v.t.Error(err)
		}
		_, _ = w.Write(b)
	}
}

// set makes an answer; nil takes it away.
func (v *vault) set(path string, answer any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answers[path] = answer; answer == nil {
		delete(v.answers, path)
	}
}

// roles makes the static roles of a mount.
func (v *vault) roles(mount string, roles map[string]map[string]any) {
	v.set(mount+"/static-roles?list=true", map[string]any{"keys": slices.Sorted(maps.Keys(roles))})
	for name, role := range roles {
		role["password"], role["rotation_statements"], role["username"] = canary, []string{canary}, canary
		v.set(mount+"/static-roles/"+name, role)
	}
}

func role(rotated string, more ...any) map[string]any {
	r := map[string]any{"credential_type": "password", "db_name": "pg", "last_vault_rotation": rotated, "rotation_period": 10}
	for i := 0; i < len(more); i += 2 {
		if r[more[i].(string)] = more[i+1]; more[i+1] == nil {
			delete(r, more[i].(string))
		}
	}
	return r
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rounds polls again and again.
type rounds struct {
	t      *testing.T
	poller *poll.Poller
	now    time.Time
}

func newRounds(t *testing.T, cfg poll.Config) *rounds {
	t.Helper()
	if cfg.Kind != poll.File && cfg.TokenFile == "" {
		cfg.TokenFile = write(t, t.TempDir(), "token", token+"\n")
	}
	p, err := poll.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rounds{t: t, poller: p, now: t0}
}

// next returns what the next round tells, one line an event, and the error.
func (r *rounds) next() (string, []event.Event, error) {
	r.t.Helper()
	r.now = r.now.Add(time.Minute)
	events, err := r.poller.Poll(context.Background(), r.now)
	var lines []string
	for _, e := range events {
		line := strings.TrimPrefix(e.Name, "secret.") + " " + e.Subject
		for _, name := range []string{event.RotationMode, event.SecretOwner, event.RotationResult} {
			if text := e.Attrs.Text(name); text != "" {
				line += " " + text
			}
		}
		if n := e.Attrs.Integer(event.RotationTime); n > 0 {
			line += " rotated " + time.Unix(n, 0).UTC().Format(time.RFC3339)
		}
		for _, name := range []string{event.RotationInterval, event.RotationWindow, event.RotationGrace} {
			if n, _ := e.Attrs.Number(name); n > 0 {
				line += fmt.Sprintf(" %s %v", name[strings.LastIndex(name, ".")+1:], time.Duration(n)*time.Second)
			}
		}
		for name, word := range map[string]string{event.RotationDue: "due", event.RotationRefreshed: "refreshed"} {
			if n := e.Attrs.Integer(name); n > 0 {
				line += " " + word + " " + time.Unix(n, 0).UTC().Format(time.RFC3339)
			}
		}
		lines = append(lines, line)
	}
	r.unseen(events, err)
	return strings.Join(lines, "\n"), events, err
}

// unseen checks that nothing secret is in what a round gave.
func (r *rounds) unseen(events []event.Event, err error) {
	r.t.Helper()
	out := string(exportertest.Lines(r.t, events)) + fmt.Sprint(err)
	for _, e := range events {
		out += e.Key
	}
	for _, word := range []string{token, "hunter2"} {
		if strings.Contains(out, word) {
			r.t.Errorf("%q is in %s", word, out)
		}
	}
}

func (r *rounds) want(want string) {
	r.t.Helper()
	got, _, err := r.next()
	if diff := cmp.Diff(strings.ReplaceAll(want, "\n\t\t", "\n"), got); diff != "" || err != nil {
		r.t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func (r *rounds) fails(want, errorHas string) {
	r.t.Helper()
	got, _, err := r.next()
	if diff := cmp.Diff(want, got); diff != "" || err == nil || !strings.Contains(err.Error(), errorHas) {
		r.t.Errorf("error %v, want one with %q (-want +got):\n%s", err, errorHas, diff)
	}
}

var plain = secrets.Naming{Plain: true}

func mounts(types ...string) map[string]any {
	all := map[string]any{"sys/": map[string]any{"type": "system"}}
	for i := 0; i < len(types); i += 2 {
		m := map[string]any{"type": types[i+1], "options": nil}
		if types[i+1] == "kv" {
			m["options"] = map[string]string{"version": "2"}
		}
		all[types[i]+"/"] = m
	}
	return all
}

func TestVaultRoles(t *testing.T) {
	v := newVault(t)
	v.set("sys/mounts", mounts("database", "database", "team/ldap", "ldap", "old", "database"))
	v.roles("database", map[string]map[string]any{
		"app":  role("2026-11-21T01:20:35.862094231Z"),
		"cron": role("2026-11-20T02:00:04Z", "rotation_period", nil, "rotation_schedule", "0 2 * * SAT", "rotation_window", 3600),
	})
	v.set("team/ldap/static-role?list=true", map[string]any{"keys": []string{"svc"}})
	v.set("team/ldap/static-role/svc", map[string]any{"last_vault_rotation": "2026-11-21T00:00:00Z", "rotation_period": "24h", "last_password": canary})
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, Naming: plain})
	r.want(`rotation.observed vault//database/static-role/app active rotated 2026-11-21T01:20:35Z interval 10s
		rotation.observed vault//database/static-role/cron active rotated 2026-11-20T02:00:04Z interval 168h0m0s window 1h0m0s due 2026-11-21T02:00:00Z
		listed vault//database/static-role
		listed vault//old/static-role
		rotation.observed vault//team%2Fldap/static-role/svc active rotated 2026-11-21T00:00:00Z interval 24h0m0s
		listed vault//team%2Fldap/static-role`)
	r.want("listed vault//database/static-role\nlisted vault//old/static-role\nlisted vault//team%2Fldap/static-role")

	v.roles("database", map[string]map[string]any{"app": role("2026-11-21T01:22:00Z")})
	r.want(`rotation.observed vault//database/static-role/app active rotated 2026-11-21T01:22:00Z interval 10s
		removed vault//database/static-role/cron
		listed vault//database/static-role
		listed vault//old/static-role
		listed vault//team%2Fldap/static-role`)
	for _, path := range v.asked {
		if strings.Contains(path, "creds") {
			t.Errorf("asked for %s, which has a password", path)
		}
	}
}

// TestVaultFails: what can not be read is said, and nothing about secrets follows from it.
func TestVaultFails(t *testing.T) {
	v := newVault(t)
	v.set("sys/mounts", mounts("a", "database", "b", "database"))
	v.roles("a", map[string]map[string]any{"x": role("2026-11-21T01:00:00Z"), "y": role("2026-11-21T01:00:00Z")})
	v.roles("b", map[string]map[string]any{"z": role("2026-11-21T01:00:00Z")})
	dir := t.TempDir()
	file := write(t, dir, "token", token)
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, Naming: plain, TokenFile: file, Mounts: []string{"a/", "b"}})
	r.next()
	for _, status := range []int{500, 503, 403, 429, 307} {
		v.set("a/static-roles/y", status)
		r.fails("listed vault//b/static-role", "read a role of a/static-roles at 127.0.0.1")
	}
	v.roles("a", map[string]map[string]any{"x": role("2026-11-21T01:10:00Z"), "y": role("2026-11-21T01:00:00Z")})
	v.set("a/static-roles/y", 500)
	r.fails("rotation.observed vault//a/static-role/x active rotated 2026-11-21T01:10:00Z interval 10s\nlisted vault//b/static-role", "status 200, have 500")
	v.set("a/static-roles?list=true", 403)
	r.fails("listed vault//b/static-role", "list a/static-roles")
	v.set("sys/mounts", mounts("b", "database"))
	r.fails("listed vault//b/static-role\nremoved vault//a/static-role/x\nremoved vault//a/static-role/y\nlisted vault//a/static-role", `want a mount "a/", have none`)
	write(t, dir, "token", "two words\n")
	r.fails("", "want one token in")
	write(t, dir, "token", "s.wrong")
	r.fails("", "read sys/mounts")
	write(t, dir, "token", token) // it was replaced
	r.fails("listed vault//b/static-role", `want a mount "a/", have none`)
	v.Close()
	r.fails("", "read sys/mounts")
}

func TestVaultKV(t *testing.T) {
	v := newVault(t)
	v.namespace = "team-a"
	v.set("sys/mounts", mounts("kv", "kv"))
	v.set("kv/metadata/?list=true", map[string]any{"keys": []string{"a b", "deep/", "none"}})
	v.set("kv/metadata/deep/?list=true", map[string]any{"keys": []string{"paused", "wrong"}})
	metadata := func(custom map[string]string) map[string]any {
		if custom != nil {
			custom["note"] = canary
		}
		return map[string]any{"current_version": 2, "custom_metadata": custom, "versions": map[string]any{
			"1": map[string]any{"created_time": "2026-01-01T00:00:00Z"}, "2": map[string]any{"created_time": "2026-11-01T00:00:00.5Z"},
		}}
	}
	v.set("kv/metadata/a%20b", metadata(map[string]string{"rotation_interval": "90d", "rotation_grace": "7d", "rotation_owner": "payments"}))
	v.set("kv/metadata/none", metadata(nil))
	v.set("kv/metadata/deep/paused", metadata(map[string]string{"rotation_interval": "12w", "rotation_paused": "true"}))
	v.set("kv/metadata/deep/wrong", metadata(map[string]string{"rotation_interval": canary}))
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, Naming: plain, KV: true, Namespace: "team-a"})
	r.fails(`rotation.observed vault//team-a%2Fkv/kv/a%20b active payments rotated 2026-11-01T00:00:00Z interval 2160h0m0s grace 168h0m0s
rotation.observed vault//team-a%2Fkv/kv/deep%2Fpaused paused rotated 2026-11-01T00:00:00Z interval 2016h0m0s`, "want a duration such as 90d")
	v.set("kv/metadata/deep/wrong", metadata(map[string]string{"rotation_interval": "1d"}))
	r.want("rotation.observed vault//team-a%2Fkv/kv/deep%2Fwrong active rotated 2026-11-01T00:00:00Z interval 24h0m0s\nlisted vault//team-a%2Fkv/kv")
	v.set("kv/metadata/deep/wrong", metadata(map[string]string{"rotation_interval": "often"}))
	r.fails("", "want a duration such as 90d") // and it is not taken to be gone
	v.set("kv/metadata/deep/wrong", metadata(nil))
	r.want("removed vault//team-a%2Fkv/kv/deep%2Fwrong\nlisted vault//team-a%2Fkv/kv")
	v.set("kv/metadata/none", 500)
	r.fails("", "read metadata of kv")
	for _, path := range v.asked {
		if strings.Contains(path, "kv/data") {
			t.Errorf("asked for %s, which has a secret", path)
		}
	}
}

// TestRecorded replays what a real OpenBao 2.4.4 answered when it was asked for a role every 5 seconds: it was rotated
// every 10, so that each rotation was in time.
func TestRecorded(t *testing.T) {
	v := newVault(t)
	v.set("sys/mounts", mounts("database", "database"))
	v.set("database/static-roles?list=true", map[string]any{"keys": []string{"app1"}})
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, Interval: time.Second})
	r.now = time.Date(2026, 11, 21, 1, 19, 40, 0, time.UTC)
	var rotations []string
	for line := range strings.Lines(string(exportertest.Read(t, "testdata/openbao-static-role-reads-first-10.jsonl"))) {
		v.set("database/static-roles/app1", json.RawMessage(line))
		_, events, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Name == event.SecretObserved {
				rotations = append(rotations, time.Unix(e.Attrs.Integer(event.RotationTime), 0).UTC().Format(time.TimeOnly))
			}
		}
	}
	if diff := cmp.Diff([]string{"01:20:35", "01:20:46", "01:20:56", "01:21:06", "01:21:16"}, rotations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClockAhead: a rotation in the future is not believed yet, and told again until it is.
func TestClockAhead(t *testing.T) {
	v := newVault(t)
	v.set("sys/mounts", mounts("database", "database"))
	v.roles("database", map[string]map[string]any{"app": role(t0.Add(9 * time.Minute).Format(time.RFC3339))})
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL})
	var got []string
	for range 6 {
		_, events, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Name == event.SecretObserved {
				got = append(got, e.Attrs.Text(event.Unmapped))
			}
		}
	}
	if diff := cmp.Diff([]string{"clock", "clock", "clock", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	v := newVault(t)
	v.set("sys/mounts", mounts("database", "database"))
	v.roles("database", map[string]map[string]any{"hunter2": role("2026-11-21T01:20:35Z")})
	subjects := map[string]bool{}
	for _, naming := range []secrets.Naming{{}, {Key: "0123456789abcdef"}, {Key: "fedcba9876543210"}} {
		_, events, err := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, Naming: naming}).next()
		if err != nil || len(events) != 2 {
			t.Fatal(events, err)
		}
		subjects[events[0].Subject] = true
	}
	if len(subjects) != 3 {
		t.Errorf("have %v, want a name for each key", subjects)
	}
}

func TestVaultRenews(t *testing.T) {
	v := newVault(t)
	v.set("sys/mounts", mounts())
	v.set("auth/token/renew-self", map[string]any{})
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, Renew: true})
	for range 61 {
		if _, _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	renewed := 0
	for _, path := range v.asked {
		if path == "auth/token/renew-self" {
			renewed++
		}
	}
	if renewed != 3 {
		t.Errorf("renewed %d times in an hour, want 3", renewed)
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case <-release:
		case <-req.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(release) })
	r := newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: slow.URL, Timeout: 20 * time.Millisecond})
	r.fails("", "read sys/mounts")
}

func TestTLS(t *testing.T) {
	v := &vault{t: t, answers: map[string]any{"sys/mounts": mounts()}}
	v.Server = httptest.NewTLSServer(v)
	t.Cleanup(v.Close)
	newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL}).fails("", "certificate")
	ca := write(t, t.TempDir(), "ca.pem", pemOf(v.Certificate().Raw))
	newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, CAFile: ca}).want("")
	newRounds(t, poll.Config{Kind: poll.Vault, BaseURL: v.URL, CAFile: write(t, t.TempDir(), "no.pem", "x")}).fails("", "want certificates")
}

func TestConfig(t *testing.T) {
	f := func(cfg poll.Config, want string) {
		t.Helper()
		if _, err := poll.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", cfg, err, want)
		}
	}
	f(poll.Config{}, "want kind vault, cert-manager or file")
	f(poll.Config{Kind: poll.File}, "want the path")
	f(poll.Config{Kind: poll.Vault, BaseURL: "https://example.com"}, "want a token file")
	f(poll.Config{Kind: poll.Vault, TokenFile: "x", BaseURL: "http://example.com"}, "want https")
	f(poll.Config{Kind: poll.Vault, TokenFile: "x", BaseURL: "https://user:hunter2@example.com"}, "scheme, host and path")
	f(poll.Config{Kind: poll.CertManager, TokenFile: "x"}, "want a base URL")
}
