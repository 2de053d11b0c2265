package packs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// tally is counters that a target of somebody else shows, by what is added to them.
type tally struct {
	job    string
	values map[string]float64
	labels map[string]store.Labels
	order  []string
}

func newTally(job string) *tally {
	return &tally{job: job, values: map[string]float64{}, labels: map[string]store.Labels{}}
}

// add adds n to a series; labels are names and values in turn.
func (c *tally) add(n float64, name string, labels ...string) {
	l := store.Labels{store.Name: name, "job": c.job, "instance": "i"}
	for i := 0; i < len(labels); i += 2 {
		l[labels[i]] = labels[i+1]
	}
	key := l.String()
	if c.labels[key] == nil {
		c.labels[key] = l
		c.order = append(c.order, key)
	}
	c.values[key] += n
}

// set makes n the value of a series.
func (c *tally) set(n float64, name string, labels ...string) {
	c.add(0, name, labels...)
	l := store.Labels{store.Name: name, "job": c.job, "instance": "i"}
	for i := 0; i < len(labels); i += 2 {
		l[labels[i]] = labels[i+1]
	}
	c.values[l.String()] = n
}

func (c *tally) samples() []sample {
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

// TestPlatformAPI is M1: what does not count is added in plenty and changes nothing, and minutes are apart from requests.
func TestPlatformAPI(t *testing.T) {
	t.Parallel()
	p := newPlay(t, "platform-api", 30*time.Second, nil)
	c := newTally("kube-apiserver")
	var bad, all, slow, changes float64
	p.scraped = func(now time.Time) []sample {
		request := func(n float64, code, verb, resource, dry string) {
			c.add(n, "apiserver_request_total", "code", code, "verb", verb, "resource", resource, "dry_run", dry)
		}
		n, failed := 0.0, 0.0
		if within(now, 6, 170) {
			n = 1000
		}
		if within(now, 60, 70) {
			failed = 500
		}
		request(n-failed, "200", "GET", "pods", "")
		request(failed/2, "503", "GET", "pods", "")
		request(failed/2, "429", "GET", "pods", "")
		request(n, "500", "GET", "", "") // health checks
		request(n, "0", "CONNECT", "pods", "")
		request(n, "500", "WATCH", "pods", "")
		request(n, "500", "POST", "pods", "All")
		all, bad = all+n, bad+failed
		for le, part := range map[string]float64{"0.6": 0.9, "1.0": 0.995, "+Inf": 1} {
			c.add(n/10*part, "apiserver_request_sli_duration_seconds_bucket", "verb", "POST", "resource", "pods", "le", le)
		}
		c.add(n/10, "apiserver_request_sli_duration_seconds_count", "verb", "POST", "resource", "pods")
		slow, changes = slow+n/10*0.005, changes+n/10
		return c.samples()
	}
	p.run(3 * time.Hour)
	p.fired("platform-api-availability", "page 1h 1h5m", "ticket 1h 1h5m")
	p.fired("platform-api-minutes", "page 1h 1h5m")
	p.fired("platform-api-latency")
	p.left("platform-api-availability", bad, all)
	p.left("platform-api-latency", slow, changes)
}

// TestPortal is the portal's part of M1.
func TestPortal(t *testing.T) {
	t.Parallel()
	p := newPlay(t, "portal", time.Minute, nil)
	c := newTally("portal")
	var bad, all float64
	p.scraped = func(now time.Time) []sample {
		n, failed := 0.0, 0.0
		if within(now, 6, 170) {
			n = 120
		}
		if within(now, 60, 80) {
			failed = 60
		}
		for code, n := range map[string]float64{"200": n - failed, "502": failed} {
			for _, le := range []string{"1.0", "+Inf"} {
				c.add(n, "http_server_request_duration_seconds_bucket", "service_name", "portal", "http_response_status_code", code, "le", le)
			}
			c.add(n, "http_server_request_duration_seconds_count", "service_name", "portal", "http_response_status_code", code)
		}
		c.add(n, "http_server_request_duration_seconds_count", "service_name", "shop", "http_response_status_code", "500")
		all, bad = all+n, bad+failed
		return c.samples()
	}
	p.run(3 * time.Hour)
	p.fired("portal-availability", "page 1h 1h15m", "ticket 1h 1h15m")
	p.fired("portal-latency")
	p.left("portal-availability", bad, all)
}

// TestSelfService is M7: figures that open tickets and wake nobody.
func TestSelfService(t *testing.T) {
	t.Parallel()
	p := newPlay(t, "self-service", 2*time.Minute, nil)
	c := newTally("collector-api")
	var manual, counted, emergency, all float64
	p.scraped = func(now time.Time) []sample {
		count := func(n float64, channel string) {
			c.add(n, "platform_actions_total", "platform_channel", channel, "platform_target_kind", "deployments")
			all += n
		}
		n := 0.0
		if within(now, 16, 40*60) {
			n = 1
		}
		byHand := 2 * n
		if within(now, 10*60, 40*60) {
			byHand = 12 * n
		}
		count(10*n, "platform")
		count(byHand, "manual")
		manual, counted = manual+byHand, counted+10*n+byHand
		if within(now, 20*60, 20*60+2) {
			count(1, "emergency")
			emergency++
		} else {
			count(0, "emergency")
		}
		return c.samples()
	}
	p.run(42 * time.Hour)
	p.fired("self-service-rate", "ticket 10h30m 20h")
	p.fired("self-service-emergencies")
	p.left("self-service-rate", manual, counted)
	p.left("self-service-emergencies", emergency, all)
}

// TestPolicyBlocks is F4: denials of three teams page, but only after a policy was changed; a team alone, or denials that
// nothing explains, are a ticket.
func TestPolicyBlocks(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		namespaces []string
		changed    bool
		failing    bool
		want       []string
	}{
		"three teams after a change":        {[]string{"pay", "shop", "mail"}, true, false, []string{"page 2h 2h30m", "ticket 2h 2h30m"}},
		"one team after a change":           {[]string{"pay"}, true, false, []string{"ticket 2h 2h30m"}},
		"three teams without a change":      {[]string{"pay", "shop", "mail"}, false, false, []string{"ticket 2h 2h30m"}},
		"three teams, and the engine fails": {[]string{"pay", "shop", "mail"}, false, true, []string{"page 2h 2h30m", "ticket 2h 2h30m"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, "policy", time.Minute, nil)
			c := newTally("collector-api")
			var denied, all float64
			p.scraped = func(now time.Time) []sample {
				decide := func(n float64, decision, namespace string, more ...string) {
					c.add(n, "policy_evaluations_total", append(more, "policy_engine", "webhook", "policy_decision", decision, "policy_name", "owner", "k8s_namespace_name", namespace)...)
				}
				n := 0.0
				if within(now, 6, 230) {
					n = 30
				}
				each := 0.0
				if within(now, 120, 180) {
					each = 25
				}
				for _, ns := range []string{"pay", "shop", "mail"} {
					decide(n, "allow", ns)
					all += n
				}
				for _, ns := range story.namespaces {
					decide(each*3/float64(len(story.namespaces)), "deny", ns)
				}
				denied, all = denied+3*each, all+3*each
				c.add(each, "policy_evaluations_total", "policy_engine", "rbac", "policy_decision", "deny")
				if story.changed && within(now, 110, 111) {
					c.add(1, "platform_actions_total", "platform_channel", "platform", "platform_target_kind", "constrainttemplates")
				}
				c.add(n/30, "platform_actions_total", "platform_channel", "platform", "platform_target_kind", "deployments")
				if story.failing {
					decide(each/25, "error", "pay", "error_type", "fail_closed")
				}
				return c.samples()
			}
			p.run(4 * time.Hour)
			p.fired("policy-friction", story.want...)
			p.left("policy-friction", denied, all)
		})
	}
}

