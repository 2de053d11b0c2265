package sources_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// replaced returns a payload with values replaced, see exportertest.Replace.
func replaced(t testing.TB, name string, set map[string]any) []byte {
	t.Helper()
	body, err := exportertest.Replace(exportertest.Read(t, "testdata/github/"+name+".payload.json"), set)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// facts returns what an event says, for comparison: its name and the attributes asked for.
func facts(e event.Event, names ...string) string {
	all := []string{e.Name[strings.LastIndex(e.Name, ".")+1:]}
	for _, name := range names {
		value := e.Attrs.Text(name)
		if number, ok := e.Attrs.Number(name); ok {
			value = fmt.Sprint(number)
		}
		if e.Attrs.True(name) {
			value = "yes"
		}
		all = append(all, value)
	}
	return strings.Join(all, " ")
}

func TestGitHubJob(t *testing.T) {
	f := func(want string, set map[string]any) {
		t.Helper()
		values := map[string]any{
			"workflow_job.created_at": "2023-06-26T03:00:00Z", "workflow_job.started_at": "2023-06-26T03:01:30Z",
			"workflow_job.completed_at": nil, "workflow_job.steps": nil,
		}
		for name, value := range set {
			if name != "action" {
				name = "workflow_job." + name
			}
			values[name] = value
		}
		e := decodeOne(t, delivery("workflow_job"), replaced(t, "workflow_job.in_progress.with-queued-steps", values))
		got := facts(e, event.TaskResult, event.ResultRaw, event.ErrorType, event.QueueDuration, event.RunDuration, event.Unmapped)
		if got != want {
			t.Errorf("%v: got %q, want %q", set, got, want)
		}
	}
	done := func(conclusion any, more ...any) map[string]any {
		set := map[string]any{"status": "completed", "conclusion": conclusion, "completed_at": "2023-06-26T03:11:30Z"}
		for i := 0; i < len(more); i += 2 {
			set[more[i].(string)] = more[i+1]
		}
		return set
	}
	f("started    90  ", nil)
	f("finished success   90 600 ", done("success"))
	f("finished failure   90 600 ", done("failure"))
	f("finished timeout  timed_out 90 600 ", done("timed_out"))
	f("finished error  startup_failure 90 600 ", done("startup_failure"))
	f("finished  neutral  90 600 ", done("neutral"))
	f("finished  action_required  90 600 ", done("action_required"))
	f("finished  unknown  90 600 conclusion", done(nil))
	f("finished  unknown  90 600 conclusion", done("a secret word"))
	f("finished skip     ", done("skipped"))
	f("finished cancellation   90 600 ", done("cancelled"))
	f("finished cancellation     ", done("cancelled", "runner_id", nil))
	f("queued      ", map[string]any{"status": "queued"})
	f("queued      ", map[string]any{"status": "waiting"})
	f("queued      status", map[string]any{"status": "melting"})
	f("queued      status", map[string]any{"status": nil})
	f("queued      status", map[string]any{"status": 5})
	f("started    90  action", map[string]any{"action": "meditated"})
	f("started    90  action", map[string]any{"action": []int{1}})
	f("started    90  type", map[string]any{"name": 5})
	f("started    90  type", map[string]any{"labels": []any{"x", 5}})
	f("started    90  type", map[string]any{"labels": "x"})
	f("started    0  ", map[string]any{"started_at": "2023-06-26T02:59:58Z"})
	f("started      clock", map[string]any{"started_at": "2023-06-26T02:59:00Z"})
	f("started      clock", map[string]any{"started_at": nil})
	f("started      clock", map[string]any{"created_at": "2022-06-26T02:59:00Z"})
	f("started      clock", map[string]any{"created_at": 17})
	f("finished success   90  clock", done("success", "completed_at", "2023-06-26T03:00:00Z"))
	f("finished success   90  clock", done("success", "completed_at", nil))
	f("unused      id", map[string]any{"id": 0})
	f("unused      id", map[string]any{"id": -3})
	f("unused      id", map[string]any{"id": json.Number("1e400")})
	f("unused      id", map[string]any{"run_id": "7"})
}

func TestGitHubPool(t *testing.T) {
	f := func(want string, labels ...any) {
		t.Helper()
		e := decodeOne(t, delivery("workflow_job"), replaced(t, "workflow_job.queued", map[string]any{"workflow_job.labels": labels}))
		if got := e.Attrs.Text(event.RunnerPool); got != want {
			t.Errorf("%q: pool %q, want %q", labels, got, want)
		}
	}
	f("")
	f("ubuntu-24.04", "Ubuntu-24.04")
	f("gpu,linux,self-hosted,x64", "self-hosted", "Linux", "X64", "gpu", "gpu", "")
	f("runner=2cpu,runs-on=#", "runs-on=12345678901", "runner=2cpu")
	f("a b", "a\nb")
	many := make([]any, 500)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	f(event.Clean(strings.Join([]string{"x", "xx", "xxx", "xxxx", "xxxxx", "xxxxxx", "xxxxxxx", "xxxxxxxx", "xxxxxxxxx", "xxxxxxxxxx", "xxxxxxxxxxx", "xxxxxxxxxxxx", "xxxxxxxxxxxxx", "xxxxxxxxxxxxxx", "xxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxx"}, ",")), many...)
}

func TestGitHubSteps(t *testing.T) {
	body := replaced(t, "workflow_job.in_progress.with-queued-steps", map[string]any{
		"workflow_job.status": "completed", "workflow_job.conclusion": "failure", "workflow_job.completed_at": "2023-06-26T03:40:00Z",
	})
	events, err := sources.GitHub(delivery("workflow_job"), body, observed)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, facts(e, event.StepName, event.TaskResult, event.Unmapped)+" "+strings.TrimPrefix(e.Key, e.Subject))
	}
	// Seven of the nine steps are not completed, as GitHub does send it.
	want := []string{
		"finished  failure  /finished", "finished Set up job success  /step/1",
		"finished Run actions/checkout@2541b1294d2704b0964813337f33b291d3f8596b success  /step/2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	steps := make([]map[string]any, 3000)
	for i := range steps {
		steps[i] = map[string]any{"name": "x", "number": i + 1, "status": "completed", "conclusion": "success", "completed_at": "2023-06-26T03:40:00Z"}
	}
	body = replaced(t, "workflow_job.queued", map[string]any{"workflow_job.status": "completed", "workflow_job.conclusion": "success", "workflow_job.steps": steps})
	events, err = sources.GitHub(delivery("workflow_job"), body, observed)
	if err != nil || len(events) != 1001 || events[0].Attrs.Text(event.Unmapped) != "steps" {
		t.Errorf("3000 steps: %d events, %v, want a task and 1000 steps", len(events), err)
	}
}

