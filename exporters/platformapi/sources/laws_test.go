package sources_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

// vocabulary has the values that attributes with a fixed set of words may have.
var vocabulary = map[string][]string{
	event.Method: {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "_OTHER"},
	event.RequestReason: {
		"served", "client_error", "server_error", "timeout", "panic", "shed", "health", "watch", "connect", "hijacked", "dry_run",
		"synthetic", "client_closed", "unreadable",
	},
	event.RequestClass:   {"write", "resource", "namespace", "cluster"},
	event.PolicyEngine:   {"rbac", "webhook", "validating_admission_policy", "quota", "limit_range", "pod_security", "admission"},
	event.PolicyDecision: {"allow", "deny", "warn", "error"},
	event.ErrorType:      {"fail_open", "fail_closed"},
	event.ActionChannel:  {"platform", "manual", "emergency"},
	event.SecretStore:    {"kubernetes"},
	event.AccessOutcome:  {"ok", "denied", "error"},
	event.PrincipalKind:  {"user", "service_account", "node", "system", "anonymous"},
}

var names = []string{event.RequestsServed, event.PolicyEvaluated, event.ActionTaken, event.AccessAudited, event.Unused}

// believable says what is wrong with a key or number of an event, or nothing.
func believable(e event.Event) string {
	if len(e.Key) > 200 {
		return "has a long key"
	}
	for _, a := range e.Attrs {
		if n, ok := a.Value().(int64); ok && n < 0 {
			return "has a negative " + a.Name
		}
		if n, ok := a.Value().(float64); ok && !(n >= 0 && n < 1e12) {
			return "has an unbelievable " + a.Name
		}
	}
	return ""
}

func check(t testing.TB, what string, f fixture) []event.Event {
	t.Helper()
	d := exportertest.Delivery{Name: f.name, Decode: f.decode}
	return d.Lawful(t, what, f.body, observed, exportertest.Names(names...), exportertest.Words(vocabulary), believable)
}

// TestPure: the events of a delivery are lawful, the same each time, and nothing of the body is kept.
func TestPure(t *testing.T) {
	for _, f := range fixtures(t) {
		again := f
		again.body = bytes.Clone(f.body)
		events := check(t, "as it is", f)
		clear(f.body)
		if diff := cmp.Diff(string(exportertest.Lines(t, events)), string(exportertest.Lines(t, again.events(t)))); diff != "" {
			t.Errorf("%s (-first +second):\n%s", f.name, diff)
		}
	}
}

// documents returns documents of every kind: each fifth line, and lists of a few elements.
func documents(t testing.TB) (all []fixture) {
	for _, f := range fixtures(t) {
		var list map[string][]json.RawMessage
		_ = json.Unmarshal(f.body, &list) // leaves what is no list
		for _, name := range []string{"items", "Records"} {
			if n := len(list[name]); n > 12 {
				list = map[string][]json.RawMessage{name: list[name][n-3:]}
				f.body, _ = json.Marshal(list)
			}
		}
		if json.Valid(f.body) {
			all = append(all, f)
			continue
		}
		n := 0
		for line := range bytes.Lines(f.body) {
			if n++; json.Valid(line) && (n%5 == 1 || n < 60) && n < 200 {
				all = append(all, fixture{f.name, line, f.decode})
			}
		}
	}
	return all
}

// mutate calls do for every leaf of every document, at most so many times for each kind of it, and a tenth of it of long
// ones, with the document as it is with another value there.
func mutate(t *testing.T, most int, do func(f fixture, path string, with func(any) fixture)) {
	t.Helper()
	seen := map[string]int{}
	for _, f := range documents(t) {
		d := exportertest.Parse(t, f.body)
		for _, p := range d.Places {
			if !p.Leaf {
				continue
			}
			key := f.kind() + " " + p.Path
			if seen[key]++; seen[key] > most || len(f.body) > 2000 && seen[key] > most/10 {
				continue
			}
			do(f, p.Path, func(v any) fixture { return fixture{f.name, d.With(p, v), f.decode} })
		}
	}
}

// TestMeant: the golden file is the list of every place whose text goes on. What is planted anywhere else, as free text,
// a name, an address, a query string or a token, is in no event.
func TestMeant(t *testing.T) {
	meant := map[string]bool{}
	planted := []string{
		"hunter2 canary", "hunter2", "https://user:hunter2@example.com/hunter2?token=hunter2", "hunter2@example.com", "/x/hunter2?token=hunter2",
		"system:serviceaccount:team:hunter2", `admission webhook "hunter2" denied the request: no`, `pods "x" is forbidden: hunter2`,
	}
	mutate(t, 60, func(f fixture, path string, with func(any) fixture) {
		for _, text := range planted {
			one := with(text)
			events, _ := one.decode(http.Header{}, one.body, observed)
			if strings.Contains(string(exportertest.Lines(t, events)), "hunter2") {
				meant[f.kind()+" "+path] = true
			}
		}
	})
	golden.Check(t, *update, "testdata/meant.golden", []byte(strings.Join(slices.Sorted(maps.Keys(meant)), "\n")+"\n"))
}

