package dashboards

import (
	"bytes"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	incidentSources "github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/onboarding"
	onboardingSources "github.com/plimsoll-slo/plimsoll/exporters/onboarding/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/policy"
	policySources "github.com/plimsoll-slo/plimsoll/exporters/policy/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/secrets"
	secretSources "github.com/plimsoll-slo/plimsoll/exporters/secrets/sources"
	delivery "github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/telemetry"
)

// told is an exporter with the events of real deliveries, which it hears of when
// the time of each has come. Their times are moved into the replay, all those of
// one system by the same.
type told struct {
	source   string
	domain   func() counters.Domain
	events   []event.Event
	counters *counters.Counters
}

// tellings are the exporters besides those of pipelines and cost, each twice: one
// heard of everything long before the replay, the other hears of it meanwhile.
func tellings(t *testing.T) []*told {
	t.Helper()
	var out []*told
	start := replayTimes()[0][0].Add(-100 * 24 * time.Hour)
	for _, x := range []told{
		{source: telemetry.Incidents, domain: func() counters.Domain { return incidents.New(incidents.Options{}) }, events: incidentEvents(t)},
		{source: telemetry.Policy, domain: func() counters.Domain { return policy.New(policy.Options{}) }, events: policyEvents(t)},
		{source: telemetry.Onboarding, domain: func() counters.Domain { return onboarding.New(onboarding.Options{}) }, events: onboardingEvents(t)},
		{source: telemetry.Secrets, domain: func() counters.Domain { return secrets.New(secrets.Options{}) }, events: secretEvents(t)},
		{source: telemetry.Coverage, domain: func() counters.Domain { return coverage.New(coverage.Options{}, inventory(t)) }, events: sightings()},
	} {
		past := x
		past.events = slices.Clone(x.events)
		for i := range past.events {
			past.events[i] = moved(past.events[i], -70*24*time.Hour)
		}
		for _, y := range []*told{&past, &x} {
			slices.SortStableFunc(y.events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
			y.counters = counters.New(start, y.domain())
			out = append(out, y)
		}
	}
	return out
}

// hear gives the counters what has happened by now.
func (x *told) hear(now time.Time) error {
	for len(x.events) > 0 && !x.events[0].Time.After(now) {
		e := x.events[0]
		e.Observed = e.Time
		if _, err := x.counters.Read(e.Time, 0); err != nil { // time passes
			return err
		}
		if err := x.counters.Add(e); err != nil {
			return err
		}
		x.events = x.events[1:]
	}
	return nil
}

func moved(e event.Event, by time.Duration) event.Event {
	e.Time = e.Time.Add(by)
	if !e.Start.IsZero() {
		e.Start = e.Start.Add(by)
	}
	return e
}

// ending moves events so that the last of them is at the given time before the
// end of the replay.
func ending(events []event.Event, before time.Duration) []event.Event {
	var last time.Time
	for _, e := range events {
		if e.Time.After(last) {
			last = e.Time
		}
	}
	out := slices.Clone(events)
	for i := range out {
		out[i] = moved(out[i], replayEnd.Add(-before).Sub(last))
	}
	return out
}

// received is a time later than every recorded delivery.
func received() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }

// decoded returns the events of the deliveries in the files of a pattern that a
// decoder has a use for.
func decoded(t *testing.T, decode delivery.Decoder, replace [2]string, pattern ...string) []event.Event {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(append([]string{"..", "exporters"}, pattern...)...))
	if err != nil || len(files) == 0 {
		t.Fatal(pattern, files, err)
	}
	var out []event.Event
	for _, file := range files {
		body := read(t, file)
		if replace[0] != "" {
			body = bytes.ReplaceAll(body, []byte(replace[0]), []byte(replace[1]))
		}
		events, err := decode(http.Header{"Content-Type": {"application/json"}}, body, received())
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, events...)
	}
	return slices.DeleteFunc(out, func(e event.Event) bool { return e.Name == "platform.event.unused" })
}