func TestGitHubDeploymentStatus(t *testing.T) {
	f := func(want string, set map[string]any) {
		t.Helper()
		e := decodeOne(t, delivery("deployment_status"), replaced(t, "deployment_status", set))
		if got := facts(e, event.DeploymentState, event.Environment, event.Tier, event.DeploymentKind, event.Unmapped); got != want {
			t.Errorf("%v: got %q, want %q", set, got, want)
		}
	}
	state := func(s any) map[string]any { return map[string]any{"deployment_status.state": s} }
	f("finished succeeded production production  ", nil)
	f("finished failed production production  ", state("failure"))
	f("finished failed production production  ", state("ERROR"))
	f("started  production production  ", state("in_progress"))
	f("started  production production  ", state("queued"))
	f("started  production production  ", state("pending"))
	f("started  production production  ", state("waiting"))
	f("started  production production  status", state("levitating"))
	f("started  production production  status", state(nil))
	f("unused     ", state("inactive"))
	f("unused     id", map[string]any{"deployment_status.id": 0})
	f("unused     id", map[string]any{"deployment.id": "x"})
	f("unused     id", map[string]any{"repository": nil})
	f("finished succeeded production production  action", map[string]any{"action": "edited"})
	f("finished succeeded production production  type", map[string]any{"deployment.task": 7})
	f("finished succeeded production production  clock", map[string]any{"deployment_status.created_at": "never"})
	f("finished succeeded production production rollback ", map[string]any{"deployment.task": "rollback"})
	f("finished succeeded eu production  ", map[string]any{"deployment_status.environment": "eu", "deployment.production_environment": true})
	f("finished succeeded production production  ", map[string]any{"deployment_status.environment": nil})
}

