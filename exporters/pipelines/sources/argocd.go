package sources

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// argoSync is one synchronisation of an application, as the notification template of docs/sources.md writes it.
type argoSync struct {
	App         string          `json:"app"`
	Namespace   string          `json:"namespace"`
	UID         string          `json:"uid"`
	Project     string          `json:"project"`
	Environment string          `json:"environment"` // a label of the application
	Repository  string          `json:"repository"`
	Revision    string          `json:"revision"`
	Phase       string          `json:"phase"`
	Health      string          `json:"health"`
	DryRun      bool            `json:"dryRun"`
	Started     source.Stamp    `json:"startedAt"`
	Finished    source.Stamp    `json:"finishedAt"`
	Destination argoDestination `json:"destination"`
}

type argoDestination struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// argoApplication is the part that is read of an Application.
type argoApplication struct {
	Metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		UID       string            `json:"uid"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Project     string          `json:"project"`
		Destination argoDestination `json:"destination"`
		Source      argoSource      `json:"source"`
		Sources     []argoSource    `json:"sources"`
	} `json:"spec"`
	Status struct {
		Health struct {
			Status string `json:"status"`
		} `json:"health"`
		Operation *argoOperation `json:"operationState"`
		History   []argoHistory  `json:"history"`
	} `json:"status"`
}

type argoSource struct {
	RepoURL string `json:"repoURL"`
}

type argoOperation struct {
	Phase     string       `json:"phase"`
	Started   source.Stamp `json:"startedAt"`
	Finished  source.Stamp `json:"finishedAt"`
	Operation struct {
		Sync struct {
			DryRun bool `json:"dryRun"`
		} `json:"sync"`
	} `json:"operation"`
	Result struct {
		Revision  string   `json:"revision"`
		Revisions []string `json:"revisions"`
	} `json:"syncResult"`
}

type argoHistory struct {
	Revision  string       `json:"revision"`
	Revisions []string     `json:"revisions"`
	Started   source.Stamp `json:"deployStartedAt"`
	Deployed  source.Stamp `json:"deployedAt"`
}

// ArgoCD returns the events of one notification, as source.Decoder says: a body made by the template in docs/sources.md, or a
// whole Application, which also gives the syncs of its history. A sync is a deployment. It has succeeded when all is
// applied and healthy, failed when it could not be applied or made the application degraded, and goes on until then.
// The revision is that of the repository the application is defined in.
func ArgoCD(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	var form struct {
		argoSync
		Metadata json.RawMessage `json:"metadata"` // of a Kubernetes resource
	}
	exact, err := source.Unmarshal(body, &form)
	if err != nil {
		return nil, fmt.Errorf("decode argocd notification: %w", err)
	}
	if len(form.Metadata) > 0 {
		return ArgoCDApplication(body, observed)
	}
	return form.events(exact, observed)
}

// ArgoCDApplication returns the events of one Application of Argo CD's REST API or of Kubernetes. The same sync gives
// the same event.Key as a notification. Of the syncs in the history only the last is known to have become healthy.
func ArgoCDApplication(record []byte, observed time.Time) ([]event.Event, error) {
	var app argoApplication
	exact, err := source.Unmarshal(record, &app)
	if err != nil {
		return nil, fmt.Errorf("decode argocd application: %w", err)
	}
	s := argoSync{
		App: app.Metadata.Name, Namespace: app.Metadata.Namespace, UID: app.Metadata.UID, Project: app.Spec.Project,
		Environment: app.Metadata.Labels["environment"], Repository: app.Spec.Source.RepoURL, Destination: app.Spec.Destination,
	}
	if len(app.Spec.Sources) > 0 {
		s.Repository = cmp.Or(s.Repository, app.Spec.Sources[0].RepoURL)
	}
	var events []event.Event
	add := func(s argoSync) {
		var decoded []event.Event
		if decoded, err = s.events(exact, observed); err == nil {
			events = append(events, decoded...)
		}
	}
	var last source.Stamp
	if op := app.Status.Operation; op != nil {
		last = op.Started
	}
	for _, h := range app.Status.History {
		if h.Started.IsZero() {
			h.Started = h.Deployed
		}
		if !h.Started.Equal(last.Time) {
			s.Phase, s.Revision, s.Started, s.Finished = "Succeeded", firstRevision(h.Revision, h.Revisions), h.Started, h.Deployed
			add(s)
		}
	}
	if op := app.Status.Operation; op != nil {
		s.Phase, s.Health, s.DryRun = op.Phase, app.Status.Health.Status, op.Operation.Sync.DryRun
		s.Revision, s.Started, s.Finished = firstRevision(op.Result.Revision, op.Result.Revisions), op.Started, op.Finished
		add(s)
	}
	switch {
	case len(events) > 0:
		return events, nil
	case err != nil:
		return nil, err
	case app.Metadata.Name == "":
		return nil, errors.New("decode argocd application: no name")
	}
	return []event.Event{event.NewUnused("argocd", observed)}, nil
}

func firstRevision(one string, many []string) string {
	return append(slices.Clip(many), one)[0]
}

func (s argoSync) events(exact bool, observed time.Time) ([]event.Event, error) {
	if s.App == "" || s.Started.IsZero() {
		return nil, errors.New("decode argocd notification: no app or startedAt")
	}
	if s.DryRun {
		return []event.Event{event.NewUnused("argocd", observed)}, nil
	}
	d := pipelines.Deployment{Service: event.Clean(s.App), Revision: commitID(s.Revision), Start: source.Began(s.Started.Time, observed)}
	s.setState(&d)
	at := s.Started.Time
	if d.State == pipelines.Finished {
		at = cmp.Or(s.Finished.Time, at)
	}
	unmapped := d.Unmapped
	app := source.Ident(cmp.Or(s.UID, s.Namespace+"/"+s.App))
	d.Origin = event.NewOrigin("argocd", fmt.Sprintf("ac/%s/sync/%s", app, s.Started.Format(time.RFC3339)), d.State.String(), at, observed)
	d.Unmapped = cmp.Or(d.Unmapped, unmapped, source.Inexact(exact))
	d.Owner, d.Repository = repositoryOf(s.Repository)
	d.Environment = event.Clean(cmp.Or(s.Environment, s.Destination.Namespace))
	d.Tier = tierByName(s.Environment, s.Project, s.Destination.Name, s.Destination.Namespace, s.App)
	return []event.Event{d.Event()}, nil
}

// setState maps phase and health. Source: Argo CD, types of OperationPhase and HealthStatusCode.
func (s argoSync) setState(d *pipelines.Deployment) {
	health := event.Word(s.Health)
	switch event.Word(s.Phase) {
	case "running", "terminating":
		d.State = pipelines.Executing
	case "succeeded":
		switch health {
		case "healthy", "": // or the health is not sent
			d.State, d.Succeeded = pipelines.Finished, true
		case "degraded":
			d.State = pipelines.Finished
		default:
			d.State = pipelines.Executing
		}
	case "failed", "error":
		d.State = pipelines.Finished
	default:
		d.State, d.Unmapped = pipelines.Executing, "status"
	}
}
