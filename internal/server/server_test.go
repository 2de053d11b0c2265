package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// start is when the stories begin: a multiple of every interval.
var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// spec is an SLO over http_requests_total.
func spec(name, objective string) string {
	return fmt.Sprintf(`apiVersion: plimsoll.dev/v1
kind: SLO
metadata:
  name: %s
spec:
  service: shop
  objective: {target: %q}
  runbook: https://example.com/runbook
  sli:
    events:
      total: http_requests_total{job="shop"}
      bad: http_requests_total{job="shop", code="500"}
---
`, name, objective)
}

const service = `apiVersion: plimsoll.dev/v1
kind: Service
metadata:
  name: shop
spec:
  owner: {team: shop}
`

// clock is a wall clock that tests move.
type clock struct {
	mu   sync.Mutex
	t    time.Time
	hook func() // is called by now
}

func (c *clock) now() time.Time {
	if c.hook != nil {
		c.hook()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

// world is a server over a directory, and what is known of it.
type world struct {
	t     *testing.T
	dir   string
	clock *clock
	opts  Options
	srv   *Server
	http  *httptest.Server
}

// newWorld opens a server at start with one SLO.
func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: &clock{t: start}, opts: o}
	w.specs(service + "---\n" + spec("shop-requests", "99.9%"))
	w.open()
	t.Cleanup(w.close)
	return w
}

