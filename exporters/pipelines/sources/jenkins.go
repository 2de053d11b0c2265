package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// jenkinsBuild is what a notification and a REST record say of a build.
type jenkinsBuild struct {
	page          string // of the build, if known
	job           string // its folders and name, with / between
	number        int64
	state         pipelines.State
	status        string
	at            time.Time
	milliseconds  *float64
	scm, revision string
	branch        string
	trigger       string
	multibranch   bool // the job is called after a branch
	timeout       bool // it was aborted because it took too long
}

// Jenkins returns the events of one delivery of Jenkins' notification plugin, as source.Decoder says: one run. The phases
// COMPLETED and FINALIZED are the same end. Jenkins never runs a build number again: there is one attempt of each.
func Jenkins(_ http.Header, body []byte, observed time.Time) ([]event.Event, error) {
	var delivery struct {
		Build struct {
			FullURL   string   `json:"full_url"`
			Number    int64    `json:"number"`
			Phase     string   `json:"phase"`
			Status    string   `json:"status"`
			Timestamp float64  `json:"timestamp"` // of the phase, in milliseconds
			Duration  *float64 `json:"duration"`  // milliseconds
			SCM       struct {
				URL    string `json:"url"`
				Branch string `json:"branch"`
				Commit string `json:"commit"`
			} `json:"scm"`
		} `json:"build"`
	}
	exact, err := source.Unmarshal(body, &delivery)
	if err != nil {
		return nil, fmt.Errorf("decode jenkins notification: %w", err)
	}
	d := delivery.Build
	b := jenkinsBuild{
		page: d.FullURL, number: d.Number, status: d.Status, at: milliseconds(d.Timestamp), milliseconds: d.Duration,
		scm: d.SCM.URL, revision: d.SCM.Commit, branch: d.SCM.Branch,
	}
	if b.at.IsZero() {
		b.at = observed // before version 1.11 of the plugin
	}
	phase := event.Word(d.Phase)
	switch phase {
	case "queued":
		if b.number <= 0 { // it gets one when it starts
			return []event.Event{event.NewUnused("jenkins", observed)}, nil
		}
	case "started":
		b.state = pipelines.Executing
	case "completed", "finalized":
		b.state = pipelines.Finished
	}
	r, err := b.run(exact, observed)
	if err != nil {
		return nil, err
	}
	if phase != "queued" && phase != "started" && b.state != pipelines.Finished {
		r.Unmapped = cmp.Or(r.Unmapped, "status")
	}
	return []event.Event{r.Event()}, nil
}

// JenkinsBuild returns the event of one build of Jenkins' REST API (GET /job/.../api/json?tree=allBuilds[url,...]).
// With its url it has the event.Key of its notification.
func JenkinsBuild(record []byte, observed time.Time) ([]event.Event, error) {
	var d struct {
		URL       string   `json:"url"`
		Name      string   `json:"fullDisplayName"`
		Number    int64    `json:"number"`
		Result    string   `json:"result"`
		Timestamp float64  `json:"timestamp"` // of the beginning
		Duration  *float64 `json:"duration"`
		Actions   []struct {
			Causes []struct {
				Class string `json:"_class"`
			} `json:"causes"`
			Revision struct {
				SHA    string `json:"SHA1"`
				Branch []struct {
					Name string `json:"name"`
				} `json:"branch"`
			} `json:"lastBuiltRevision"`
			Remotes []string `json:"remoteUrls"`
		} `json:"actions"`
	}
	exact, err := source.Unmarshal(record, &d)
	if err != nil {
		return nil, fmt.Errorf("decode jenkins build: %w", err)
	}
	name, _, _ := strings.Cut(d.Name, " #")
	b := jenkinsBuild{
		page: d.URL, job: strings.ReplaceAll(name, " » ", "/"), number: d.Number, status: d.Result,
		at: milliseconds(d.Timestamp), milliseconds: d.Duration, state: pipelines.Executing,
	}
	if d.Result != "" {
		b.state = pipelines.Finished
		took, _ := b.duration()
		b.at = b.at.Add(took)
	}
	for _, action := range d.Actions {
		for _, cause := range action.Causes {
			b.trigger = cmp.Or(b.trigger, jenkinsTrigger(cause.Class))
			b.timeout = b.timeout || strings.HasSuffix(cause.Class, "$ExceededTimeout")
			b.multibranch = b.multibranch || strings.HasPrefix(cause.Class, "jenkins.branch.")
		}
		for _, remote := range action.Remotes {
			b.scm = cmp.Or(b.scm, remote)
		}
		b.revision = cmp.Or(b.revision, action.Revision.SHA)
		for _, branch := range action.Revision.Branch {
			b.branch = cmp.Or(b.branch, branch.Name)
		}
	}
	r, err := b.run(exact, observed)
	if err != nil {
		return nil, err
	}
	return []event.Event{r.Event()}, nil
}

