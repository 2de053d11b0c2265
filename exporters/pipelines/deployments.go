package pipelines

import (
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// deployments follow each deployment to its end, and what is deployed where: whether a deployment goes forward, and
// which commits arrive in production with it.
type deployments struct {
	options   Options
	revision  uint64
	bySubject *counters.Remembered[string, deployment]
	targets   *counters.Remembered[place, target]
	lastID    uint32 // of the newest target
	commits   *commits
	leads     *leads
	outcomes  *metric.Table
}

// deployment is what is remembered of one.
type deployment struct {
	state     State
	key       string // of the event that finished it
	succeeded bool
}

// place is where a service runs.
type place struct {
	owner, repository, service, environment string
}

// target is what was deployed to a place.
type target struct {
	id       uint32
	releases []release // successful ones by time, no two in a row of one revision, at most maxReleases
}

// release is a revision that was deployed at a time.
type release struct {
	revision string
	at       time.Time
}

// maxReleases is how many releases of a target are remembered: further back a rollback is known by its commits alone.
const maxReleases = 50

func newDeployments(options Options) *deployments {
	return &deployments{
		options:   options,
		bySubject: counters.NewRemembered[string, deployment](options.MaxDeployments),
		targets:   counters.NewRemembered[place, target](options.MaxTargets),
		commits:   newCommits(options.MaxCommits),
		leads:     newLeads(options.MaxSeries),
		outcomes: metric.NewTable(metric.Family{
			Name: "deployment.outcomes", Unit: "{deployment}", Kind: metric.Counter,
			From: "deployments",
			Help: "Finished deployments by how they ended and whether they went forward.",
			Attributes: []string{
				event.Service, event.Environment, event.Tier, event.DeploymentState, event.Outcome, event.DeploymentKind,
			},
		}, options.MaxSeries),
	}
}

func (f *deployments) tables() []*metric.Table {
	return []*metric.Table{f.outcomes, f.leads.times, f.leads.excluded}
}

func (f *deployments) gauges(time.Time) []*metric.Table { return nil }

func (f *deployments) adopt(options Options) {
	f.options = options
	for _, t := range f.tables() {
		t.SetLimit(options.MaxSeries)
	}
	f.bySubject.SetLimit(options.MaxDeployments)
	f.targets.SetLimit(options.MaxTargets)
	f.commits.byRevision.SetLimit(options.MaxCommits)
}

func (f *deployments) add(revision uint64, e event.Event) (counters.Verdict, bool) {
	f.revision, f.leads.revision = revision, revision
	if e.Name == leadSettled {
		f.giveUp(e.Attrs.Text(event.Revision), e.Subject)
		return "", true
	}
	if c, ok := commitOf(e); ok {
		f.commits.byRevision.Forget(c.Observed.Add(-f.options.RetainCommits))
		v := f.commits.add(c)
		f.arrived(c.Revision)
		return v, true
	}
	d, ok := deploymentOf(e)
	if !ok {
		return "", false
	}
	f.bySubject.Forget(d.Observed.Add(-f.options.Retain))
	return f.follow(d), true
}

// follow brings the deployment of an event up to date. Its outcome is the first end that is heard of. A success after
// another end, as some tools report when a step is run again, does not change the outcome, but is a release.
func (f *deployments) follow(d Deployment) counters.Verdict {
	known, isNew := f.bySubject.Heard(d.Subject, d.Observed)
	to := f.target(d)
	if !isNew {
		switch {
		case d.State < known.state:
			return counters.Late
		case d.State == known.state && (d.State != Finished || d.Key == known.key || d.Succeeded == known.succeeded):
			return counters.Duplicate
		case d.State == known.state && !d.Succeeded:
			return counters.Late
		}
	}
	again := !isNew && known.state == Finished
	known.state, known.key, known.succeeded = d.State, d.Key, d.Succeeded
	if d.State != Finished {
		return counters.Counted
	}
	kind := f.kind(d, to)
	if !again {
		f.outcome(d, d.status(), kind).Add(f.revision, 1)
	}
	if d.Succeeded {
		f.release(d, to, kind)
	}
	return counters.Counted
}

// target returns what is deployed where the deployment goes, and makes its zero series the first time.
func (f *deployments) target(d Deployment) *target {
	at := placeOf(d)
	to, isNew := f.targets.Heard(at, d.Observed)
	if !isNew {
		return to
	}
	f.lastID++
	to.id = f.lastID
	f.outcome(d, succeeded, deploy)
	f.outcome(d, failed, deploy)
	if d.Tier == Production {
		f.leads.at(at)
	}
	return to
}

func placeOf(d Deployment) place {
	return place{d.Owner, d.Repository, d.Service, environmentName(d)}
}

// environmentName returns the environment without what makes it one of very many: of review/topic-17 in a folder, and
// of pr-17, only what is the same for all. Environments of the first two tiers keep their names.
func environmentName(d Deployment) string {
	if d.Tier == Production || d.Tier == Staging {
		return d.Environment
	}
	if folder, _, ok := strings.Cut(d.Environment, "/"); ok {
		return folder + "/*"
	}
	var b strings.Builder
	digits := false
	for _, c := range d.Environment {
		isDigit := c >= '0' && c <= '9'
		switch {
		case !isDigit:
			b.WriteRune(c)
		case !digits:
			b.WriteByte('#')
		}
		digits = isDigit
	}
	return b.String()
}

// kind tells whether a deployment goes forward. It is judged by the releases before it: what runs already is deployed
// again; what ran before what runs, or came as part of it, is a rollback; what ran after that is deployed again as well.
func (f *deployments) kind(d Deployment, to *target) string {
	n := 0
	for n < len(to.releases) && !to.releases[n].at.After(d.Time) {
		n++
	}
	switch {
	case d.Rollback:
		return rollback
	case n == 0 || d.Revision == "":
		return deploy
	}
	current := to.releases[n-1].revision
	if current == d.Revision {
		return redeploy
	}
	for _, r := range to.releases[:n] {
		if r.revision == d.Revision {
			return rollback
		}
		if r.revision == current { // it ran before, but only after this one
			break
		}
	}
	for _, r := range to.releases[:n] {
		if r.revision == d.Revision {
			return redeploy
		}
	}
	if n == len(to.releases) && f.commits.arrivedAt(d.Revision, to.id) {
		return rollback
	}
	return deploy
}

// release notes what is deployed now. A deployment to production that goes forward brings commits.
func (f *deployments) release(d Deployment, to *target, kind string) {
	forward := kind == deploy && d.Tier == Production
	if d.Revision == "" {
		if forward {
			f.leads.exclude(placeOf(d), "unmatched")
		}
		return
	}
	baseline := len(to.releases) == 0
	to.insert(release{d.Revision, d.Time})
	if forward {
		f.bring(arrival{
			revision: d.Revision, subject: d.Subject, to: placeOf(d), at: d.Time, heard: d.Observed, baseline: baseline,
		}, false)
	}
}

// insert keeps the releases in the order of their time.
func (to *target) insert(r release) {
	i := len(to.releases)
	for i > 0 && to.releases[i-1].at.After(r.at) {
		i--
	}
	if i > 0 && to.releases[i-1].revision == r.revision {
		return
	}
	to.releases = append(to.releases, release{})
	copy(to.releases[i+1:], to.releases[i:])
	to.releases[i] = r
	if extra := len(to.releases) - maxReleases; extra > 0 {
		to.releases = append([]release(nil), to.releases[extra:]...)
	}
}

func (to *target) has(revision string) bool {
	for _, r := range to.releases {
		if r.revision == revision {
			return true
		}
	}
	return false
}

func (f *deployments) outcome(d Deployment, status, kind string) *metric.Series {
	class := map[string]string{succeeded: good, failed: bad, cancelled: excluded}[status]
	return f.outcomes.At(f.revision, []event.Attr{
		event.String(event.Service, d.Service), event.String(event.Environment, environmentName(d)),
	}, []event.Attr{
		event.String(event.Tier, d.Tier), event.String(event.DeploymentState, status), event.String(event.Outcome, class),
		event.String(event.DeploymentKind, kind),
	})
}