// TestExhaustion is F5: pressure on a node is a ticket, and a page only while the API suffers.
func TestExhaustion(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]struct {
		failing float64
		want    []string
	}{
		"with impact":    {0.05, []string{"page 1h 1h45m", "ticket 1h 1h45m"}},
		"without impact": {0, []string{"ticket 1h 1h45m"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, "capacity", time.Minute, nil)
			c := newTally("kube-state-metrics")
			pressed, ticks := 0.0, 0.0
			p.scraped = func(now time.Time) []sample {
				ticks++
				full := within(now, 60, 120)
				for i, node := range []string{"a", "b", "c", "d"} {
					c.set(1, "kube_node_info", "node", node)
					v := 0.0
					if full && i < 2 {
						v, pressed = 1, pressed+1
					}
					c.set(v, "kube_node_status_condition", "node", node, "condition", "MemoryPressure", "status", "true")
					c.set(v, "kube_node_status_condition", "node", node, "condition", "DiskPressure", "status", "true")
					c.set(1-v, "kube_node_status_condition", "node", node, "condition", "MemoryPressure", "status", "false")
				}
				c.set(50, "kube_pod_status_phase", "phase", "Running")
				c.set(0, "kube_pod_status_phase", "phase", "Pending")
				c.set(3, "kube_horizontalpodautoscaler_status_current_replicas", "horizontalpodautoscaler", "shop")
				c.set(9, "kube_horizontalpodautoscaler_spec_max_replicas", "horizontalpodautoscaler", "shop")
				share := 0.0
				if full {
					share = story.failing
				}
				for code, part := range map[string]float64{"200": 1 - share, "503": share} {
					c.add(1000*part, "apiserver_request_total", "code", code, "verb", "GET", "resource", "pods")
				}
				return c.samples()
			}
			p.run(3 * time.Hour)
			p.fired("capacity-nodes", story.want...)
			p.fired("capacity-pods")
			p.fired("capacity-autoscalers")
			p.leftIs("capacity-nodes", 1-pressed/(4*ticks)/0.01, 0.8) // some evaluations less than scrapes: 3% of what is spent
			p.leftIs("capacity-pods", 1, 0)
			p.leftIs("capacity-autoscalers", 1, 0)
		})
	}
}

