package ledger_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines"
	"github.com/plimsoll-slo/plimsoll/exporters/pipelines/sources"
)

// childDir is the environment variable that makes this test binary the process that is killed.
const childDir = "PLIMSOLL_TEST_LEDGER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// small makes segments and compactions frequent.
var small = ledger.Options{SegmentBytes: 2000}

// child counts numbered deliveries in dir, from where the ledger ends on, and prints the number of each that is
// acknowledged.
func child(dir string) int {
	fmt.Println("0") // before the ledger is opened
	l, err := ledger.Open(dir, small)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c, err := counters.Open(l, t0, pipelines.New(pipelines.Options{}))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	n := deliveries(c)
	for err == nil {
		if err = afterwards(c, n); err == nil && l.Due() {
			err = c.Compact()
		}
		if err == nil {
			n++
			err = c.Add(delivery(n))
		}
		if err == nil {
			fmt.Println(n)
		}
	}
	fmt.Println(err)
	return 1
}

// delivery returns number n of an endless history in which copies of old events come up: of a run every second time,
// otherwise of a commit, a deployment or a job.
func delivery(n int) event.Event {
	if n%7 == 0 {
		n -= 5 // a copy
	}
	at := t0.Add(time.Duration(n) * time.Minute)
	if n%2 == 0 {
		return run(n/2, at)
	}
	repository := map[string]any{"id": 7, "full_name": "acme/shop", "default_branch": "main"}
	number := n / 8
	switch n % 8 {
	case 1: // the commits of three deployments
		var commits []map[string]any
		for i := range 3 {
			commits = append(commits, map[string]any{"id": fmt.Sprintf("%040x", 3*number+i+1), "timestamp": at.Add(-time.Hour)})
		}
		return decoded("push", at, map[string]any{
			"ref": "refs/heads/main", "before": fmt.Sprintf("%040x", 3*number), "commits": commits[n%3 : n%3+1], "repository": repository,
		})
	case 3:
		return decoded("workflow_job", at, map[string]any{"action": "in_progress", "repository": repository, "workflow_job": map[string]any{
			"id": n, "run_id": n, "status": "in_progress", "labels": []string{fmt.Sprint("pool-", n%3)},
			"created_at": at.Add(-time.Duration(n%90) * time.Second), "started_at": at,
		}})
	}
	state := "success"
	if n%5 == 0 {
		state = "failure"
	}
	return decoded("deployment_status", at, map[string]any{
		"action": "created", "repository": repository,
		"deployment":        map[string]any{"id": n, "sha": fmt.Sprintf("%040x", 3*number+n%3), "environment": "production", "created_at": at},
		"deployment_status": map[string]any{"id": n, "state": state, "created_at": at},
	})
}

func decoded(kind string, at time.Time, payload map[string]any) event.Event {
	body, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	events, err := sources.GitHub(http.Header{"X-Github-Event": {kind}}, body, at)
	if err != nil || len(events) != 1 || events[0].Name == event.Unused {
		panic(fmt.Sprint(kind, events, err))
	}
	return events[0]
}

// run returns number n of the runs, which fail, are run again and succeed.
func run(n int, at time.Time) event.Event {
	number, attempt := n/3+1, n%3+1
	status, conclusion := "completed", "failure"
	switch {
	case attempt == 3:
		conclusion = "success"
	case number%4 == 0 && attempt == 2:
		status, conclusion = "in_progress", ""
	}
	record, err := json.Marshal(map[string]any{
		"id": number, "name": fmt.Sprint("flow ", number%5), "run_attempt": attempt, "status": status, "conclusion": conclusion,
		"run_started_at": at.Add(-time.Duration(n%90) * time.Second), "updated_at": at,
		"repository": map[string]any{"id": 7, "full_name": "acme/shop"},
	})
	if err != nil {
		panic(err)
	}
	events, err := sources.GitHubRun(record, at)
	if err != nil {
		panic(err)
	}
	return events[0]
}

// afterwards settles what is due after every tenth delivery. Doing it twice is like doing it once.
func afterwards(c *counters.Counters, n int) error {
	if n%10 != 0 {
		return nil
	}
	_, err := c.Read(t0.Add(time.Duration(n)*time.Minute), 0)
	return err
}

// deliveries returns how many were counted.
func deliveries(c *counters.Counters) (n int) {
	s, err := c.Read(time.Time{}, 0)
	if err != nil {
		panic(err)
	}
	for _, f := range s.Families {
		for _, p := range f.Points {
			if f.Name == "platform.events.received" {
				n += int(p.Count)
			}
		}
	}
	return n
}

