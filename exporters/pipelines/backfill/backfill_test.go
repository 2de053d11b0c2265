package backfill_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/backfill"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// t0 is after the last record of the fixtures.
var t0 = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

const token = "a-token-that-nobody-may-see"

// parts returns the objects of a webhook by name.
func parts(t *testing.T, file string) map[string]json.RawMessage {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(exportertest.Read(t, "../sources/testdata/github/"+file+".payload.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	repo = "/repos/octo-org/octo-repo"
	runs = repo + "/actions/runs"
)

// recorded are the objects of the webhooks as the REST API gives them.
func recorded(t *testing.T) map[string]string {
	t.Helper()
	completed, job, status := parts(t, "completed"), parts(t, "workflow_job.in_progress"), parts(t, "deployment_status")
	return map[string]string{
		repo:                                     string(completed["repository"]),
		runs:                                     fmt.Sprintf(`{"total_count":1,"workflow_runs":[%s]}`, completed["workflow_run"]),
		runs + "/289782451/jobs":                 fmt.Sprintf(`{"total_count":1,"jobs":[%s]}`, job["workflow_job"]),
		repo + "/deployments":                    fmt.Sprintf(`[%s]`, status["deployment"]),
		repo + "/deployments/145988746/statuses": fmt.Sprintf(`[%s]`, status["deployment_status"]),
	}
}

func tokenFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func poller(t *testing.T, s *system, change func(*backfill.Config)) *backfill.Poller {
	t.Helper()
	cfg := backfill.Config{
		System: backfill.GitHub, BaseURL: s.URL, Repositories: []string{"octo-org/octo-repo"}, TokenFile: tokenFile(t, token+"\n"),
		Lookback: 10 * 365 * 24 * time.Hour, Tasks: true, Deployments: true,
	}
	if change != nil {
		change(&cfg)
	}
	p, err := backfill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// polled returns the keys of what is found.
func polled(t *testing.T, p *backfill.Poller, now time.Time) []string {
	t.Helper()
	events, err := p.Poll(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return keys(events)
}

func keys(events []event.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Key)
	}
	return all
}

// TestGitHub: what webhooks told and what is found are one, before and after a restart, and nothing is asked twice.
func TestGitHub(t *testing.T) {
	s := newSystem(t, recorded(t))
	c := counters.New(t0, pipelines.New(pipelines.Options{}))
	add := func(events []event.Event, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add(events...); err != nil {
			t.Fatal(err)
		}
	}
	header := func(kind string) http.Header { return http.Header{"X-Github-Event": {kind}} }
	add(sources.GitHub(header("workflow_run"), exportertest.Read(t, "../sources/testdata/github/completed.payload.json"), t0))
	read := func() map[string]uint64 {
		counts := map[string]uint64{}
		s, err := c.Read(t0.Add(time.Hour), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Families {
			for _, p := range f.Points {
				if p.Count > 0 {
					counts[strings.TrimSpace(f.Name+" "+p.Attrs.Text(event.Attempt)+p.Attrs.Text(event.EventVerdict))] += p.Count
				}
			}
		}
		return counts
	}
	p := poller(t, s, nil)
	add(p.Poll(t.Context(), t0))
	want := map[string]uint64{
		"cicd.pipeline.run.outcomes first": 1, "cicd.pipeline.run.outcomes final": 1, "cicd.pipeline.run.duration": 1,
		"cicd.pipeline.task.queue.duration": 1, "deployment.outcomes": 1, "deployment.lead_time.excluded": 1,
		"platform.events.received counted": 4, "platform.events.received duplicate": 1,
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("first round (-want +got):\n%s", diff)
	}
	jobs, statuses := runs+"/289782451/jobs", repo+"/deployments/145988746/statuses"
	if diff := cmp.Diff([]string{repo, runs, jobs, repo + "/deployments", statuses}, s.requests()); diff != "" {
		t.Errorf("first round asked (-want +got):\n%s", diff)
	}
	if events := polled(t, p, t0.Add(time.Minute)); len(events) > 0 || len(s.requests()) > 0 {
		t.Errorf("before the interval is over: %v", events)
	}
	if events := polled(t, p, t0.Add(15*time.Minute)); len(events) > 0 {
		t.Errorf("nothing has changed, but found %v", events)
	}
	if diff := cmp.Diff([]string{repo + " 304", runs + " 304", repo + "/deployments 304"}, s.requests()); diff != "" {
		t.Errorf("second round asked (-want +got):\n%s", diff)
	}
	add(poller(t, s, nil).Poll(t.Context(), t0.Add(20*time.Minute))) // after a restart
	want["platform.events.received duplicate"] += 3
	want["platform.events.received late"] = 1 // the deployment was asked for, which is long done
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// run is a record of a run of the repository.
func run(id int, status string) string {
	return fmt.Sprintf(`{"id":%d,"name":"CI","event":"push","head_branch":"master","status":%q,"conclusion":"failure","run_attempt":1,`+
		`"created_at":"2024-01-02T00:00:00Z","run_started_at":"2024-01-02T00:00:00Z","updated_at":"2024-01-02T00:00:%02dZ","repository":{"id":1,"full_name":"octo-org/octo-repo"}}`, id, status, id%60)
}

func listOf(records ...string) string {
	return `{"workflow_runs":[` + strings.Join(records, ",") + `]}`
}

func only(answers map[string]string) map[string]string {
	all := map[string]string{repo: `{"id":1,"full_name":"octo-org/octo-repo","default_branch":"master"}`}
	for path, body := range answers {
		all[path] = body
	}
	return all
}

func runsAlone(cfg *backfill.Config) { cfg.Tasks, cfg.Deployments = false, false }

// TestPages: pages are followed, each is asked for conditionally, and a change on a later one is found although the
// first has not changed.
func TestPages(t *testing.T) {
	s := newSystem(t, only(map[string]string{
		runs: "next SELF" + runs + "?page=2\n" + listOf(run(1, "completed")), runs + " 2": "next SELF" + runs + "?page=3\n" + listOf(run(2, "queued")),
		runs + " 3": listOf(run(3, "completed")),
	}))
	p := poller(t, s, runsAlone)
	if got := polled(t, p, t0); len(got) != 3 {
		t.Errorf("found %v, want three runs", got)
	}
	s.requests()
	s.set(runs+" 2", "next SELF"+runs+"?page=3\n"+listOf(run(2, "completed")))
	events, err := p.Poll(t.Context(), t0.Add(time.Hour))
	if err != nil || len(events) != 1 || events[0].Name != event.RunFinished || events[0].Attrs.Text(event.RefKind) != "default" {
		t.Errorf("found %v %v, want the end of the second run on the default branch", events, err)
	}
	if diff := cmp.Diff([]string{repo + " 304", runs + " 304", runs + " 2", runs + " 3 304"}, s.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	bounded := poller(t, s, func(cfg *backfill.Config) { runsAlone(cfg); cfg.MaxPages = 2 })
	if got := polled(t, bounded, t0); len(got) != 2 {
		t.Errorf("two pages: found %v, want two runs", got)
	}
}

// TestElsewhere: neither a next page nor a redirection leads to another host, and no token goes there.
func TestElsewhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		t.Errorf("asked elsewhere for %s with %q", req.URL, req.Header)
	}))
	defer elsewhere.Close()
	s := newSystem(t, only(map[string]string{runs: "next " + elsewhere.URL + "/runs?page=2\n" + listOf(run(1, "completed"))}))
	if _, err := poller(t, s, runsAlone).Poll(t.Context(), t0); err == nil || !strings.Contains(err.Error(), "another place") {
		t.Errorf("a next page elsewhere: %v, want an error", err)
	}
	s.refuse = func(w http.ResponseWriter, _ string) bool {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusFound)
		return true
	}
	if _, err := poller(t, s, runsAlone).Poll(t.Context(), t0); err == nil || !strings.Contains(err.Error(), "redirected away") {
		t.Errorf("a redirection elsewhere: %v, want an error", err)
	}
}

