package pipelines_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
)

// deploys is the end of a deployment. Times are minutes after t0.
type deploys struct {
	id          int
	at          float64
	revision    int    // 0 is none
	status      string // succeeded, if it is empty; "started" is no end
	environment string // production, if it is empty
	tier        string // the environment, if it is empty
	service     string // shop, if it is empty
	rollback    bool
	delay       float64 // until it is heard of
	key         string
}

func revision(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%040x", n)
}

func (d deploys) event() event.Event {
	subject := fmt.Sprintf("gh/7/dep/%d", d.id)
	environment := cmp.Or(d.environment, "production")
	f := pipelines.Deployment{
		Origin: event.Origin{
			Source: "github", Subject: subject, Key: subject + "/" + cmp.Or(d.key, d.status, "end"),
			Time: minutes(d.at), Observed: minutes(d.at + d.delay),
		},
		Owner: "acme", Repository: "shop", Service: cmp.Or(d.service, "shop"), ID: fmt.Sprint(d.id),
		Environment: environment, Tier: cmp.Or(d.tier, environment), Revision: revision(d.revision), Rollback: d.rollback,
		State: pipelines.Finished, Succeeded: d.status == "", Cancelled: d.status == "cancelled",
	}
	if d.status == "started" {
		f.State = pipelines.Executing
	}
	return f.Event()
}

// commit is a commit that was made at a minute after t0, and heard of at once.
func commit(n, base int, made float64) event.Event {
	subject := "gh/7/commit/" + revision(n)
	return pipelines.Commit{
		Origin: event.Origin{Source: "github", Subject: subject, Key: subject + "/pushed", Time: minutes(made), Observed: minutes(made)},
		Owner:  "acme", Repository: "shop", Revision: revision(n), Base: revision(base), Committed: minutes(made),
	}.Event()
}

// commits are made one a minute, each on the one before.
func commits(from, to int) (all []event.Event) {
	for n := from; n <= to; n++ {
		all = append(all, commit(n, n-1, float64(n)))
	}
	return all
}

// inOrder returns events of both kinds in the order in which they are given.
func inOrder(all ...any) (events []event.Event) {
	for _, e := range all {
		switch e := e.(type) {
		case deploys:
			events = append(events, e.event())
		case event.Event:
			events = append(events, e)
		case []event.Event:
			events = append(events, e...)
		}
	}
	return events
}

