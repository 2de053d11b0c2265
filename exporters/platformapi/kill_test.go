package platformapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi"
	"github.com/plimsoll-slo/plimsoll/exporters/platformapi/sources"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/exporters/tail"
)

// childDir is the environment variable that makes this test binary the process that is killed.
const childDir = "PLIMSOLL_TEST_AUDIT"

// childPattern says which files it reads.
const childPattern = "PLIMSOLL_TEST_AUDIT_PATTERN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println(child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// audited counts an audit log in a directory, in small pieces.
type audited struct {
	ledger   *ledger.Ledger
	counters *counters.Counters
	tailer   *tail.Tailer
	decode   source.Decoder
}

func openAudited(dir, pattern string) (*audited, error) {
	l, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{SegmentBytes: 10_000})
	if err != nil {
		return nil, err
	}
	positions := tail.NewPositions()
	c, err := counters.Open(l, t0, platformapi.New(platformapi.Options{}), positions)
	if err != nil {
		return nil, err
	}
	return &audited{
		l, c, tail.New("audit", []string{filepath.Join(dir, pattern)}, positions.Of("audit"), tail.Options{ChunkBytes: 2000}),
		sources.KubernetesAudit(sources.AuditOptions{}).Decode,
	}, nil
}

// poll reads what is new, and says after each piece that it is kept.
func (a *audited) poll(kept func()) error {
	return a.tailer.Poll(func(c tail.Chunk) error {
		now := t0.AddDate(0, 1, 0)
		events, err := a.decode(http.Header{source.BatchHeader: {c.Key}}, c.Body, now)
		if err == nil {
			err = a.counters.Add(append(events, c.Event("test", now))...)
		}
		if err == nil && a.ledger.Due() {
			err = a.counters.Compact()
		}
		kept()
		return err
	})
}

func child(dir string) error {
	fmt.Println("begins")
	a, err := openAudited(dir, os.Getenv(childPattern))
	for err == nil {
		err = a.poll(func() { fmt.Println("kept") })
	}
	return err
}

// line returns number n of an audit log.
func line(n int) string {
	e := map[string]any{
		"auditID": fmt.Sprint("id-", n), "stage": "ResponseComplete", "verb": []string{"get", "list", "create"}[n%3], "requestURI": "/api/v1/namespaces/a/pods",
		"user":                     map[string]any{"username": fmt.Sprint("user-", n%7)},
		"objectRef":                map[string]any{"resource": "pods", "namespace": "a", "apiVersion": "v1"},
		"responseStatus":           map[string]any{"code": []int{200, 200, 404, 503}[n%4]},
		"requestReceivedTimestamp": t0.Add(time.Duration(n) * time.Second), "stageTimestamp": t0.Add(time.Duration(n)*time.Second + time.Duration(n%50)*time.Millisecond),
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

// killed lets a child run until it has kept some pieces, or for a moment unless it must keep one, and kills it.
func killed(t *testing.T, dir, pattern string, must bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childPattern+"="+pattern)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	moment := time.Duration(5+rand.IntN(40)) * time.Millisecond
	if must {
		moment = time.Minute
	}
	timer := time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
	lines, pieces := bufio.NewScanner(out), rand.IntN(4)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "kept") {
			pieces--
		} else if lines.Text() != "begins" {
			t.Error(lines.Text())
		}
		if pieces < 0 {
			_ = cmd.Process.Kill()
		}
	}
	timer.Stop()
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
}

// TestKill: whoever reads an audit log is killed again and again while the log is written and rotated. In the end every
// request is counted once, as if it had been read at one go. If rotated files do not match the pattern, a file has to be
// seen before it is rotated, and no more.
func TestKill(t *testing.T) {
	for _, pattern := range []string{"audit.log", "audit*.log"} {
		t.Run(pattern, func(t *testing.T) { kill(t, pattern) })
	}
}

func kill(t *testing.T, pattern string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	n := 0
	var all strings.Builder
	for round := range 40 {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for range 30 + rand.IntN(30) {
			all.WriteString(line(n))
			if _, err := f.WriteString(line(n)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		killed(t, dir, pattern, pattern == "audit.log" && round%5 == 0)
		if round%5 == 4 {
			if err := os.Rename(path, filepath.Join(dir, fmt.Sprintf("audit-%d.log", round))); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, err := openAudited(dir, pattern)
	if err != nil {
		t.Fatal(err)
	}
	defer a.ledger.Close()
	if err := a.poll(func() {}); err != nil {
		t.Fatal(err)
	}
	straight := counters.New(t0, platformapi.New(platformapi.Options{}))
	events, err := a.decode(nil, []byte(all.String()), t0.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := straight.Add(events...); err != nil {
		t.Fatal(err)
	}
	got, want := read(t, a.counters), read(t, straight)
	if sum(got, "platform.api.requests") != uint64(n) {
		t.Errorf("%d requests are counted, want %d", sum(got, "platform.api.requests"), n)
	}
	for _, families := range [][]int{{0}, {1}, {2}} {
		equal(t, "after kills", metrics(want)[families[0]:families[0]+1], metrics(got)[families[0]:families[0]+1])
	}
}
