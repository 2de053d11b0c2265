package sources_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// hook returns the events of a delivery of testdata with some places replaced.
func hook(t testing.TB, decode source.Decoder, file string, values map[string]any) []event.Event {
	t.Helper()
	body, err := exportertest.Replace(exportertest.Read(t, "testdata/"+file), values)
	if err != nil {
		t.Fatal(err)
	}
	events, err := decode(http.Header{}, body, observed)
	if err != nil {
		t.Fatalf("%s with %v: %v", file, values, err)
	}
	return events
}

func pick(e event.Event, names ...string) (got []any) {
	for _, name := range names {
		if number, ok := e.Attrs.Number(name); ok {
			got = append(got, number)
			continue
		}
		got = append(got, e.Attrs.Text(name))
	}
	return got
}

func build(id int, status, reason string, allowed bool) map[string]any {
	return map[string]any{"id": id, "status": status, "failure_reason": reason, "allow_failure": allowed}
}

func TestGitLabPipelineStatus(t *testing.T) {
	f := func(status string, name, result, unmapped string, waiting bool) {
		t.Helper()
		e := hook(t, sources.GitLab, "gitlab/pipeline.json", map[string]any{"object_attributes.status": status})[0]
		got := []any{e.Name, e.Attrs.Text(event.Result), e.Attrs.Text(event.Unmapped), e.Attrs.True(event.Waiting)}
		if diff := cmp.Diff([]any{name, result, unmapped, waiting}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
	f("created", event.RunQueued, "", "", false)
	f("waiting_for_resource", event.RunQueued, "", "", false)
	f("pending", event.RunQueued, "", "", false)
	f("manual", event.RunQueued, "", "", true)
	f("scheduled", event.RunQueued, "", "", true)
	f("RUNNING", event.RunStarted, "", "", false)
	f("success", event.RunFinished, "success", "", false)
	f("failed", event.RunFinished, "failure", "", false)
	f("canceled", event.RunFinished, "cancellation", "", false)
	f("skipped", event.RunFinished, "skip", "", false)
	f("dreaming", event.RunFinished, "", "conclusion", false)
	e := hook(t, sources.GitLab, "gitlab/pipeline.json", map[string]any{"object_attributes.status": "dreaming", "object_attributes.finished_at": nil})[0]
	if e.Name != event.RunQueued || e.Attrs.Text(event.Unmapped) != "status" {
		t.Errorf("a status that is not known, of a pipeline that goes on: %v", e)
	}
}

func TestGitLabFailures(t *testing.T) {
	f := func(want string, builds ...map[string]any) {
		t.Helper()
		events := hook(t, sources.GitLab, "gitlab/pipeline.json", map[string]any{"object_attributes.status": "failed", "builds": builds})
		if got := events[0].Attrs.Text(event.Result); got != want {
			t.Errorf("%v: %q, want %q", builds, got, want)
		}
		if len(events) != 1+len(builds) {
			t.Errorf("%v: %d events", builds, len(events))
		}
	}
	script, system, timeout := build(1, "failed", "script_failure", false), build(2, "failed", "runner_system_failure", false), build(3, "failed", "job_execution_timeout", false)
	fine, allowed := build(4, "success", "unknown_failure", false), build(5, "failed", "script_failure", true)
	f("failure")
	f("failure", script, fine)
	f("error", system, fine)
	f("timeout", timeout, fine)
	f("error", system, timeout)
	f("failure", system, script)
	f("error", system, allowed)
	f("failure", build(6, "failed", "something new", false))
	f("failure", build(6, "failed", "unknown_failure", false))

	job := hook(t, sources.GitLab, "gitlab/job.json", map[string]any{"build_status": "failed", "build_failure_reason": "runner_system_failure"})[0]
	if diff := cmp.Diff([]any{"error", "runner_system_failure"}, pick(job, event.TaskResult, event.ErrorType)); diff != "" {
		t.Error(diff)
	}
}

func TestGitLabWarnings(t *testing.T) {
	for _, detail := range []any{"passed with warnings", map[string]any{"group": "success-with-warnings", "label": "passed with warnings"}} {
		e := hook(t, sources.GitLab, "gitlab/pipeline.json", map[string]any{"object_attributes.detailed_status": detail})[0]
		if diff := cmp.Diff([]any{"success", "success-with-warnings"}, pick(e, event.Result, event.ResultRaw)); diff != "" {
			t.Errorf("%v: %s", detail, diff)
		}
	}
}

func TestGitLabRefs(t *testing.T) {
	f := func(values map[string]any, trigger, kind string) {
		t.Helper()
		e := hook(t, sources.GitLab, "gitlab/pipeline.json", values)[0]
		if diff := cmp.Diff([]any{trigger, kind}, pick(e, event.Trigger, event.RefKind)); diff != "" {
			t.Errorf("%v: %s", values, diff)
		}
	}
	f(nil, "change", "change")
	f(map[string]any{"object_attributes.source": "push"}, "push", "default")
	f(map[string]any{"object_attributes.source": "push", "object_attributes.ref": "v1", "object_attributes.tag": true}, "push", "tag")
	f(map[string]any{"object_attributes.source": "schedule", "object_attributes.ref": "release/1"}, "schedule", "release")
	f(map[string]any{"object_attributes.source": "web", "object_attributes.ref": "fix"}, "manual", "other")
}

// TestGitLabOneFact: a webhook, its redelivery and the REST records of the same thing have one subject and one key, so
// that they are counted once.
func TestGitLabOneFact(t *testing.T) {
	f := func(what string, events []event.Event, decode func([]byte, time.Time) ([]event.Event, error), rest string) {
		t.Helper()
		got, err := decode([]byte(rest), observed.Add(time.Hour))
		if err != nil || len(got) != 1 || got[0].Key != events[0].Key || !got[0].Time.Equal(events[0].Time) || !got[0].Start.Equal(events[0].Start) {
			t.Errorf("%s: REST %v %v, webhook %v", what, got, err, events[0])
		}
	}
	run := hook(t, sources.GitLab, "gitlab/pipeline.json", nil)
	f("pipeline", run, sources.GitLabPipeline, `{"id":31,"project_id":1,"status":"success","web_url":"http://192.168.64.1:3005/gitlab-org/gitlab-test/-/pipelines/31",
		"created_at":"2016-08-12T15:23:28.123Z","updated_at":"2016-08-12T15:26:31.9Z","finished_at":"2016-08-12T15:26:29.900Z","duration":63}`)
	f("job", hook(t, sources.GitLab, "gitlab/job.json", nil), sources.GitLabJob, `{"id":3580121225,"status":"success","web_url":"https://gitlab.com/jsmithy2/release-tools-fake/-/jobs/3580121225",
		"started_at":"2023-01-10T13:50:05.250Z","finished_at":"2023-01-10T13:50:54.753Z"}`)
	f("deployment", hook(t, sources.GitLab, "gitlab/deployment.json", nil), sources.GitLabDeployment, `{"id":15,"status":"success","updated_at":"2021-04-28T19:50:00.999Z",
		"deployable":{"web_url":"http://10.126.0.2:3000/root/test-deployment-webhooks/-/jobs/796"}}`)

	// A job of the pipeline's hook is the job of its own hook.
	var keys []string
	for _, e := range run {
		keys = append(keys, e.Key)
	}
	own := hook(t, sources.GitLab, "gitlab/job.json", map[string]any{
		"build_id": 376, "repository.homepage": "http://192.168.64.1:3005/gitlab-org/gitlab-test",
	})[0]
	if !slices.Contains(keys, own.Key) {
		t.Errorf("job %q is not among %q", own.Key, keys)
	}
}

// TestGitLabRetry: a retried job makes a finished pipeline run again, which its hook shows by times of the new job only;
// the counters take it for a second attempt.
func TestGitLabRetry(t *testing.T) {
	c := counters.New(observed, pipelines.New(pipelines.Options{}))
	status := func(status, finished string, builds ...map[string]any) {
		t.Helper()
		values := map[string]any{"object_attributes.status": status, "object_attributes.finished_at": nil, "builds": builds}
		if finished != "" {
			values["object_attributes.finished_at"] = finished
		}
		for range 2 { // GitLab sends again what was not answered in time
			if err := c.Add(hook(t, sources.GitLab, "gitlab/pipeline.json", values)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	job := func(id int, status, created string) map[string]any {
		b := build(id, status, "script_failure", false)
		b["created_at"] = created
		return b
	}
	status("running", "", job(1, "running", "2016-08-12 15:23:28 UTC"))
	status("failed", "2016-08-12 15:26:29 UTC", job(1, "failed", "2016-08-12 15:23:28 UTC"))
	status("running", "", job(2, "running", "2016-08-12 15:30:00 UTC"))
	status("success", "2016-08-12 15:40:00 UTC", job(2, "success", "2016-08-12 15:30:00 UTC"))
	s, err := c.Read(observed.AddDate(0, 1, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, family := range s.Families {
		for _, p := range family.Points {
			if family.Name == "cicd.pipeline.run.outcomes" && p.Count > 0 {
				got[p.Attrs.Text(event.Attempt)+"/"+p.Attrs.Text(event.Result)] = p.Count
			}
		}
	}
	if diff := cmp.Diff(map[string]uint64{"first/failure": 1, "final/success": 1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGitLabPush(t *testing.T) {
	f := func(values map[string]any, want ...[]any) {
		t.Helper()
		var got [][]any
		for _, e := range hook(t, sources.GitLab, "gitlab/push.json", values) {
			if e.Name != event.Unused {
				got = append(got, pick(e, event.Revision, event.BaseRevision))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", values, diff)
		}
	}
	const before, first, second = "95790bf891e76fee5e1747ab589903a6a1f80f22", "b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327", "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
	f(nil, []any{first, ""}, []any{second, first})
	f(map[string]any{"total_commits_count": 2}, []any{first, before}, []any{second, first})
	f(map[string]any{"total_commits_count": 2, "before": "0000000000000000000000000000000000000000"}, []any{first, ""}, []any{second, first})
	f(map[string]any{"ref": "refs/heads/fix"})
	f(map[string]any{"ref": "refs/tags/master"})
	f(map[string]any{"commits": nil, "after": "0000000000000000000000000000000000000000"})
	f(map[string]any{"commits": []any{map[string]any{"id": "0000000000000000000000000000000000000000"}, map[string]any{"id": "x"}}})
}

func TestGitLabDeployments(t *testing.T) {
	f := func(values map[string]any, want ...any) {
		t.Helper()
		e := hook(t, sources.GitLab, "gitlab/deployment.json", values)[0]
		got := append([]any{e.Name}, pick(e, event.DeploymentState, event.Tier, event.Revision)...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", values, diff)
		}
	}
	const sha = "279484c09fbe69ededfced8c1bb6e6d24616b468"
	f(nil, event.DeploymentFinished, "succeeded", "staging", sha)
	f(map[string]any{"status": "failed", "environment_tier": "production"}, event.DeploymentFinished, "failed", "production", sha)
	f(map[string]any{"status": "canceled", "environment": "eu/prod-1"}, event.DeploymentFinished, "cancelled", "production", sha)
	f(map[string]any{"status": "running", "environment": "somewhere"}, event.DeploymentStarted, "", "", sha)
	f(map[string]any{"commit_url": "https://gitlab.com/a/b/-/tree/" + sha}, event.DeploymentFinished, "succeeded", "staging", "")
	f(map[string]any{"commit_url": "https://gitlab.com/a/b/-/commit/279484c0"}, event.DeploymentFinished, "succeeded", "staging", "")
}
