package packs_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/exportertest"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// target is what a target of somebody else shows, by the labels of its series.
type target struct {
	job    string
	values map[string]float64
	labels map[string]store.Labels
	order  []string
}

func newTarget(job string) *target {
	return &target{job: job, values: map[string]float64{}, labels: map[string]store.Labels{}}
}

// scraped returns a target that shows what a file of testdata/scraped has.
func scraped(t *testing.T, job, file string) *target {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(exportertest.Read(t, "testdata/scraped/"+file)))
	if err != nil {
		t.Fatal(err)
	}
	c := newTarget(job)
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].GetMetric() {
			c.family(families[name], m)
		}
	}
	return c
}

func (c *target) family(f *dto.MetricFamily, m *dto.Metric) {
	for _, s := range samples(f, m) {
		s.labels["job"], s.labels["instance"] = c.job, "i"
		c.put(s.labels, s.value)
	}
}

func (c *target) put(l store.Labels, v float64) {
	key := l.String()
	if c.labels[key] == nil {
		c.labels[key] = l
		c.order = append(c.order, key)
	}
	c.values[key] = v
}

// of returns the labels of a series; labels are names and values in turn.
func (c *target) of(name string, labels ...string) store.Labels {
	l := store.Labels{store.Name: name, "job": c.job, "instance": "i"}
	for i := 0; i < len(labels); i += 2 {
		l[labels[i]] = labels[i+1]
	}
	return l
}

// add adds n to a series.
func (c *target) add(n float64, name string, labels ...string) {
	l := c.of(name, labels...)
	c.put(l, c.values[l.String()]+n)
}

// set makes v the value of every series of a name that has these labels; there must be one.
func (c *target) set(t *testing.T, v float64, name string, labels ...string) {
	t.Helper()
	found := false
	for _, key := range c.order {
		l, ok := c.labels[key], true
		for i := 0; i < len(labels); i += 2 {
			ok = ok && l[labels[i]] == labels[i+1]
		}
		if ok && l[store.Name] == name {
			c.values[key], found = v, true
		}
	}
	if !found {
		t.Fatalf("no series %s %v", name, labels)
	}
}

// sum adds up the series of a name for which some labels are as told.
func (c *target) sum(name string, ok func(l store.Labels) bool) (sum float64) {
	for _, key := range c.order {
		if l := c.labels[key]; l[store.Name] == name && ok(l) {
			sum += c.values[key]
		}
	}
	return sum
}

func (c *target) samples() []sample {
	out := []sample{up(c.job, "i")}
	for _, key := range c.order {
		out = append(out, sample{c.labels[key], c.values[key]})
	}
	return out
}

// within tells whether a time is from some minute on and before another.
func within(now time.Time, from, to int) bool {
	at := now.Sub(t0)
	return at >= time.Duration(from)*time.Minute && at < time.Duration(to)*time.Minute
}

