package sources

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// tektonRun is the part that is read of a PipelineRun or a TaskRun.
type tektonRun struct {
	Metadata struct {
		Name         string            `json:"name"`
		GenerateName string            `json:"generateName"`
		Namespace    string            `json:"namespace"`
		UID          string            `json:"uid"`
		Created      source.Stamp      `json:"creationTimestamp"`
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		Owners       []struct {
			Kind string `json:"kind"`
			UID  string `json:"uid"`
		} `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		Pipeline struct {
			Name string `json:"name"`
		} `json:"pipelineRef"`
		Task struct {
			Name string `json:"name"`
		} `json:"taskRef"`
	} `json:"spec"`
	Status struct {
		Conditions []tektonCondition `json:"conditions"`
		Start      source.Stamp      `json:"startTime"`
		Completion source.Stamp      `json:"completionTime"`
		Steps      []struct {
			Name       string `json:"name"`
			Terminated *struct {
				ExitCode int64        `json:"exitCode"`
				Started  source.Stamp `json:"startedAt"`
				Finished source.Stamp `json:"finishedAt"`
			} `json:"terminated"`
		} `json:"steps"`
	} `json:"status"`
}

type tektonCondition struct {
	Type       string       `json:"type"`
	Status     string       `json:"status"`
	Reason     string       `json:"reason"`
	Transition source.Stamp `json:"lastTransitionTime"`
}

// Tekton returns the events of one CloudEvent of Tekton's controller, as source.Decoder says: a PipelineRun gives a run, a
// TaskRun a task and, when it is finished, its steps; everything else is event.Unused. Whether a run failed, timed out
// or was cancelled is read from the reason of its condition, for the type of the event is "failed" for all three. The
// controller may send an event again with another id; what identifies it is the uid of the run, its state and reason.
func Tekton(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	return source.EachCloudEvent("tekton", header, body, observed, func(ce source.CloudEvent) ([]event.Event, error) {
		var data struct {
			PipelineRun *tektonRun `json:"pipelineRun"`
			TaskRun     *tektonRun `json:"taskRun"`
		}
		exact, err := source.Unmarshal(ce.Data, &data)
		if err != nil {
			return nil, err
		}
		run := cmp.Or(data.PipelineRun, data.TaskRun)
		if run == nil {
			if strings.Contains(ce.Type, ".pipelinerun.") || strings.Contains(ce.Type, ".taskrun.") {
				return nil, errors.New("no pipelineRun or taskRun")
			}
			return nil, nil
		}
		if run.Metadata.UID == "" {
			return nil, errors.New("a run without uid")
		}
		if data.PipelineRun != nil {
			return run.pipelineRun(exact, observed), nil
		}
		return run.taskRun(exact, observed), nil
	})
}

// state returns how far the run has come. Source: Tekton documentation, "PipelineRuns" and "TaskRuns", execution status.
func (k tektonRun) state() (state pipelines.State, result string, c tektonCondition) {
	for _, one := range k.Status.Conditions {
		if one.Type == "Succeeded" {
			c = one
		}
	}
	switch {
	case c.Status == "True":
		return pipelines.Finished, pipelines.Success, c
	case c.Status == "False":
		return pipelines.Finished, tektonFailure(c.Reason), c
	case c.Status == "" || event.Word(c.Reason) == "pipelinerunpending":
		return pipelines.Pending, "", c
	}
	return pipelines.Executing, "", c
}

// tektonFailure maps the reason of a run that did not succeed. A run that could not begin, because something it names
// is not there or not valid, is an error.
func tektonFailure(reason string) string {
	switch event.Word(reason) {
	case "pipelineruntimeout", "taskruntimeout":
		return pipelines.Timeout
	case "cancelled", "pipelineruncancelled", "taskruncancelled", "pipelinerunstopped", "cancelledrunningfinally", "stoppedrunningfinally":
		return pipelines.Cancellation
	case "couldntgetpipeline", "couldntgettask", "couldntgetpipelineresult", "invalidbindings", "invalidworkspacebindings",
		"invalidserviceaccountmappings", "parametertypemismatch", "parametermissing", "objectparametermisskeys",
		"paramarrayindexinginvalid", "pipelinevalidationfailed", "pipelineinvalidgraph", "invalidmatrixparametertypes",
		"invalidtaskresultreference", "requiredworkspacemarkedoptional", "createrunfailed", "celevaluationfailed",
		"invalidparamvalue", "resourceverificationfailed", "taskrunimagepullfailed", "taskrunresolutionfailed",
		"taskrunvalidationfailed", "taskrunstopsidecarfailed", "podcreationfailed", "podadmissionfailed",
		"createcontainerconfigerror", "exceedednoderesources", "exceededresourcequota", "failedvalidation":
		return pipelines.Errored
	}
	return pipelines.Failure
}

// origin identifies a state of the run. A Kubernetes uid is unique over all clusters.
func (k tektonRun) origin(kind string, state pipelines.State, c tektonCondition, exact bool, observed time.Time) event.Origin {
	at := cmp.Or(c.Transition.Time, k.Status.Start.Time, k.Metadata.Created.Time)
	if state == pipelines.Finished {
		at = cmp.Or(k.Status.Completion.Time, at)
	}
	key := state.String()
	if reason := event.Word(c.Reason); reason != "" {
		key += "/" + reason
	}
	o := event.NewOrigin("tekton", "tk/"+kind+"/"+source.Ident(k.Metadata.UID), key, at, observed)
	o.Unmapped = cmp.Or(o.Unmapped, source.Inexact(exact))
	return o
}

func (k tektonRun) pipelineRun(exact bool, observed time.Time) []event.Event {
	state, result, c := k.state()
	r := pipelines.Run{
		Origin: k.origin("pipelinerun", state, c, exact, observed), Pipeline: k.pipeline(),
		ID: event.Clean(k.Metadata.UID), State: state, Waiting: event.Word(c.Reason) == "pipelinerunpending", Result: result,
		Trigger: tektonTrigger(k.asCode("event-type")), Revision: commitID(k.asCode("sha")),
	}
	if r.Trigger == "change" {
		r.RefKind = "change"
	}
	if state == pipelines.Finished {
		if r.Duration, r.Timed = between(k.Status.Start.Time, k.Status.Completion.Time); !r.Timed && !k.Status.Start.IsZero() {
			r.Unmapped = "clock"
		}
	}
	return []event.Event{r.Event()}
}

func (k tektonRun) taskRun(exact bool, observed time.Time) []event.Event {
	state, result, c := k.state()
	t := pipelines.Task{
		Origin: k.origin("taskrun", state, c, exact, observed), Pipeline: k.pipeline(), ID: event.Clean(k.Metadata.UID),
		RunID: event.Clean(k.Metadata.Labels["tekton.dev/pipelineRunUID"]), State: state, Result: result,
		Name:  event.Clean(cmp.Or(k.Metadata.Labels["tekton.dev/pipelineTask"], k.Spec.Task.Name, k.Metadata.Name)),
		Start: source.Began(k.Status.Start.Time, observed),
	}
	for _, owner := range k.Metadata.Owners {
		if owner.Kind == "PipelineRun" {
			t.RunID = event.Clean(owner.UID)
		}
	}
	if state != pipelines.Finished {
		return []event.Event{t.Event()}
	}
	if result != pipelines.Success {
		t.Error = event.Word(c.Reason)
	}
	t.Duration, t.Timed = between(k.Status.Start.Time, k.Status.Completion.Time)
	return append([]event.Event{t.Event()}, k.steps(t)...)
}

// steps returns the steps of a finished task that ran.
func (k tektonRun) steps(t pipelines.Task) (events []event.Event) {
	for i, step := range k.Status.Steps {
		if step.Terminated == nil {
			continue
		}
		s := pipelines.Step{
			Pipeline: t.Pipeline, RunID: t.RunID, TaskID: t.ID, TaskName: t.Name, Name: event.Clean(step.Name), Number: int64(i) + 1,
			Start: source.Began(step.Terminated.Started.Time, t.Observed), Result: pipelines.Success,
		}
		s.Origin = event.NewOrigin("tekton", t.Subject, "step/"+source.Ident(step.Name), step.Terminated.Finished.Time, t.Observed)
		if step.Terminated.ExitCode != 0 {
			s.Result = pipelines.Failure
		}
		events = append(events, s.Event())
	}
	return events
}

// pipeline names the pipeline. Pipelines as Code knows the repository; without it the namespace stands for the owner. A
// run of a pipeline that is written into it has a made-up name, of which the fixed part is taken.
func (k tektonRun) pipeline() pipelines.Pipeline {
	name := k.Metadata.Labels["tekton.dev/pipeline"]
	if name == k.Metadata.Name && k.Metadata.GenerateName != "" {
		name = ""
	}
	generated := strings.TrimRight(k.Metadata.GenerateName, "-")
	return pipelines.Pipeline{
		Owner:      event.Clean(cmp.Or(k.asCode("url-org"), k.Metadata.Namespace)),
		Repository: event.Clean(k.asCode("url-repository")),
		Name:       event.Clean(cmp.Or(k.asCode("original-prname"), name, k.Spec.Pipeline.Name, generated, k.Metadata.Name)),
	}
}

// asCode returns what Pipelines as Code notes about a run.
func (k tektonRun) asCode(name string) string {
	name = "pipelinesascode.tekton.dev/" + name
	return cmp.Or(k.Metadata.Annotations[name], k.Metadata.Labels[name])
}

func tektonTrigger(kind string) string {
	switch event.Word(kind) {
	case "push":
		return "push"
	case "pull_request", "merge_request":
		return "change"
	case "incoming":
		return "manual"
	}
	return "other"
}
