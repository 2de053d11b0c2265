package packs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	pipesources "github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	apisources "github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
	secretsources "github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// bao answers as the recorded OpenBao did, with the rotations of the story.
type bao struct {
	rotated map[string]time.Time // of each role
	period  time.Duration
	role    map[string]any // as recorded
}

func (b *bao) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var data any
	switch path := strings.TrimPrefix(req.URL.Path, "/v1/"); {
	case path == "sys/mounts":
		data = map[string]any{"database/": map[string]any{"type": "database"}}
	case strings.TrimSuffix(path, "/") == "database/static-roles":
		var keys []string
		for name := range b.rotated {
			keys = append(keys, name)
		}
		data = map[string]any{"keys": keys}
	default:
		b.role["last_vault_rotation"] = b.rotated[path[strings.LastIndex(path, "/")+1:]].Format(time.RFC3339Nano)
		b.role["rotation_period"] = b.period.Seconds()
		data = b.role
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

// newStore returns a replay in which a store with three roles is polled every minute, and rotates each once a period.
// Between the last two times it does not answer.
func newStore(t *testing.T, a *asserted, period, length, away, back time.Duration) (*play, *bao) {
	t.Helper()
	recorded, _, _ := strings.Cut(string(exportertest.Read(t, "../../exporters/secrets/poll/testdata/openbao-static-role-reads-first-10.jsonl")), "\n")
	b := &bao{rotated: map[string]time.Time{"app1": t0, "app2": t0, "app3": t0}, period: period}
	if err := json.Unmarshal([]byte(recorded), &b.role); err != nil {
		t.Fatal(err)
	}
	p := newPlay(t, a, "secrets", time.Minute, secrets.New(secrets.Options{}))
	p.poll(poll.Config{Kind: poll.Vault, Interval: 30 * time.Second}, b, length, away, back)
	return p, b
}

// poll polls a server of secrets every minute, except while it is away.
func (p *play) poll(config poll.Config, handler http.Handler, length, away, back time.Duration) {
	p.t.Helper()
	server := httptest.NewServer(handler)
	p.t.Cleanup(server.Close)
	config.BaseURL, config.TokenFile = server.URL, filepath.Join(p.t.TempDir(), "token")
	if err := os.WriteFile(config.TokenFile, []byte("a-token-of-the-test\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	poller, err := poll.New(config)
	if err != nil {
		p.t.Fatal(err)
	}
	for at := time.Duration(0); at <= length; at += time.Minute {
		if at < away || at >= back {
			p.at(at, func() error { return p.ask(poller, at) })
		}
	}
}

// ask counts what a poller finds at a time.
func (p *play) ask(poller *poll.Poller, at time.Duration) error {
	events, err := poller.Poll(context.Background(), t0.Add(at))
	if err != nil {
		return err
	}
	return p.counters.Add(events...)
}

// rotate lets the store rotate roles at a time.
func (b *bao) rotate(p *play, at time.Duration, roles ...string) {
	p.at(at-time.Second, func() error {
		for _, r := range roles {
			b.rotated[r] = t0.Add(at - time.Second)
		}
		return nil
	})
}

// overdueRotation is F7: rotation of one role stops silently. Nobody says so, and the first rotation that is not done
// pages. There is no budget that could be left: what counts is how many were bad.
func overdueRotation(t *testing.T, a *asserted) {
	p, b := newStore(t, a, 30*time.Minute, 3*time.Hour, 0, 0)
	due := 0.0
	for turn := 1; turn <= 5; turn++ {
		roles := []string{"app1", "app2"}
		if turn <= 2 {
			roles = append(roles, "app3")
		}
		due += 3
		b.rotate(p, time.Duration(turn)*30*time.Minute, roles...)
	}
	p.run(165 * time.Minute)
	p.fired("secrets-none-overdue", "page 1h32m 1h38m") // half an hour and a grace of three minutes after the last, and for good
	p.counted("secrets-none-overdue", 72, 165, 4)       // of one evaluation a minute
	p.fired("secrets-rotation-on-time", "ticket 1h32m 1h40m")
	p.counted("secrets-rotation-on-time", 3, due, 0) // app3 the third, fourth and fifth time
}

// brokenByRotation is the other half of F7: logins fail. Within an hour after a rotation that is a page, else a ticket.
// The logins are lines of the access log of a gateway. If nothing was rotated, the store is away for an hour instead.
func brokenByRotation(rotated bool) func(t *testing.T, a *asserted) {
	return func(t *testing.T, a *asserted) {
		away, back := 30*time.Minute, 90*time.Minute
		want := []string{"ticket 2h 2h20m"}
		if rotated {
			away, back, want = 0, 0, append(want, "page 2h 2h20m")
		}
		p, b := newStore(t, a, 24*time.Hour, 4*time.Hour, away, back)
		p.counters = counters.New(t0, secrets.New(secrets.Options{}), platformapi.New(platformapi.Options{}))
		if rotated {
			b.rotate(p, 2*time.Hour, "app1")
		}
		gateway := apisources.AccessLog(apisources.AccessLogOptions{Service: "shop"}).Decode
		var refused, all float64
		for at := 4 * time.Minute; at < 170*time.Minute; at += 2 * time.Minute {
			lines := logLines{ok: 60}
			if at >= 2*time.Hour && at < 150*time.Minute {
				lines = logLines{ok: 30, refused: 30}
			}
			refused, all = refused+float64(lines.refused), all+60
			p.deliver(at, gateway, nil, lines.text)
		}
		p.run(3 * time.Hour)
		p.fired("secrets-logins", want...)
		p.left("secrets-logins", refused, all)
		if rotated {
			p.fired("secrets-known")
			return
		}
		p.fired("secrets-known", "ticket 45m 1h15m")
		p.leftIs("secrets-known", 1-45./180/0.01, 2)
	}
}

// certificates is two more of M11. cert-manager renews one of two certificates that are due since most of a day; the other
// is bad a day after its renewal time, and told at once. And five secrets are rotated of which two reach their consumers too late.
func certificates(t *testing.T, a *asserted) {
	p := newPlay(t, a, "secrets", time.Minute, secrets.New(secrets.Options{}))
	renewal := t0.Add(-23*time.Hour - 30*time.Minute)
	began := t0.Add(-60 * 24 * time.Hour)
	www := began
	p.at(10*time.Minute, func() error { www = t0.Add(10 * time.Minute); return nil })
	p.poll(poll.Config{Kind: poll.CertManager}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		certificate := func(name string, issued, renewal time.Time) map[string]any {
			return map[string]any{
				"metadata": map[string]any{"namespace": "shop", "name": name},
				"status": map[string]any{
					"notBefore": issued.Format(time.RFC3339), "renewalTime": renewal.Format(time.RFC3339),
					"notAfter": renewal.Add(30 * 24 * time.Hour).Format(time.RFC3339),
				},
			}
		}
		next := renewal
		if www.After(t0) {
			next = www.Add(60 * 24 * time.Hour)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"metadata": map[string]any{}, "items": []any{certificate("www", www, next), certificate("api", began, renewal)},
		})
	}), 3*time.Hour, 0, 0)

	dir := t.TempDir()
	write := func(name, text string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
	p.at(0, func() error { return write("policy.yaml", consumers) })
	files, err := poll.New(poll.Config{Kind: poll.File, Path: filepath.Join(dir, "policy.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	tell := func(at time.Duration, name string, rotated, loaded time.Time) {
		p.at(at, func() error {
			return write(name+".json", fmt.Sprintf(`{"rotated": %q, "loaded": %q}`, rotated.Format(time.RFC3339), loaded.Format(time.RFC3339)))
		})
	}
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		before, rotated, late := t0.Add(-24*time.Hour), t0.Add(time.Hour+time.Duration(i)*time.Minute), 10*time.Minute
		if i >= 3 {
			late = 40 * time.Minute
		}
		tell(0, name, before, before.Add(time.Minute))
		tell(65*time.Minute, name, rotated, before.Add(time.Minute))
		tell(105*time.Minute, name, rotated, rotated.Add(late))
	}
	for at := time.Duration(0); at <= 3*time.Hour; at += time.Minute {
		p.at(at, func() error { return p.ask(files, at) })
	}
	p.run(150 * time.Minute)
	p.fired("secrets-propagation", "nodata 10m 11m", "ticket 1h45m 2h10m") // nothing is rotated at first
	p.left("secrets-propagation", 2, 5)
	p.fired("secrets-certificate-renewal", "ticket 30m 50m")
	p.counted("secrets-certificate-renewal", 1, 2, 0)
}

// consumers is a policy whose secrets say in files when they were rotated and loaded.
const consumers = `
secrets:
  - {name: a, interval: 30d, read: a.json, rotated_at: /rotated, refreshed_at: /loaded}
  - {name: b, interval: 30d, read: b.json, rotated_at: /rotated, refreshed_at: /loaded}
  - {name: c, interval: 30d, read: c.json, rotated_at: /rotated, refreshed_at: /loaded}
  - {name: d, interval: 30d, read: d.json, rotated_at: /rotated, refreshed_at: /loaded}
  - {name: e, interval: 30d, read: e.json, rotated_at: /rotated, refreshed_at: /loaded}
`

// up is the series of a scrape that succeeded.
func up(job, instance string) sample {
	return sample{store.Labels{store.Name: "up", "job": job, "instance": instance}, 1}
}

// leak is F2 on the accesses of a recorded audit log: a secret that GitHub finds, which pages; a root token, which pages; somebody nobody knows, who is denied
// more than is usual; and then silence of the log while the store goes on to serve, which pages as well.
func leak(t *testing.T, a *asserted) {
	// Of the first hour everybody is learned; by default it is a week.
	p := newPlay(t, a, "secrets-audit", time.Minute, secrets.New(secrets.Options{Learn: time.Hour}))
	decode := secretsources.Vault(secrets.Naming{})
	var lines [][]byte
	for line := range strings.Lines(string(exportertest.Read(t, "../../exporters/secrets/sources/testdata/openbao-audit-first-60-lines.log"))) {
		events, err := decode(nil, []byte(line), t0)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 1 && events[0].Name == event.SecretAccessed {
			lines = append(lines, []byte(line))
		}
	}
	requests, accesses, root, denied := 0.0, 0.0, 0.0, 0.0
	for at := 6 * time.Minute; at < 135*time.Minute; at += 30 * time.Second {
		accesses++
		refusal, who := "", []string{"approle", "kubernetes-shop", "userpass-ann"}[int(accesses)%3]
		if at >= 90*time.Minute && at < 105*time.Minute {
			denied, refusal, who = denied+1, "1 error occurred:\n\t* permission denied\n\n", "userpass-eve" // as in the recording
		}
		auth := map[string]any{"policies": []string{"app"}, "token_type": "batch", "display_name": who}
		if at >= 70*time.Minute && at < 72*time.Minute {
			root++
			auth = map[string]any{"policies": []string{"root"}, "token_type": "service", "display_name": "root"}
		}
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", int(accesses))
		p.deliver(at, decode, nil, func(now time.Time) []byte {
			return replace(t, lines[int(accesses)%len(lines)], map[string]any{"time": now.Format(time.RFC3339Nano), "request.id": id, "auth": auth, "error": refusal})
		})
	}
	p.scraped = func(time.Time) []sample {
		requests += 3
		return []sample{up("vault", "v"), {store.Labels{store.Name: "vault_core_handle_request_count", "job": "vault", "instance": "v"}, requests}}
	}
	alert := exportertest.Read(t, github+"secret_scanning_alert.created.payload.json")
	for range 2 {
		p.deliver(50*time.Minute, pipesources.GitHub, http.Header{"X-Github-Event": {"secret_scanning_alert"}}, func(now time.Time) []byte {
			return replace(t, alert, map[string]any{"alert.created_at": now.Format(time.RFC3339)})
		})
	}
	p.run(3 * time.Hour)
	p.fired("secrets-audit-leaks", "page 50m 55m", "ticket 50m 1h")
	p.counted("secrets-audit-leaks", 1, 1, 0)
	p.fired("secrets-audit-root", "page 1h10m 1h15m", "ticket 1h10m 1h20m")
	p.counted("secrets-audit-root", root, accesses, 0)
	p.fired("secrets-audit-strangers", "ticket 1h10m 1h20m")
	p.counted("secrets-audit-strangers", 2, accesses, 0) // root and eve
	p.fired("secrets-audit-silence", "page 2h25m 2h50m", "ticket 2h25m 2h55m")
	p.leftIs("secrets-audit-silence", 1-30./180/0.001, 20)
	p.fired("secrets-audit-denied", "ticket 1h30m 1h50m")
	p.left("secrets-audit-denied", denied, accesses)
	p.fired("secrets-audit-unusual", "ticket 1h40m 2h")
	p.leftIs("secrets-audit-unusual", 1-55./180/0.01, 4) // from the twenty-first denial in an hour until there are twenty again
}
