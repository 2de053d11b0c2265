package platformevents_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"testing"

	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/plimsoll-slo/plimsoll/collector/receiver/platformevents"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// Every kind is taken in with the proof that it has, and not without.
func TestKinds(t *testing.T) {
	const dir = "../../../exporters/"
	f := func(kind, file string, source platformevents.SourceConfig, header map[string]string) {
		t.Helper()
		body, err := os.ReadFile(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		source.Kind = kind
		s := startWith(t, func(cfg *platformevents.Config) {
			cfg.Sources = map[string]platformevents.SourceConfig{"hooks": source}
		})
		if got := s.post("/hooks", body, nil); got != http.StatusUnauthorized {
			t.Errorf("%s without proof: status %d, want 401", kind, got)
		}
		if got := s.post("/hooks", body, header); got != http.StatusAccepted {
			t.Errorf("%s: status %d, want 202", kind, got)
		}
		if got := s.verdicts(); got["unauthentic"] != 1 || got["counted"] < 1 {
			t.Errorf("%s: got %v, want 1 unauthentic and some counted", kind, got)
		}
		s.silent()
	}
	bearer := platformevents.SourceConfig{BearerToken: token}
	bears := func(more ...string) map[string]string {
		header := map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
		for i := 0; i < len(more); i += 2 {
			header[more[i]] = more[i+1]
		}
		return header
	}
	f("gitlab", "pipelines/sources/testdata/gitlab/pipeline.json", platformevents.SourceConfig{Secrets: []configopaque.String{secret}},
		map[string]string{"X-Gitlab-Event": "Pipeline Hook", "X-Gitlab-Token": secret})
	f("cdevents", "pipelines/sources/testdata/cdevents/pipelinerun_finished.json", bearer, bears())
	f("argocd", "pipelines/sources/testdata/argocd/notification_healthy.json", bearer, bears())
	f("azuredevops", "pipelines/sources/testdata/azuredevops/build_succeeded.json", bearer, bears())
	f("jenkins", "pipelines/sources/testdata/jenkins/notification_completed.json", bearer, bears())
	f("tekton", "pipelines/sources/testdata/tekton/pipelinerun_successful.json", bearer, bears(
		"Ce-Type", "dev.tekton.event.pipelinerun.successful.v1", "Ce-Id", "1", "Ce-Source", "/x", "Ce-Specversion", "1.0"))
	f("vault", "secrets/sources/testdata/vault-rotation.log", bearer, bears())
	f("secretsmanager", "secrets/sources/testdata/rotation-events.json", bearer, bears())
	f("alertmanager", "incidents/sources/testdata/alertmanager/delivery1.json", bearer, bears())
	f("cdevents", "incidents/sources/testdata/cdevents/incident_detected.json", bearer, bears())
	page, err := os.ReadFile(dir + "incidents/sources/testdata/pagerduty/triggered.json")
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(page)
	f("pagerduty", "incidents/sources/testdata/pagerduty/triggered.json", platformevents.SourceConfig{Secrets: []configopaque.String{secret}},
		map[string]string{"X-PagerDuty-Signature": "v1=" + hex.EncodeToString(mac.Sum(nil))})
	f("backstage", "onboarding/sources/testdata/backstage/task_processing.json", bearer, bears())
	f("cdevents", "onboarding/sources/testdata/cdevents/repository_created.json", bearer, bears())
	f("gatekeeper", "policy/sources/testdata/gatekeeper/event_denied.json", bearer, bears())
	f("kyverno", "policy/sources/testdata/kyverno/event_blocked.json", bearer, bears())
	f("json", "pipelines/sources/testdata/cdevents/pipelinerun_finished.json", platformevents.SourceConfig{BearerToken: token, Mapping: &sources.Mapping{
		Source: "ours", Fact: "run", Statuses: map[string]string{"success": "success", "failure": "failure"},
		Fields: map[string]string{"id": "/subject/id", "status": "/subject/content/outcome", "pipeline": "/subject/content/pipelineName"},
	}}, bears())
}
