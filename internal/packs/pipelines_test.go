package packs_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
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

func newRuns(t *testing.T) *runs {
	return &runs{play: newPlay(t, "pipelines", time.Minute, []counters.Domain{pipelines.New(pipelines.Options{})})}
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

// TestBrokenDelivery is F1: two repositories that fail are the platform's matter, and page.
func TestBrokenDelivery(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.day(5*time.Hour, "shop", "mail")
	r.run(6 * time.Hour) // every outcome is final
	r.fired("pipelines-final-success", "page 2h30m 3h15m", "ticket 2h30m 3h30m")
	r.left("pipelines-final-success", r.bad, r.good+r.bad)
	r.left("pipelines-first-attempt", r.bad, r.good+r.bad)
	r.fired("pipelines-first-attempt", "ticket 2h 4h")
}

// TestOneBrokenRepository is as much failure of one repository: a ticket, and nobody wakes up.
func TestOneBrokenRepository(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.day(5*time.Hour, "shop")
	r.run(6 * time.Hour)
	r.fired("pipelines-final-success", "ticket 2h30m 3h30m")
	r.left("pipelines-final-success", r.bad, r.good+r.bad)
}