func TestGitHubTier(t *testing.T) {
	f := func(environment, want string) {
		t.Helper()
		e := decodeOne(t, delivery("deployment"), replaced(t, "deployment", map[string]any{"deployment.environment": environment}))
		if got := e.Attrs.Text(event.Tier); got != want {
			t.Errorf("%q: tier %q, want %q", environment, got, want)
		}
	}
	f("Production", "production")
	f("prod-eu-1", "production")
	f("LIVE", "production")
	f("pre-production", "staging")
	f("non-prod", "staging")
	f("Staging", "staging")
	f("qa", "testing")
	f("Preview – shop", "development")
	f("pr-17", "development")
	f("products", "other")
	f("github-pages", "other")
	f("", "other")
	e := decodeOne(t, delivery("deployment"), replaced(t, "deployment", map[string]any{"deployment.transient_environment": true}))
	if got := e.Attrs.Text(event.Tier); got != "development" {
		t.Errorf("a transient environment is of tier %q", got)
	}
}

func sha(n int) string { return fmt.Sprintf("%040x", n) }

// TestGitHubSecret: an alert is told when it comes and when it comes again, and nothing of what was found.
func TestGitHubSecret(t *testing.T) {
	f := func(action string, want ...any) {
		t.Helper()
		body := replaced(t, "secret_scanning_alert.created", map[string]any{"action": action, "alert.secret": "hunter2", "alert.updated_at": "2023-07-11T00:00:00Z"})
		events, err := sources.GitHub(delivery("secret_scanning_alert"), body, observed)
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %v, %v", action, events, err)
		}
		e := events[0]
		if diff := cmp.Diff(want, []any{e.Name, e.Key, e.Attrs.Text(event.SecretKind), e.Attrs.Text(event.Repository)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", action, diff)
		}
		if strings.Contains(string(exportertest.Lines(t, events)), "hunter2") {
			t.Errorf("%s: the secret goes on", action)
		}
	}
	f("created", event.SecretLeaked, "gh/186853002/secret/42/created", "mailchimp_api_key", "Hello-World")
	f("reopened", event.SecretLeaked, "gh/186853002/secret/42/reopened/1689033600", "mailchimp_api_key", "Hello-World")
	f("resolved", event.Unused, "", "", "")
}

func TestGitHubPush(t *testing.T) {
	commits := func(numbers ...int) []map[string]any {
		var all []map[string]any
		for _, n := range numbers {
			all = append(all, map[string]any{"id": sha(n), "timestamp": "2019-05-15T15:19:25+02:00"})
		}
		return all
	}
	f := func(want []string, set map[string]any) {
		t.Helper()
		values := map[string]any{
			"before": sha(1), "after": sha(3), "created": false, "commits": commits(2, 3), "head_commit": commits(3)[0],
		}
		for name, value := range set {
			values[name] = value
		}
		events, err := sources.GitHub(delivery("push"), replaced(t, "push.with-new-branch", values), observed)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			got = append(got, strings.TrimLeft(e.Attrs.Text(event.BaseRevision), "0")+"<"+strings.TrimLeft(e.Attrs.Text(event.Revision), "0")+" "+e.Attrs.Text(event.Unmapped))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", set, diff)
		}
	}
	unused := []string{"< "}
	f([]string{"1<2 ", "2<3 "}, nil)
	f([]string{"1<2 ", "2<3 "}, map[string]any{"ref": "refs/heads/release/1.2"})
	f([]string{"<2 ", "2<3 "}, map[string]any{"forced": true})
	f([]string{"<2 ", "2<3 "}, map[string]any{"before": sha(0), "created": true})
	f([]string{"<2 ", "2<3 "}, map[string]any{"before": "HEAD^"})
	f([]string{"1<2 commits", "2<4 commits"}, map[string]any{"commits": commits(2), "head_commit": commits(4)[0]})
	f([]string{"1<3 commits"}, map[string]any{"commits": nil})
	f([]string{"1<3 commits"}, map[string]any{"commits": []any{map[string]any{"id": "fix"}, commits(3)[0]}})
	f([]string{"1<3 clock"}, map[string]any{"commits": []any{map[string]any{"id": sha(3)}}})
	f([]string{"1<2 type", "2<3 type"}, map[string]any{"forced": "no"})
	f(unused, map[string]any{"commits": nil, "head_commit": nil})
	f(unused, map[string]any{"ref": "refs/heads/topic"})
	f(unused, map[string]any{"ref": "refs/tags/master"})
	f(unused, map[string]any{"ref": nil})
	f([]string{"< id"}, map[string]any{"repository.id": "x"})

	numbers := make([]int, 5000)
	for i := range numbers {
		numbers[i] = i + 1
	}
	events, err := sources.GitHub(delivery("push"), replaced(t, "push.with-new-branch", map[string]any{"commits": commits(numbers...), "head_commit": commits(6000)[0]}), observed)
	if err != nil || len(events) != 2049 || events[2048].Attrs.Text(event.Revision) != sha(6000) || events[2048].Attrs.Text(event.BaseRevision) != sha(2048) {
		t.Errorf("5000 commits: %d events %v, want the first 2048 and the head", len(events), err)
	}
}

