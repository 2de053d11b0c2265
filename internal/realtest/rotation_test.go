//go:build real

package realtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
)

// rotation is a Vault that rotates the password of a user of a PostgreSQL, and counters that look at it each second.
type rotation struct {
	t        *testing.T
	vault    *server
	token    string
	poller   *poll.Poller
	counters *counters.Counters
	refused  error // why the last round that could not ask could not
}

// api sends a request to Vault, which has to succeed, and returns the data of the answer.
func (r *rotation) api(method, path string, body map[string]any) map[string]any {
	r.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequest(method, r.vault.url+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", r.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		r.t.Fatalf("%s %s: status %d, %v: %s", method, path, res.StatusCode, err, answer)
	}
	var out map[string]any
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &out); err != nil {
			r.t.Fatal(err)
		}
	}
	return out
}

// look polls and counts until ok, each second.
func (r *rotation) look(what string, ok func(counted map[string]uint64, overdue float64) bool) {
	r.t.Helper()
	deadline := time.Now().Add(startWithin)
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		counted, overdue := r.once()
		if ok(counted, overdue) {
			r.t.Logf("%s: %v, %v overdue", what, counted, overdue)
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("want %s, have %v and %v overdue; refused: %v", what, counted, overdue, r.refused)
		}
		<-ticks.C
	}
}

func (r *rotation) once() (counted map[string]uint64, overdue float64) {
	r.t.Helper()
	events, err := r.poller.Poll(context.Background(), time.Now())
	if err != nil {
		r.refused = err
	}
	if err := r.counters.Add(events...); err != nil {
		r.t.Fatal(err)
	}
	snapshot, err := r.counters.Read(time.Now(), 0)
	if err != nil {
		r.t.Fatal(err)
	}
	counted = map[string]uint64{}
	for _, f := range snapshot.Families {
		for _, p := range f.Points {
			switch f.Name {
			case "secret.rotation.outcomes":
				if p.Count > 0 {
					counted[strings.TrimSpace(p.Attrs.Text(event.Outcome)+" "+p.Attrs.Text(event.RotationReason))] += p.Count
				}
			case "secret.rotation.overdue":
				overdue += p.Value
			}
		}
	}
	return counted, overdue
}

