package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// liveSelf is live of a server that watches itself; it looks at the ticks only every so often.
func (w *world) liveSelf(until time.Time, every time.Duration) {
	w.t.Helper()
	for t := w.clock.now().Add(15 * time.Second); !t.After(until); t = t.Add(15 * time.Second) {
		w.clock.set(t)
		if got := w.push(samples(t)...); got/100 != 2 {
			w.t.Fatalf("push at %v: got status %d", t, got)
		}
		w.srv.scrapeSelf(context.Background())
		if t.Sub(start)%every == 0 {
			w.srv.Step(context.Background())
		}
	}
}

// selfState is what the state API says of an SLO of Plimsoll itself.
type selfState struct {
	SLO struct {
		Groups []struct {
			Labels          map[string]string
			BudgetRemaining float64
			Events, Bad     float64
			Telemetry       string
		}
		Alerts []struct {
			Severity, State string
			Labels          map[string]string
		}
	}
}

func (w *world) self(name string) selfState {
	w.t.Helper()
	var out selfState
	w.get("/plimsoll/v1/slos/"+name, &out)
	if g := out.SLO.Groups; len(g) != 1 || g[0].Labels["instance"] != "a:9095" || g[0].Telemetry != "there" {
		w.t.Fatalf("%s: got groups %+v, want one of the instance with telemetry", name, g)
	}
	return out
}

var selfNames = []string{"plimsoll-evaluations", "plimsoll-rules", "plimsoll-notifications", "plimsoll-ingestion", "plimsoll-up"}

// paged returns which of the SLOs of Plimsoll itself page, and checks that those alone have spent budget.
func (w *world) paged() []string {
	w.t.Helper()
	var out []string
	for _, name := range selfNames {
		s := w.self(name).SLO
		pages := false
		for _, a := range s.Alerts {
			pages = pages || a.Severity == "page" && a.State == "firing" && a.Labels["instance"] == "a:9095"
		}
		if pages {
			out = append(out, name)
		}
		if left := s.Groups[0].BudgetRemaining; pages != (left < 1) {
			w.t.Errorf("%s: pages: %v, but %v of the budget is left", name, pages, left)
		}
	}
	return out
}

func expectPages(t *testing.T, w *world, want ...string) {
	t.Helper()
	if got := w.paged(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got pages of %q, want %q", got, want)
	}
}

func newSelfWorld(t *testing.T, o Options) *world {
	t.Helper()
	o.SelfSLOs, o.Instance = true, "a:9095"
	return newWorld(t, o)
}

// TestSelfCalm: a server that works spends no budget of its own, and its SLOs count what it does.
func TestSelfCalm(t *testing.T) {
	w := newSelfWorld(t, Options{})
	w.liveSelf(start.Add(20*time.Minute), 15*time.Second)
	expectPages(t, w)
	for _, name := range []string{"plimsoll-evaluations", "plimsoll-rules", "plimsoll-ingestion"} {
		if g := w.self(name).SLO.Groups[0]; g.Events < 20 || g.Bad != 0 {
			t.Errorf("%s: got %v bad of %v events", name, g.Bad, g.Events)
		}
	}
}

// TestSelfAlertmanagerAway: an alert that nobody takes burns the budget of notifications, and only that.
func TestSelfAlertmanagerAway(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	w := newSelfWorld(t, Options{Alertmanagers: []string{away.URL}})
	w.liveSelf(start.Add(30*time.Minute), 15*time.Second)
	expectPages(t, w) // it is away, but there is nothing to tell
	w.liveSelf(start.Add(44*time.Minute), 15*time.Second)
	expectPages(t, w, "plimsoll-notifications")
}

// TestSelfLate: ticks that wait for the ones before them burn the budget of evaluations.
func TestSelfLate(t *testing.T) {
	w := newSelfWorld(t, Options{})
	w.liveSelf(start.Add(20*time.Minute), 2*time.Minute)
	expectPages(t, w, "plimsoll-evaluations")
}

// TestSelfSpecs: the example is what a server evaluates, and an SLO of the same name is refused with both places.
func TestSelfSpecs(t *testing.T) {
	example, err := os.ReadFile("../../examples/plimsoll-self/slos.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(example) != string(SelfSpecs().Text) {
		t.Error("internal/server/self.yaml is not examples/plimsoll-self/slos.yaml: copy it")
	}
	w := newSelfWorld(t, Options{})
	w.specs(service + "---\n" + spec("plimsoll-up", "99%"))
	w.srv.reloadNow(context.Background(), false)
	if s := w.status(); s.Specs.OK || len(s.Specs.Problems) != 1 || !strings.Contains(s.Specs.Problems[0], "slo.yaml") {
		t.Errorf("an SLO of the same name: got %+v", s.Specs)
	}
}