// TestGitHubRecords: the records of the REST API give the events of the webhooks.
func TestGitHubRecords(t *testing.T) {
	f := func(file, field string, decode func(sources.GitHubRepository, json.RawMessage) ([]event.Event, error)) {
		t.Helper()
		body := exportertest.Read(t, "testdata/github/"+file+".payload.json")
		var parts map[string]json.RawMessage
		var repository sources.GitHubRepository
		if err := json.Unmarshal(body, &parts); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(parts["repository"], &repository); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(file, ".")
		want, err := sources.GitHub(delivery(kind), body, observed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(repository, parts[field])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(exportertest.Lines(t, want)), string(exportertest.Lines(t, got))); diff != "" {
			t.Errorf("%s (-webhook +record):\n%s", file, diff)
		}
		if _, err := decode(repository, []byte(`{"id": `)); err == nil {
			t.Errorf("%s: no error for what is not JSON", file)
		}
	}
	for _, file := range []string{"in_progress", "in_progress.with-queued-steps", "queued", "queued.with-deployment", "waiting"} {
		f("workflow_job."+file, "workflow_job", func(r sources.GitHubRepository, record json.RawMessage) ([]event.Event, error) {
			return sources.GitHubJob(r, record, observed)
		})
	}
	for _, file := range []string{"deployment", "deployment.gh-pages"} {
		f(file, "deployment", func(r sources.GitHubRepository, record json.RawMessage) ([]event.Event, error) {
			return sources.GitHubDeployment(r, record, observed)
		})
	}
	for _, file := range []string{"deployment_status", "deployment_status.gh-pages"} {
		var parts map[string]json.RawMessage
		if err := json.Unmarshal(exportertest.Read(t, "testdata/github/"+file+".payload.json"), &parts); err != nil {
			t.Fatal(err)
		}
		f(file, "deployment_status", func(r sources.GitHubRepository, record json.RawMessage) ([]event.Event, error) {
			return sources.GitHubDeploymentStatus(r, parts["deployment"], record, observed)
		})
	}
	run := `{"id":1,"name":"CI","event":"push","head_branch":"main","status":"queued","repository":{"id":7,"full_name":"acme/shop"}}`
	for branch, want := range map[string]string{"main": "default", "trunk": "other"} {
		events, err := sources.GitHubRunIn(sources.GitHubRepository{ID: 7, FullName: "acme/shop", DefaultBranch: branch}, []byte(run), observed)
		if err != nil || events[0].Attrs.Text(event.RefKind) != want {
			t.Errorf("default branch %s: %v %v, want kind %s", branch, events, err, want)
		}
	}
}