func TestDeploymentOutcomes(t *testing.T) {
	f := func(name string, want map[string]string, all ...any) {
		t.Helper()
		events := inOrder(all...)
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		for i, e := range events {
			copies := append([]event.Event{e}, events[:i]...) // everything before is delivered again
			if err := c.Add(copies...); err != nil {
				t.Fatal(err)
			}
		}
		if diff := gocmp.Diff(want, points(reading(c), "deployment.outcomes", event.DeploymentState, event.Outcome, event.DeploymentKind)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	type m = map[string]string
	f("a success", m{"succeeded good deploy ": "1"}, deploys{id: 1, revision: 1, status: "started"}, deploys{id: 1, at: 2, revision: 1})
	f("not yet", m{}, deploys{id: 1, revision: 1, status: "started"})
	f("a failure", m{"failed bad deploy ": "1"}, deploys{id: 1, at: 2, revision: 1, status: "failed"})
	f("cancelled", m{"cancelled excluded deploy ": "1"}, deploys{id: 1, at: 2, revision: 1, status: "cancelled"})
	f("a late start", m{"succeeded good deploy ": "1"}, deploys{id: 1, at: 2, revision: 1}, deploys{id: 1, revision: 1, status: "started"})
	f("two statuses of one success", m{"succeeded good deploy ": "1"}, deploys{id: 1, at: 2, revision: 1}, deploys{id: 1, at: 3, revision: 1, key: "again"})
	f("a failure after the success", m{"succeeded good deploy ": "1"}, deploys{id: 1, at: 2, revision: 1}, deploys{id: 1, at: 3, revision: 1, status: "failed"})
	f("the first end counts, and the success is a release", m{"failed bad deploy ": "1", "succeeded good redeploy ": "1"},
		deploys{id: 1, at: 2, revision: 1, status: "failed"}, deploys{id: 1, at: 3, revision: 1}, deploys{id: 2, at: 4, revision: 1})
	f("again", m{"succeeded good deploy ": "1", "succeeded good redeploy ": "2"},
		deploys{id: 1, at: 1, revision: 1}, deploys{id: 2, at: 2, revision: 1}, deploys{id: 3, at: 3, revision: 1})
	f("back", m{"succeeded good deploy ": "2", "succeeded good rollback ": "1"},
		deploys{id: 1, at: 1, revision: 1}, deploys{id: 2, at: 2, revision: 2}, deploys{id: 3, at: 3, revision: 1})
	f("back does not work", m{"succeeded good deploy ": "2", "failed bad rollback ": "1"},
		deploys{id: 1, at: 1, revision: 1}, deploys{id: 2, at: 2, revision: 2}, deploys{id: 3, at: 3, revision: 1, status: "failed"})
	f("back and forth", m{"succeeded good deploy ": "2", "succeeded good rollback ": "1", "succeeded good redeploy ": "1"},
		deploys{id: 1, at: 1, revision: 1}, deploys{id: 2, at: 2, revision: 2}, deploys{id: 3, at: 3, revision: 1}, deploys{id: 4, at: 4, revision: 2})
	f("the source says so", m{"succeeded good deploy ": "1", "succeeded good rollback ": "1"},
		deploys{id: 1, at: 1, revision: 5}, deploys{id: 2, at: 2, revision: 4, rollback: true})
	f("back to a commit that was never deployed by itself", m{"succeeded good deploy ": "1", "succeeded good rollback ": "1"},
		commits(1, 5), deploys{id: 1, at: 6, revision: 5}, deploys{id: 2, at: 7, revision: 3})
	f("what is heard of late is judged by what was before", m{"succeeded good deploy ": "3"},
		deploys{id: 1, at: 1, revision: 1}, deploys{id: 3, at: 30, revision: 3}, deploys{id: 2, at: 20, revision: 2, delay: 100})
	f("environments are apart", m{"succeeded good deploy ": "1+1"},
		deploys{id: 1, at: 1, revision: 1, environment: "staging"}, deploys{id: 2, at: 2, revision: 1})
	f("revisions that nobody tells are all new", m{"succeeded good deploy ": "2"}, deploys{id: 1, at: 1}, deploys{id: 2, at: 2})
}

// TestLateFailure: a failure that is reported after the success neither counts nor takes the release back.
func TestLateFailure(t *testing.T) {
	c := added(t, pipelines.Options{}, inOrder(
		deploys{id: 1, at: 2, revision: 1}, deploys{id: 1, at: 3, revision: 1, status: "failed"}, deploys{id: 1, at: 4, revision: 1, key: "again"},
	)...)
	if diff := gocmp.Diff(map[string]uint64{"counted": 1, "late": 1, "duplicate": 1}, verdicts(reading(c))); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironments(t *testing.T) {
	f := func(environment, tier, want string) {
		t.Helper()
		c := added(t, pipelines.Options{}, deploys{id: 1, environment: environment, tier: tier}.event())
		if got := points(reading(c), "deployment.outcomes", event.Environment, event.Tier); got[want+" "+tier+" "] != "1" {
			t.Errorf("%s %s: got %v, want %s", environment, tier, got, want)
		}
	}
	f("production", "production", "production")
	f("eu-1/shop", "production", "eu-1/shop")
	f("stage2", "staging", "stage2")
	f("review/topic-17", "development", "review/*")
	f("pr-1234", "development", "pr-#")
	f("preview 17 of 2026", "other", "preview # of #")
}

const (
	leadTime     = "deployment.lead_time"
	leadExcluded = "deployment.lead_time.excluded"
)

func TestLeadTime(t *testing.T) {
	f := func(name, want, wantExcluded string, all ...any) {
		t.Helper()
		events := inOrder(all...)
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		for range 2 { // everything is delivered twice
			if err := c.Add(events...); err != nil {
				t.Fatal(err)
			}
		}
		last := events[len(events)-1].Observed
		if _, err := c.Read(last.Add(time.Hour), 0); err != nil {
			t.Fatal(err)
		}
		s := reading(c)
		if got := points(s, leadTime)[""]; got != want {
			t.Errorf("%s: lead time %q, want %q", name, got, want)
		}
		got := ""
		for reason, n := range points(s, leadExcluded, event.LeadReason) {
			got += reason + n
		}
		if got != wantExcluded {
			t.Errorf("%s: excluded %q, want %q", name, got, wantExcluded)
		}
	}
	first := inOrder(commits(1, 3), deploys{id: 1, at: 4, revision: 3}) // 60 s for commit 3
	f("the first deployment brings its head", "1 60s", "", first)
	f("all commits since", "3 240s", "", first, commits(4, 5), deploys{id: 2, at: 6, revision: 5}) // 2 and 1 minutes
	f("nothing since", "1 60s", "", first, deploys{id: 2, at: 6, revision: 3})
	f("a rollback brings nothing", "1 60s", "", first, deploys{id: 2, at: 6, revision: 1})
	f("and what comes after it nothing that was there", "2 360s", "", first, deploys{id: 2, at: 6, revision: 1}, commit(4, 3, 5), deploys{id: 3, at: 10, revision: 4})
	f("a failure brings nothing", "1 60s", "", first, commits(4, 5), deploys{id: 2, at: 6, revision: 5, status: "failed"})
	f("what failed comes with the next", "3 360s", "", first, commits(4, 5), deploys{id: 2, at: 6, revision: 5, status: "failed"}, deploys{id: 3, at: 7, revision: 5})
	f("staging is not production", "1 60s", "", first, commits(4, 5), deploys{id: 2, at: 6, revision: 5, environment: "staging"})
	f("a commit is made after it is deployed", "1 60s", "clock 1", first, commit(4, 3, 50), deploys{id: 2, at: 6, revision: 4})
	f("a commit is older than a year", "1 60s", "clock 1", first, commit(4, 3, -366*24*60), deploys{id: 2, at: 6, revision: 4})
	f("a commit of no time", "1 60s", "clock 1", first, commit(4, 3, -t0.Sub(time.Unix(0, 0)).Minutes()), deploys{id: 2, at: 6, revision: 4})
	f("an unknown commit", "1 60s", "unmatched 1", first, deploys{id: 2, at: 6, revision: 9})
	f("no commit", "1 60s", "unmatched 1", first, deploys{id: 2, at: 6})
	f("the commits are heard of later", "3 240s", "", first, deploys{id: 2, at: 6, revision: 5}, commits(4, 5))
	f("and in the wrong order", "3 240s", "", first, deploys{id: 2, at: 6, revision: 5}, commit(5, 4, 5), commit(4, 3, 4))
	f("one is missing", "2 120s", "unmatched 1", first, commit(5, 4, 5), deploys{id: 2, at: 6, revision: 5})
	f("two deployments wait", "3 180s", "", first, deploys{id: 2, at: 5, revision: 4}, deploys{id: 3, at: 6, revision: 5}, commits(4, 5))
	f("a branch that began before", "3 360s", "", first, commit(11, 1, 5), deploys{id: 2, at: 9, revision: 11},
		commit(4, 3, 9), deploys{id: 3, at: 10, revision: 4})
	f("a ring", "3 180s", "", first, commit(11, 12, 4), commit(12, 11, 4), deploys{id: 2, at: 5, revision: 11})
}

// TestLeadTimeOfServices: two services of one repository have the commit each, and so have two environments.
func TestLeadTimeOfServices(t *testing.T) {
	c := added(t, pipelines.Options{}, inOrder(
		commits(1, 2),
		deploys{id: 1, at: 3, revision: 2, service: "web"}, deploys{id: 2, at: 4, revision: 2, service: "api"},
		deploys{id: 3, at: 5, revision: 2, service: "api", environment: "prod-eu", tier: "production"},
	)...)
	want := map[string]string{"web production commit ": "1 60s", "api production commit ": "1 120s", "api prod-eu commit ": "1 180s"}
	if diff := gocmp.Diff(want, points(reading(c), leadTime, event.Service, event.Environment, event.LeadFrom)); diff != "" {
		t.Error(diff)
	}
}

// TestLeadSettles: commits are waited for as long as Settle says, over a restart as well.
func TestLeadSettles(t *testing.T) {
	j := &journal{}
	c := opened(t, j, pipelines.Options{})
	if err := c.Add(inOrder(commits(1, 2), deploys{id: 1, at: 3, revision: 2}, deploys{id: 2, at: 4, revision: 3})...); err != nil {
		t.Fatal(err)
	}
	for _, at := range []float64{33, 34} {
		if err := c.Compact(); err != nil {
			t.Fatal(err)
		}
		c = opened(t, j, pipelines.Options{})
		if _, err := c.Read(minutes(at), 0); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		if at == 34 {
			want["unmatched "] = "1"
		}
		if diff := gocmp.Diff(want, points(reading(c), leadExcluded, event.LeadReason)); diff != "" {
			t.Errorf("at minute %g: %s", at, diff)
		}
	}
}

func TestDeploymentBounds(t *testing.T) {
	c := counters.New(t0, pipelines.New(pipelines.Options{MaxSeries: 4, MaxDeployments: 3, MaxTargets: 3, MaxCommits: 10}))
	for i := range 50 {
		if err := c.Add(inOrder(commit(100+i, 99+i, float64(i)), deploys{id: i, at: float64(i), revision: 100 + i, service: fmt.Sprint("s", i)})...); err != nil {
			t.Fatal(err)
		}
	}
	sum, total := 0, 0
	for key, n := range points(reading(c), "deployment.outcomes", event.Service) {
		count := 0
		if _, err := fmt.Sscan(n, &count); err != nil {
			t.Fatal(err)
		}
		if sum += count; key != " overflow " {
			total++
		}
	}
	if sum != 50 || total > 4 {
		t.Errorf("%d deployments in %d series of their own, want 50 in at most 4", sum, total)
	}
}

// TestManyServices: a repository with more services than a commit remembers counts each commit once for each of them.
func TestManyServices(t *testing.T) {
	c := added(t, pipelines.Options{}, commits(1, 2)...)
	const services = 200
	for round := range 3 {
		if err := c.Add(commit(3+round, 2+round, float64(3+round))); err != nil {
			t.Fatal(err)
		}
		for i := range services {
			d := deploys{id: round*services + i, at: float64(4 + round), revision: 3 + round, service: fmt.Sprint("s", i)}
			if err := c.Add(d.event()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for service, got := range points(reading(c), leadTime, event.Service) {
		if got != "3 180s" {
			t.Errorf("%s: %s, want three commits of a minute each", service, got)
		}
	}
}
