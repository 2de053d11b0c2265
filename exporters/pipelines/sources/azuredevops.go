package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// azureBuild is the part that is read of the resource of build.complete.
type azureBuild struct {
	ID         int64        `json:"id"`
	Status     string       `json:"status"`
	Result     string       `json:"result"`
	Reason     string       `json:"reason"`
	Started    source.Stamp `json:"startTime"`
	Finished   source.Stamp `json:"finishTime"`
	Definition azureName    `json:"definition"`
	Project    azureName    `json:"project"`
	Repository azureName    `json:"repository"`
	Branch     string       `json:"sourceBranch"`
	Version    string       `json:"sourceVersion"`
}

type azureName struct {
	ID   any    `json:"id"` // a number or a text
	Name string `json:"name"`
}

// azureState is the part that is read of the resource of a change of a run's state.
type azureState struct {
	ProjectID string `json:"projectId"`
	Run       struct {
		ID       int64        `json:"id"`
		State    string       `json:"state"`
		Result   string       `json:"result"`
		Created  source.Stamp `json:"createdDate"`
		Finished source.Stamp `json:"finishedDate"`
	} `json:"run"`
	Pipeline azureName `json:"pipeline"`
}

// AzureDevOps returns the events of one service hook, as source.Decoder says: build.complete and the change of a run's state
// give a run, everything else one event.Unused. Both count the same run by the same number. Stages that are run again
// keep it; a second end at another second is taken for a new attempt.
func AzureDevOps(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	var kind struct {
		Type string `json:"eventType"`
	}
	if _, err := source.Unmarshal(body, &kind); err != nil || kind.Type == "" {
		return nil, errors.New("decode azure devops service hook: not a JSON object with an eventType")
	}
	var r pipelines.Run
	var err error
	switch kind.Type {
	case "build.complete":
		r, err = azureComplete(body, observed)
	case "ms.vss-pipelines.run-state-changed-event":
		r, err = azureChanged(body, observed)
	default:
		return []event.Event{event.NewUnused("azuredevops", observed)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("decode azure devops service hook: %w", err)
	}
	return []event.Event{r.Event()}, nil
}

func azureComplete(body []byte, observed time.Time) (r pipelines.Run, err error) {
	var hook struct {
		Resource azureBuild `json:"resource"`
	}
	exact, err := source.Unmarshal(body, &hook)
	if err != nil {
		return r, err
	}
	b := hook.Resource
	r.State = pipelines.Finished
	r.Result, r.Raw, r.Unmapped = azureResult(cmp.Or(b.Result, b.Status)) // up to version 1.0 the status is the result
	project, _ := b.Project.ID.(string)
	if err := azureRun(&r, project, b.ID, b.Finished.Time, exact, observed); err != nil {
		return r, err
	}
	r.Duration, r.Timed = between(b.Started.Time, b.Finished.Time)
	r.Pipeline = pipelines.Pipeline{Owner: event.Clean(b.Project.Name), Repository: event.Clean(b.Repository.Name), Name: event.Clean(b.Definition.Name)}
	r.Revision, r.Trigger, r.RefKind = commitID(b.Version), azureTrigger(b.Reason), azureRef(b.Branch)
	return r, nil
}

func azureChanged(body []byte, observed time.Time) (r pipelines.Run, err error) {
	var hook struct {
		Resource azureState `json:"resource"`
	}
	exact, err := source.Unmarshal(body, &hook)
	if err != nil {
		return r, err
	}
	s := hook.Resource
	at := s.Run.Created.Time
	switch event.Word(s.Run.State) {
	case "completed":
		r.State, at = pipelines.Finished, s.Run.Finished.Time
		r.Result, r.Raw, r.Unmapped = azureResult(s.Run.Result)
		r.Duration, r.Timed = between(s.Run.Created.Time, at)
	case "inprogress", "canceling":
		r.State = pipelines.Executing
	default:
		r.Unmapped = "status"
	}
	r.Pipeline.Name, r.Trigger = event.Clean(s.Pipeline.Name), "other"
	return r, azureRun(&r, s.ProjectID, s.Run.ID, at, exact, observed)
}

// azureRun sets what identifies the run. The id of a project is unique over all organisations.
func azureRun(r *pipelines.Run, project string, id int64, at time.Time, exact bool, observed time.Time) error {
	if project == "" || id <= 0 {
		return errors.New("no id of the run or the project")
	}
	at = at.Truncate(time.Second)
	unmapped := r.Unmapped
	r.Origin = event.NewOrigin("azuredevops", fmt.Sprintf("az/%s/run/%d", source.Ident(project), id), fmt.Sprintf("%s/%v", at.Format(time.RFC3339), r.State), at, observed)
	r.ID = number(id)
	r.Unmapped = cmp.Or(r.Unmapped, unmapped, source.Inexact(exact))
	return nil
}

// azureResult maps a result. Source: Azure DevOps REST API, BuildResult. What has succeeded partially has warnings, or
// steps that failed and are allowed to.
func azureResult(result string) (mapped, raw, unmapped string) {
	switch word := event.Word(result); word {
	case "succeeded":
		return pipelines.Success, "", ""
	case "partiallysucceeded":
		return pipelines.Success, word, ""
	case "failed":
		return pipelines.Failure, "", ""
	case "canceled", "stopped":
		return pipelines.Cancellation, "", ""
	}
	return "", "unknown", "conclusion"
}

// azureTrigger maps why a build was queued. Source: Azure DevOps REST API, BuildReason.
func azureTrigger(reason string) string {
	switch event.Word(reason) {
	case "individualci", "batchedci", "checkinshelveset":
		return "push"
	case "pullrequest", "validateshelveset":
		return "change"
	case "schedule", "scheduleforced":
		return "schedule"
	case "manual", "usercreated":
		return "manual"
	case "resourcetrigger", "buildcompletion", "triggered":
		return "pipeline"
	}
	return "other"
}

func azureRef(branch string) string {
	switch {
	case strings.HasPrefix(branch, "refs/pull/"):
		return "change"
	case strings.HasPrefix(branch, "refs/tags/"):
		return "tag"
	case strings.HasPrefix(branch, "refs/heads/release/"):
		return "release"
	}
	return "other"
}
