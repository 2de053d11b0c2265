package ruler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/ruler"
	"github.com/plimsoll-slo/plimsoll/rules"
)

// server is a ruler that keeps one namespace in memory. Its answers are those of Cortex 1.21.1.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	groups map[string]string           // the text of a group by its name
	seen   []string                    // method and path of each request
	before func(*http.Request) *answer // if set, may answer instead
	header http.Header                 // of the last request
}

type answer struct {
	status int
	header map[string]string
	body   string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{groups: map[string]string{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header = r.Header.Clone()
	s.seen = append(s.seen, r.Method+" "+r.URL.EscapedPath())
	if s.before != nil {
		if a := s.before(r); a != nil {
			for k, v := range a.header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(a.status)
			fmt.Fprint(w, a.body)
			return
		}
	}
	name, one := strings.CutPrefix(r.URL.Path, "/api/v1/rules/team a/")
	switch {
	case !one && r.URL.Path != "/api/v1/rules/team a":
		http.NotFound(w, r)
	case r.Method == http.MethodGet && len(s.groups) == 0:
		http.Error(w, "no rule groups found", http.StatusNotFound)
	case r.Method == http.MethodGet:
		fmt.Fprintln(w, "team a:")
		for _, name := range slices.Sorted(maps.Keys(s.groups)) {
			fmt.Fprint(w, "    - ", s.groups[name])
		}
	case r.Method == http.MethodPost:
		body, _ := io.ReadAll(r.Body)
		var g struct{ Name string }
		if err := json.Unmarshal(body, &g); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.groups[g.Name] = string(body)
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodDelete:
		delete(s.groups, name)
		w.WriteHeader(http.StatusAccepted)
	}
}

// requests returns what came since the last call.
func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.seen
	s.seen = nil
	return out
}

func (s *server) client(t *testing.T, o ruler.Options) *ruler.Client {
	t.Helper()
	o.Prefix = ruler.Cortex
	if o.Wait == nil {
		o.Wait = func(context.Context, time.Duration) error { return nil }
	}
	c, err := ruler.New(s.URL+"/", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// generate returns the groups that an early version made of the quickstart, with another objective in their labels. They
// are kept in a file, because the answer of the real Cortex is about them.
func generate(t *testing.T, objective string) (groups []rules.Group) {
	t.Helper()
	text, err := os.ReadFile("testdata/groups.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), "99.9%", objective)), &groups); err != nil {
		t.Fatal(err)
	}
	return groups
}

func plan(t *testing.T, c *ruler.Client, groups []rules.Group, o ruler.PlanOptions) *ruler.Plan {
	t.Helper()
	p, err := c.Plan(t.Context(), "team a", groups, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantSummary(t *testing.T, p *ruler.Plan, want string) {
	t.Helper()
	if got := p.Summary(); got != want {
		t.Errorf("plan: want %q, have %q", want, got)
	}
}

// Create, do nothing, update, delete; a group of somebody else stays through all of it.
func TestPlanAndApply(t *testing.T) {
	s := newServer(t)
	s.groups["mine"] = "{name: mine, rules: [{record: 'a:b', expr: 'vector(1)'}]}\n"
	c := s.client(t, ruler.Options{Tenant: "shop"})
	groups := generate(t, "99.9%")
	step := func(groups []rules.Group, want string, wantSeen ...string) {
		t.Helper()
		p := plan(t, c, groups, ruler.PlanOptions{})
		wantSummary(t, p, want)
		s.requests()
		if err := p.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wantSeen, s.requests()); diff != "" {
			t.Errorf("requests (-want +have):\n%s", diff)
		}
	}
	post := "POST /api/v1/rules/team%20a"
	step(groups, "3 to create, 0 to update, 0 to remove, 0 unchanged, 1 kept", post, post, post)
	if got := s.header.Get("X-Scope-OrgID"); got != "shop" {
		t.Errorf("want the tenant shop, have %q", got)
	}
	step(groups, "0 to create, 0 to update, 0 to remove, 3 unchanged, 1 kept")
	step(generate(t, "99.95%"), "0 to create, 1 to update, 0 to remove, 2 unchanged, 1 kept", post)
	step(groups[:1], "0 to create, 1 to update, 2 to remove, 0 unchanged, 1 kept",
		post, "DELETE /api/v1/rules/team%20a/"+groups[1].Name, "DELETE /api/v1/rules/team%20a/"+groups[2].Name)
	if got := slices.Sorted(maps.Keys(s.groups)); !slices.Equal(got, []string{"mine", groups[0].Name}) {
		t.Errorf("want our group and that of somebody else left, have %q", got)
	}
}

// The answer was recorded from a real Cortex that got these groups.
func TestReadsRealAnswer(t *testing.T) {
	recorded, err := os.ReadFile("testdata/cortex.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for what, body := range map[string]string{
		"as it was":          string(recorded),
		"without indent":     strings.ReplaceAll(string(recorded), "\n    ", "\n"),
		"with more settings": strings.ReplaceAll(string(recorded), "query_offset: 15s", "query_offset: 15000ms\n      limit: 0\n      labels: {}\n      source_tenants: []"),
	} {
		s := newServer(t)
		s.before = func(*http.Request) *answer {
			return &answer{status: 200, body: strings.Replace(body, "plimsoll:", "team a:", 1)}
		}
		p := plan(t, s.client(t, ruler.Options{}), generate(t, "99.9%"), ruler.PlanOptions{})
		if p.Changed() || len(p.Changes) != 3 {
			t.Errorf("%s: want three groups and no change, have %s", what, p.Summary())
			for _, c := range p.Changes {
				t.Logf("%s", c.Diff())
			}
		}
	}
}

// Whatever differs on the server is an update; so nothing that somebody edited there goes unnoticed.
func TestNoticesEdits(t *testing.T) {
	recorded, err := os.ReadFile("testdata/cortex.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range [][2]string{
		{"interval: 30s", "interval: 1m"},
		{"query_offset: 15s", "limit: 0"},
		{"query_offset: 15s", "query_offset: 15s\n      limit: 7"},
		{"query_offset: 15s", "query_offset: 15s\n      source_tenants: [other]"},
		{"vector(0.999)", "vector(0.99)"},
		{"severity: page", "severity: ticket"},
		{"severity: page", "severity: page\n            for: 1m"},
	} {
		body := strings.Replace(string(recorded), edit[0], edit[1], 1)
		if body == string(recorded) {
			t.Fatalf("%q is not in the answer", edit[0])
		}
		s := newServer(t)
		s.before = func(*http.Request) *answer {
			return &answer{status: 200, body: strings.Replace(body, "plimsoll:", "team a:", 1)}
		}
		p := plan(t, s.client(t, ruler.Options{}), generate(t, "99.9%"), ruler.PlanOptions{})
		if p.Summary() != "0 to create, 1 to update, 0 to remove, 2 unchanged" {
			t.Errorf("%q -> %q: want an update, have %s", edit[0], edit[1], p.Summary())
		}
	}
}

// Groups of others that have one of our names are not replaced unasked.
func TestConflict(t *testing.T) {
	s := newServer(t)
	c := s.client(t, ruler.Options{})
	groups := generate(t, "99.9%")
	theirs := "{name: " + groups[0].Name + ", rules: [{record: 'slo:x', expr: 'vector(1)'}, {alert: Mine, expr: 'vector(1)'}]}\n"
	s.groups[groups[0].Name] = theirs
	p := plan(t, c, groups, ruler.PlanOptions{})
	wantSummary(t, p, "2 to create, 0 to update, 0 to remove, 0 unchanged, 1 in conflict")
	var conflict *output.ConflictError
	if err := p.Apply(t.Context()); !errors.As(err, &conflict) || !strings.Contains(err.Error(), `it has the rule "Mine"`) {
		t.Errorf("want a conflict about the rule Mine, have %v", err)
	}
	if len(s.groups) != 1 || s.groups[groups[0].Name] != theirs {
		t.Errorf("want nothing written, have %v", s.groups)
	}
	p = plan(t, c, groups, ruler.PlanOptions{Force: true})
	wantSummary(t, p, "2 to create, 1 to update, 0 to remove, 0 unchanged")
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantSummary(t, plan(t, c, groups, ruler.PlanOptions{}), "0 to create, 0 to update, 0 to remove, 3 unchanged")
}

// No specs at all must not delete everything.
func TestNoGroups(t *testing.T) {
	c := newServer(t).client(t, ruler.Options{})
	if _, err := c.Plan(t.Context(), "team a", nil, ruler.PlanOptions{}); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("want an error that asks for --force, have %v", err)
	}
	wantSummary(t, plan(t, c, nil, ruler.PlanOptions{Force: true}), "0 to create, 0 to update, 0 to remove, 0 unchanged")
}

// What a server says reaches the terminal without control characters, and odd names are not ours.
func TestHostileServer(t *testing.T) {
	s := newServer(t)
	groups := generate(t, "99.9%")
	s.groups["a"] = "{name: \"slo-\\e[31m\\nred\", rules: [{record: 'slo:x', expr: 'vector(1)'}]}\n"
	s.groups["b"] = "{name: " + groups[0].Name + ", \"odd\\e\": [\"\\e\"], rules: [{record: 'slo:x', expr: \"vector(1)\\e\", labels: {\"l\\e\": \"v\\e\"}}]}\n"
	p := plan(t, s.client(t, ruler.Options{}), groups, ruler.PlanOptions{})
	wantSummary(t, p, "2 to create, 1 to update, 0 to remove, 0 unchanged, 1 kept")
	var b strings.Builder
	if err := p.WriteDiff(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\x1b") || !strings.Contains(b.String(), `-  expr: "vector(1)\x1b"`) {
		t.Errorf("want the sign escaped, have\n%.600s", b.String())
	}
}
