package sources_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite golden files")

// observed is when the tests receive everything: after the last event of the fixtures.
var observed = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

func delivery(kind string) http.Header {
	return http.Header{"X-Github-Event": {kind}, "Content-Type": {"application/json"}}
}

// TestDecodeGitHubPayloads: a file is named after its event, but those of workflow_run after the action alone.
func TestDecodeGitHubPayloads(t *testing.T) {
	files, err := filepath.Glob("testdata/github/*.payload.json")
	if err != nil || len(files) != 21 {
		t.Fatalf("want 21 payloads, have %v %v", files, err)
	}
	var all []byte
	for _, file := range files {
		name := filepath.Base(file)
		events, err := sources.GitHub(delivery(eventOf(name)), exportertest.Read(t, file), observed)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		all = fmt.Appendf(all, "# %s\n%s", strings.TrimSuffix(name, ".payload.json"), exportertest.Lines(t, events))
	}
	golden.Check(t, *update, "testdata/github.golden", all)
}

func eventOf(file string) string {
	kind, _, _ := strings.Cut(file, ".")
	if kind == "completed" || kind == "requested" {
		return "workflow_run"
	}
	return kind
}

// payload is a workflow_run delivery with fields of workflow_run replaced.
func payload(t testing.TB, set map[string]any) []byte {
	t.Helper()
	values := map[string]any{}
	for name, value := range set {
		values["workflow_run."+name] = value
	}
	body, err := exportertest.Replace(exportertest.Read(t, "testdata/github/completed.payload.json"), values)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func decodeOne(t testing.TB, header http.Header, body []byte) event.Event {
	t.Helper()
	events, err := sources.GitHub(header, body, observed)
	if err != nil || len(events) != 1 {
		t.Fatalf("GitHub = %v, %v, want one event", events, err)
	}
	return events[0]
}

func TestGitHubConclusions(t *testing.T) {
	f := func(status, conclusion any, name, result, raw, unmapped string, waiting bool) {
		t.Helper()
		e := decodeOne(t, delivery("workflow_run"), payload(t, map[string]any{"status": status, "conclusion": conclusion}))
		got := []any{e.Name, e.Attrs.Text(event.Result), e.Attrs.Text(event.ResultRaw), e.Attrs.Text(event.Unmapped), e.Attrs.True(event.Waiting)}
		if diff := cmp.Diff([]any{name, result, raw, unmapped, waiting}, got); diff != "" {
			t.Errorf("%v %v (-want +got):\n%s", status, conclusion, diff)
		}
	}
	f("completed", "success", event.RunFinished, "success", "", "", false)
	f("completed", "failure", event.RunFinished, "failure", "", "", false)
	f("completed", "timed_out", event.RunFinished, "timeout", "", "", false)
	f("completed", "cancelled", event.RunFinished, "cancellation", "", "", false)
	f("completed", "skipped", event.RunFinished, "skip", "", "", false)
	f("completed", "startup_failure", event.RunFinished, "error", "", "", false)
	f("completed", "neutral", event.RunFinished, "", "neutral", "", false)
	f("completed", "stale", event.RunFinished, "", "stale", "", false)
	f("completed", "action_required", event.RunQueued, "", "action_required", "", true)
	f("completed", nil, event.RunFinished, "", "unknown", "conclusion", false)
	f("completed", "my password", event.RunFinished, "", "unknown", "conclusion", false)
	f("COMPLETED", "SUCCESS", event.RunFinished, "success", "", "", false)
	f("in_progress", nil, event.RunStarted, "", "", "", false)
	f("queued", nil, event.RunQueued, "", "", "", false)
	f("requested", nil, event.RunQueued, "", "", "", false)
	f("pending", nil, event.RunQueued, "", "", "", false)
	f("waiting", nil, event.RunQueued, "", "", "", true)
	f("daydreaming", nil, event.RunQueued, "", "", "status", false)
	f(17, nil, event.RunQueued, "", "", "status", false)
	f("completed", []string{"x"}, event.RunFinished, "", "unknown", "conclusion", false)
}

func TestGitHubFields(t *testing.T) {
	f := func(set map[string]any, name string, want any) {
		t.Helper()
		e := decodeOne(t, delivery("workflow_run"), payload(t, set))
		var got any = e.Attrs.Text(name)
		if _, number := want.(float64); number {
			got, _ = e.Attrs.Number(name)
		}
		if got != want {
			t.Errorf("%v: %s = %v, want %v", set, name, got, want)
		}
	}
	f(map[string]any{"name": "  CI\n"}, event.PipelineName, "CI")
	f(map[string]any{"name": ""}, event.PipelineName, ".github/workflows/test.yml")
	f(map[string]any{"name": nil, "path": ".github/workflows/x.yml@refs/heads/main"}, event.PipelineName, ".github/workflows/x.yml")
	f(map[string]any{"name": strings.Repeat("long ", 2000)}, event.PipelineName, strings.TrimRight(strings.Repeat("long ", 2000)[:event.MaxText], " "))
	f(map[string]any{"name": 5}, event.Unmapped, "type")
	f(map[string]any{"run_started_at": "2020-10-05T16:30:49Z"}, event.RunDuration, 180.0)
	f(map[string]any{"run_started_at": "2020-10-05T17:30:49Z"}, event.Unmapped, "clock")
	f(map[string]any{"run_started_at": nil}, event.Unmapped, "clock")
	f(map[string]any{"updated_at": "2190-10-05T17:30:49Z"}, event.Unmapped, "clock")
	f(map[string]any{"updated_at": "yesterday"}, event.Unmapped, "clock")
	f(map[string]any{"event": "pull_request"}, event.RefKind, "change")
	f(map[string]any{"event": "push", "head_branch": "release/1.2"}, event.RefKind, "release")
	f(map[string]any{"event": "push", "head_branch": "fix"}, event.RefKind, "other")
	f(map[string]any{"event": "push"}, event.Trigger, "push")
	f(map[string]any{"head_sha": "not a commit"}, event.Revision, "")
}

func TestGitHubForms(t *testing.T) {
	body := payload(t, nil)
	want := decodeOne(t, delivery("workflow_run"), body)
	form := delivery("workflow_run")
	form.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	got := decodeOne(t, form, []byte(url.Values{"payload": {string(body)}}.Encode()))
	if got.Key != want.Key {
		t.Errorf("form: key %q, want %q", got.Key, want.Key)
	}
	got = decodeOne(t, delivery("workflow_run"), append([]byte("\xef\xbb\xbf"), body...))
	if got.Key != want.Key {
		t.Errorf("byte order mark: key %q, want %q", got.Key, want.Key)
	}
	// The REST API returns the same object without the envelope.
	var envelope struct {
		Run json.RawMessage `json:"workflow_run"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		t.Fatal(err)
	}
	events, err := sources.GitHubRun(envelope.Run, observed)
	if err != nil || len(events) != 1 || events[0].Key != want.Key {
		t.Errorf("REST record: %v %v, want key %q", events, err, want.Key)
	}
}

func TestDecodeErrors(t *testing.T) {
	const canary = "hunter2-canary"
	github := func(body []byte, now time.Time) ([]event.Event, error) {
		return sources.GitHub(delivery("workflow_run"), body, now)
	}
	f := func(decode func([]byte, time.Time) ([]event.Event, error), body string) {
		t.Helper()
		events, err := decode([]byte(body), observed)
		if err == nil || len(events) > 0 || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: got %v, %v, want an error without content", body, events, err)
		}
	}
	for _, decode := range []func([]byte, time.Time) ([]event.Event, error){github, sources.GitHubRun, sources.GitLabPipeline} {
		f(decode, "")
		f(decode, canary)
		f(decode, `{"`+canary+`": `)
		f(decode, `{}`)
		f(decode, `[]`)
		f(decode, `null`)
		f(decode, `"`+canary+`"`)
		f(decode, `{"id": "`+canary+`", "workflow_run": {"id": "`+canary+`"}}`)
		f(decode, `{"id": -1, "project_id": 3, "workflow_run": {"id": 1}, "web_url": "https://example.com/a/b/-/pipelines/1"}`)
	}
	for _, table := range []string{"", "id,params\n1,2\n", "data\n\"x"} {
		if _, err := sources.History([]byte(table), observed, sources.GitLabPipeline); err == nil {
			t.Errorf("history %q: no error", table)
		}
	}
	events, err := sources.History([]byte("id,data\n1,{}\n2\n"), observed, sources.GitLabPipeline)
	if err != nil || len(events) != 2 || events[0].Name != event.Unused || events[1].Name != event.Unused {
		t.Errorf("unreadable rows: %v, %v, want two unused events", events, err)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/github/*.payload.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	kinds := []string{"workflow_run", "workflow_job", "deployment", "deployment_status", "push", "status"}
	for _, file := range files {
		f.Add(exportertest.Read(f, file))
	}
	f.Add([]byte(`{"id":1,"project_id":2,"status":"failed","web_url":"https://gitlab.com/a/b/-/pipelines/1","updated_at":"2022-01-27T10:07:19.043Z","duration":-1e300}`))
	f.Add([]byte(`{"id":1,"name":"\ud800\n","repository":{"id":1,"full_name":"///"},"status":"completed"}`))
	decoders := []func([]byte, time.Time) ([]event.Event, error){sources.GitHubRun, sources.GitLabPipeline}
	for _, kind := range kinds {
		decoders = append(decoders, func(b []byte, now time.Time) ([]event.Event, error) { return sources.GitHub(delivery(kind), b, now) })
	}
	repository := sources.GitHubRepository{ID: 1, FullName: "acme/shop", DefaultBranch: "main"}
	for _, decode := range []func(sources.GitHubRepository, []byte, time.Time) ([]event.Event, error){
		sources.GitHubRunIn, sources.GitHubJob, sources.GitHubDeployment,
		func(r sources.GitHubRepository, b []byte, now time.Time) ([]event.Event, error) {
			return sources.GitHubDeploymentStatus(r, b, b, now)
		},
	} {
		decoders = append(decoders, func(b []byte, now time.Time) ([]event.Event, error) { return decode(repository, b, now) })
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c := counters.New(observed, pipelines.New(pipelines.Options{}))
		for _, decode := range decoders {
			events, err := decode(body, observed)
			if (err == nil) == (len(events) == 0) {
				t.Errorf("got %d events and error %v", len(events), err)
			}
			for _, e := range events {
				whole := e.Name == event.Unused && e.Key == "" || e.Subject != "" && strings.HasPrefix(e.Key, e.Subject+"/")
				if _, err := json.Marshal(e); err != nil || !whole {
					t.Errorf("event %+v: %v", e, err)
				}
			}
			if err := c.Add(events...); err != nil {
				t.Error(err)
			}
		}
		if _, err := c.Read(observed.AddDate(1, 0, 0), 0); err != nil {
			t.Error(err)
		}
	})
}
