package sources

import (
	"fmt"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
)

// githubPush is the part that is read of a push.
type githubPush struct {
	Ref        string           `json:"ref"`
	Before     string           `json:"before"`
	After      string           `json:"after"`
	Forced     bool             `json:"forced"`
	Commits    []githubCommit   `json:"commits"`
	Head       *githubCommit    `json:"head_commit"`
	Repository GitHubRepository `json:"repository"`
}

type githubCommit struct {
	ID        string       `json:"id"`
	Timestamp source.Stamp `json:"timestamp"`
}

// maxCommits is how many commits GitHub lists of a push.
const maxCommits = 2048

// githubPushDelivery returns one event for each commit that is new on the branch, each with the one before it as its
// base: the list is a line, although history may be none, because a deployment of the last one brings all of them.
// The first has the head before the push as its base, unless the branch is new or history was rewritten. If the list
// is cut off, the head follows after what is listed.
func githubPushDelivery(payload []byte, observed time.Time) ([]event.Event, error) {
	var push githubPush
	exact, err := source.Unmarshal(payload, &push)
	if err != nil {
		return nil, err
	}
	if push.Repository.ID <= 0 {
		return unusable(observed), nil
	}
	if !push.followed() {
		return []event.Event{event.NewUnused("github", observed)}, nil
	}
	unmapped := ""
	if !exact {
		unmapped = "type"
	}
	commits := push.Commits
	if len(commits) > maxCommits {
		commits, unmapped = commits[:maxCommits], "commits"
	}
	if h := push.Head; h != nil && (len(commits) == 0 || commits[len(commits)-1].ID != h.ID) {
		commits = append(commits[:len(commits):len(commits)], *h)
		unmapped = "commits"
	}
	base := ""
	if !push.Forced && strings.Trim(push.Before, "0") != "" {
		base = event.Hex(push.Before)
	}
	var events []event.Event
	for _, c := range commits {
		if event.Hex(c.ID) == "" {
			unmapped = "commits"
			continue
		}
		events = append(events, c.event(push.Repository, base, unmapped, observed))
		base = c.ID
	}
	if len(events) == 0 {
		return []event.Event{event.NewUnused("github", observed)}, nil
	}
	return events, nil
}

// followed tells whether deployments are made from the branch.
func (p githubPush) followed() bool {
	branch, ok := strings.CutPrefix(p.Ref, "refs/heads/")
	return ok && branch != "" && (branch == p.Repository.DefaultBranch || strings.HasPrefix(branch, releaseBranches))
}

// event returns the commit's. A push does not say when it happened, so it happened when it was heard of; the key is of
// the commit alone, which may arrive on several branches.
func (c githubCommit) event(repository GitHubRepository, base, unmapped string, observed time.Time) event.Event {
	subject := fmt.Sprintf("gh/%d/commit/%s", repository.ID, c.ID)
	f := pipelines.Commit{
		Origin: event.Origin{
			Source: "github", Subject: subject, Key: subject + "/pushed", Time: observed, Observed: observed, Unmapped: unmapped,
		},
		Revision: c.ID, Base: base, Committed: c.Timestamp.Time,
	}
	f.Owner, f.Repository = pipelines.Split(repository.FullName)
	if _, ok := event.Clamp(c.Timestamp.Time, observed); !ok {
		f.Unmapped = "clock"
	}
	return f.Event()
}
