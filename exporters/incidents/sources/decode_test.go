package sources_test

import (
	"bytes"
	"flag"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/internal/golden"
)

var update = flag.Bool("update", false, "rewrite golden files")

// observed is when the tests receive everything: after the last time in the fixtures.
var observed = time.Date(2026, 11, 21, 15, 11, 0, 0, time.UTC)

// fixture is a delivery of testdata.
type fixture struct {
	name   string
	body   []byte
	decode source.Decoder
}

func (f fixture) events(t testing.TB) []event.Event {
	t.Helper()
	events, err := f.decode(http.Header{}, f.body, observed)
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return events
}

func deliveries(t testing.TB, kind source.Kind) []fixture {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind.Name + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads of %s: %v", kind.Name, err)
	}
	var all []fixture
	for _, file := range files {
		all = append(all, fixture{strings.TrimPrefix(file, "testdata/"), exportertest.Read(t, file), kind.Decode})
	}
	return all
}

// everything returns every delivery.
func everything(t testing.TB) []fixture {
	t.Helper()
	var all []fixture
	for _, kind := range sources.Kinds() {
		all = append(all, deliveries(t, kind)...)
	}
	return all
}

func TestGolden(t *testing.T) {
	for _, kind := range sources.Kinds() {
		var lines []byte
		for _, f := range deliveries(t, kind) {
			lines = append(append(lines, "# "+f.name+"\n"...), exportertest.Lines(t, f.events(t))...)
		}
		golden.Check(t, *update, "testdata/"+kind.Name+".golden", lines)
	}
}

