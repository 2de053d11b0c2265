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
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets/poll"
	secretsources "github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/slo"
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
func newStore(t *testing.T, period, length time.Duration) (*play, *bao) {
	t.Helper()
	recorded, _, _ := strings.Cut(string(exportertest.Read(t, "../../exporters/secrets/poll/testdata/openbao-static-role-reads-first-10.jsonl")), "\n")
	b := &bao{rotated: map[string]time.Time{"app1": t0, "app2": t0, "app3": t0}, period: period}
	if err := json.Unmarshal([]byte(recorded), &b.role); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a-token-of-the-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	poller, err := poll.New(poll.Config{Kind: poll.Vault, BaseURL: server.URL, TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	p := newPlay(t, "secrets", time.Minute, []counters.Domain{secrets.New(secrets.Options{})})
	for at := time.Duration(0); at <= length; at += time.Minute {
		p.at(at, func() error {
			events, err := poller.Poll(context.Background(), t0.Add(at))
			if err != nil {
				return err
			}
			return p.counters.Add(events...)
		})
	}
	return p, b
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

// TestOverdueRotation is F7: rotation of one role stops silently. Nobody says so, and the first rotation that is not done
// pages. There is no budget that could be left: what counts is how many were bad.
func TestOverdueRotation(t *testing.T) {
	t.Parallel()
	p, b := newStore(t, time.Hour, 6*time.Hour)
	due := 0.0
	for hour := 1; hour <= 5; hour++ {
		roles := []string{"app1", "app2"}
		if hour <= 2 {
			roles = append(roles, "app3")
		}
		due += 3
		b.rotate(p, time.Duration(hour)*time.Hour, roles...)
	}
	p.run(5*time.Hour + 30*time.Minute)
	p.fired("secrets-none-overdue", "page 3h5m 3h12m") // an hour and a grace of six minutes after the last, and for good
	p.fired("secrets-rotation-on-time", "ticket 3h5m 3h15m")
	p.fired("secrets-known")
	p.counted("secrets-rotation-on-time", 3, due) // app3 at the third, fourth and fifth hour
}

// counted wants the rules to have counted so many bad events of so many.
func (p *play) counted(name string, bad, total float64) {
	p.t.Helper()
	for series, want := range map[string]float64{slo.SeriesBadIncrement: bad, slo.SeriesEventsIncrement: total} {
		got, err := p.engine.Query(context.Background(), fmt.Sprintf(`sum(sum_over_time(%s{slo=%q}[30d]))`, series, name), p.now)
		if err != nil || len(got) != 1 || got[0].V != want {
			p.t.Errorf("%s: want %s to add up to %v, have %v %v", name, series, want, got, err)
		}
	}
}

// TestBrokenByRotation is the other half of F7: logins fail. Within an hour after a rotation that is a page, else a ticket.
func TestBrokenByRotation(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"after a rotation":   {"page 2h 2h20m", "ticket 2h 2h20m"},
		"without a rotation": {"ticket 2h 2h20m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, b := newStore(t, 24*time.Hour, 4*time.Hour)
			if len(want) == 2 {
				b.rotate(p, 2*time.Hour, "app1")
			}
			var refused, all float64
			p.scraped = func(now time.Time) []sample {
				at := now.Sub(t0)
				if at > 10*time.Minute && at <= 170*time.Minute {
					all += 600
				}
				if at > 2*time.Hour && at <= 150*time.Minute {
					refused += 300
				}
				of := func(code string, n float64) sample {
					return sample{store.Labels{
						store.Name: "http_server_request_duration_seconds_count", "job": "gateway", "instance": "g",
						"service_name": "shop", "http_response_status_code": code,
					}, n}
				}
				return []sample{up("gateway", "g"), of("401", refused), of("200", all-refused)}
			}
			p.run(3 * time.Hour)
			p.fired("secrets-logins", want...)
			p.left("secrets-logins", refused, all)
		})
	}
}

// up is the series of a scrape that succeeded.
func up(job, instance string) sample {
	return sample{store.Labels{store.Name: "up", "job": job, "instance": instance}, 1}
}

// TestLeak is F2 on the accesses of a recorded audit log: a root token, which pages, and then silence of the log while
// the store goes on to serve, which pages as well.
func TestLeak(t *testing.T) {
	t.Parallel()
	p := newPlay(t, "secrets-audit", time.Minute, []counters.Domain{secrets.New(secrets.Options{})})
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
	for at := 6 * time.Minute; at < 3*time.Hour; at += 30 * time.Second {
		accesses++
		refusal := ""
		if at >= 2*time.Hour && at < 130*time.Minute {
			denied, refusal = denied+1, "1 error occurred:\n\t* permission denied\n\n" // as in the recording
		}
		auth := map[string]any{"policies": []string{"app"}, "token_type": "batch"}
		if at >= 90*time.Minute && at < 92*time.Minute {
			root++
			auth["policies"] = []string{"root"}
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
	p.run(4 * time.Hour)
	p.fired("secrets-audit-root", "page 1h30m 1h35m", "ticket 1h30m 1h40m")
	p.counted("secrets-audit-root", root, accesses)
	p.fired("secrets-audit-silence", "page 3h10m 3h40m", "ticket 3h10m 4h")
	p.fired("secrets-audit-denied", "ticket 2h 2h20m")
	p.left("secrets-audit-denied", denied, accesses)
}