func (b jenkinsBuild) duration() (time.Duration, bool) {
	if b.milliseconds == nil {
		return 0, false
	}
	s := *b.milliseconds / 1000
	return seconds(&s)
}

func (b jenkinsBuild) run(exact bool, observed time.Time) (r pipelines.Run, err error) {
	host, job := jenkinsJob(b.page)
	job = cmp.Or(job, b.job)
	if job == "" || b.number <= 0 {
		return r, errors.New("decode jenkins build: no address or number")
	}
	subject := fmt.Sprintf("jk/%s/%s/%d", source.Ident(host), source.Ident(job), b.number)
	r = pipelines.Run{
		Origin: event.NewOrigin("jenkins", subject, b.state.String(), b.at, observed),
		ID:     number(b.number), State: b.state, Revision: commitID(b.revision), Trigger: cmp.Or(b.trigger, "other"),
	}
	if b.state == pipelines.Finished {
		var unmapped string
		r.Result, r.Raw, unmapped = jenkinsResult(b.status)
		if b.timeout && r.Result == pipelines.Cancellation {
			r.Result = pipelines.Timeout
		}
		r.Unmapped = cmp.Or(r.Unmapped, unmapped)
		r.Duration, r.Timed = b.duration()
	}
	r.Pipeline.Owner, r.Pipeline.Repository = repositoryOf(b.scm)
	r.Pipeline.Name, r.RefKind = jenkinsPipeline(job, b.branch, b.multibranch)
	if r.RefKind == "change" {
		r.Trigger = "change"
	}
	r.Unmapped = cmp.Or(r.Unmapped, source.Inexact(exact))
	return r, nil
}

// jenkinsJob returns host and full name of the job from the page of one of its builds: /job/folder/job/name/18/.
func jenkinsJob(page string) (host, job string) {
	u, err := url.Parse(page)
	if err != nil {
		return "", ""
	}
	var names []string
	parts := strings.Split(u.Path, "/")
	for i := 0; i+1 < len(parts); i++ {
		if parts[i] == "job" {
			names = append(names, parts[i+1])
			i++
		}
	}
	return u.Host, strings.Join(names, "/")
}

// jenkinsPipeline returns the name of a job for metrics. The jobs of a multibranch project are called after branches and
// changes, of which there are without end: there the project counts.
func jenkinsPipeline(job, branch string, multibranch bool) (name, refKind string) {
	branch = strings.TrimPrefix(strings.TrimPrefix(branch, "refs/remotes/"), "origin/")
	kind := "other"
	if strings.HasPrefix(branch, "release/") {
		kind = "release"
	}
	i := strings.LastIndexByte(job, '/')
	if i < 0 {
		return event.Clean(job), kind
	}
	last, err := url.PathUnescape(job[i+1:])
	if err != nil {
		last = job[i+1:]
	}
	if _, err := strconv.Atoi(strings.TrimPrefix(last, "PR-")); err == nil && strings.HasPrefix(last, "PR-") {
		return event.Clean(job[:i]), "change"
	}
	if last == branch || multibranch {
		return event.Clean(job[:i]), kind
	}
	return event.Clean(job), kind
}