// TestBodiesStay: what a request and its answer said is in no event, even where the audit level has all of it.
func TestBodiesStay(t *testing.T) {
	for _, f := range fixtures(t) {
		out := string(exportertest.Lines(t, f.events(t)))
		for _, secret := range []string{"aHVudGVyMg", "hunter2", "carol", "alice", "bert-jan", "192.0.2.", "db-password", "needs-owner-message"} {
			if strings.Contains(out, secret) {
				t.Errorf("%s: %q is in an event", f.name, secret)
			}
		}
	}
}

func TestHostileValues(t *testing.T) {
	mutate(t, 10, func(f fixture, path string, with func(any) fixture) {
		for _, value := range exportertest.Hostile() {
			check(t, path, with(value))
		}
	})
	for _, f := range fixtures(t) {
		for _, body := range [][]byte{nil, []byte("\n\n"), []byte("{}"), []byte("[]"), []byte("null"), f.body[:len(f.body)/2], []byte(strings.Repeat(`{"items":`, 20_000))} {
			check(t, "cut", fixture{f.name, body, f.decode})
		}
	}
}

// TestHostileLines: whatever a client sends, a server may log.
func TestHostileLines(t *testing.T) {
	decode := sources.AccessLog(accessOptions).Decode
	const before, after = `192.0.2.1 - - [04/May/2026:11:00:00 +0000] "`, `" 200 5 "-" "-" 0.1`
	for _, request := range []string{
		"", "-", "GET", "GET ", "GET /", `GET /\" HTTP/1.1`, `\x00\x01`, "GET /hunter2?hunter2 HTTP/1.1", strings.Repeat("A", 100_000), "GET " + strings.Repeat("/", 10_000) + " HTTP/1.1",
		"GET /users/hunter2 HTTP/9", "GET //users//1 HTTP/1.1", "hunter2 /users HTTP/1.1", "GET ://? HTTP/1.1",
	} {
		for _, line := range []string{before + request + after, before + request, request + after, before + request + `" 2x0`, before + request + `" 200`, before + request + `" 000 0`} {
			events := check(t, request[:min(len(request), 40)], fixture{"line", []byte(line + "\n" + before + "GET / HTTP/1.1" + after), decode})
			if strings.Contains(string(exportertest.Lines(t, events)), "hunter2") {
				t.Errorf("%q leaks", line[:min(len(line), 100)])
			}
		}
	}
}

func FuzzKinds(f *testing.F) {
	for _, one := range fixtures(f) {
		f.Add(one.body[:min(len(one.body), 4000)])
	}
	kinds := sources.Kinds()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, kind := range kinds {
			check(t, "", fixture{kind.Name, body, kind.Decode})
		}
	})
}

func TestKinds(t *testing.T) {
	kinds := sources.Kinds()
	for i, kind := range kinds {
		if kind.Name != event.Word(kind.Name) || kind.Decode == nil || kind.Frame == 0 || i > 0 && kinds[i-1].Name >= kind.Name {
			t.Errorf("kind %q is out of order or wrong", kind.Name)
		}
	}
}

func BenchmarkKinds(b *testing.B) {
	for _, f := range fixtures(b) {
		b.Run(f.name, func(b *testing.B) {
			b.SetBytes(int64(len(f.body)))
			b.ReportAllocs()
			for b.Loop() {
				f.events(b)
			}
		})
	}
}

// TestLongLists: a long list of nothing, or of almost nothing, takes little memory.
func TestLongLists(t *testing.T) {
	for _, f := range []fixture{
		{"audit", nil, sources.KubernetesAudit(auditOptions).Decode}, {"cloudtrail", nil, sources.CloudTrail(sources.CloudTrailOptions{}).Decode},
	} {
		f.body = []byte(`{"items":[{}` + strings.Repeat(",{}", 300_000) + `],"Records":[{}` + strings.Repeat(",{}", 300_000) + `]}`)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		check(t, "of nothing", f)
		runtime.ReadMemStats(&after)
		// As a slice of structs it would be 100 MB at a time.
		if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 50<<20 {
			t.Errorf("%s: the heap grew by %d MiB", f.name, grown>>20)
		}
	}
}
