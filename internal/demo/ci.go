package demo

import (
	"embed"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

//go:embed ci/*.json ci/*.csv
var ci embed.FS

// payloads are the GitHub webhook bodies of the demo with their event names;
// the first is sent twice, as GitHub does when somebody asks for redelivery.
func payloads() []payload {
	return []payload{
		{"workflow_run", "completed.payload.json"},
		{"workflow_run", "completed.payload.json"},
		{"workflow_run", "completed.with-pull-requests.payload.json"},
		{"push", "push.payload.json"},
	}
}

type payload struct{ event, file string }

func (p payload) body() ([]byte, error) { return ci.ReadFile("ci/" + p.file) }

// Pipelines counts the CI telemetry of the demo with the exporter, as a program
// that serves /metrics would, and returns the reading.
func Pipelines(now time.Time) (metric.Snapshot, error) {
	c := counters.New(now, pipelines.New(pipelines.Options{}))
	for _, p := range payloads() {
		body, err := p.body()
		if err != nil {
			return metric.Snapshot{}, err
		}
		events, err := sources.GitHub(http.Header{"X-Github-Event": {p.event}}, body, now)
		if err != nil {
			return metric.Snapshot{}, fmt.Errorf("decode %s: %w", p.file, err)
		}
		if err := c.Add(events...); err != nil {
			return metric.Snapshot{}, err
		}
	}
	table, err := ci.ReadFile("ci/pipelines.csv")
	if err != nil {
		return metric.Snapshot{}, err
	}
	events, err := sources.History(table, now, sources.GitLabPipeline)
	if err != nil {
		return metric.Snapshot{}, err
	}
	slices.SortStableFunc(events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	if err := c.Add(events...); err != nil {
		return metric.Snapshot{}, err
	}
	return c.Read(now, 0)
}

// PipelinesText writes the outcomes of a reading, summed by result.
func PipelinesText(w io.Writer, s metric.Snapshot) {
	sums := map[string]uint64{}
	for _, f := range s.Families {
		if f.Name != "cicd.pipeline.run.outcomes" {
			continue
		}
		for _, p := range f.Points {
			set := event.Set(p.Attrs)
			if p.Count > 0 {
				sums[fmt.Sprintf("%s of the %s attempt: %s", set.Text("cicd.pipeline.result"), set.Text("platform.attempt"), set.Text("platform.outcome"))] += p.Count
			}
		}
	}
	var lines []string
	for k, n := range sums {
		lines = append(lines, fmt.Sprintf("  %3d  %s", n, strings.TrimPrefix(k, " of the ")))
	}
	slices.Sort(lines)
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}
