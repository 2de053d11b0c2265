package sources_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
)

// counted returns what is counted of events: the points of each metric by the values of some attributes.
func counted(t testing.TB, events []event.Event, names ...string) map[string]uint64 {
	t.Helper()
	c := counters.New(observed, platformapi.New(platformapi.Options{}))
	if err := c.Add(events...); err != nil {
		t.Fatal(err)
	}
	return totals(t, c, names...)
}

func totals(t testing.TB, c *counters.Counters, names ...string) map[string]uint64 {
	t.Helper()
	s, err := c.Read(observed, 0)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]uint64{}
	for _, f := range s.Families {
		if f.Name == "platform.events.received" {
			continue
		}
		for _, p := range f.Points {
			key := f.Name
			for _, name := range names {
				if v := p.Attrs.Text(name); v != "" {
					key += " " + v
				}
			}
			sums[key] += p.Count
		}
	}
	return sums
}

// auditMap is an audit event as nothing but JSON, for a count that shares no code with the decoder.
type auditMap map[string]any

func (m auditMap) at(path string) any {
	var v any = map[string]any(m)
	for name := range strings.SplitSeq(path, ".") {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

func (m auditMap) text(path string) string { s, _ := m.at(path).(string); return s }

func auditMaps(t testing.TB, body []byte) (all []auditMap) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	for d.More() {
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if items, ok := v["items"].([]any); ok {
			for _, item := range items {
				all = append(all, item.(map[string]any))
			}
			continue
		}
		all = append(all, v)
	}
	return all
}

// requestsOf counts requests by the rules of M1, written down a second time.
func requestsOf(events []auditMap) map[string]uint64 {
	sums := map[string]uint64{}
	for _, e := range events {
		code, _ := e.at("responseStatus.code").(float64)
		if e.text("stage") != "ResponseComplete" && e.text("stage") != "Panic" && (code != 401 || e.text("user.username") != "") {
			continue
		}
		uri, sub := e.text("requestURI"), e.text("objectRef.subresource")
		outcome := "good"
		switch {
		case regexp.MustCompile(`^/(healthz|livez|readyz)(/|\?|$)`).MatchString(uri) && e.at("objectRef") == nil, e.text("verb") == "watch",
			slices.Contains([]string{"exec", "attach", "portforward", "proxy", "log"}, sub), strings.Contains(uri, "dryRun=All"), code < 200:
			outcome = "excluded"
		case e.text("stage") == "Panic", code >= 500, code == 429 && sub != "eviction":
			outcome = "bad"
		}
		sums["platform.api.requests "+outcome]++
		if outcome != "excluded" && e.text("requestReceivedTimestamp") != "" {
			sums["http.server.request.duration"]++
		}
	}
	return sums
}

// denialsOf counts denials by the first thing that says who it was.
func denialsOf(events []auditMap) map[string]uint64 {
	sums := map[string]uint64{}
	for _, e := range events {
		message := e.text("responseStatus.message")
		if strings.Contains(e.text("requestURI"), "dryRun=All") || e.at("objectRef") == nil {
			continue
		}
		for _, by := range []struct{ engine, pattern string }{
			{"webhook error", `failed calling webhook`},
			{"webhook deny", `^admission webhook .* denied the request`},
			{"rbac deny", `is forbidden: User ".*" cannot`},
			{"validating_admission_policy error", `ValidatingAdmissionPolicy .*resulted in error`},
			{"validating_admission_policy deny", `ValidatingAdmissionPolicy .*denied request`},
			{"quota deny", `(exceeded|failed) quota`},
			{"pod_security deny", `violates PodSecurity`},
			{"limit_range deny", `forbidden: maximum`},
			{"admission deny", `being terminated`},
		} {
			if regexp.MustCompile(by.pattern).MatchString(message) {
				sums["policy.evaluations "+by.engine]++
				break
			}
		}
	}
	return sums
}

func only(sums map[string]uint64, prefixes ...string) map[string]uint64 {
	sums = maps.Clone(sums)
	maps.DeleteFunc(sums, func(key string, _ uint64) bool {
		return !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
	})
	return sums
}

// TestAuditTotals: what is counted of each recording is what a second count finds in it.
func TestAuditTotals(t *testing.T) {
	var everything []event.Event
	var all []auditMap
	for _, f := range fixtures(t) {
		if f.kind() != "kubernetes_audit" {
			continue
		}
		events, raw := f.events(t), auditMaps(t, f.body)
		got := only(counted(t, events, event.Outcome), "platform.api.requests", "http.server.request.duration")
		if diff := cmp.Diff(requestsOf(raw), got); diff != "" {
			t.Errorf("%s: requests (-second count +decoder):\n%s", f.name, diff)
		}
		got = counted(t, events, event.PolicyEngine, event.PolicyDecision)
		maps.DeleteFunc(got, func(key string, _ uint64) bool {
			return !strings.HasPrefix(key, "policy.") || strings.HasSuffix(key, " allow") || strings.HasSuffix(key, " warn")
		})
		want := denialsOf(raw)
		if f.name == "kubernetes_audit/hand.log" {
			want["policy.evaluations webhook error"]++ // one that let the request through
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: denials (-second count +decoder):\n%s", f.name, diff)
		}
		everything, all = append(everything, events...), append(all, raw...)
	}
	got := only(counted(t, everything, event.Outcome), "platform.api.requests", "http.server.request.duration")
	if diff := cmp.Diff(requestsOf(all), got); diff != "" {
		t.Errorf("all together (-second count +decoder):\n%s", diff)
	}
}

// TestRecordedDenials: the recording has these denials and no other, by name.
func TestRecordedDenials(t *testing.T) {
	var events []event.Event
	for _, body := range webhookLists(t) {
		decoded, err := sources.KubernetesAudit(sources.AuditOptions{}).Decode(nil, body, observed)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, decoded...)
	}
	got := only(counted(t, events, event.PolicyEngine, event.PolicyDecision, event.PolicyName), "policy.evaluations")
	delete(got, "policy.evaluations admission allow")
	if diff := cmp.Diff(map[string]uint64{
		"policy.evaluations rbac deny":                                     11,
		"policy.evaluations webhook deny team-label.example.test":          7,
		"policy.evaluations webhook deny soft.example.test":                4,
		"policy.evaluations validating_admission_policy deny max-replicas": 19, // of 38, the others were dry runs
		"policy.evaluations validating_admission_policy warn needs-owner":  15,
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestAccessTotals: as TestAuditTotals, by a regular expression.
func TestAccessTotals(t *testing.T) {
	status := regexp.MustCompile(`(?m)^\S+ \S+ \S+ \[[^\]]+\] "(?:[^"\\]|\\.)*" (\d\d\d) `)
	body := unzipped(t, "testdata/access_log/apache.log.gz")
	want := map[string]uint64{}
	for _, m := range status.FindAllSubmatch(body, -1) {
		want["platform.api.requests "+string(m[1])]++
	}
	events, err := sources.AccessLog(sources.AccessLogOptions{}).Decode(nil, body, observed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, counted(t, events, event.StatusCode)); diff != "" {
		t.Errorf("by status (-regular expression +decoder):\n%s", diff)
	}
	outcomes := counted(t, events, event.Outcome, event.RequestReason)
	if outcomes["platform.api.requests bad server_error"] != 3 || outcomes["platform.api.requests good client_error"] != 217 {
		t.Errorf("got %v, want 3 bad and 217 client errors", outcomes)
	}
}

// TestOneChange: 40 objects that one actor applies are one change, however they are cut into batches, and what it does a
// minute later another.
func TestOneChange(t *testing.T) {
	lines := bytes.SplitAfter(bytes.TrimSpace(unhand(t)), []byte("\n"))
	want := map[string]uint64{
		"platform.actions manual team-c": 2, "platform.actions platform team-c": 1,
		"platform.actions manual team-a": 2, "platform.actions platform team-a": 1,
	}
	for _, size := range []int{1, 7, len(lines)} {
		var events []event.Event
		for part := range slices.Chunk(lines, size) {
			decoded, err := sources.KubernetesAudit(auditOptions).Decode(nil, bytes.Join(part, nil), observed)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, decoded...)
		}
		got := only(counted(t, events, event.ActionChannel, event.Namespace), "platform.actions")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("batches of %d (-want +got):\n%s", size, diff)
		}
	}
}

func unhand(t testing.TB) []byte {
	for _, f := range fixtures(t) {
		if f.name == "kubernetes_audit/hand.log" {
			return f.body
		}
	}
	t.Fatal("no such fixture")
	return nil
}

// TestRedelivery: a list that is posted again counts once, and so does one that is written in another way. Lines with
// another key are another piece of a file, even if they are equal.
func TestRedelivery(t *testing.T) {
	list := webhookLists(t)[0]
	decode := func(header http.Header, body []byte, at time.Time) []event.Event {
		events, err := sources.KubernetesAudit(auditOptions).Decode(header, body, at)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, list, "", "  "); err != nil {
		t.Fatal(err)
	}
	c := counters.New(observed, platformapi.New(platformapi.Options{}))
	if err := c.Add(decode(nil, list, observed)...); err != nil {
		t.Fatal(err)
	}
	once := totals(t, c)
	for _, body := range [][]byte{list, pretty.Bytes()} {
		if err := c.Add(decode(nil, body, observed.Add(time.Minute))...); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(once, totals(t, c)); diff != "" {
		t.Errorf("after redelivery:\n%s", diff)
	}
	if err := c.Add(decode(http.Header{"Idempotency-Key": {"another"}}, list, observed)...); err != nil {
		t.Fatal(err)
	}
	if got := totals(t, c)["platform.api.requests"]; got != 2*once["platform.api.requests"] {
		t.Errorf("with another key: got %d, want %d", got, 2*once["platform.api.requests"])
	}
}