func TestRateLimit(t *testing.T) {
	answers := only(map[string]string{runs: listOf(run(1, "completed"), run(2, "completed"))})
	for name, refuse := range map[string]func(http.Header) int{
		"GitHub, spent": func(h http.Header) int {
			h.Set("X-RateLimit-Remaining", "0")
			h.Set("X-RateLimit-Reset", fmt.Sprint(t0.Add(40*time.Minute).Unix()))
			return http.StatusForbidden
		},
		"GitHub, too fast": func(h http.Header) int { h.Set("Retry-After", "2400"); return http.StatusForbidden },
		"GitLab": func(h http.Header) int {
			h.Set("RateLimit-Remaining", "0")
			h.Set("RateLimit-Reset", fmt.Sprint(t0.Add(40*time.Minute).Unix()))
			return http.StatusTooManyRequests
		},
	} {
		s := newSystem(t, answers)
		s.refuse = func(w http.ResponseWriter, path string) bool {
			if path == repo {
				return false
			}
			w.WriteHeader(refuse(w.Header()))
			return true
		}
		p := poller(t, s, func(cfg *backfill.Config) {
			runsAlone(cfg)
			cfg.Repositories = append(cfg.Repositories, "octo-org/other")
		})
		if events, err := p.Poll(t.Context(), t0); err == nil || !strings.Contains(err.Error(), "rate limit reached until 2024-01-02T03:44:05Z") {
			t.Errorf("%s: %v %v, want an error that says until when", name, events, err)
		}
		if diff := cmp.Diff([]string{repo, runs + " refused"}, s.requests()); diff != "" {
			t.Errorf("%s: went on (-want +got):\n%s", name, diff)
		}
		if _, err := p.Poll(t.Context(), t0.Add(39*time.Minute)); err != nil || len(s.requests()) > 0 {
			t.Errorf("%s: asked before the limit was over, %v", name, err)
		}
		s.refuse = nil
		events, err := p.Poll(t.Context(), t0.Add(41*time.Minute))
		if len(events) != 2 || err == nil || !strings.Contains(err.Error(), "octo-org/other") {
			t.Errorf("%s: afterwards %d events and %v, want two, and that the other repository is not there", name, len(events), err)
		}
	}
}

