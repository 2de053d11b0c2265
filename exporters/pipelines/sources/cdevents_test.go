package sources_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// TestCloudEventModes: the same event in every mode gives the same fact.
func TestCloudEventModes(t *testing.T) {
	body := string(exportertest.Read(t, "testdata/cdevents/pipelinerun_finished.json"))
	want, err := sources.CDEvents(http.Header{}, []byte(body), observed)
	if err != nil || len(want) != 1 {
		t.Fatal(want, err)
	}
	f := func(what string, n int, header http.Header, body string) {
		t.Helper()
		got, err := sources.CDEvents(header, []byte(body), observed)
		if err != nil || len(got) != n {
			t.Fatalf("%s: %d events, %v", what, len(got), err)
		}
		if diff := cmp.Diff(string(exportertest.Lines(t, want)), string(exportertest.Lines(t, got[:1]))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	binary := http.Header{
		"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {"271069a8-fc18-44f1-b38f-9d70a1695819"},
		"Ce-Source": {"/event/source/123"}, "Ce-Type": {"dev.cdevents.pipelinerun.finished.0.3.0"}, "Ce-Time": {"2023-03-20T14:27:05.315384Z"},
	}
	f("binary", 1, binary, body)
	_, subject, _ := strings.Cut(body, `"subject"`)
	f("binary, context in headers only", 1, binary, `{"subject"`+subject)
	f("byte order mark", 1, nil, "\xef\xbb\xbf\n"+body)

	structured := http.Header{"Content-Type": {"application/cloudevents+json; charset=UTF-8"}}
	const envelope = `{"specversion":"1.0","id":"271069a8-fc18-44f1-b38f-9d70a1695819","source":"/event/source/123","type":"dev.cdevents.pipelinerun.finished.0.3.0","time":"2023-03-20T14:27:05.315384Z",%s}`
	whole := fmt.Sprintf(envelope, `"data":`+body)
	f("structured", 1, structured, whole)
	f("structured, said to be JSON", 1, binary, whole)
	f("structured, context in the envelope only", 1, structured, fmt.Sprintf(envelope, `"data":{"subject"`+subject))
	f("bare, said to be structured", 1, structured, body)
	f("structured, base64", 1, structured, fmt.Sprintf(envelope, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(body))+`"`))
	batch := http.Header{"Content-Type": {"application/cloudevents-batch+json"}}
	f("batch", 4, batch, "["+whole+`,{"broken":1},17,`+whole+"]")

	for _, bad := range []string{"", "[]", "[1" + strings.Repeat(",1", 1000) + "]", "17", "null", "[", `{"data":17}`, `{"data_base64":"&&&"}`, `{"context":{"type":"dev.cdevents.pipelinerun.finished.0.3.0"}}`} {
		if got, err := sources.CDEvents(structured, []byte(bad), observed); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestCDEventsVersions(t *testing.T) {
	f := func(kind, want string) {
		t.Helper()
		e := hook(t, sources.CDEvents, "cdevents/pipelinerun_finished.json", map[string]any{"context.type": kind})[0]
		if e.Name != want {
			t.Errorf("%s: %s, want %s", kind, e.Name, want)
		}
	}
	f("dev.cdevents.pipelinerun.finished.0.1.0", event.RunFinished)
	f("dev.cdevents.pipelinerun.finished.0.2.0", event.RunFinished)
	f("dev.cdevents.pipelinerun.finished.1.7.3-draft", event.RunFinished)
	f("dev.cdevents.pipelinerun.finished", event.RunFinished)
	f("cd.pipelinerun.finished.v1", event.RunFinished)
	f("dev.cdevents.pipelinerun.paused.0.3.0", event.Unused)
	f("dev.cdevents.dream.finished.0.3.0", event.Unused)
	f("com.example.pipelinerun.finished", event.Unused)
	f("x", event.Unused)
}

func TestCDEventsOutcomes(t *testing.T) {
	f := func(outcome any, want ...any) {
		t.Helper()
		e := hook(t, sources.CDEvents, "cdevents/pipelinerun_finished.json", map[string]any{"subject.content.outcome": outcome})[0]
		if diff := cmp.Diff(want, pick(e, event.Result, event.ResultRaw, event.Unmapped)); diff != "" {
			t.Errorf("%v: %s", outcome, diff)
		}
	}
	f("success", "success", "", "")
	f("FAILURE", "failure", "", "")
	f("error", "error", "", "")
	f("cancel", "cancellation", "", "")
	f("dream", "", "unknown", "conclusion")
	f(nil, "", "unknown", "conclusion")
	f(17, "", "unknown", "type")
}

func TestCDEventsServices(t *testing.T) {
	f := func(values map[string]any, want ...any) {
		t.Helper()
		e := hook(t, sources.CDEvents, "cdevents/service_deployed.json", values)[0]
		got := pick(e, event.Service, event.Environment, event.Tier, event.RepositoryOwner, event.Repository, event.Revision)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: %s", values, diff)
		}
	}
	const sha = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
	f(nil, "mySubject123", "test123", "testing", "", "", "")
	f(map[string]any{"subject.content.environment.id": "eu-prod"}, "mySubject123", "eu-prod", "production", "", "", "")
	f(map[string]any{"subject.content.environment.id": "non-prod"}, "mySubject123", "non-prod", "staging", "", "", "")
	f(map[string]any{"subject.content.artifactId": "pkg:github/acme/pay@" + sha}, "mySubject123", "test123", "testing", "acme", "pay", sha)
	f(map[string]any{"subject.content.artifactId": "pkg:oci/pay@sha256%3Aaa?vcs_url=git%2Bhttps%3A%2F%2Fgit.example.com%2Facme%2Fpay.git%40" + sha}, "mySubject123", "test123", "testing", "acme", "pay", sha)
	f(map[string]any{"subject.content.artifactId": "pkg:oci/pay?vcs_url=git@git.example.com:acme/pay.git@" + sha + "#x"}, "mySubject123", "test123", "testing", "acme", "pay", sha)
	f(map[string]any{"subject.content.artifactId": "pkg:oci/pay?vcs_url=%zz"}, "mySubject123", "test123", "testing", "", "", "")

	e := hook(t, sources.CDEvents, "cdevents/change_merged.json", map[string]any{"subject.id": sha})[0]
	if diff := cmp.Diff([]any{"TestRepo", "TestOrg", sha}, pick(e, event.RepositoryOwner, event.Repository, event.Revision)); e.Name != event.CommitPushed || diff != "" {
		t.Errorf("%v: %s", e, diff)
	}
}

// TestIdentities: things with different names are not taken for one, and no password of an address is in a name.
func TestIdentities(t *testing.T) {
	subject := func(source, id string) string {
		t.Helper()
		return hook(t, sources.CDEvents, "cdevents/pipelinerun_started.json", map[string]any{"subject.source": source, "subject.id": id})[0].Subject
	}
	seen := map[string]string{}
	for _, thing := range [][2]string{
		{"/a", "b/c"},
		{"/a/b", "c"},
		{"/a%2Fb", "c"},
		{"a", "b c"},
		{"a", "b  c"},
		{"a", "b\nc"},
		{"a", strings.Repeat("x", 128)},
		{"a", strings.Repeat("x", 129)},
		{"a", strings.Repeat("x", 10_000)},
		{"https://user:hunter2@example.com", "b"},
		{"https://example.com/?token=hunter2", "b"},
	} {
		s := subject(thing[0], thing[1])
		if other, found := seen[s]; found || len(s) > 600 || strings.Contains(s, "hunter2") {
			t.Errorf("%q: %q, as %q", thing, s, other)
		}
		seen[s] = thing[0] + " " + thing[1]
	}
}