// specs replaces the specs on disk.
func (w *world) specs(text string) {
	w.t.Helper()
	if err := os.MkdirAll(w.dir+"/specs", 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.dir+"/specs/slo.yaml", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	o := w.opts
	o.Specs, o.Data, o.Now = []string{w.dir + "/specs"}, w.dir+"/data", w.clock.now
	s, err := Open(context.Background(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.srv, w.http = s, httptest.NewServer(s.Handler())
}

func (w *world) close() {
	w.t.Helper()
	if w.srv == nil {
		return
	}
	w.http.Close()
	if err := w.srv.Close(); err != nil {
		w.t.Error(err)
	}
	w.srv = nil
}

// samples are what a sender scraped at t: 10 requests a second since an hour before start, half of them bad from
// minute 30 to 40.
func samples(t time.Time) []store.Sample {
	since := t.Sub(start.Add(-time.Hour)).Seconds()
	bad := min(max(t.Sub(start.Add(30*time.Minute)).Seconds(), 0), 600) * 5
	s := func(name, code string, v float64) store.Sample {
		l := store.Labels{store.Name: name, "job": "shop", "instance": "a"}
		if code != "" {
			l["code"] = code
		}
		return store.Sample{Labels: l, T: t, V: v}
	}
	return []store.Sample{s("up", "", 1), s("http_requests_total", "200", since*10-bad), s("http_requests_total", "500", bad)}
}

// push sends samples by remote write 1.0 and returns the status.
func (w *world) push(all ...store.Sample) int {
	w.t.Helper()
	status, err := w.tryPush(all...)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

// tryPush is push to a server that may go away meanwhile. Any goroutine may call it.
func (w *world) tryPush(all ...store.Sample) (status int, err error) {
	var req prompb.WriteRequest
	for _, x := range all {
		ts := prompb.TimeSeries{Samples: []prompb.Sample{{Timestamp: x.T.UnixMilli(), Value: x.V}}}
		for _, name := range []string{store.Name, "code", "instance", "job"} {
			if v := x.Labels[name]; v != "" {
				ts.Labels = append(ts.Labels, prompb.Label{Name: name, Value: v})
			}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	text, err := proto.Marshal(&req)
	if err != nil {
		return 0, err
	}
	res, err := http.Post(w.http.URL+"/api/v1/write", "application/x-protobuf", bytes.NewReader(snappy.Encode(nil, text)))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, nil
}

// live plays real time from the clock to until: a scrape every 15 s that arrives at once, and the schedule.
func (w *world) live(until time.Time) {
	w.t.Helper()
	for t := w.clock.now().Add(15 * time.Second); !t.After(until); t = t.Add(15 * time.Second) {
		w.clock.set(t)
		if got := w.push(samples(t)...); got/100 != 2 {
			w.t.Fatalf("push at %v: got status %d", t, got)
		}
		w.srv.Step(context.Background())
	}
}

// backlog sends what a sender kept from after from up to to.
func (w *world) backlog(from, to time.Time) {
	w.t.Helper()
	for t := from.Add(15 * time.Second); !t.After(to); t = t.Add(15 * time.Second) {
		if got := w.push(samples(t)...); got/100 != 2 {
			w.t.Fatalf("push at %v: got status %d", t, got)
		}
	}
}

// get returns the JSON at path.
func (w *world) get(path string, into any) {
	w.t.Helper()
	res, err := http.Get(w.http.URL + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: status %d, %v: %s", path, res.StatusCode, err, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		w.t.Fatalf("%s: %v: %s", path, err, text)
	}
}

// recorded returns every value of the series that the rules record, by series and time, through the query API.
func (w *world) recorded(from, to time.Time) map[string]string {
	w.t.Helper()
	var res struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	q := fmt.Sprintf(`/api/v1/query?time=%d&query={slo!="",__name__!~"plimsoll_.*"}[%ds]`, to.Unix(), int(to.Sub(from).Seconds()))
	w.get(strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", "!", "%21", "~", "%7E", "[", "%5B", "]", "%5D").Replace(q), &res)
	out := map[string]string{}
	for _, s := range res.Data.Result {
		l := store.Labels(s.Metric).String()
		for _, v := range s.Values {
			out[fmt.Sprintf("%s @%v", l, v[0])] = fmt.Sprint(v[1])
		}
	}
	return out
}

const end = 70 * time.Minute

// TestUndisturbed: the outage pages one tick after enough of it is seen, and the budget is exact.
func TestUndisturbed(t *testing.T) {
	w := newWorld(t, Options{})
	w.live(start.Add(end))
	if n := len(w.recorded(start, start.Add(end))); n < 1000 {
		t.Fatalf("got %d recorded values, want more than 1000", n)
	}
	var got struct {
		SLOs []struct {
			Name      string
			Evaluated bool
			Groups    []struct{ BudgetRemaining float64 }
		}
	}
	w.get("/plimsoll/v1/slos", &got)
	if len(got.SLOs) != 1 || !got.SLOs[0].Evaluated || len(got.SLOs[0].Groups) != 1 {
		t.Fatalf("got %+v, want one SLO that is evaluated", got)
	}
}

// disturbed plays the story of TestUndisturbed with a trouble in between and compares all that was recorded.
func disturbed(t *testing.T, trouble func(w *world)) {
	t.Helper()
	plain := newWorld(t, Options{})
	plain.live(start.Add(end))
	want := plain.recorded(start, start.Add(end))
	w := newWorld(t, Options{})
	trouble(w)
	w.live(start.Add(end))
	if diff := cmp.Diff(want, w.recorded(start, start.Add(end))); diff != "" {
		t.Errorf("recorded values (-undisturbed +disturbed):\n%s", diff)
	}
}

// TestRestart: a server that was down for 12 minutes evaluates the missed ticks from what the sender kept, and nobody
// can tell.
func TestRestart(t *testing.T) {
	disturbed(t, func(w *world) {
		at := start.Add(32 * time.Minute)
		w.live(at)
		w.close()
		w.clock.set(at.Add(12 * time.Minute))
		w.open()
		w.backlog(at, w.clock.now())
		w.srv.Step(context.Background())
	})
}

// TestStall: a process that stood still for 12 minutes does the same.
func TestStall(t *testing.T) {
	disturbed(t, func(w *world) {
		at := start.Add(32 * time.Minute)
		w.live(at)
		w.clock.set(at.Add(12 * time.Minute))
		w.backlog(at, w.clock.now())
		w.srv.Step(context.Background())
	})
}

// TestPromises: the paths that others rely on are there.
func TestPaths(t *testing.T) {
	w := newWorld(t, Options{})
	w.live(start.Add(2 * time.Minute))
	for _, path := range []string{
		"/", "/metrics", "/-/healthy", "/-/ready", "/plimsoll/v1/status", "/plimsoll/v1/slos/shop-requests", "/plimsoll/v1/alerts",
		"/plimsoll/v1/slos/shop-requests/history", "/api/v1/rules", "/api/v1/alerts", "/api/v1/labels", "/api/v1/status/buildinfo",
		"/api/v1/label/job/values", "/api/v1/series?match[]=up", "/api/v1/metadata", "/api/v1/targets", "/api/v1/alertmanagers",
		"/api/v1/query_range?query=up&start=1772438400&end=1772438500&step=15", "/api/v1/status/tsdb", "/api/v1/status/runtimeinfo",
	} {
		res, err := http.Get(w.http.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || len(text) == 0 {
			t.Errorf("%s: got status %d: %s", path, res.StatusCode, text)
		}
	}
	if _, err := os.Stat(filepath.Join(w.dir, "data", setFile)); err != nil {
		t.Error(err)
	}
}
