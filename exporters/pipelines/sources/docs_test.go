package sources_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

func page(t *testing.T) string {
	t.Helper()
	return string(exportertest.Read(t, "../../../docs/sources.md"))
}

// examples are, for each kind and thing of the table of statuses, a delivery and the places of the words in it.
var examples = map[string]struct {
	file   string
	places []string
}{
	"argocd sync":       {"argocd/notification_healthy.json", []string{"phase", "health"}},
	"azuredevops build": {"azuredevops/build_succeeded.json", []string{"resource.result"}},
	"cdevents outcome":  {"cdevents/pipelinerun_finished.json", []string{"subject.content.outcome"}},
	"circleci workflow": {"circleci/workflow_success.json", []string{"workflow.status"}},
	"circleci job":      {"circleci/job_failed.json", []string{"job.status"}},
	"github run":        {"github/completed.payload.json", []string{"workflow_run.conclusion"}},
	"gitlab pipeline":   {"gitlab/pipeline.json", []string{"object_attributes.status"}},
	"gitlab failed job": {"gitlab/job.json", []string{"build_failure_reason"}},
	"gitlab deployment": {"gitlab/deployment.json", []string{"status"}},
	"jenkins build":     {"jenkins/notification_completed.json", []string{"build.status"}},
	"tekton reason":     {"tekton/pipelinerun_failed.json", nil},
}

// meaning says what an event tells of a run, a task or a deployment, in the words of the page.
func meaning(e event.Event) string {
	result := cmp.Or(e.Attrs.Text(event.Result), e.Attrs.Text(event.TaskResult), e.Attrs.Text(event.DeploymentState))
	switch {
	case result != "":
		return result
	case e.Attrs.True(event.Waiting):
		return "waits for a person"
	}
	return map[string]string{
		event.RunQueued: "queued", event.RunStarted: "goes on", event.DeploymentStarted: "goes on", event.RunFinished: "excluded",
	}[e.Name]
}

