package sources_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// story is what a system tells of one run, in the order in which it happens, and what must be counted of it.
type story struct {
	system string
	events [][]event.Event
	want   map[string]uint64
	rerun  bool // attempts that have no number must come in their order, copies need not
}

func stories(t testing.TB) []story {
	gitlab := func(status, finished, job string) []event.Event {
		values := map[string]any{"object_attributes.status": status, "builds": []any{build(1, job, "script_failure", false)}, "object_attributes.finished_at": nil}
		if finished != "" {
			values["object_attributes.finished_at"] = finished
		}
		return hook(t, sources.GitLab, "gitlab/pipeline.json", values)
	}
	rest := func(decode func([]byte, time.Time) ([]event.Event, error), record string) []event.Event {
		events, err := decode([]byte(record), observed)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	once := func(result string) map[string]uint64 {
		return map[string]uint64{"first/" + result: 1, "final/" + result: 1}
	}
	jenkins := func(name string) []event.Event {
		return hook(t, sources.Jenkins, "jenkins/notification_"+name+".json", nil)
	}
	tekton := func(name string) []event.Event {
		return hook(t, sources.Tekton, "tekton/pipelinerun_"+name+".json", nil)
	}
	azure := func(name string) []event.Event {
		return hook(t, sources.AzureDevOps, "azuredevops/"+name+".json", nil)
	}
	circle := func(name string) []event.Event {
		return hook(t, sources.CircleCI, "circleci/workflow_"+name+".json", nil)
	}
	cdevents := func(name string) []event.Event {
		return hook(t, sources.CDEvents, "cdevents/pipelinerun_"+name+".json", nil)
	}
	return []story{
		{"gitlab", [][]event.Event{
			gitlab("pending", "", "created"), gitlab("running", "", "running"), gitlab("failed", "2016-08-12 15:26:29 UTC", "failed"),
			rest(sources.GitLabPipeline, `{"id":31,"project_id":1,"status":"failed","web_url":"http://192.168.64.1:3005/gitlab-org/gitlab-test/-/pipelines/31",
				"updated_at":"2016-08-12T15:26:31.9Z","finished_at":"2016-08-12T15:26:29.900Z","duration":63}`),
		}, once("failure"), false},
		{"jenkins", [][]event.Event{
			jenkins("queued"), jenkins("started"), jenkins("completed"), jenkins("finalized"),
			rest(sources.JenkinsBuild, `{"url":"https://ci.example.com/jenkins/job/acme/job/pay/18/","number":18,"result":"SUCCESS","timestamp":1696406911000,"duration":390000}`),
		}, once("success"), false},
		{"tekton", [][]event.Event{tekton("queued"), tekton("started"), tekton("running"), tekton("timeout")}, once("timeout"), false},
		{"azuredevops", [][]event.Event{azure("run_started"), azure("run_completed"), azure("build_succeeded")}, once("success"), false},
		{"cdevents", [][]event.Event{cdevents("queued"), cdevents("started"), cdevents("finished")}, once("failure"), false},
		{"circleci", [][]event.Event{circle("failed_before"), circle("success")}, map[string]uint64{"first/failure": 1, "final/success": 1}, true},
	}
}

// TestCountedOnce: whatever way and order a system tells of a run in, and however often, the run is counted once.
func TestCountedOnce(t *testing.T) {
	all := stories(t)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(all).Draw(t, "story")
		c := counters.New(observed, pipelines.New(pipelines.Options{}))
		order := rapid.Permutation(append(slices.Clone(s.events), s.events...)).Draw(t, "order")
		if s.rerun {
			order = append(slices.Clone(s.events), order...)
		}
		for _, events := range order {
			if err := c.Add(events...); err != nil {
				t.Fatal(err)
			}
		}
		snapshot, err := c.Read(observed.AddDate(0, 2, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]uint64{}
		for _, family := range snapshot.Families {
			for _, p := range family.Points {
				if family.Name == "cicd.pipeline.run.outcomes" && p.Count > 0 {
					got[p.Attrs.Text(event.Attempt)+"/"+p.Attrs.Text(event.Result)] += p.Count
				}
			}
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", s.system, diff)
		}
	})
}

// TestTriggersAndRefs: what started a run, and on what kind of ref, in the words of each system.
func TestTriggersAndRefs(t *testing.T) {
	f := func(decode source.Decoder, file string, values map[string]any, want ...any) {
		t.Helper()
		e := hook(t, decode, file, values)[0]
		if diff := cmp.Diff(want, pick(e, event.Trigger, event.RefKind)); diff != "" {
			t.Errorf("%s %v: %s", file, values, diff)
		}
	}
	azure := func(reason, branch, trigger, ref string) {
		t.Helper()
		f(sources.AzureDevOps, "azuredevops/build_succeeded.json", map[string]any{"resource.reason": reason, "resource.sourceBranch": branch}, trigger, ref)
	}
	azure("batchedCI", "refs/heads/release/1", "push", "release")
	azure("pullRequest", "refs/pull/7/merge", "change", "change")
	azure("schedule", "refs/heads/main", "schedule", "other")
	azure("manual", "refs/tags/v1", "manual", "tag")
	azure("resourceTrigger", "", "pipeline", "other")
	azure("dream", "", "other", "other")

	circle := func(kind, branch, tag, trigger, ref string) {
		t.Helper()
		f(sources.CircleCI, "circleci/workflow_success.json", map[string]any{"pipeline.trigger.type": kind, "pipeline.vcs.branch": branch, "pipeline.vcs.tag": tag}, trigger, ref)
	}
	circle("webhook", "main", "", "push", "other")
	circle("api", "release/1", "", "manual", "release")
	circle("scheduled_pipeline", "", "v1", "schedule", "tag")
	circle("dream", "pull/7", "", "other", "change")

	tekton := func(kind, trigger, ref string) {
		t.Helper()
		labels := map[string]any{"pipelinesascode.tekton.dev/event-type": kind}
		f(sources.Tekton, "tekton/pipelinerun_failed.json", map[string]any{"pipelineRun.metadata.labels": labels}, trigger, ref)
	}
	tekton("push", "push", "")
	tekton("pull_request", "change", "change")
	tekton("incoming", "manual", "")
	tekton("dream", "other", "")

	jenkins := func(class, branch, trigger, ref string) {
		t.Helper()
		record, err := exportertest.Replace([]byte(`{"url":"https://ci.example.com/job/pay/1/","number":1}`), map[string]any{"actions": []any{
			map[string]any{"causes": []any{map[string]any{"_class": class}}}, map[string]any{"lastBuiltRevision": map[string]any{"branch": []any{map[string]any{"name": branch}}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		events, err := sources.JenkinsBuild(record, observed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]any{trigger, ref}, pick(events[0], event.Trigger, event.RefKind)); diff != "" {
			t.Errorf("%s %s: %s", class, branch, diff)
		}
	}
	jenkins("hudson.model.Cause$UserIdCause", "refs/remotes/origin/main", "manual", "other")
	jenkins("hudson.triggers.TimerTrigger$TimerTriggerCause", "origin/release/1", "schedule", "release")
	jenkins("jenkins.branch.BranchEventCause", "main", "push", "other")
	jenkins("hudson.model.Cause$UpstreamCause", "", "pipeline", "other")
	jenkins("com.example.Dream", "", "other", "other")
}
