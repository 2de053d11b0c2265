package pipelines

import (
	"cmp"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Tiers of environments, as GitLab has them.
const (
	Production  = "production"
	Staging     = "staging"
	Testing     = "testing"
	Development = "development"
)

// Deployment is the state that the deployment of a revision to an environment has come to.
type Deployment struct {
	event.Origin
	Owner, Repository string // as in Pipeline
	Service           string // what was deployed, by default the repository
	ID                string // the provider's
	Environment, Tier string // the provider's name, and one of the tiers or "other"; empty if not known
	State             State
	Succeeded         bool   // of a finished one
	Cancelled         bool   // of a finished one that nobody wanted to run to its end
	Rollback          bool   // the source says that it goes back to what was there before
	Revision          string // event.Hex, or empty
	Start             time.Time
}

// Values of event.DeploymentState. The last is none of semantic conventions, which know no deployment that nobody wanted
// to run to its end.
const (
	succeeded = "succeeded"
	failed    = "failed"
	cancelled = "cancelled"
)

// Values of event.DeploymentKind.
const (
	deploy   = "deploy"
	redeploy = "redeploy"
	rollback = "rollback"
)

// status says how a finished deployment ended.
func (d Deployment) status() string {
	switch {
	case d.Cancelled:
		return cancelled
	case d.Succeeded:
		return succeeded
	}
	return failed
}

// Event returns the deployment as an event.
func (d Deployment) Event() event.Event {
	name, status, kind := event.DeploymentStarted, "", ""
	if d.State == Finished {
		name, status = event.DeploymentFinished, d.status()
	}
	if d.Rollback {
		kind = rollback
	}
	return d.Origin.Event(name, d.Start,
		event.String(event.RepositoryOwner, d.Owner),
		event.String(event.Repository, d.Repository),
		event.String(event.Service, d.Service),
		event.String(event.DeploymentID, d.ID),
		event.String(event.Environment, d.Environment),
		event.String(event.Tier, d.Tier),
		event.String(event.DeploymentState, status),
		event.String(event.DeploymentKind, kind),
		event.String(event.Revision, d.Revision),
	)
}

// deploymentOf reads back what Event wrote; ok is false if the event is not about a deployment.
func deploymentOf(e event.Event) (d Deployment, ok bool) {
	switch e.Name {
	case event.DeploymentStarted: // pending and executing are told apart by nothing that is counted
		d.State = Executing
	case event.DeploymentFinished:
		d.State = Finished
	default:
		return Deployment{}, false
	}
	d.Origin = e.Origin()
	d.Start = e.Start.Round(0)
	d.Owner, d.Repository = e.Attrs.Text(event.RepositoryOwner), e.Attrs.Text(event.Repository)
	d.Service, d.ID = cmp.Or(e.Attrs.Text(event.Service), d.Repository), e.Attrs.Text(event.DeploymentID)
	d.Environment, d.Tier = e.Attrs.Text(event.Environment), e.Attrs.Text(event.Tier)
	status := e.Attrs.Text(event.DeploymentState)
	d.Succeeded, d.Cancelled = status == succeeded, status == cancelled
	d.Rollback = e.Attrs.Text(event.DeploymentKind) == rollback
	d.Revision = e.Attrs.Text(event.Revision)
	return d, true
}

// Commit is one commit that arrived on a branch; Origin.Time is when it arrived.
type Commit struct {
	event.Origin
	Owner, Repository string
	Revision          string
	Base              string    // the commit before it on the branch, empty if not known
	Committed         time.Time // when it was made
}

// Event returns the commit as an event.
func (c Commit) Event() event.Event {
	return c.Origin.Event(event.CommitPushed, time.Time{},
		event.String(event.RepositoryOwner, c.Owner),
		event.String(event.Repository, c.Repository),
		event.String(event.Revision, c.Revision),
		event.String(event.BaseRevision, c.Base),
		event.Int(event.CommitTime, c.Committed.Unix()),
	)
}

// commitOf reads back what Event wrote; ok is false if the event is not about a commit.
func commitOf(e event.Event) (c Commit, ok bool) {
	if e.Name != event.CommitPushed {
		return Commit{}, false
	}
	return Commit{
		Origin: e.Origin(),
		Owner:  e.Attrs.Text(event.RepositoryOwner), Repository: e.Attrs.Text(event.Repository),
		Revision: e.Attrs.Text(event.Revision), Base: e.Attrs.Text(event.BaseRevision),
		Committed: time.Unix(e.Attrs.Integer(event.CommitTime), 0).UTC(),
	}, true
}