// TestTableOfStatuses decodes every row of the page's table.
func TestTableOfStatuses(t *testing.T) {
	kinds := map[string]source.Kind{}
	for _, kind := range sources.Kinds() {
		kinds[kind.Name] = kind
	}
	seen := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([a-z]+) \| ([a-z ]+) \| ([A-Za-z_ ]+) \| ([a-z ]+) \|$`).FindAllStringSubmatch(page(t), -1) {
		kind, thing, status, want := row[1], row[2], row[3], row[4]
		if kind == "kind" {
			continue
		}
		example, found := examples[kind+" "+thing]
		if !found {
			t.Errorf("no example for %q", row[0])
			continue
		}
		seen[kind] = true
		values := map[string]any{}
		for i, word := range strings.Split(status, " and ") {
			switch {
			case kind == "tekton":
				done := map[bool]string{true: "True", false: "False"}[want == "success"]
				values["pipelineRun.status.conditions"] = []any{map[string]any{"type": "Succeeded", "status": done, "reason": word}}
			case thing == "failed job":
				values["build_status"] = "failed"
				fallthrough
			default:
				values[example.places[i]] = word
			}
		}
		body, err := exportertest.Replace(exportertest.Read(t, "testdata/"+example.file), values)
		if err != nil {
			t.Fatal(err)
		}
		events, err := kinds[kind].Decode(headerOf(t, kind, body), body, observed)
		if err != nil || meaning(events[0]) != want || events[0].Attrs.Text(event.Unmapped) != "" {
			t.Errorf("%s: %v %v, want %q", row[0], events, err, want)
		}
	}
	for name := range kinds {
		if !seen[name] {
			t.Errorf("the table has no status of %s", name)
		}
		if !strings.Contains(page(t), "\n## "+name+"\n") {
			t.Errorf("the page has no section %s", name)
		}
	}
}

// TestProofs: the page says of every kind how a delivery is proved.
func TestProofs(t *testing.T) {
	for _, kind := range sources.Kinds() {
		row := regexp.MustCompile("(?m)^\\| `" + kind.Name + "` \\| ([a-z ]+) \\|").FindStringSubmatch(page(t))
		if row == nil || (kind.Signature != nil) != strings.Contains(row[1], "signature") {
			t.Errorf("%s signs: %v, but the page says %q", kind.Name, kind.Signature != nil, row)
		}
	}
}

// TestArgoTemplate makes a notification of an Application by the template of the page, as Argo CD does, and decodes it
// to what the Application says itself.
func TestArgoTemplate(t *testing.T) {
	_, after, _ := strings.Cut(page(t), "      body: |\n")
	text, _, found := strings.Cut(after, "trigger.plimsoll")
	if !found {
		t.Fatal("no template on the page")
	}
	toJSON := func(v any) (string, error) { b, err := json.Marshal(v); return string(b), err }
	notification, err := template.New("").Funcs(template.FuncMap{"toJson": toJSON}).Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"application", "application_sources"} {
		record := exportertest.Read(t, "testdata/argocd/"+name+".json")
		var app map[string]any
		if err := json.Unmarshal(record, &app); err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		if err := notification.Execute(&body, map[string]any{"app": app}); err != nil {
			t.Fatal(err)
		}
		got, err := sources.ArgoCD(nil, body.Bytes(), observed)
		if err != nil {
			t.Fatalf("%s: %v in %s", name, err, &body)
		}
		want, err := sources.ArgoCDApplication(record, observed)
		if err != nil {
			t.Fatal(err)
		}
		last := want[len(want)-1]
		names := []string{event.Service, event.Environment, event.Tier, event.DeploymentState}
		if name == "application" { // the template knows one repository
			names = append(names, event.RepositoryOwner, event.Repository, event.Revision)
		}
		if diff := gocmp.Diff(append(pick(last, names...), last.Key), append(pick(got[0], names...), got[0].Key)); diff != "" {
			t.Errorf("%s (-resource +notification):\n%s", name, diff)
		}
	}
}

// TestMappingExample: the mapping of the page is valid, and its table of fields complete.
func TestMappingExample(t *testing.T) {
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(page(t))
	var m sources.Mapping
	d := json.NewDecoder(strings.NewReader(block[1]))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	body := `{"kind":"build","repository":{"path":"acme/pay"},"build":{"id":7,"try":1,"status":"ok","name":"CI","finished":1696407691500,"took":390500}}`
	e := mappedEvent(t, m, body, nil)
	if diff := gocmp.Diff([]any{"CI", "success", "acme", "pay", 390.5, ""}, pick(e, event.PipelineName, event.Result, event.RepositoryOwner, event.Repository, event.RunDuration, event.Unmapped)); diff != "" {
		t.Error(diff)
	}
	for _, fact := range []string{"run", "task", "deployment", "commit", "incident", "onboarding"} {
		row := regexp.MustCompile("(?m)^\\| `" + fact + "` \\| (.*) \\| (.*) \\|$").FindStringSubmatch(page(t))
		m := sources.Mapping{Source: "x", Fact: fact, Statuses: map[string]string{"x": "skip"}, Fields: map[string]string{}}
		if fact == "commit" {
			m.Statuses = nil
		}
		for _, name := range regexp.MustCompile("[a-z_]+").FindAllString(row[1]+row[2], -1) {
			m.Fields[name] = "=x"
		}
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", fact, err)
		}
		m.Fields["none"] = "=x"
		_, have, _ := strings.Cut(m.Check().Error(), "want some of ")
		delete(m.Fields, "none")
		if want := strings.Join(slices.Sorted(maps.Keys(m.Fields)), ", "); have != want {
			t.Errorf("%s: the page has %s, there are %s", fact, want, have)
		}
		for _, name := range regexp.MustCompile("[a-z_]+").FindAllString(row[1], -1) {
			delete(m.Fields, name)
			if m.Check() == nil {
				t.Errorf("%s must not have %s", fact, name)
			}
			m.Fields[name] = "=x"
		}
	}
}
