package rules_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/burnrate"
	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/rules"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// The alert expressions are burnrate.Tier.Fires, for every objective, evidence test and count of events.
func TestAlertsAreBurnrateFires(t *testing.T) {
	t.Parallel()
	for _, evidence := range []string{"sqrt", "poisson", "minBad, minBad: 5", "none"} {
		for _, objective := range []string{"90%", "99%", "99.99%", "100%"} {
			alertLaw(t, objective, evidence)
		}
	}
}

func alertLaw(t *testing.T, objective, evidence string) {
	t.Helper()
	profile := fmt.Sprintf(`---
apiVersion: plimsoll.dev/v1
kind: AlertProfile
metadata: {name: p}
spec:
  tiers:
    - {severity: page, long: 1h, short: 5m, budget: "2%%"}
    - {severity: page, long: 6h, short: 30m, budget: "5%%", minBurnRate: 3}
    - {severity: ticket, long: 1d, short: 2h, burnRate: 2}
  evidence: {test: %s}
`, evidence)
	w := newWorld(t, availability(objective, "{rolling: 30d}", "  alerting: {profile: p}", "api")+profile, rules.Options{})
	groups, err := rules.Generate(w.set, rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	exprs := map[string]string{}
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Alert == slo.AlertBudgetBurn {
				exprs[r.Labels["severity"]] = r.Expr
			}
		}
	}
	prof, _ := w.set.Profile("p")
	policy, budget := prof.BurnPolicy(), w.set.SLOs[0].BurnBudget()
	rng := rand.New(rand.NewPCG(1, 2))
	fires, n := 0, 400
	for i := range n {
		at := t0.Add(time.Duration(i) * 10 * time.Minute)
		counts := w.putCounts(rng, at, budget)
		firing := rng.IntN(2) == 0
		if err := w.put(at, alertSample("page", firing), alertSample("ticket", firing)); err != nil {
			t.Fatal(err)
		}
		for severity, expr := range exprs {
			want := false
			for _, x := range policy.Tiers {
				if string(x.Severity) == severity {
					want = want || x.Fires(budget, policy.Evidence, counts[x.Long], counts[x.Short], counts[x.Recovery], firing)
				}
			}
			got, err := w.engine.Query(context.Background(), expr, at)
			if err != nil {
				t.Fatal(err)
			}
			if want {
				fires++
			}
			if (len(got) > 0) != want {
				t.Fatalf("objective %s, evidence %s, %s: expression fires %v, burnrate %v, counts %v", objective, evidence, severity, got, want, counts)
			}
		}
	}
	if fires < n/50 || fires > 2*n-n/50 {
		t.Errorf("objective %s, evidence %s: %d of %d cases fire: the law says little", objective, evidence, fires, 2*n)
	}
}

// alertSample is what Prometheus says of an alert while it fires.
func alertSample(severity string, firing bool) sample {
	v := store.Stale()
	if firing {
		v = 1
	}
	return sample{store.Labels{store.Name: "ALERTS", "alertname": slo.AlertBudgetBurn, "alertstate": "firing", "severity": severity, "slo": "api"}, v}
}

// putCounts writes what the window rules would record from random counts.
func (w *world) putCounts(rng *rand.Rand, at time.Time, budget burnrate.Budget) map[time.Duration]burnrate.Count {
	counts := map[time.Duration]burnrate.Count{}
	scale := math.Pow(10, rng.Float64()*6)
	ratio := math.Pow(10, -rng.Float64()*4)
	samples := []sample{{store.Labels{store.Name: slo.SeriesErrorBudget, "slo": "api"}, budget.Ratio}}
	for _, m := range []int{5, 10, 30, 60, 120, 360, 1440} {
		window := time.Duration(m) * time.Minute
		total := math.Floor(scale * rng.Float64())
		bad := math.Floor(total * min(1, ratio*(0.5+rng.Float64())))
		if rng.IntN(10) == 0 {
			bad = 0
		}
		counts[window] = burnrate.Count{Bad: bad, Total: total}
		burn := store.Stale()
		if total > 0 {
			burn = budget.Burn(bad / total)
		}
		for name, v := range map[string]float64{slo.SeriesEventsSum: total, slo.SeriesBadSum: bad, slo.SeriesBurnRate: burn} {
			samples = append(samples, sample{store.Labels{store.Name: name, "slo": "api", "window": slo.Duration(window).String()}, v})
		}
	}
	if err := w.put(at, samples...); err != nil {
		w.t.Fatal(err)
	}
	return counts
}

// The window rules record what putCounts says: see that zero and infinity are where the law assumes them.
func TestBurnWithoutBudget(t *testing.T) {
	x := traffic{job: "api", rate: between(60, 1, 30*time.Minute, 31*time.Minute)}
	w := newWorld(t, availability("100%", "{rolling: 30d}", "", "api"), rules.Options{})
	w.run(minutes(45, x.scrape))
	if got := w.value(`slo:burn_rate:ratio{window="5m"}`, 25*time.Minute); got != 0 {
		t.Errorf("before: got burn %v, want 0", got)
	}
	if got := w.value(`slo:burn_rate:ratio{window="5m"}`, 32*time.Minute); !math.IsInf(got, 1) {
		t.Errorf("after: got burn %v, want +Inf", got)
	}
	for _, e := range w.events {
		if e.Kind == engine.Fired && !strings.Contains(e.Alert.Annotations["summary"], "its objective is 100%") {
			t.Errorf("summary: %q", e.Alert.Annotations["summary"])
		}
	}
}