// TestReserve: requests are left for others, although nothing was refused yet.
func TestReserve(t *testing.T) {
	s := newSystem(t, only(map[string]string{runs: listOf(run(1, "completed"))}))
	s.refuse = func(w http.ResponseWriter, path string) bool {
		w.Header().Set("X-RateLimit-Remaining", "500")
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(t0.Add(999*time.Hour).Unix()))
		return false
	}
	p := poller(t, s, runsAlone)
	if _, err := p.Poll(t.Context(), t0); err == nil || len(s.requests()) != 1 {
		t.Errorf("went on with 500 requests left: %v", err)
	}
	s.refuse = nil
	if got := polled(t, p, t0.Add(2*time.Hour)); len(got) != 1 { // no system is believed that wants to be left alone for 999 hours
		t.Errorf("two hours later found %v, want one run", got)
	}
}

// TestBudget: a round that ends at its budget is no error, and the next one goes on.
func TestBudget(t *testing.T) {
	answers := only(map[string]string{runs: listOf(run(1, "completed"), run(2, "completed"), run(3, "completed"))})
	for i := range 3 {
		answers[fmt.Sprintf("%s/%d/jobs", runs, i+1)] = `{"jobs":[]}`
	}
	s := newSystem(t, answers)
	p := poller(t, s, func(cfg *backfill.Config) { cfg.Deployments, cfg.MaxRequests = false, 3 })
	found := 0
	for i := range 3 {
		got := polled(t, p, t0.Add(time.Duration(i)*time.Hour))
		found += len(got)
		if n := len(s.requests()); n > 3 || len(got) != 1 {
			t.Errorf("round %d: %d requests, found %v, want one run with at most 3", i+1, n, got)
		}
	}
	if found != 3 {
		t.Errorf("found %d runs, want 3", found)
	}
}

// TestFailures: what fails does not keep the rest back, and is found later.
func TestFailures(t *testing.T) {
	other := "/repos/octo-org/other"
	answers := only(map[string]string{
		runs: listOf(run(1, "completed")), other: `{"id":2,"full_name":"octo-org/other"}`,
		other + "/actions/runs": strings.ReplaceAll(listOf(run(5, "completed")), `"repository":{"id":1`, `"repository":{"id":2`),
	})
	both := func(cfg *backfill.Config) {
		runsAlone(cfg)
		cfg.Repositories = append(cfg.Repositories, "octo-org/other")
	}
	for name, refuse := range map[string]func(http.ResponseWriter){
		"500":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		"404":       func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
		"forbidden": func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) },
		"no JSON":   func(w http.ResponseWriter) { io.WriteString(w, "<html>") },
		"no list":   func(w http.ResponseWriter) { io.WriteString(w, `{"workflow_runs":5}`) },
		"too much":  func(w http.ResponseWriter) { io.WriteString(w, strings.Repeat(" ", 20_001)) },
	} {
		s := newSystem(t, answers)
		s.refuse = func(w http.ResponseWriter, path string) bool {
			if path == runs {
				refuse(w)
			}
			return path == runs
		}
		p := poller(t, s, func(cfg *backfill.Config) { both(cfg); cfg.MaxBytes = 20_000 })
		events, err := p.Poll(t.Context(), t0)
		if len(events) != 1 || err == nil || !strings.Contains(err.Error(), "octo-org/octo-repo") || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %d events, %v, want one and an error that names the repository", name, len(events), err)
		}
		s.refuse = nil
		if got := polled(t, p, t0.Add(time.Hour)); len(got) != 1 {
			t.Errorf("%s: later found %v, want the run that was missing", name, got)
		}
	}
}