// platformAPI is M1. A server goes through what a real one had counted once more with every scrape: its failed health
// checks, watches and exec do not count, and minutes are apart from requests.
func platformAPI(t *testing.T, a *asserted) {
	p := newPlay(t, a, "platform-api", 30*time.Second)
	recorded := scraped(t, "kube-apiserver", "kube-apiserver.prom")
	counts := func(l store.Labels) bool {
		return l["resource"] != "" && l["verb"] != "WATCH" && l["verb"] != "CONNECT"
	}
	requests := recorded.sum("apiserver_request_total", counts)
	const duration = "apiserver_request_sli_duration_seconds"
	changes := recorded.sum(duration+"_count", counts)
	slow := changes - recorded.sum(duration+"_bucket", func(l store.Labels) bool { return l["le"] == "1.0" })
	c := newTarget("kube-apiserver")
	var bad, all, late, made float64
	p.scraped = func(now time.Time) []sample {
		if within(now, 6, 110) {
			for _, key := range recorded.order {
				c.put(recorded.labels[key], c.values[key]+recorded.values[key])
			}
			all, late, made = all+requests, late+slow, made+changes
		}
		broken := 0.0
		if within(now, 60, 70) {
			broken = requests
		}
		for _, code := range []string{"503", "429"} {
			c.add(broken/2, "apiserver_request_total", "code", code, "component", "apiserver", "verb", "GET", "resource", "pods", "dry_run", "")
		}
		c.add(broken, "apiserver_request_total", "code", "500", "component", "apiserver", "verb", "POST", "resource", "pods", "dry_run", "All")
		c.add(broken/10, duration+"_count", "component", "apiserver", "verb", "POST", "resource", "secrets") // they took too long
		bad, all, late, made = bad+broken, all+broken, late+broken/10, made+broken/10
		return c.samples()
	}
	p.run(2 * time.Hour)
	p.fired("platform-api-availability", "page 1h 1h5m", "ticket 1h 1h5m")
	p.left("platform-api-availability", bad, all)
	p.fired("platform-api-minutes", "page 1h 1h5m")
	p.leftIs("platform-api-minutes", 1-11./105/0.001, 15) // of the minutes with requests, one of them in part
	p.fired("platform-api-latency", "ticket 1h 1h15m")
	p.left("platform-api-latency", late, made)
	if changes <= 0 || requests <= 0 {
		t.Errorf("the recording has %v changes and %v requests", changes, requests)
	}
}

// exhaustion is F5: pressure on a node and pods that wait are tickets, and pages only while the API suffers. An autoscaler
// at its maximum is a ticket in any case.
func exhaustion(impact bool) func(t *testing.T, a *asserted) {
	return func(t *testing.T, a *asserted) {
		p := newPlay(t, a, "capacity", time.Minute)
		state := scraped(t, "kube-state-metrics", "kube-state-metrics.prom")
		api := newTarget("kube-apiserver")
		ticks := 0.0
		p.scraped = func(now time.Time) []sample {
			ticks++
			full := 0.0
			if within(now, 60, 120) {
				full = 1
			}
			for _, node := range []string{"a", "b"} {
				state.set(t, full, "kube_node_status_condition", "node", node, "condition", "MemoryPressure", "status", "true")
				state.set(t, 1-full, "kube_node_status_condition", "node", node, "condition", "MemoryPressure", "status", "false")
			}
			for _, pod := range []string{"web-0", "web-1", "web-2"} {
				state.set(t, full, "kube_pod_status_phase", "pod", pod, "phase", "Pending")
				state.set(t, 1-full, "kube_pod_status_phase", "pod", pod, "phase", "Running")
			}
			state.set(t, 3+6*full, "kube_horizontalpodautoscaler_status_current_replicas", "horizontalpodautoscaler", "web")
			failing := 0.0
			if impact {
				failing = 50 * full
			}
			api.add(1000-failing, "apiserver_request_total", "code", "200", "verb", "GET", "resource", "pods", "dry_run", "")
			api.add(failing, "apiserver_request_total", "code", "503", "verb", "GET", "resource", "pods", "dry_run", "")
			return append(state.samples(), api.samples()...)
		}
		p.run(2*time.Hour + 30*time.Minute)
		want := []string{"ticket 1h 1h45m"}
		if impact {
			want = append(want, "page 1h 1h45m")
		}
		p.fired("capacity-nodes", want...)
		p.fired("capacity-pods", want...)
		p.fired("capacity-autoscalers", "ticket 1h 2h")
		spent := 60 / ticks
		p.leftIs("capacity-nodes", 1-spent*2/4/0.01, 0.8) // some evaluations less than scrapes: 4% of what is spent
		p.leftIs("capacity-pods", 1-spent*3/9/0.02, 0.3)  // nine pods that should run
		p.leftIs("capacity-autoscalers", 1-spent/2/0.05, 0.2)
	}
}

