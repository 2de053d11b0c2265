package packs_test

import (
	"flag"
	"strings"
	"sync"
	"testing"

	"github.com/plimsoll-slo/plimsoll/internal/packs"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// stories are replays of packs, each with what went wrong in it and what that is to mean.
func stories() map[string]func(t *testing.T, a *asserted) {
	return map[string]func(t *testing.T, a *asserted){
		"platform API, M1":                       platformAPI,
		"portal, M1":                             portal,
		"broken delivery, F1":                    brokenDelivery,
		"one broken repository, F1":              oneBrokenRepository,
		"deployments, M3":                        deployments,
		"incidents, M4 and M12":                  incidentStories,
		"onboarding, M6":                         onboard,
		"self-service, M7":                       selfService,
		"three teams after a change, F4":         policyBlocks(blocked{teams: 3, changed: true, pages: true}),
		"one team after a change, F4":            policyBlocks(blocked{teams: 1, changed: true}),
		"three teams without a change, F4":       policyBlocks(blocked{teams: 3}),
		"three teams, and the engine fails, F4":  policyBlocks(blocked{teams: 3, failing: true, pages: true}),
		"the engine lets all through, F4":        failOpen,
		"telemetry, M9 and F3":                   telemetryLost,
		"exhaustion with impact, F5":             exhaustion(true),
		"exhaustion without impact, F5":          exhaustion(false),
		"cost runs away, M10 and F6":             costRunsAway,
		"cost in production, M10 and F6":         costInProduction,
		"cost on old bills, M10 and F6":          costIsOld,
		"a rotation stops, M11 and F7":           overdueRotation,
		"a rotation breaks logins, M11 and F7":   brokenByRotation(true),
		"logins break by themselves, F7":         brokenByRotation(false),
		"certificates and consumers, M11 and F7": certificates,
		"a leak, F2":                             leak,
	}
}

// TestStories replays them all. Then every SLO of every pack must have had its budget compared with what was counted,
// and have told whom it can tell: a page if it pages, else a ticket.
func TestStories(t *testing.T) {
	a := &asserted{budgets: map[string]bool{}, alerts: map[string]bool{}}
	t.Run("all", func(t *testing.T) {
		for name, story := range stories() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				story(t, a)
			})
		}
	})
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		t.Log("not all stories were asked for")
		return
	}
	for _, p := range packs.All() {
		set, _ := slo.Compile(specsOf(t, p.Name))
		for _, x := range set.SLOs {
			severity := "ticket"
			if x.Alerting.Page {
				severity = "page"
			}
			if !a.budgets[x.Name] || !a.alerts[severity+" "+x.Name] {
				t.Errorf("%s: budget asserted %t, %s asserted %t", x.Name, a.budgets[x.Name], severity, a.alerts[severity+" "+x.Name])
			}
		}
	}
}

// asserted are the SLOs of which stories asserted something.
type asserted struct {
	mu      sync.Mutex
	budgets map[string]bool // by SLO
	alerts  map[string]bool // by severity and SLO
}

func (a *asserted) budget(slo string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.budgets[slo] = true
}

func (a *asserted) alert(severity, slo string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alerts[severity+" "+slo] = true
}
