package sources_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// TestOneFact: two ways in which a system tells of the same thing have one subject and one key.
func TestOneFact(t *testing.T) {
	f := func(what string, first, second []event.Event) {
		t.Helper()
		if len(first) == 0 || len(second) == 0 || first[0].Key != second[len(second)-1].Key || first[0].Name != second[len(second)-1].Name {
			t.Errorf("%s: %v and %v", what, first, second)
		}
	}
	records := func(decode func([]byte, time.Time) ([]event.Event, error), record string) []event.Event {
		t.Helper()
		events, err := decode([]byte(record), observed)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	finalized := hook(t, sources.Jenkins, "jenkins/notification_finalized.json", nil)
	f("jenkins phases", finalized, hook(t, sources.Jenkins, "jenkins/notification_completed.json", nil))
	f("jenkins REST", finalized, records(sources.JenkinsBuild, `{"url":"https://ci.example.com/jenkins/job/acme/job/pay/18/","number":18,"result":"SUCCESS","timestamp":1696406911000,"duration":390000}`))
	f("circleci REST", hook(t, sources.CircleCI, "circleci/workflow_success.json", nil), records(sources.CircleCIWorkflow,
		`{"id":"10000000-0000-4000-8000-000000000005","name":"build-test-deploy","pipeline_id":"10000000-0000-4000-8000-000000000006","project_slug":"gh/acme/pay","status":"success","created_at":"2023-10-04T08:15:00Z","stopped_at":"2023-10-04T08:21:31Z"}`))
	f("circleci job", hook(t, sources.CircleCI, "circleci/job_failed.json", nil), records(sources.CircleCIJob,
		`{"id":"10000000-0000-4000-8000-000000000008","name":"test","status":"failed","started_at":"2023-10-04T08:15:06Z","stopped_at":"2023-10-04T08:16:04Z"}`))
	f("argocd resource", hook(t, sources.ArgoCD, "argocd/notification_healthy.json", nil), hook(t, sources.ArgoCD, "argocd/application.json", nil))
	f("azure devops", hook(t, sources.AzureDevOps, "azuredevops/build_succeeded.json", nil), hook(t, sources.AzureDevOps, "azuredevops/run_completed.json", nil))
	body := exportertest.Read(t, "testdata/tekton/pipelinerun_failed.json")
	other := http.Header{"Ce-Id": {"another"}, "Ce-Type": {"dev.tekton.event.pipelinerun.failed.v1"}, "Ce-Source": {"/apis/x"}, "Ce-Specversion": {"1.0"}}
	again, err := sources.Tekton(other, body, observed)
	if err != nil {
		t.Fatal(err)
	}
	f("tekton with another id", hook(t, sources.Tekton, "tekton/pipelinerun_failed.json", nil), again)
}

func TestTektonReasons(t *testing.T) {
	f := func(status, reason, name, want string) {
		t.Helper()
		e := hook(t, sources.Tekton, "tekton/pipelinerun_failed.json", map[string]any{"pipelineRun.status.conditions": []any{
			map[string]any{"type": "Other", "status": "True", "reason": "Fine"},
			map[string]any{"type": "Succeeded", "status": status, "reason": reason},
		}})[0]
		if got := e.Attrs.Text(event.Result); got != want || e.Name != name {
			t.Errorf("%s %s: %s %q, want %s %q", status, reason, e.Name, got, name, want)
		}
	}
	f("True", "Succeeded", event.RunFinished, "success")
	f("True", "Completed", event.RunFinished, "success")
	f("False", "Failed", event.RunFinished, "failure")
	f("False", "PipelineRunTimeout", event.RunFinished, "timeout")
	f("False", "Cancelled", event.RunFinished, "cancellation")
	f("False", "CancelledRunningFinally", event.RunFinished, "cancellation")
	f("False", "CouldntGetPipeline", event.RunFinished, "error")
	f("False", "a new reason, and a long one that is no word", event.RunFinished, "failure")
	f("Unknown", "Cancelled", event.RunStarted, "") // it is being cancelled
	f("Unknown", "Running", event.RunStarted, "")
	f("Unknown", "PipelineRunPending", event.RunQueued, "")
}

func TestArgoCDHealth(t *testing.T) {
	f := func(phase, health, name, want string) {
		t.Helper()
		e := hook(t, sources.ArgoCD, "argocd/notification_healthy.json", map[string]any{"phase": phase, "health": health})[0]
		if got := e.Attrs.Text(event.DeploymentState); got != want || e.Name != name {
			t.Errorf("%s %s: %s %q, want %s %q", phase, health, e.Name, got, name, want)
		}
	}
	f("Succeeded", "Healthy", event.DeploymentFinished, "succeeded")
	f("Succeeded", "Degraded", event.DeploymentFinished, "failed")
	f("Succeeded", "Progressing", event.DeploymentStarted, "")
	f("Succeeded", "Suspended", event.DeploymentStarted, "")
	f("Succeeded", "Missing", event.DeploymentStarted, "")
	f("Failed", "Healthy", event.DeploymentFinished, "failed")
	f("Error", "Healthy", event.DeploymentFinished, "failed")
	f("Running", "Healthy", event.DeploymentStarted, "")
	f("Terminating", "Healthy", event.DeploymentStarted, "")
}

// TestRepositories: owner and name are taken from an address, a password in it never.
func TestRepositories(t *testing.T) {
	f := func(address, owner, name string) {
		t.Helper()
		e := hook(t, sources.ArgoCD, "argocd/notification_healthy.json", map[string]any{"repository": address})[0]
		if diff := cmp.Diff([]any{owner, name}, pick(e, event.RepositoryOwner, event.Repository)); diff != "" || strings.Contains(string(exportertest.Lines(t, []event.Event{e})), "hunter2") {
			t.Errorf("%q: %v %s", address, e, diff)
		}
	}
	f("https://git.example.com/acme/pay.git", "acme", "pay")
	f("https://git.example.com/acme/team/pay/", "acme/team", "pay")
	f("https://user:hunter2@git.example.com/acme/pay.git?token=hunter2", "acme", "pay")
	f("https://user:hun%zzter2 hunter2@git.example.com/acme/pay.git", "", "")
	f("ssh://git@git.example.com:22/acme/pay.git", "acme", "pay")
	f("git@git.example.com:acme/pay.git", "acme", "pay")
	f("user:hunter2@git.example.com/acme/pay", "", "")
	f("user:hunter2", "", "")
	f("hunter2", "", "")
	f("", "", "")
}

// TestCircleCIUnknown: what has stopped is finished, whatever the word for it.
func TestCircleCIUnknown(t *testing.T) {
	f := func(values map[string]any, name, unmapped string) {
		t.Helper()
		e := hook(t, sources.CircleCI, "circleci/workflow_success.json", values)[0]
		if e.Name != name || e.Attrs.Text(event.Unmapped) != unmapped || e.Attrs.Text(event.Result) != "" {
			t.Errorf("%v: %v", values, e)
		}
	}
	f(map[string]any{"workflow.status": "dream"}, event.RunFinished, "conclusion")
	f(map[string]any{"workflow.status": "dream", "workflow.stopped_at": nil}, event.RunQueued, "status")
	f(map[string]any{"workflow.status": "failing", "workflow.stopped_at": nil}, event.RunStarted, "")
	f(map[string]any{"workflow.status": "on_hold", "workflow.stopped_at": nil}, event.RunQueued, "")
}