// telemetryLost is M9 and F3: half of the services never send and are in the total; half of the others fall silent, which
// pages; points that are refused page, points that are not delivered, and a queue that fills.
func telemetryLost(t *testing.T, a *asserted) {
	inventory, file := &coverage.Inventory{}, filepath.Join(t.TempDir(), "services.yaml")
	if err := os.WriteFile(file, []byte("services: [checkout, search, cart, mail, pay, stock, login, images]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := inventory.Load(file); err != nil {
		t.Fatal(err)
	}
	p := newPlay(t, a, "telemetry", time.Minute, coverage.New(coverage.Options{}, inventory))
	p.tell(0, func(now time.Time) []event.Event { return []event.Event{coverage.Begin(now)} })
	const silent = 150 * time.Minute
	expected, covered, stay := 0.0, 0.0, 0.0
	for i, s := range inventory.Services() {
		until := 4 * time.Hour
		if i%4 == 2 {
			until = silent
		}
		if slices.Contains(s.Signals, coverage.Metrics) {
			expected++
			if i%2 == 0 {
				covered++
			}
			if i%4 == 0 {
				stay++
			}
		}
		for at := time.Duration(0); at < 4*time.Hour; at += 2 * time.Minute {
			p.tell(at, func(now time.Time) []event.Event {
				if i%2 == 0 && at < until {
					return []event.Event{coverage.Seen(s.Name, coverage.Metrics, now)}
				}
				return []event.Event{coverage.Watch(now)}
			})
		}
	}
	if covered-stay <= 0.1*expected || stay == 0 {
		t.Fatalf("of %v services %v send and %v go on: nothing drops", expected, covered, stay)
	}
	c := newTarget("otelcol")
	var refused, unsent, all, sent float64
	p.scraped = func(now time.Time) []sample {
		n, lost, failed, queued := 0.0, 0.0, 0.0, 100.0
		if within(now, 6, 230) {
			n = 60_000
		}
		if within(now, 60, 75) {
			lost = 30_000
		}
		if within(now, 90, 120) {
			queued = 950
		}
		if within(now, 105, 120) {
			failed = 20_000
		}
		c.add(n-lost, "otelcol_receiver_accepted_metric_points")
		c.add(lost, "otelcol_receiver_refused_metric_points")
		c.add(n, "otelcol_receiver_accepted_log_records")
		c.add(0, "otelcol_receiver_refused_log_records")
		c.add(n-lost-failed, "otelcol_exporter_sent_metric_points")
		c.add(failed, "otelcol_exporter_send_failed_metric_points")
		c.put(c.of("otelcol_exporter_queue_size", "exporter", "otlp"), queued)
		c.put(c.of("otelcol_exporter_queue_capacity", "exporter", "otlp"), 1000)
		refused, all, unsent, sent = refused+lost, all+2*n, unsent+failed, sent+n-lost
		return c.samples()
	}
	p.run(4 * time.Hour)
	p.fired("telemetry-ingest", "page 1h 1h10m", "ticket 1h 1h10m")
	p.left("telemetry-ingest", refused, all)
	p.fired("telemetry-delivery", "page 1h45m 1h55m", "ticket 1h45m 1h55m")
	p.left("telemetry-delivery", unsent, sent)
	p.fired("telemetry-queues", "page 1h30m 1h50m", "ticket 1h30m 1h50m")
	p.leftIs("telemetry-queues", 1-30./240/0.01, 1)
	p.fired("telemetry-drop", "page 2h40m 2h50m", "ticket 2h40m 2h55m")   // silent is who said nothing for ten minutes
	p.leftIs("telemetry-drop", 1-60./240/0.001, 20)                       // for an hour
	p.fired("telemetry-coverage", "ticket 30m 40m", "ticket 1h10m 1h20m") // metrics; logs, which nobody sends, and which may be silent for an hour
	t.Logf("%v of %v services send metrics, and %v to the end", covered, expected, stay)
	lost := (1 - covered/expected) + 80./240*(covered-stay)/expected
	p.grouped("telemetry-coverage", "platform_telemetry_signal", "metrics", 1-lost/0.1, 0.4) // of the silent one nothing is said for ten minutes
}
