package incidents_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/exporters/incidents"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// posted is one incident of a status page.
type posted struct {
	ID         string    `json:"id"`
	State      string    `json:"state"` // what is told at a moment
	At         time.Time `json:"at"`
	Started    time.Time `json:"started_at"`
	Resolved   time.Time `json:"resolved_at"`
	Impact     string    `json:"impact"`
	Components []string  `json:"components"`
}

// key is what the incidents of one component have in common.
func (p posted) key() string {
	if len(p.Components) > 0 {
		return p.Components[0]
	}
	return p.ID
}

// statusPage returns the recorded incidents that are no maintenance.
func statusPage(t *testing.T) (all []posted) {
	t.Helper()
	for line := range bytes.Lines(exportertest.Read(t, "testdata/status.jsonl")) {
		var p posted
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		if p.Impact != "maintenance" {
			all = append(all, p)
		}
	}
	return all
}

// TestStatusPage tells of the incidents of a real status page as they went, by a mapping, and compares what is counted with
// the intervals of each component put together.
func TestStatusPage(t *testing.T) {
	decode, err := sources.Mapping{
		Source: "status", Fact: "incident",
		Fields: map[string]string{
			"id": "/id", "status": "/state", "time": "/at", "start": "/started_at", "key": "/components/0", "service": "/components/0", "severity": "/impact",
		},
		Statuses: map[string]string{"open": "executing", "done": "success"},
	}.Decoder()
	if err != nil {
		t.Fatal(err)
	}
	all := statusPage(t)
	var told []posted
	for _, p := range all {
		p.State, p.At = "open", p.Started
		told = append(told, p)
		p.State, p.At = "done", p.Resolved
		told = append(told, p)
	}
	slices.SortStableFunc(told, func(a, b posted) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(b.State, a.State)) })
	c := counters.New(told[0].At, incidents.New(incidents.Options{}))
	for i, p := range told {
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		events, err := decode(http.Header{}, body, p.At)
		if err != nil {
			t.Fatal(err)
		}
		add(t, c, events...)
		add(t, c, events...) // a webhook that is repeated
		if i%7 == 0 {
			read(t, c, p.At)
		}
	}
	want := together(all)
	if diff := gocmp.Diff(want, totals(read(t, c, told[len(told)-1].At.Add(time.Hour))), roughly); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	t.Logf("%d incidents: %v", len(all), want)
}

// together puts the intervals of each component together, and counts what comes of it.
func together(all []posted) map[string]float64 {
	want := map[string]float64{}
	add := func(key string, n float64) {
		if n != 0 {
			want[key] += n
		}
	}
	byKey := map[string][]posted{}
	for _, p := range all {
		byKey[p.key()] = append(byKey[p.key()], p)
	}
	for _, some := range byKey {
		slices.SortStableFunc(some, func(a, b posted) int { return a.Started.Compare(b.Started) })
		var begin, end time.Time
		over := func() {
			if took := end.Sub(begin).Minutes(); took > 0 {
				add("time_to_restore", 1)
				add("time_to_restore minutes", took)
			} else {
				add("excluded instant", 1)
			}
		}
		for i, p := range some {
			gap := p.Started.Sub(end)
			switch {
			case i > 0 && gap <= 0:
			case i > 0 && gap <= 30*time.Minute:
				add("opened reopened", 1)
			case i > 0:
				over()
				begin = p.Started
				if gap <= 30*24*time.Hour {
					add("opened recurred", 1)
				} else {
					add("opened new", 1)
				}
			default:
				begin = p.Started
				add("opened new", 1)
			}
			if p.Resolved.After(end) {
				end = p.Resolved
			}
		}
		over()
	}
	return want
}