func list(t testing.TB, receiver string) []event.Event {
	t.Helper()
	alerts, silences := exportertest.Read(t, "testdata/lists/alerts.json"), exportertest.Read(t, "testdata/lists/silences.json")
	events, err := sources.AlertmanagerList(sources.Reporter("http://am"), receiver, alerts, silences, observed)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// TestGoldenList: of seven alerts the watchdog is none, and one is routed elsewhere.
func TestGoldenList(t *testing.T) {
	events := list(t, "")
	golden.Check(t, *update, "testdata/lists.golden", exportertest.Lines(t, events))
	if all, routed := len(events), len(list(t, "plimsoll")); all != 7 || routed != 6 {
		t.Errorf("%d events, %d of the receiver, want 7 and 6", all, routed)
	}
	want := map[string]string{
		"Latency": "inhibited", "SLOBurnRate": "triggered", "Chatty": "triggered", "DiskFull": "silenced", "PlatformDown": "triggered",
		"Planned": "maintenance",
	}
	got := map[string]string{}
	for _, e := range events[:6] {
		got[e.Attrs.Text(event.IncidentName)] = e.Attrs.Text(event.IncidentState)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestListAndWebhook: an alert is the same one in a list and in a webhook, whose times have more digits.
func TestListAndWebhook(t *testing.T) {
	body := []byte(`{"externalURL":"http://am/","alerts":[{"status":"firing","fingerprint":"33c3031cfa4b3ee9","startsAt":"2026-11-21T15:10:55.210987654Z",
		"labels":{"alertname":"SLOBurnRate","slo":"checkout-availability","severity":"page","service":"checkout","team":"payments","replica":"b"}}]}`)
	events, err := sources.Alertmanager(nil, body, observed)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list(t, "") {
		if e.Subject != events[0].Subject {
			continue
		}
		if !e.Start.Equal(events[0].Start) || e.Attrs.Text(event.Fingerprint) != events[0].Attrs.Text(event.Fingerprint) ||
			e.Attrs.Text(event.Reporter) != events[0].Attrs.Text(event.Reporter) {
			t.Errorf("the webhook says %v, the list %v", events[0], e)
		}
		return
	}
	t.Error("the list does not have the alert")
}

func TestWrongLists(t *testing.T) {
	f := func(alerts, silences string) {
		t.Helper()
		if events, err := sources.AlertmanagerList("x", "", []byte(alerts), []byte(silences), observed); err == nil || len(events) > 0 {
			t.Errorf("%.40s and %.40s: %d events, error %v, want an error and none", alerts, silences, len(events), err)
		}
	}
	f("", "[]")
	f("[]", "")
	f("null", "[]")
	f("[]", "null")
	f(`{"status":"error"}`, "[]")
	f(`[{"startsAt":1,"labels":[]}]`, "[]")
	f("["+strings.Repeat("{},", sources.MaxAlerts)+"{}]", "[]")
}

// TestIdentity: which alerts are one incident.
func TestIdentity(t *testing.T) {
	f := func(same bool, a, b string) {
		t.Helper()
		of := func(labels string) string {
			body := []byte(`{"alerts":[{"status":"firing","fingerprint":"ab","startsAt":"2026-11-21T15:00:00Z","labels":` + labels + `}]}`)
			events, err := sources.Alertmanager(nil, body, observed)
			if err != nil {
				t.Fatal(err)
			}
			return events[0].Attrs.Text(event.Fingerprint)
		}
		if (of(a) == of(b)) != same {
			t.Errorf("%s and %s: want same %v", a, b, same)
		}
	}
	slo := `{"alertname":"SLOBurnRate","slo":"a","severity":"page","service":"s","team":"t"}`
	f(true, slo, `{"alertname":"SLONoData","slo":"a","severity":"page","service":"s","team":"t","replica":"b","reason":"gone"}`)
	f(false, slo, `{"alertname":"SLOBurnRate","slo":"a","severity":"ticket","service":"s","team":"t"}`)
	f(false, slo, `{"alertname":"SLOBurnRate","slo":"b","severity":"page","service":"s","team":"t"}`)
	disk := `{"alertname":"Disk","service":"db","instance":"1"}`
	f(true, disk, `{"alertname":"Disk","service":"db","instance":"2"}`)
	f(false, disk, `{"alertname":"Disk","service":"db","cluster":"eu"}`)
	f(false, `{"alertname":"Disk","service":"db"}`, `{"alertname":"Disk","team":"db"}`)
}

// TestKinds: every kind names itself, and PagerDuty alone signs.
func TestKinds(t *testing.T) {
	for _, kind := range sources.Kinds() {
		for _, f := range deliveries(t, kind) {
			for _, e := range f.events(t) {
				if e.Source != kind.Name {
					t.Errorf("%s: source %q", f.name, e.Source)
				}
			}
		}
		if (kind.Signature != nil) != (kind.Name == "pagerduty") {
			t.Errorf("%s: wrong proof", kind.Name)
		}
	}
}

// TestJoined: a kind of two domains gives what either reads, and what neither reads is unused once.
func TestJoined(t *testing.T) {
	other := source.Kind{Name: "cdevents", Decode: func(h http.Header, b []byte, now time.Time) ([]event.Event, error) {
		return source.EachCloudEvent("cdevents", h, b, now, func(ce source.CloudEvent) ([]event.Event, error) {
			if !bytes.Contains(ce.Data, []byte("service.deployed")) {
				return nil, nil
			}
			return []event.Event{{Name: "other"}}, nil
		})
	}}
	var joined source.Kind
	for _, kind := range source.Joined([]source.Kind{other}, sources.Kinds()) {
		if kind.Name == "cdevents" {
			joined = kind
		}
	}
	incident := string(exportertest.Read(t, "testdata/cdevents/incident_detected.json"))
	service := string(exportertest.Read(t, "testdata/cdevents/service_deployed.json"))
	f := func(want string, bodies ...string) {
		t.Helper()
		body := bodies[0]
		if len(bodies) > 1 {
			body = `[{"data":` + strings.Join(bodies, `},{"data":`) + `}]`
		}
		events, err := joined.Decode(http.Header{}, []byte(body), observed)
		var names []string
		for _, e := range events {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != want || (err == nil) != (want != "") {
			t.Errorf("got %q and %v, want %q", got, err, want)
		}
	}
	nothing := `{"context":{"type":"dev.cdevents.ticket.created.0.2.0","id":"1"},"subject":{"id":"1"}}`
	f("incident.opened", incident)
	f("other", service)
	f("platform.event.unused", nothing)
	f("incident.opened other platform.event.unused", incident, service, nothing)
	f("", "17")
}
