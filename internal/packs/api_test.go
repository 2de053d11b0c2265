package packs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	apisources "github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
)

// logLines are how many requests of each kind a piece of an access log has.
type logLines struct{ ok, slow, refused, failed int }

// text returns the lines as nginx writes them.
func (l logLines) text(now time.Time) []byte {
	var b bytes.Buffer
	write := func(n, status int, took float64) {
		for i := range n {
			fmt.Fprintf(&b, `{"time_iso8601": %q, "remote_addr": "192.0.2.1", "request_method": "GET", "request_uri": "/catalog/%d", "status": "%d", "request_time": "%.3f", "http_user_agent": "Mozilla/5.0"}`+"\n",
				now.Format(time.RFC3339), i, status, took)
		}
	}
	write(l.ok, 200, 0.12)
	write(l.slow, 200, 3)
	write(l.refused, 401, 0.01)
	write(l.failed, 502, 0.5)
	return b.Bytes()
}

// portal is the portal's part of M1, on lines of its access log; those of another service do not count.
func portal(t *testing.T, a *asserted) {
	p := newPlay(t, a, "portal", time.Minute, platformapi.New(platformapi.Options{}))
	ours := apisources.AccessLog(apisources.AccessLogOptions{Service: "portal"}).Decode
	others := apisources.AccessLog(apisources.AccessLogOptions{Service: "shop"}).Decode
	var failed, slow, served, all float64
	for at := 6 * time.Minute; at < 170*time.Minute; at += 2 * time.Minute {
		l := logLines{ok: 60}
		if at >= time.Hour && at < 80*time.Minute {
			l = logLines{ok: 30, failed: 30}
		}
		if at >= 100*time.Minute && at < 140*time.Minute {
			l = logLines{ok: 30, slow: 30}
		}
		failed, slow, served, all = failed+float64(l.failed), slow+float64(l.slow), served+float64(l.ok+l.slow), all+60
		p.deliver(at, ours, nil, l.text)
		p.deliver(at, others, nil, logLines{failed: 10}.text)
	}
	p.run(3 * time.Hour)
	p.fired("portal-availability", "page 1h 1h15m", "ticket 1h 1h15m")
	p.left("portal-availability", failed, all)
	p.fired("portal-latency", "ticket 1h40m 2h20m")
	p.left("portal-latency", slow, served)
}

// audit delivers lists of audit events: lines of exporters/platformapi's testdata as they are, but for their ids, times
// and namespaces.
type audit struct {
	*play
	events map[string]map[string]any // by what happened
	number int
	batch  []any
}

func newAudit(p *play) *audit {
	a := &audit{play: p, events: map[string]map[string]any{}}
	for line := range bytes.Lines(exportertest.Read(p.t, "../../exporters/platformapi/sources/testdata/kubernetes_audit/hand.log")) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			p.t.Fatal(err)
		}
		user, _ := e["user"].(map[string]any)["username"].(string)
		object, _ := e["objectRef"].(map[string]any)
		status, _ := e["responseStatus"].(map[string]any)
		message, _ := status["message"].(string)
		name := fmt.Sprintf("%v %v %v %v", user, e["verb"], object["resource"], status["code"])
		if bytes.Contains(line, []byte(`"failed-open.`)) {
			name += " failed open"
		}
		if len(message) > 20 {
			name += " " + message[:20]
		}
		if a.events[name] == nil && e["stage"] == "ResponseComplete" {
			a.events[name] = e
		}
	}
	return a
}

// add puts n events of a kind into the list, in the namespaces in turn; "" is that of the fixture. more are fields to
// replace.
func (a *audit) add(n int, kind string, now time.Time, namespaces []string, more map[string]any) {
	e := a.events[kind]
	if e == nil {
		a.t.Fatalf("no audit event %q", kind)
	}
	for i := range n {
		a.number++
		out := merged(e, map[string]any{
			"auditID":        fmt.Sprintf("00000000-0000-4000-8000-%012d", a.number),
			"stageTimestamp": now.Format(time.RFC3339Nano), "requestReceivedTimestamp": now.Add(-10 * time.Millisecond).Format(time.RFC3339Nano),
		})
		out["objectRef"] = merged(e["objectRef"].(map[string]any), map[string]any{"namespace": namespaces[i%len(namespaces)]})
		a.batch = append(a.batch, merged(out, more))
	}
}

// post delivers at a time the list that fill makes then.
func (a *audit) post(after time.Duration, options apisources.AuditOptions, fill func(now time.Time)) {
	a.deliver(after, apisources.KubernetesAudit(options).Decode, nil, func(now time.Time) []byte {
		a.batch = nil
		fill(now)
		body, err := json.Marshal(map[string]any{"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": a.batch})
		if err != nil {
			a.t.Fatal(err)
		}
		return body
	})
}

// namespaces returns n names.
func namespaces(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("team-%c", 'a'+i))
	}
	return out
}

const (
	byPlatform = "system:serviceaccount:argocd:argocd-application-controller patch deployments 200"
	byHand     = "alice patch deployments 200"
	allowed    = "system:serviceaccount:ci:deployer create pods 201"
)

