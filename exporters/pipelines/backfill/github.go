package backfill

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// githubHead is what of a run or a deployment tells whether it has changed.
type githubHead struct {
	ID         int64     `json:"id"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	Attempt    int64     `json:"run_attempt"`
	Created    time.Time `json:"created_at"`
	Updated    string    `json:"updated_at"`
}

func (h githubHead) state() string {
	return fmt.Sprint(h.Updated, " ", h.Status, " ", h.Conclusion, " ", h.Attempt)
}

// github finds what happened in a repository of GitHub.
func (r *round) github(name string) error {
	repository, err := r.githubRepository(name)
	if err != nil {
		return err
	}
	root := r.base.String() + "/repos/" + name
	runs := fmt.Sprintf("%s/actions/runs?created=%%3E%%3D%s&per_page=100", root, r.since(r.now).Format(time.DateOnly))
	err = r.changed(runs, "workflow_runs", func(record json.RawMessage) (bool, error) {
		return true, r.githubRun(repository, root, record)
	})
	if err != nil || !r.cfg.Deployments {
		return err
	}
	return r.changed(root+"/deployments?per_page=100", "", func(record json.RawMessage) (bool, error) {
		return r.githubDeployment(repository, root, record)
	})
}

// githubRepository returns what is known of the repository: above all, which branch is the default one.
func (r *round) githubRepository(name string) (repository sources.GitHubRepository, err error) {
	address := r.base.String() + "/repos/" + name
	etag := ""
	if known := r.pages[address]; known != nil {
		etag = known.etag
	}
	a, err := r.get(address, etag)
	if err != nil {
		return repository, err
	}
	if a.fresh {
		r.repos[name], r.pages[address] = a.body, &page{etag: a.etag}
	}
	if err := json.Unmarshal(r.repos[name], &repository); err != nil || repository.ID <= 0 {
		return repository, fmt.Errorf("get %s: no repository in the answer", address)
	}
	return repository, nil
}

// githubRun takes over a run, unless it is known as it is, and once it has finished its jobs.
func (r *round) githubRun(repository sources.GitHubRepository, root string, record json.RawMessage) error {
	var head githubHead
	if err := json.Unmarshal(record, &head); err != nil || head.ID <= 0 {
		return nil // and nobody could say which run it is
	}
	at := fmt.Sprintf("%s/actions/runs/%d", root, head.ID)
	if r.known[at] == head.state() {
		return nil
	}
	found, err := sources.GitHubRunIn(repository, record, r.now)
	if err != nil {
		return nil
	}
	if r.cfg.Tasks && head.Status == "completed" {
		err := r.list(at+"/jobs?filter=all&per_page=100", "jobs", func(job json.RawMessage) (bool, error) {
			events, err := sources.GitHubJob(repository, job, r.now)
			found = append(found, events...)
			return true, err
		})
		if err != nil {
			return err
		}
	}
	r.keep(at, head.state(), found)
	return nil
}

// githubDeployment takes over a deployment with its statuses, unless it is known as it is; more is false if it is older
// than what is asked for.
func (r *round) githubDeployment(repository sources.GitHubRepository, root string, record json.RawMessage) (more bool, err error) {
	var head githubHead
	if err := json.Unmarshal(record, &head); err != nil || head.ID <= 0 {
		return true, nil
	}
	if head.Created.Before(r.since(r.now)) {
		return false, nil
	}
	at := fmt.Sprintf("%s/deployments/%d", root, head.ID)
	if r.known[at] == head.state() {
		return true, nil
	}
	found, err := sources.GitHubDeployment(repository, record, r.now)
	if err != nil {
		return true, nil
	}
	err = r.list(at+"/statuses?per_page=100", "", func(status json.RawMessage) (bool, error) {
		events, err := sources.GitHubDeploymentStatus(repository, record, status, r.now)
		found = append(found, events...)
		return true, err
	})
	if err != nil {
		return false, err
	}
	slices.SortStableFunc(found, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	r.keep(at, head.state(), found)
	return true, nil
}

// keep takes over the events of one place and remembers its state. What the decoders could not use is left out.
func (r *round) keep(at, state string, found []event.Event) {
	for _, e := range found {
		if e.Name != event.Unused {
			r.events = append(r.events, e)
		}
	}
	r.known[at] = state
}