// shown are the names in payloads that are meant to be passed on, and the words without which nothing else is read.
var shown = []string{
	"action", "ref", "before", "after", "repository.full_name", "repository.default_branch", "workflow_run.status", "workflow_run.conclusion",
	"workflow_run.name", "workflow_run.path", "workflow_run.event", "workflow_run.run_started_at", "workflow_run.updated_at",
	"workflow_run.head_sha", "workflow_job.status", "workflow_job.conclusion", "workflow_job.name", "workflow_job.workflow_name",
	"workflow_job.labels", "workflow_job.created_at", "workflow_job.started_at", "workflow_job.completed_at", "workflow_job.steps.name",
	"workflow_job.steps.status", "workflow_job.steps.conclusion", "workflow_job.steps.completed_at",
	"deployment.environment", "deployment.sha", "deployment.created_at", "deployment_status.state", "deployment_status.environment",
	"deployment_status.created_at", "commits.id", "commits.timestamp", "head_commit.id",
	"alert.created_at", "alert.updated_at", "alert.secret_type",
}

// TestGitHubCanary plants a secret in every other text of every payload, and in the texts that are words of a
// vocabulary as well: it is in no event.
func TestGitHubCanary(t *testing.T) {
	const canary = "hunter2 canary"
	files, err := filepath.Glob("testdata/github/*.payload.json")
	if err != nil {
		t.Fatal(err)
	}
	visible := []string{
		"repository.full_name", "workflow_run.name", "workflow_run.path", "workflow_job.name", "workflow_job.workflow_name", "workflow_job.labels",
		"workflow_job.steps.name", "deployment.environment", "deployment_status.environment",
	}
	for _, keep := range [][]string{shown, visible} {
		used := 0
		for _, file := range files {
			body, err := exportertest.Plant(exportertest.Read(t, file), canary, keep...)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(body, []byte(canary)); n < 40 {
				t.Fatalf("%s: planted only %d canaries", file, n)
			}
			events, err := sources.GitHub(delivery(eventOf(filepath.Base(file))), body, observed)
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			lines := string(exportertest.Lines(t, events))
			if strings.Contains(lines, "canary") || strings.Contains(lines, "hunter2") {
				t.Errorf("%s: the canary is in\n%s", file, lines)
			}
			if !strings.Contains(lines, event.Unused) {
				used++
			}
		}
		if used < 13 {
			t.Errorf("only %d payloads gave events that are used", used)
		}
	}
}

// TestGitHubHostile puts hostile values in the place of every text and number: nothing fails, and what is passed on is
// clean.
func TestGitHubHostile(t *testing.T) {
	deep := strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000)
	values := []string{
		`"a\nb\u0000\u001b[31m\u2028c"`, `"` + strings.Repeat("x", 10_000) + `"`, "\"\xff\xfe\xc0\x80\"", `"\ud800"`, `1e308`, `-9223372036854775808`,
		`123456789012345678901234567890`, `true`, `null`, `{}`, `[]`, deep, `{"id":{"id":{}}}`, `"../../x"`, `""`,
	}
	for _, file := range []string{"completed", "workflow_job.in_progress.with-queued-steps", "deployment_status", "deployment", "push.with-new-branch", "secret_scanning_alert.created"} {
		original := exportertest.Read(t, "testdata/github/"+file+".payload.json")
		for _, value := range values {
			for _, place := range placeNames(t, original) {
				body := bytes.Replace(replaced(t, file, map[string]any{place: "\x01here"}), []byte(`"\u0001here"`), []byte(value), 1)
				events, err := sources.GitHub(delivery(eventOf(file)), body, observed)
				if err != nil && eventOf(file) != "workflow_run" {
					t.Errorf("%s: %s = %.40s: %v", file, place, value, err)
				}
				for _, e := range events {
					for _, text := range append([]string{e.Key, e.Subject}, texts(e)...) {
						if len(text) > 300 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
							t.Errorf("%s: %s = %.40s: passed on %q", file, place, value, text)
						}
					}
				}
			}
		}
	}
}

func texts(e event.Event) (all []string) {
	for _, a := range e.Attrs {
		all = append(all, a.Text())
	}
	return all
}

// placeNames returns the names on the way to every value that is no address of a page.
func placeNames(t *testing.T, body []byte) (all []string) {
	t.Helper()
	var parts map[string]any
	if err := json.Unmarshal(body, &parts); err != nil {
		t.Fatal(err)
	}
	for name, part := range parts {
		all = append(all, name)
		if fields, ok := part.(map[string]any); ok && name != "sender" {
			for field := range fields {
				if !strings.HasSuffix(field, "url") {
					all = append(all, name+"."+field)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}