// jenkinsResult maps a result. Source: Jenkins, class hudson.model.Result. UNSTABLE means that tests failed.
func jenkinsResult(status string) (result, raw, unmapped string) {
	switch event.Word(status) {
	case "success":
		return pipelines.Success, "", ""
	case "failure", "failed":
		return pipelines.Failure, "", ""
	case "unstable":
		return pipelines.Failure, "unstable", ""
	case "aborted":
		return pipelines.Cancellation, "", ""
	case "not_built", "not_build", "not_executed":
		return pipelines.Skip, "", ""
	}
	return "", "unknown", "conclusion"
}

// jenkinsTrigger maps the class of a cause to one of six words.
func jenkinsTrigger(class string) string {
	class = class[strings.LastIndexAny(class, ".$")+1:]
	switch class {
	case "":
		return ""
	case "UserIdCause", "RemoteCause", "ReplayCause", "RebuildCause":
		return "manual"
	case "TimerTriggerCause":
		return "schedule"
	case "SCMTriggerCause", "BranchEventCause", "BranchIndexingCause", "GitHubPushCause", "GitLabWebHookCause":
		return "push"
	case "UpstreamCause", "BuildUpstreamCause":
		return "pipeline"
	}
	return "other"
}

// JenkinsStage returns the event of one stage of a pipeline run of Jenkins' REST API (GET /job/.../18/wfapi/describe).
func JenkinsStage(record []byte, observed time.Time) ([]event.Event, error) {
	var d struct {
		ID       string   `json:"id"`
		Name     string   `json:"name"`
		Status   string   `json:"status"`
		Start    float64  `json:"startTimeMillis"`
		Duration *float64 `json:"durationMillis"`
		Links    struct {
			Self struct {
				Href string `json:"href"`
			} `json:"self"`
		} `json:"_links"`
	}
	exact, err := source.Unmarshal(record, &d)
	if err != nil {
		return nil, fmt.Errorf("decode jenkins stage: %w", err)
	}
	build, _, _ := strings.Cut(d.Links.Self.Href, "/execution/")
	_, job := jenkinsJob(build)
	run := build[strings.LastIndexByte(build, '/')+1:]
	if n, err := strconv.ParseInt(run, 10, 64); err != nil || n <= 0 || job == "" || d.ID == "" {
		return nil, errors.New("decode jenkins stage: no id or link to itself")
	}
	t := pipelines.Task{State: pipelines.Finished, RunID: run, ID: event.Clean(d.ID), Name: event.Clean(d.Name)}
	b := jenkinsBuild{milliseconds: d.Duration}
	at, unmapped := milliseconds(d.Start), ""
	switch event.Word(d.Status) {
	case "in_progress", "paused_pending_input":
		t.State = pipelines.Executing
	default:
		t.Result, t.Raw, unmapped = jenkinsResult(d.Status)
		t.Duration, t.Timed = b.duration()
		at = at.Add(t.Duration)
	}
	t.Origin = event.NewOrigin("jenkins", fmt.Sprintf("jk//%s/%s/stage/%s", source.Ident(job), run, source.Ident(d.ID)), t.State.String(), at, observed)
	t.Unmapped = cmp.Or(t.Unmapped, unmapped, source.Inexact(exact))
	t.Start = source.Began(milliseconds(d.Start), observed)
	t.Pipeline.Name, _ = jenkinsPipeline(job, "", false)
	return []event.Event{t.Event()}, nil
}

// milliseconds returns a time that is given as a number since 1970, or the zero time if that is out of range.
func milliseconds(n float64) time.Time {
	if !(n > 0) || n > 253402300799000 { // the end of year 9999
		return time.Time{}
	}
	return time.UnixMilli(int64(n)).UTC()
}
