package child

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
)

// role is the environment variable that makes this test binary a program to run.
const role = "PLIMSOLL_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		goleak.VerifyTestMain(m)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		select {}
	case "short":
		fmt.Println("short")
		os.Exit(3)
	case "good":
		c := make(chan os.Signal, 8)
		signal.Notify(c, syscall.SIGTERM, syscall.SIGHUP)
		fmt.Println("ready")
		for s := range c {
			fmt.Print("got ", s, "\n")
			if s == syscall.SIGTERM {
				fmt.Print("the end")
				os.Exit(0)
			}
		}
	}
}

// diary keeps a log and tells of new lines.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() {
		select {
		case d.more <- struct{}{}:
		default:
		}
	}()
	return d.text.Write(p)
}

func (d *diary) count(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.text.String(), what)
}

// await waits until the log says something n times.
func (d *diary) await(t *testing.T, what string, n int) {
	t.Helper()
	late := time.After(time.Minute)
	for d.count(what) < n {
		select {
		case <-d.more:
		case <-late:
			t.Fatalf("waited a minute for %q in\n%s", what, d.text.String())
		}
	}
}

// start runs this test binary in a role. The function it returns ends it and waits.
func start(t *testing.T, as string, o Options) (*Child, *diary, func()) {
	t.Helper()
	t.Setenv(role, as)
	d := &diary{more: make(chan struct{}, 1)}
	o.Logger = slog.New(slog.NewTextHandler(io.Writer(d), nil))
	c, err := New("it", os.Args[0], nil, time.Now, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(done)
	}()
	return c, d, func() {
		stop()
		<-done
	}
}

// TestGood: what it says is in the log, it is told to reload and to end, and its last words are kept.
func TestGood(t *testing.T) {
	c, d, stop := start(t, "good", Options{})
	d.await(t, "line=ready", 1)
	if err := c.Reload(); err != nil {
		t.Error(err)
	}
	d.await(t, `line="got hangup"`, 1)
	if got := testutil.ToFloat64(c.up); got != 1 {
		t.Errorf("got up %v", got)
	}
	stop()
	if d.count(`line="got terminated"`) != 1 || d.count(`line="the end"`) != 1 || d.count("starting it again") != 0 {
		t.Errorf("got\n%s", d.text.String())
	}
	if err := c.Reload(); err != nil || testutil.ToFloat64(c.up) != 0 {
		t.Errorf("after the end: reload %v, up %v", err, testutil.ToFloat64(c.up))
	}
}

// TestKilled: a program that is killed is started again.
func TestKilled(t *testing.T) {
	c, d, stop := start(t, "good", Options{Retry: time.Millisecond})
	defer stop()
	d.await(t, "line=ready", 1)
	c.mu.Lock()
	err := c.process.Kill()
	c.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	d.await(t, "line=ready", 2)
	if got := testutil.ToFloat64(c.starts); got != 2 {
		t.Errorf("got %v starts, want 2", got)
	}
}

// TestShort: the waits before a program that ends at once is started again grow, up to a limit.
func TestShort(t *testing.T) {
	_, d, stop := start(t, "short", Options{Retry: time.Millisecond, RetryTo: 4 * time.Millisecond})
	d.await(t, "starting it again", 5)
	stop()
	for _, want := range []string{"after=1ms", "after=2ms", "after=4ms", `err="exit status 3"`} {
		if d.count(want) == 0 {
			t.Errorf("want %s in\n%s", want, d.text.String())
		}
	}
	if d.count("after=8ms") > 0 {
		t.Errorf("the wait goes beyond its limit:\n%s", d.text.String())
	}
}

// TestStubborn: a program that does not end when it is told to is killed.
func TestStubborn(t *testing.T) {
	_, d, stop := start(t, "stubborn", Options{Stop: 50 * time.Millisecond})
	d.await(t, "line=deaf", 1)
	stop()
}

func TestNew(t *testing.T) {
	if _, err := New("it", t.TempDir()+"/none", nil, time.Now, Options{}); err == nil || !strings.Contains(err.Error(), "it: ") {
		t.Errorf("got error %v", err)
	}
}