// TestKill: a process is killed again and again while it counts, rotates, compacts and opens. Every acknowledged
// delivery is there afterwards, and the counters read exactly as if nothing had happened.
func TestKill(t *testing.T) {
	const kills = 120
	dir := t.TempDir()
	undisturbed, n := counters.New(t0, pipelines.New(pipelines.Options{})), 0
	cuts, states := 0, map[string]bool{}
	for range kills {
		acknowledged := max(killed(t, dir), n)
		l, err := ledger.Open(dir, small)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := l.Cut(); ok {
			cuts++
		}
		for _, path := range files(t, dir, "*.state") {
			states[path] = true
		}
		c, err := counters.Open(l, t0.Add(time.Hour), pipelines.New(pipelines.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		got := deliveries(c)
		if got < acknowledged || got > acknowledged+1 {
			t.Fatalf("%d deliveries are counted, want the %d acknowledged ones and at most one more", got, acknowledged)
		}
		for n < got {
			n++
			if err := undisturbed.Add(delivery(n)); err != nil {
				t.Fatal(err)
			}
			if err := afterwards(undisturbed, n); err != nil {
				t.Fatal(err)
			}
		}
		if err := afterwards(c, n); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(reading(t, undisturbed), reading(t, c), exact); diff != "" {
			t.Fatalf("after %d deliveries (-undisturbed +killed):\n%s", n, diff)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d deliveries, %d states, %d torn records", kills, n, len(states), cuts)
	if n < kills || len(states) < 3 {
		t.Errorf("hardly anything was tested: %d deliveries, %d states", n, len(states))
	}
	for _, f := range reading(t, undisturbed).Families {
		total := uint64(0)
		for _, p := range f.Points {
			total += p.Count
		}
		t.Logf("%s: %d in %d series", f.Name, total, len(f.Points))
		if total == 0 && f.Name != "deployment.lead_time.excluded" {
			t.Errorf("%s has counted nothing", f.Name)
		}
	}
}

func reading(t *testing.T, c *counters.Counters) metric.Snapshot {
	t.Helper()
	s, err := c.Read(time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// killed runs the child, kills it after a random number of acknowledgements, and returns the last one.
func killed(t *testing.T, dir string) (acknowledged int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for wait := rand.IntN(40); wait >= 0 && lines.Scan(); wait-- {
		acknowledged = number(t, lines.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it said before it died
		acknowledged = number(t, lines.Text())
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child ended with %v, want killed", err)
	}
	return acknowledged
}

func number(t *testing.T, line string) int {
	t.Helper()
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatalf("the child says %q", line)
	}
	return n
}

// TestRedelivery: a delivery that comes again after a restart, three days later and under another delivery id, is
// known: its key is made from what it says.
func TestRedelivery(t *testing.T) {
	dir := t.TempDir()
	for i, days := range []int{0, 3} {
		l := open(t, dir, ledger.Options{})
		c, err := counters.Open(l, t0, pipelines.New(pipelines.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		e := run(2, t0) // a success
		e.Observed = e.Observed.AddDate(0, 0, days)
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
		if err := c.Compact(); err != nil {
			t.Fatal(err)
		}
		if got := deliveries(c); got != i+1 {
			t.Errorf("%d deliveries, want %d", got, i+1)
		}
		for _, p := range reading(t, c).Families[0].Points {
			if p.Attrs.Text(event.Result) == "success" && p.Attrs.Text(event.Attempt) == "final" && p.Count != 1 {
				t.Errorf("after %d deliveries %d final successes, want 1", i+1, p.Count)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkCount adds real events to counters and says how much of the disk one takes.
func BenchmarkCount(b *testing.B) {
	for _, adders := range []int{1, 64} {
		b.Run(fmt.Sprint("adders=", adders), func(b *testing.B) {
			dir := b.TempDir()
			l, err := ledger.Open(dir, ledger.Options{SegmentBytes: 1 << 30})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			c, err := counters.Open(l, t0, pipelines.New(pipelines.Options{}))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			var times []time.Duration
			for b.Loop() {
				var tasks sync.WaitGroup
				took := make([]time.Duration, adders)
				for a := range adders {
					e := delivery(n + a + 1)
					tasks.Go(func() {
						start := time.Now()
						if err := c.Add(e); err != nil {
							b.Error(err)
						}
						took[a] = time.Since(start)
					})
				}
				tasks.Wait()
				n += adders
				times = append(times, took...)
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1e3, "p99-ms")
			info, err := os.Stat(fmt.Sprintf("%s/%020d.events", dir, 1))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(info.Size())/float64(n), "disk-B/event")
		})
	}
}

// BenchmarkOpen opens a ledger of 10,000 events and no state, and counts them again.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var events []event.Event
	for n := range 10_000 {
		events = append(events, delivery(n+1))
	}
	if err := errors.Join(l.Append(events...), l.Close()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l, err := ledger.Open(dir, ledger.Options{})
		if err != nil {
			b.Fatal(err)
		}
		c := counters.New(t0, pipelines.New(pipelines.Options{}))
		if err := l.Replay(nil, func(e event.Event) error { return c.Add(e) }); err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(events)), "ns/event")
}

// BenchmarkCompact replaces the state of 50,000 runs, as many as are remembered by default.
func BenchmarkCompact(b *testing.B) {
	dir := b.TempDir()
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := counters.Open(l, t0, pipelines.New(pipelines.Options{}))
	if err != nil {
		b.Fatal(err)
	}
	var events []event.Event
	for n := range 150_000 {
		e := delivery(n + 1)
		e.Observed = t0
		events = append(events, e)
	}
	if err := c.Add(events...); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Compact(); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(fmt.Sprintf("%s/%020d.state", dir, len(events)+1))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size()), "disk-B")
}
