package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// cdEvent is the part that is read of a CDEvent. A field that only some types have is empty for the others.
type cdEvent struct {
	Context struct {
		ID        string       `json:"id"`
		Source    string       `json:"source"`
		Type      string       `json:"type"`
		Timestamp source.Stamp `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string    `json:"id"`
		Source  string    `json:"source"`
		Content cdContent `json:"content"`
	} `json:"subject"`
}

type cdContent struct {
	PipelineName string      `json:"pipelineName"`
	TaskName     string      `json:"taskName"`
	Outcome      string      `json:"outcome"`
	PipelineRun  cdReference `json:"pipelineRun"`
	Environment  cdReference `json:"environment"`
	Repository   cdReference `json:"repository"`
	ArtifactID   string      `json:"artifactId"`
	Revision     string      `json:"revision"` // not in the specification
	TestSuite    struct {
		Name string `json:"name"`
	} `json:"testSuite"`
}

// cdReference names another subject.
type cdReference struct {
	ID   string `json:"id"`
	Name string `json:"name"` // up to 0.3
}

// CDEvents returns the events of one HTTP request with CDEvents of any version: bare, or as CloudEvents in binary,
// structured or batch mode. Runs of pipelines give runs; runs of tasks, builds and suites of tests give tasks; a
// deployed, upgraded or rolled back service gives a deployment; a merged change gives a commit if it says which.
// Everything else is event.Unused, also the single tests, of which there are very many. A thing is identified by its
// source and id; a repeated event by its own id, which CloudEvents requires to be kept.
func CDEvents(header http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	return source.EachCloudEvent("cdevents", header, body, observed, func(ce source.CloudEvent) ([]event.Event, error) {
		var e cdEvent
		exact, err := source.Unmarshal(ce.Data, &e)
		if err != nil {
			return nil, err
		}
		e.Context.ID, e.Context.Source = cmp.Or(e.Context.ID, ce.ID), cmp.Or(e.Context.Source, ce.Source)
		e.Context.Type = cmp.Or(e.Context.Type, ce.Type)
		if e.Context.Timestamp.IsZero() {
			e.Context.Timestamp = ce.Time
		}
		return e.events(exact, observed)
	})
}

// kind returns subject and predicate of a type such as dev.cdevents.pipelinerun.finished.0.3.0.
func (e cdEvent) kind() (subject, predicate string) {
	name, found := strings.CutPrefix(e.Context.Type, "dev.cdevents.")
	if !found { // before 0.1
		name, _ = strings.CutPrefix(e.Context.Type, "cd.")
	}
	parts := strings.SplitN(name, ".", 3)
	if len(parts) < 2 {
		return "", ""
	}
	return event.Word(parts[0]), event.Word(parts[1])
}

func (e cdEvent) events(exact bool, observed time.Time) ([]event.Event, error) {
	if e.Context.Type == "" {
		return nil, errors.New("no type")
	}
	subject, predicate := e.kind()
	var fact interface{ Event() event.Event }
	origin := func(s pipelines.State) (o event.Origin) {
		o = e.origin(subject, s, observed)
		o.Unmapped = cmp.Or(o.Unmapped, source.Inexact(exact))
		return o
	}
	switch subject {
	case "pipelinerun", "taskrun", "build", "testsuiterun":
		state, known := cdState(predicate)
		if !known {
			return nil, nil
		}
		fact = e.run(subject, state, origin(state))
	case "service":
		if predicate != "deployed" && predicate != "upgraded" && predicate != "rolledback" {
			return nil, nil // a service that is published was deployed before
		}
		fact = e.deployment(predicate, origin(pipelines.Finished))
	case "change":
		c := e.commit(origin(pipelines.Finished))
		if predicate != "merged" || c.Revision == "" {
			return nil, nil
		}
		fact = c
	default:
		return nil, nil
	}
	if e.Subject.ID == "" || e.Context.ID == "" {
		return nil, errors.New("no id of the event or of its subject")
	}
	return []event.Event{fact.Event()}, nil
}

func cdState(predicate string) (s pipelines.State, known bool) {
	switch predicate {
	case "queued":
		return pipelines.Pending, true
	case "started":
		return pipelines.Executing, true
	case "finished":
		return pipelines.Finished, true
	}
	return 0, false
}

// origin identifies what happened. The times a service was deployed are different things, the states of a run are not.
func (e cdEvent) origin(kind string, s pipelines.State, observed time.Time) event.Origin {
	subject := fmt.Sprintf("ce/%s/%s/%s", source.Ident(cmp.Or(e.Subject.Source, e.Context.Source)), kind, source.Ident(e.Subject.ID))
	if kind == "service" {
		subject += "/" + source.Ident(e.Context.ID)
	}
	return event.NewOrigin("cdevents", subject, source.Ident(e.Context.ID)+"/"+s.String(), e.Context.Timestamp.Time, observed)
}

// run returns a run or a task.
func (e cdEvent) run(kind string, s pipelines.State, o event.Origin) interface{ Event() event.Event } {
	content := e.Subject.Content
	result, raw := "", ""
	if s == pipelines.Finished && kind != "build" { // a build has no outcome
		var unmapped string
		result, raw, unmapped = cdResult(content.Outcome)
		o.Unmapped = cmp.Or(o.Unmapped, unmapped)
	}
	id := event.Clean(e.Subject.ID)
	if kind == "pipelinerun" {
		r := pipelines.Run{Origin: o, ID: id, State: s, Result: result, Raw: raw}
		r.Pipeline.Name = event.Clean(content.PipelineName)
		return r
	}
	t := pipelines.Task{Origin: o, ID: id, State: s, Result: result, Raw: raw, RunID: event.Clean(content.PipelineRun.ID)}
	t.Pipeline.Name = event.Clean(content.PipelineRun.Name)
	t.Name = cmp.Or(event.Clean(content.TaskName), event.Clean(content.TestSuite.Name), map[string]string{"build": "build", "testsuiterun": "test"}[kind])
	return t
}

// cdResult maps an outcome. Source: CDEvents, "Core events"; cancel since 0.5.
func cdResult(outcome string) (result, raw, unmapped string) {
	switch event.Word(outcome) {
	case "success":
		return pipelines.Success, "", ""
	case "failure":
		return pipelines.Failure, "", ""
	case "error":
		return pipelines.Errored, "", ""
	case "cancel", "canceled", "cancelled":
		return pipelines.Cancellation, "", ""
	}
	return "", "unknown", "conclusion"
}

func (e cdEvent) deployment(predicate string, o event.Origin) pipelines.Deployment {
	content := e.Subject.Content
	d := pipelines.Deployment{
		Origin: o, Service: event.Clean(e.Subject.ID), ID: event.Clean(e.Context.ID),
		Environment: event.Clean(cmp.Or(content.Environment.ID, content.Environment.Name)),
		State:       pipelines.Finished, Succeeded: true, Rollback: predicate == "rolledback",
	}
	d.Tier = tierByName(d.Environment)
	d.Owner, d.Repository, d.Revision = artifact(content.ArtifactID)
	return d
}

func (e cdEvent) commit(o event.Origin) pipelines.Commit {
	c := pipelines.Commit{Origin: o, Committed: o.Time, Revision: cmp.Or(commitID(e.Subject.Content.Revision), commitID(e.Subject.ID))}
	c.Owner, c.Repository = pipelines.Split(strings.Trim(cmp.Or(e.Subject.Content.Repository.ID, e.Subject.Content.Repository.Name), "/"))
	return c
}

// artifact returns what a package URL says of the sources: pkg:github/owner/name@commit, or any type with a
// vcs_url=git+https://host/owner/name@commit among its qualifiers. Source: package-url specification.
func artifact(purl string) (owner, repository, revision string) {
	rest, found := strings.CutPrefix(purl, "pkg:")
	if !found || len(purl) > 8*event.MaxText {
		return "", "", ""
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, qualifiers, _ := strings.Cut(rest, "?")
	kind, path, _ := strings.Cut(path, "/")
	switch kind {
	case "github", "gitlab", "bitbucket":
		name, version, _ := strings.Cut(path, "@")
		owner, repository = pipelines.Split(name)
		return owner, repository, commitID(version)
	}
	values, err := url.ParseQuery(qualifiers)
	if err != nil {
		return "", "", ""
	}
	address := strings.TrimPrefix(values.Get("vcs_url"), "git+")
	if i := strings.LastIndexByte(address, '@'); i > 0 && commitID(address[i+1:]) != "" {
		address, revision = address[:i], address[i+1:]
	}
	if address != "" {
		owner, repository = repositoryOf(address)
	}
	return owner, repository, revision
}