// TestTimeout: a system that does not answer is not waited for with every repository.
func TestTimeout(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		<-req.Context().Done()
	}))
	defer s.Close()
	p := poller(t, &system{Server: s}, func(cfg *backfill.Config) {
		cfg.Repositories = append(cfg.Repositories, "octo-org/other")
		cfg.Client = &http.Client{Timeout: 20 * time.Millisecond}
	})
	if events, err := p.Poll(t.Context(), t0); err == nil || len(events) > 0 || asked.Load() != 1 {
		t.Errorf("%v %v after %d requests, want an error after one", events, err, asked.Load())
	}
}

// TestToken: it is read again for each round, and what is no token is not sent.
func TestToken(t *testing.T) {
	s := newSystem(t, only(map[string]string{runs: listOf(run(1, "completed"))}))
	file := tokenFile(t, "yesterday-"+token)
	p := poller(t, s, func(cfg *backfill.Config) { runsAlone(cfg); cfg.TokenFile = file })
	if _, err := p.Poll(t.Context(), t0); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), token) {
		t.Errorf("with the token of yesterday: %v, want an error without it", err)
	}
	for i, content := range []string{"", "two\n" + token, token} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s.requests()
		events, err := p.Poll(t.Context(), t0.Add(time.Duration(i+1)*time.Hour))
		if good := content == token; (err == nil) != good || len(events) == 1 != good || len(s.requests()) > 0 != good {
			t.Errorf("token %q: %v %v", content, events, err)
		}
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("the token is in %v", err)
		}
	}
}

func TestGitLab(t *testing.T) {
	const list = "/projects/merico-dev%2Fee%2Fcharts/pipelines"
	detail := func(finished string) string {
		return `{"id":5,"project_id":7,"web_url":"https://gitlab.example/merico-dev/ee/charts/-/pipelines/5","status":"success","ref":"release/1","source":"push",` +
			`"updated_at":"2024-01-01T10:00:09Z","created_at":"2024-01-01T09:00:00Z","finished_at":"` + finished + `","duration":60}`
	}
	s := newSystem(t, map[string]string{
		list:        `[{"id":5,"project_id":7,"status":"success","updated_at":"2024-01-01T10:00:09Z"},{"id":0}]`,
		list + "/5": detail("2024-01-01T10:00:00Z"),
	})
	p := poller(t, s, func(cfg *backfill.Config) {
		cfg.System, cfg.Repositories, cfg.Lookback = backfill.GitLab, []string{"merico-dev/ee/charts"}, 72*time.Hour
	})
	want, err := sources.GitLabPipeline([]byte(detail("2024-01-01T10:00:00Z")), t0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keys(want), polled(t, p, t0)); diff != "" {
		t.Errorf("(-decoded +found):\n%s", diff)
	}
	if diff := cmp.Diff([]string{list, list + "/5"}, s.requests()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	s.set(list, `[{"id":5,"project_id":7,"status":"success","updated_at":"2024-01-01T11:00:10Z"}]`)
	s.set(list+"/5", detail("2024-01-01T11:00:00Z")) // retried
	if got := polled(t, p, t0.Add(time.Hour)); len(got) != 1 {
		t.Errorf("found %v, want the second end", got)
	}
}

func TestConfig(t *testing.T) {
	f := func(want string, change func(*backfill.Config)) {
		t.Helper()
		cfg := backfill.Config{System: backfill.GitHub, BaseURL: "https://api.github.com", Repositories: []string{"octo-org/octo-repo"}}
		change(&cfg)
		_, err := backfill.New(cfg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
	f("", func(*backfill.Config) {})
	f("", func(c *backfill.Config) { c.BaseURL = "https://ghe.example.com/api/v3/" })
	f("", func(c *backfill.Config) { c.BaseURL = "http://[::1]:80" })
	f("system", func(c *backfill.Config) { c.System = "jenkins" })
	f("https", func(c *backfill.Config) { c.BaseURL = "http://api.github.com" })
	f("base URL", func(c *backfill.Config) { c.BaseURL = "https://user:" + token + "@api.github.com" })
	f("base URL", func(c *backfill.Config) { c.BaseURL = "api.github.com" })
	f("base URL", func(c *backfill.Config) { c.BaseURL = "" })
	f("at least one", func(c *backfill.Config) { c.Repositories = nil })
	f("owner/name", func(c *backfill.Config) { c.Repositories = []string{"octo-repo"} })
	f("owner/name", func(c *backfill.Config) { c.Repositories = []string{"octo-org/../admin"} })
	f("owner/name", func(c *backfill.Config) { c.Repositories = []string{"octo-org/x?y"} })
}
