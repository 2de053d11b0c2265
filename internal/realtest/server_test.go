//go:build real || grafana

package realtest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How long a server may take to start and to stop, and how long a program may run. These are limits for a machine that
// has much else to do; nothing waits longer than it has to.
const (
	startWithin = 2 * time.Minute
	stopWithin  = time.Minute
	runWithin   = 5 * time.Minute
)

// program returns the path of a program in bin, where make test-real puts them; a path stays as it is.
func program(t testing.TB, name string) string {
	t.Helper()
	if filepath.IsAbs(name) {
		return name
	}
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: want %s in bin, run the tests with make test-real", err, name)
	}
	return path
}

// output runs a program to its end and returns what it wrote to both outputs.
func output(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t, name), args...).CombinedOutput()
	return string(out), err
}

// mustOutput is output of a program that has to succeed.
func mustOutput(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := output(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// address returns a loopback address that nothing listens on, and that no other test gets until this one ends: each
// holds the port of the same number for UDP, which no server here uses. The ports lie below those that the kernel gives
// to outgoing connections.
func address(t testing.TB) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		held, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			_ = held.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = held.Close() })
		return addr
	}
	t.Fatal("want a free port, have none after 1000 attempts")
	return ""
}

// server is a running program.
type server struct {
	t      testing.TB
	name   string
	url    string
	tenant string // sent with every request, unless empty
	cmd    *exec.Cmd
	log    logbook
	done   chan struct{} // closed when the process has ended
}

// start starts a program that serves HTTP at addr, and waits until path answers 200. The program is killed at the
// end of the test, and its log is shown if the test failed.
func start(t testing.TB, name, addr, path string, args ...string) *server {
	t.Helper()
	s := &server{t: t, name: name, url: "http://" + addr, cmd: exec.Command(program(t, name), args...), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go func() {
		// The kernel ends the process with the thread that started it: keep the thread until then.
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
		close(s.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, s.log.tail(60))
		}
	})
	s.await(fmt.Sprintf("%s answers %s", name, path), startWithin, func() bool {
		res, err := http.Get(s.url + path)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return s
}

// await asks again and again until ok, and fails the test if that takes too long or the process ends.
func (s *server) await(what string, within time.Duration, ok func() bool) {
	s.t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	late := time.After(within)
	for !ok() {
		select {
		case <-every.C:
		case <-s.done:
			s.t.Fatalf("%s ended while waiting until %s:\n%s", s.name, what, s.log.tail(60))
		case <-late:
			s.t.Fatalf("waited %v until %s", within, what)
		}
	}
}

// stop ends the process the polite way and waits for it.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatalf("stop %s: %v", s.name, err)
	}
	select {
	case <-s.done:
	case <-time.After(stopWithin):
		s.t.Fatalf("%s did not end within %v", s.name, stopWithin)
	}
}

// kill ends the process as a power cut would.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("kill %s: %v", s.name, err)
	}
	<-s.done
}

// logbook keeps what a process writes. It is safe for concurrent use.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps p.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// tail returns the last n lines.
func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.buf.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// write makes a file in dir and returns its path.
func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
