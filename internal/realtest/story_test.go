//go:build real

package realtest

import (
	"math"
	"strconv"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// The story of testdata/kinds/slos.yaml: a service through a bad morning, scraped every half minute, 7 s before the ticks.
const (
	storyLength = 75 * time.Minute
	storyScrape = 30 * time.Second
	storyEarly  = 7 * time.Second

	storyTrouble = 45 * time.Minute // when something happens to the database too: in the midst of the outage
)

// storyStart is in the past: Monday of a week of calendar windows.
var storyStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// story returns what is scraped at storyStart+at-storyEarly.
func story(at time.Duration) []sample {
	minute := at.Minutes()
	var out []sample
	add := func(v float64, pairs ...string) {
		l := store.Labels{store.Name: pairs[0]}
		for i := 1; i < len(pairs); i += 2 {
			l[pairs[i]] = pairs[i+1]
		}
		out = append(out, sample{labels: l, t: storyStart.Add(at - storyEarly), v: v})
	}
	target := func(instance, tenant string, from, restart, to float64) {
		if minute < from || minute > to+1 {
			return
		}
		born := from
		if minute >= restart {
			born = restart
		}
		age, bad := minute-born, badMinutes(minute)-badMinutes(born)
		for _, s := range scrape(instance, tenant, math.Floor(600*age), math.Floor(180*bad)) {
			if minute > to { // the target is gone: Prometheus marks the ends of its series
				s.v = store.Stale()
			}
			s.t = storyStart.Add(at - storyEarly)
			out = append(out, s)
		}
	}
	target("one", "a", 0, 20, math.Inf(1))
	target("two", "a", 30, math.Inf(1), 60)
	target("three", "b", 45, math.Inf(1), math.Inf(1))

	add(50+100*math.Max(0, math.Sin(minute/12)), "queue_length", "queue", "mail")
	add(math.Floor(7*minute), "jobs_started_total", "job", "batch")
	add(math.Floor(7*math.Max(0, minute-5)*0.97), "jobs_finished_total", "job", "batch")
	add(float64(storyStart.Add(time.Duration(math.Min(minute, 40))*time.Minute).Unix()), "backup_last_success_timestamp_seconds", "db", "main")
	for n := range 4 {
		node := strconv.Itoa(n)
		add(1, "nodes_known", "node", node)
		if n > 0 || minute < 45 || minute > 60 {
			add(1, "agents_up", "node", node)
		}
	}
	add(0.3*minute+5*math.Max(0, minute-60), "cloud_cost_total", "account", "shop")
	if minute < 56 || minute > 72 { // the prober is away for a while
		add(b(minute < 35 || minute > 38), "probe_success", "job", "probe", "instance", "x")
		add(1, "up", "job", "probe", "instance", "x")
	}
	add(0.002+0.3*b(minute > 55 && minute < 62), "batch_error_ratio", "shard", "1")
	return out
}

// badMinutes is how many of the minutes up to a minute lie in the outage from 40 to 52.
func badMinutes(minute float64) float64 { return math.Min(math.Max(minute-40, 0), 12) }

func b(x bool) float64 {
	if x {
		return 1
	}
	return 0
}

// scrape returns the series of one target of the job api. The series of errors is born with the first of them.
func scrape(instance, tenant string, requests, errors float64) []sample {
	series := func(v float64, name string, pairs ...string) sample {
		l := store.Labels{store.Name: name, "job": "api", "instance": instance}
		for i := 0; i < len(pairs); i += 2 {
			l[pairs[i]] = pairs[i+1]
		}
		return sample{labels: l, v: v}
	}
	out := []sample{
		series(1, "up"),
		series(requests-errors, "http_requests_total", "code", "200", "tenant", tenant),
		series(math.Floor(0.9*requests-0.5*errors), "http_request_duration_seconds_bucket", "le", "0.3"),
		series(requests, "http_request_duration_seconds_bucket", "le", "+Inf"),
		series(requests, "http_request_duration_seconds_count"),
	}
	if errors > 0 {
		out = append(out, series(errors, "http_requests_total", "code", "500", "tenant", tenant))
	}
	return out
}