// selfService is M7 on audit events: changes go around the platform, and for some hours the glass is broken. Figures that
// open tickets and wake nobody.
func selfService(t *testing.T, asserted *asserted) {
	a := newAudit(newPlay(t, asserted, "self-service", 2*time.Minute, platformapi.New(platformapi.Options{})))
	options := apisources.AuditOptions{EmergencyUsers: []string{"breakglass-*"}}
	var manual, counted, emergency, all float64
	for at := 12 * time.Minute; at < 9*time.Hour; at += 4 * time.Minute {
		people, glass := 2, 0
		if at >= 4*time.Hour {
			people = 12
		}
		if at >= 6*time.Hour && at < 8*time.Hour {
			glass = 5
		}
		manual, counted = manual+float64(people), counted+float64(10+people)
		emergency, all = emergency+float64(glass), all+float64(10+people+glass)
		a.post(at, options, func(now time.Time) {
			for range 3 { // an apply of three objects is one change
				a.add(10, byPlatform, now, namespaces(10), nil)
			}
			a.add(people, byHand, now, namespaces(people), nil)
			a.add(glass, byHand, now, namespaces(5), map[string]any{"user": map[string]any{"username": "breakglass-7"}})
		})
	}
	a.run(10 * time.Hour)
	a.fired("self-service-rate", "ticket 4h 6h")
	a.left("self-service-rate", manual, counted)
	a.fired("self-service-emergencies", "ticket 6h 8h")
	a.left("self-service-emergencies", emergency, all)
}

// blocked is a story of policies that deny.
type blocked struct {
	teams            int // namespaces that are denied
	changed, failing bool
	pages            bool
}

// policyBlocks is F4 on audit events: denials of three teams page, but only after a policy was changed, or while the engine
// fails closed; a team alone, or denials that nothing explains, are a ticket.
func policyBlocks(story blocked) func(t *testing.T, a *asserted) {
	return func(t *testing.T, asserted *asserted) {
		a := newAudit(newPlay(t, asserted, "policy", time.Minute, platformapi.New(platformapi.Options{})))
		var denied, failed, decided, all float64
		for at := 6 * time.Minute; at < 180*time.Minute; at += 2 * time.Minute {
			denials, errors := 0, 0
			switch {
			case at == 6*time.Minute:
				denials = 3 // the policy is no new one
			case at >= 132*time.Minute && at < 170*time.Minute:
				denials = 24
				if story.failing {
					errors = 3
				}
			}
			denied, failed, decided = denied+float64(denials), failed+float64(errors), decided+float64(30+denials)
			all += float64(30 + denials + errors)
			a.post(at, apisources.AuditOptions{}, func(now time.Time) {
				a.add(30, allowed, now, namespaces(3), nil)
				a.add(denials, "alice create pods 400 admission webhook \"v", now, namespaces(story.teams), nil)
				a.add(errors, "alice create pods 500 Internal error occur", now, namespaces(1), nil)
				a.add(5, "bob delete configmaps 403 configmaps \"x\" is fo", now, namespaces(3), nil) // who may do what is no policy
				if story.changed && at == 126*time.Minute {
					a.add(1, byPlatform, now, []string{""}, map[string]any{"objectRef": map[string]any{
						"resource": "constrainttemplates", "apiGroup": "templates.gatekeeper.sh", "apiVersion": "v1", "name": "k8srequiredlabels",
					}})
					all++
					decided++
				}
			})
		}
		a.run(190 * time.Minute)
		want := []string{"ticket 2h12m 2h40m"}
		if story.pages {
			want = append(want, "page 2h12m 2h40m")
		}
		a.fired("policy-friction", want...)
		a.left("policy-friction", denied, decided)
		if story.failing {
			a.fired("policy-engine-availability", "page 2h12m 2h40m", "ticket 2h12m 2h40m")
		} else {
			a.fired("policy-engine-availability")
		}
		a.left("policy-engine-availability", failed, all)
	}
}

// failOpen is the other way in which an engine fails: it lets everything through. Nobody is stopped, and it pages.
func failOpen(t *testing.T, asserted *asserted) {
	a := newAudit(newPlay(t, asserted, "policy", time.Minute, platformapi.New(platformapi.Options{})))
	var failed, all, decided float64
	for at := 6 * time.Minute; at < 110*time.Minute; at += 2 * time.Minute {
		open := 0
		if at >= time.Hour && at < 80*time.Minute {
			open = 10
		}
		// Each of them is let through, which is a decision as well.
		failed, all, decided = failed+float64(open), all+float64(30+2*open), decided+float64(30+open)
		a.post(at, apisources.AuditOptions{}, func(now time.Time) {
			a.add(30, allowed, now, namespaces(3), nil)
			a.add(open, "alice create pods 201 failed open", now, namespaces(3), nil)
		})
	}
	a.run(2 * time.Hour)
	a.fired("policy-engine-availability", "page 1h 1h15m", "ticket 1h 1h15m")
	a.left("policy-engine-availability", failed, all)
	a.fired("policy-friction")
	a.left("policy-friction", 0, decided)
}
