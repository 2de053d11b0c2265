package packs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	incidentsources "github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	onboardsources "github.com/plimsoll-slo/plimsoll/exporters/onboarding/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	pipesources "github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// deploy delivers the end of a deployment of a repository to production, and if made is not 0 the push of its only
// commit, which was made so long before.
func (p *play) deploy(after time.Duration, id int, repository, state string, made time.Duration) {
	sha := func(n int) string { return fmt.Sprintf("%040x", n+1) }
	names := map[string]any{"repository.full_name": "acme/" + repository, "repository.name": repository}
	if made > 0 {
		push := exportertest.Read(p.t, github+"push.payload.json")
		p.deliver(after-5*time.Minute, pipesources.GitHub, http.Header{"X-Github-Event": {"push"}}, func(now time.Time) []byte {
			commit := map[string]any{"id": sha(id), "timestamp": now.Add(5*time.Minute - made).Format(time.RFC3339)}
			return replace(p.t, push, merged(names, map[string]any{
				"ref": "refs/heads/master", "before": sha(id - 1), "after": sha(id), "commits": []any{commit}, "head_commit": commit,
			}))
		})
	}
	status := exportertest.Read(p.t, github+"deployment_status.payload.json")
	p.deliver(after, pipesources.GitHub, http.Header{"X-Github-Event": {"deployment_status"}}, func(now time.Time) []byte {
		at := now.Format(time.RFC3339)
		return replace(p.t, status, merged(names, map[string]any{
			"deployment.id": 5000 + id, "deployment.sha": sha(id), "deployment.created_at": at,
			"deployment_status.id": 9000 + id, "deployment_status.state": state,
			"deployment_status.created_at": at, "deployment_status.updated_at": at,
		}))
	})
}

func merged(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []map[string]any{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// deployments is M3: a deployment every six minutes, of which half fail for three hours, and commits of which seven in
// eight took too long.
func deployments(t *testing.T, a *asserted) {
	p := newPlay(t, a, "deployments", 2*time.Minute, pipelines.New(pipelines.Options{}))
	var failed, all, slow, commits float64
	id := 0
	for at := 12 * time.Minute; at < 6*time.Hour; at += 6 * time.Minute {
		id++
		all++
		state, made := "success", 2*time.Hour
		if at >= 2*time.Hour && at < 5*time.Hour && id%2 == 0 {
			state = "failure"
			failed++
		}
		if id%8 != 1 {
			made = 8 * time.Hour
		}
		if state == "success" {
			commits++
			if made == 8*time.Hour {
				slow++
			}
			p.deploy(at, id, "shop", state, made)
			continue
		}
		p.deploy(at, id, "shop", state, 0)
	}
	p.run(7 * time.Hour)
	p.fired("deployments-success", "ticket 2h30m 5h")
	p.fired("deployments-lead-time", "ticket 1h30m 1h50m", "ticket 2h 3h") // chance explains it once more in between
	p.left("deployments-success", failed, all)
	p.left("deployments-lead-time", slow, commits)
}

// incidentStories is M4 and M12: notifications of a real Alertmanager, with the times and services of the story.
func incidentStories(t *testing.T, a *asserted) {
	p := newPlay(t, a, "incidents", 2*time.Minute, incidents.New(incidents.Options{}))
	recorded := exportertest.Read(t, "../../exporters/incidents/sources/testdata/alertmanager/delivery1.json")
	var delivery struct {
		Alerts []map[string]any `json:"alerts"`
	}
	if err := json.Unmarshal(recorded, &delivery); err != nil {
		t.Fatal(err)
	}
	notify := func(at time.Duration, service, status string, starts, ends time.Time) {
		p.deliver(at, incidentsources.Alertmanager, nil, func(time.Time) []byte {
			firing := merged(delivery.Alerts[0], map[string]any{
				"status": status, "startsAt": starts.Format(time.RFC3339Nano), "endsAt": ends.Format(time.RFC3339Nano), "fingerprint": fmt.Sprintf("%016x", len(service)),
				"labels": map[string]any{"alertname": "Down", "severity": "page", "service": service, "team": "platform"},
			})
			return replace(t, recorded, map[string]any{"alerts": []any{firing}, "status": status})
		})
	}
	incident := func(at, lasts time.Duration, service string) {
		notify(at, service, "firing", t0.Add(at), time.Time{})
		notify(at+lasts, service, "resolved", t0.Add(at), t0.Add(at+lasts))
	}
	var late, all, again float64
	for i := range 10 {
		at, lasts, service := 30*time.Minute+time.Duration(i)*90*time.Minute, 20*time.Minute, fmt.Sprintf("service-%d", i)
		if i%2 == 1 {
			lasts = 2 * time.Hour
			late++
		}
		if i == 5 {
			lasts = 6 * time.Hour
		}
		if i >= 7 {
			service = fmt.Sprintf("service-%d", i-7)
			again++
		}
		all++
		incident(at, lasts, service)
	}
	p.run(17 * time.Hour)
	p.fired("incidents-restore", "ticket 4h 9h")
	p.left("incidents-restore", late, all)
	p.fired("incidents-none-old", "ticket 12h 13h") // four hours after the sixth one began
	p.leftIs("incidents-none-old", 1-2./16.7/0.01, 0.5)
	p.fired("incidents-recurrence", "ticket 11h 16h")
	p.left("incidents-recurrence", again, all)
}

// onboard is M6: tasks of Backstage and deployments. Who came within a week, most later, one who gave up, and one that
// somebody waits for since two weeks.
func onboard(t *testing.T, a *asserted) {
	p := newPlay(t, a, "onboarding", 2*time.Minute, onboarding.New(onboarding.Options{}), pipelines.New(pipelines.Options{}))
	task := func(at time.Duration, service, status string, ago time.Duration) {
		payload := exportertest.Read(t, "../../exporters/onboarding/sources/testdata/backstage/task_completed.json")
		p.deliver(at, onboardsources.Backstage, nil, func(now time.Time) []byte {
			return replace(t, payload, map[string]any{
				"id": "task-of-" + service, "status": status, "spec.parameters.component_id": service,
				"createdAt": now.Add(-ago).Format(time.RFC3339), "lastHeartbeatAt": now.Format(time.RFC3339),
			})
		})
	}
	var bad, all float64
	for i := range 8 {
		service, waited := fmt.Sprintf("new-%d", i), 3*24*time.Hour
		if i%4 != 0 {
			waited = 9 * 24 * time.Hour
			bad++
		}
		all++
		at := time.Duration(i+1) * 20 * time.Minute
		task(at, service, "completed", waited)
		p.deploy(at+10*time.Minute, i, service, "success", 0)
	}
	task(3*time.Hour, "given-up", "completed", time.Hour)
	task(4*time.Hour, "given-up", "failed", 2*time.Hour)
	task(2*time.Hour, "forgotten", "completed", 15*24*time.Hour)
	p.deploy(5*time.Hour, 100, "forgotten", "success", 0)
	bad, all = bad+2, all+2
	p.run(8 * time.Hour)
	p.fired("onboarding-within-7d", "ticket 1h 3h")
	p.left("onboarding-within-7d", bad, all)
	p.fired("onboarding-none-waits", "ticket 2h 3h")
	p.leftIs("onboarding-none-waits", 1-3./7.7/0.1, 0.3)
}