// TestTelemetry is M9 and F3: a service that never sends is in the total, and points that are refused page.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	inventory := &coverage.Inventory{}
	if err := inventory.Load("../../exporters/coverage/testdata/services.yaml"); err != nil {
		t.Fatal(err)
	}
	p := newPlay(t, "telemetry", time.Minute, []counters.Domain{coverage.New(coverage.Options{}, inventory)})
	p.tell(0, func(now time.Time) []event.Event { return []event.Event{coverage.Begin(now)} })
	expected, covered := 0.0, 0.0
	for i, s := range inventory.Services() {
		if slices.Contains(s.Signals, coverage.Metrics) {
			expected++
			if i%2 == 0 {
				covered++
			}
		}
		for at := time.Duration(0); at < 4*time.Hour; at += 2 * time.Minute {
			p.tell(at, func(now time.Time) []event.Event {
				if i%2 == 0 {
					return []event.Event{coverage.Seen(s.Name, coverage.Metrics, now)}
				}
				return []event.Event{coverage.Watch(now)}
			})
		}
	}
	c := newTally("otelcol")
	var refused, all float64
	p.scraped = func(now time.Time) []sample {
		n, lost := 0.0, 0.0
		if within(now, 6, 230) {
			n = 60_000
		}
		if within(now, 60, 75) {
			lost = 30_000
		}
		c.add(n-lost, "otelcol_receiver_accepted_metric_points")
		c.add(lost, "otelcol_receiver_refused_metric_points")
		c.add(n, "otelcol_receiver_accepted_log_records")
		c.add(0, "otelcol_receiver_refused_log_records")
		c.add(n-lost, "otelcol_exporter_sent_metric_points")
		c.add(0, "otelcol_exporter_send_failed_metric_points")
		refused, all = refused+lost, all+2*n
		return c.samples()
	}
	p.run(4 * time.Hour)
	p.fired("telemetry-ingest", "page 1h 1h10m", "ticket 1h 1h10m")
	p.fired("telemetry-delivery")
	p.left("telemetry-ingest", refused, all)
	p.left("telemetry-delivery", 0, all)
	t.Logf("%v of %v services send metrics", covered, expected)
	p.grouped("telemetry-coverage", "platform_telemetry_signal", "metrics", 1-(1-covered/expected)/0.1, 0.3) // of the silent one nothing is said for ten minutes
}