// newRotation returns a Vault with a role for the user app, and the file of its audit log.
func newRotation(t *testing.T, db *postgres) (r *rotation, auditLog string) {
	t.Helper()
	r = &rotation{t: t}
	addr, dir := address(t), t.TempDir()
	r.vault = start(t, "vault", addr, "/v1/sys/seal-status", addr)
	keys := r.api("PUT", "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	r.token = keys["root_token"].(string)
	unseal := map[string]any{"key": keys["keys"].([]any)[0]}
	r.api("PUT", "sys/unseal", unseal)
	auditLog = filepath.Join(dir, "audit.log")
	r.api("PUT", "sys/audit/file", map[string]any{"type": "file", "options": map[string]string{"file_path": auditLog}})
	r.api("POST", "sys/mounts/database", map[string]any{"type": "database"})
	r.api("POST", "database/config/pg", map[string]any{
		"plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
		"connection_url": "postgresql://{{username}}:{{password}}@" + db.addr + "/postgres?sslmode=disable&connect_timeout=2",
		"username":       "vault", "password": "x",
	})
	r.api("POST", "database/static-roles/app", map[string]any{"db_name": "pg", "username": "app", "rotation_period": 5})
	r.api("PUT", "sys/policies/acl/plimsoll", map[string]any{"policy": rotationPolicy(t)})
	auth := r.api("POST", "auth/token/create", map[string]any{"policies": []string{"plimsoll"}})["auth"].(map[string]any)
	token := write(t, dir, "token", auth["client_token"].(string))

	var err error
	r.poller, err = poll.New(poll.Config{
		Kind: poll.Vault, BaseURL: r.vault.url, TokenFile: token, Interval: time.Second, Timeout: 2 * time.Second,
		Grace: 10 * time.Second, Renew: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.counters = counters.New(time.Now(), secrets.New(secrets.Options{Silence: 5 * time.Second}))
	return r, auditLog
}

// TestRotation: a real Vault rotates each 5 seconds, which is good; then the database is away, which is bad when the
// grace is over, although no audit line says so; then it is back; then Vault is sealed and says nothing at all.
func TestRotation(t *testing.T) {
	t.Parallel()
	db := newPostgres(t)
	r, auditLog := newRotation(t, db)
	bad := func(counted map[string]uint64) (n uint64) {
		for key, count := range counted {
			if strings.HasPrefix(key, "bad") {
				n += count
			}
		}
		return n
	}
	r.look("three good rotations", func(counted map[string]uint64, overdue float64) bool {
		if bad(counted) > 0 || overdue > 0 {
			t.Fatalf("have %v, want no bad rotation while all is well", counted)
		}
		return counted["good"] >= 3
	})
	if r.refused != nil {
		t.Errorf("a round was refused, though all is well: %v", r.refused)
	}

	db.stop()
	r.look("a bad rotation without a database", func(counted map[string]uint64, overdue float64) bool {
		return counted["bad missed"] >= 1 && overdue == 1
	})
	db.start()
	before, _ := r.once()
	r.look("good rotations again", func(counted map[string]uint64, overdue float64) bool {
		return counted["good"] >= before["good"]+2 && overdue == 0
	})
	// What was rotated and failed by itself is in no audit log.
	lines, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	events, err := sources.Vault(secrets.Naming{})(nil, lines, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Name == event.RotationSucceeded || e.Name == event.RotationFailed || strings.Contains(e.Key, "creds") {
			t.Errorf("the audit log has %v", e)
		}
	}

	before, _ = r.once()
	r.api("PUT", "sys/seal", nil)
	r.look("silence taken for a rotation that did not happen", func(counted map[string]uint64, overdue float64) bool {
		return counted["bad unheard"] == before["bad unheard"]+1 && overdue == 1
	})
	if r.refused == nil {
		t.Error("a sealed Vault answered")
	}
}

// rotationPolicy returns the policy that the page says the token needs.
func rotationPolicy(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/secrets.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "```hcl\n")
	policy, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("docs/secrets.md has no policy")
	}
	return policy
}

// nobody is the user and group that PostgreSQL runs as if the test is root.
const nobody = 65534

func asNobody() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// postgres is a PostgreSQL in a directory of its own, with the users vault and app.
type postgres struct {
	t         *testing.T
	dir, addr string
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	// PostgreSQL does not run as root, and its user must reach the directory.
	dir, err := os.MkdirTemp("/tmp", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &postgres{t: t, dir: dir, addr: address(t)}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	p.run("initdb", "-D", dir+"/data", "-U", "vault", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
	p.start()
	t.Cleanup(p.stop)
	p.run("psql", "-h", p.host(), "-p", p.port(), "-U", "vault", "-d", "postgres", "-c", "CREATE ROLE app LOGIN")
	return p
}

func (p *postgres) host() string { host, _, _ := strings.Cut(p.addr, ":"); return host }
func (p *postgres) port() string { _, port, _ := strings.Cut(p.addr, ":"); return port }

func (p *postgres) start() {
	p.t.Helper()
	p.run("pg_ctl", "-D", p.dir+"/data", "-w", "-l", p.dir+"/log", "-o", fmt.Sprintf("-h %s -p %s -k '' -F", p.host(), p.port()), "start")
}

func (p *postgres) stop() {
	p.t.Helper()
	if _, err := os.Stat(p.dir + "/data/postmaster.pid"); err == nil {
		p.run("pg_ctl", "-D", p.dir+"/data", "-w", "-m", "immediate", "stop")
	}
}

// run runs a program of PostgreSQL.
func (p *postgres) run(name string, args ...string) {
	p.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		if len(found) == 0 {
			p.t.Fatalf("want %s of PostgreSQL on this machine, which tools/postgresql/install.sh installs: %v", name, err)
		}
		path = found[len(found)-1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), runWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.SysProcAttr = p.dir, asNobody()
	// The server keeps what it inherits open, so that a pipe would not end: a file does.
	log, err := os.Create(p.dir + "/out")
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		out, _ := os.ReadFile(p.dir + "/out")
		more, _ := os.ReadFile(p.dir + "/log")
		p.t.Fatalf("%s: %v\n%s%s", name, err, out, more)
	}
}