// incidentEvents: what PagerDuty tells is over in time for its end to be final,
// and of what Alertmanager tells some is open.
func incidentEvents(t *testing.T) []event.Event {
	return slices.Concat(
		ending(decoded(t, incidentSources.PagerDuty, [2]string{}, "incidents", "sources", "testdata", "pagerduty", "*.json"), 45*time.Minute),
		ending(decoded(t, incidentSources.Alertmanager, [2]string{}, "incidents", "sources", "testdata", "alertmanager", "*.json"), 20*time.Minute))
}

func policyEvents(t *testing.T) []event.Event {
	return slices.Concat(
		ending(decoded(t, policySources.Gatekeeper, [2]string{}, "policy", "sources", "testdata", "gatekeeper", "*.json"), 10*time.Minute),
		ending(decoded(t, policySources.Kyverno, [2]string{}, "policy", "sources", "testdata", "kyverno", "*.json"), 10*time.Minute))
}

// onboardingEvents: the service that Backstage was asked for is the one that Argo
// CD deploys, which is final half an hour later, and a repository waits for its
// first deployment.
func onboardingEvents(t *testing.T) []event.Event {
	asked := decoded(t, onboardingSources.Backstage, [2]string{"checkout-api", "pay"}, "onboarding", "sources", "testdata", "backstage", "task_completed.json")
	waits := decoded(t, onboardingSources.CDEvents, [2]string{}, "onboarding", "sources", "testdata", "cdevents", "repository_created.json")
	deployed := slices.DeleteFunc(decoded(t, sources.ArgoCD, [2]string{}, "pipelines", "sources", "testdata", "argocd", "notification_*.json"), func(e event.Event) bool {
		return e.Attrs.Text(event.Service) != "pay" || e.Attrs.Text("deployment.status") != "succeeded"
	})
	return slices.Concat(ending(asked, 50*time.Hour), ending(waits, 26*time.Hour), ending(deployed, 45*time.Minute))
}

// secretEvents: AWS tells of a rotation that failed, and a day later, after the
// grace, it is overdue.
// In the recording somebody then switches rotation off and removes the secret.
func secretEvents(t *testing.T) []event.Event {
	rotated := decoded(t, secretSources.SecretsManager(secrets.Naming{Plain: true}), [2]string{}, "secrets", "sources", "testdata", "rotation-events.json")
	failed := slices.IndexFunc(rotated, func(e event.Event) bool { return e.Name == "secret.rotation.failed" })
	return slices.Concat(
		ending(rotated[:failed+1], 26*time.Hour+15*time.Minute),
		ending(decoded(t, secretSources.Vault(secrets.Naming{}), [2]string{}, "secrets", "sources", "testdata", "openbao-audit-first-60-lines.log"), 15*time.Minute))
}

func inventory(t *testing.T) *coverage.Inventory {
	t.Helper()
	var i coverage.Inventory
	if err := i.Load(filepath.Join("..", "exporters", "coverage", "testdata", "services.yaml")); err != nil {
		t.Fatal(err)
	}
	return &i
}

// sightings: all services of the inventory but one send what they should, one
// sends no traces, and one is not in it.
func sightings() []event.Event {
	var out []event.Event
	begin := replayTimes()[0][0].Add(-2 * 24 * time.Hour)
	out = append(out, coverage.Begin(begin))
	for at := begin; !at.After(replayEnd); at = at.Add(5 * time.Minute) {
		if !slices.ContainsFunc(replayTimes(), func(span [2]time.Time) bool {
			return at.After(span[0].Add(-26*time.Hour)) && !at.After(span[1])
		}) {
			continue
		}
		out = append(out, coverage.Watch(at))
		for service, signals := range map[string][]coverage.Signal{
			"checkout": {coverage.Metrics, coverage.Logs}, "search": {coverage.Metrics, coverage.Logs, coverage.Traces}, "stray": {coverage.Metrics},
		} {
			for _, s := range signals {
				out = append(out, coverage.Seen(service, s, at))
			}
		}
	}
	return out
}
