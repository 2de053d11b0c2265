package packs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	pipesources "github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

const github = "../../exporters/pipelines/sources/testdata/github/"

// runs counts what is delivered, apart from the code that is tested.
type runs struct {
	*play
	id        int
	good, bad float64
}

func newRuns(t *testing.T, a *asserted) *runs {
	return &runs{play: newPlay(t, a, "pipelines", 2*time.Minute, pipelines.New(pipelines.Options{}))}
}

// finish delivers a run of a repository that ends at a time, twice, as GitHub does when it is asked to.
func (r *runs) finish(after time.Duration, repository, conclusion string) {
	r.id++
	id := r.id
	if conclusion == "success" {
		r.good++
	} else {
		r.bad++
	}
	payload := exportertest.Read(r.t, github+"completed.payload.json")
	for range 2 {
		r.deliver(after, pipesources.GitHub, http.Header{"X-Github-Event": {"workflow_run"}}, func(now time.Time) []byte {
			return replace(r.t, payload, map[string]any{
				"workflow_run.id": 1_000_000 + id, "workflow_run.conclusion": conclusion,
				"repository.full_name": "acme/" + repository, "repository.name": repository,
				"workflow_run.run_started_at": now.Add(-time.Minute).Format(time.RFC3339), "workflow_run.updated_at": now.Format(time.RFC3339),
			})
		})
	}
}

func replace(t *testing.T, payload []byte, values map[string]any) []byte {
	t.Helper()
	body, err := exportertest.Replace(payload, values)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// day delivers a run of each of three repositories every three minutes; broken says which fail in the third and fourth
// hour.
func (r *runs) day(length time.Duration, broken ...string) {
	for at := 6 * time.Minute; at < length; at += 3 * time.Minute {
		for _, repository := range []string{"shop", "mail", "search"} {
			conclusion := "success"
			for _, b := range broken {
				if b == repository && at >= 2*time.Hour && at < 4*time.Hour {
					conclusion = "failure"
				}
			}
			r.finish(at, repository, conclusion)
		}
	}
}

// job delivers a job that a runner takes at a time, after it waited.
func (r *runs) job(after, waited time.Duration) {
	r.id++
	id := r.id
	payload := exportertest.Read(r.t, github+"workflow_job.in_progress.payload.json")
	r.deliver(after, pipesources.GitHub, http.Header{"X-Github-Event": {"workflow_job"}}, func(now time.Time) []byte {
		return replace(r.t, payload, map[string]any{
			"workflow_job.id": 2_000_000 + id, "workflow_job.run_id": 1_000_000 + id,
			"workflow_job.created_at": now.Add(-waited).Format(time.RFC3339), "workflow_job.started_at": now.Format(time.RFC3339),
		})
	})
}

// wait delivers a run that is queued at a time, and begins so much later.
func (r *runs) wait(after, length time.Duration) {
	payload := exportertest.Read(r.t, github+"requested.payload.json")
	for status, at := range map[string]time.Duration{"queued": after, "in_progress": after + length} {
		r.deliver(at, pipesources.GitHub, http.Header{"X-Github-Event": {"workflow_run"}}, func(now time.Time) []byte {
			return replace(r.t, payload, map[string]any{
				"action": map[string]string{"queued": "requested", "in_progress": "in_progress"}[status], "workflow_run.status": status,
				"workflow_run.created_at": t0.Add(after).Format(time.RFC3339), "workflow_run.run_started_at": t0.Add(after).Format(time.RFC3339),
				"workflow_run.updated_at": now.Format(time.RFC3339),
			})
		})
	}
}

// brokenDelivery is F1: two repositories that fail are the platform's matter, and page. At the same time runners are slow
// to take jobs, and for one run none ever comes in two hours.
func brokenDelivery(t *testing.T, a *asserted) {
	r := newRuns(t, a)
	r.day(5*time.Hour, "shop", "mail")
	slow, jobs := 0.0, 0.0
	for at := 6 * time.Minute; at < 5*time.Hour; at += 3 * time.Minute {
		waited := 20 * time.Second
		if at >= 2*time.Hour && at < 4*time.Hour {
			waited = 400 * time.Second
			slow++
		}
		jobs++
		r.job(at, waited)
	}
	r.wait(time.Hour, 2*time.Hour)
	r.run(6 * time.Hour) // every outcome is final
	r.fired("pipelines-final-success", "page 2h30m 3h15m", "ticket 2h30m 3h30m")
	r.left("pipelines-final-success", r.bad, r.good+r.bad)
	r.left("pipelines-first-attempt", r.bad, r.good+r.bad)
	r.fired("pipelines-first-attempt", "ticket 2h 4h")
	r.fired("pipelines-queue-time", "ticket 2h 3h30m")
	r.left("pipelines-queue-time", slow, jobs)
	r.fired("pipelines-not-stuck", "ticket 1h30m 2h") // half an hour after it was asked for
	r.leftIs("pipelines-not-stuck", 1-90./358/0.01, 1)
}

// oneBrokenRepository is as much failure of one repository: a ticket, and nobody wakes up.
func oneBrokenRepository(t *testing.T, a *asserted) {
	r := newRuns(t, a)
	r.day(5*time.Hour, "shop")
	r.run(6 * time.Hour)
	r.fired("pipelines-final-success", "ticket 2h30m 3h30m")
	r.left("pipelines-final-success", r.bad, r.good+r.bad)
}
