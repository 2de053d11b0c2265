// Package child runs another program for as long as this one wants it: it starts it again when it ends, passes on what
// it says, and ends it in an orderly way.
package child

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The defaults of Options.
const (
	DefaultRetry   = time.Second
	DefaultRetryTo = time.Minute
	DefaultStop    = 10 * time.Second
	steady         = time.Minute // a program that ran for so long starts again after the first wait
)

// Options of a Child. Each zero value means the default.
type Options struct {
	Retry, RetryTo time.Duration // wait before the first start again, and the longest
	Stop           time.Duration // how long it may take to end after SIGTERM
	Logger         *slog.Logger  // receives what the program says, a line each; nil discards
	Registerer     prometheus.Registerer
}

// Child is a program that is kept running. It is safe for concurrent use.
type Child struct {
	name, path string
	args       []string
	now        func() time.Time
	opts       Options
	starts     prometheus.Counter
	up         prometheus.Gauge

	mu      sync.Mutex
	process *os.Process // nil while it does not run
}

// New returns the program at path, which is called name in metrics and in the log. It does not run yet. now is the wall
// clock. It fails if path cannot be run.
func New(name, path string, args []string, now func() time.Time, o Options) (*Child, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o.Retry = cmp.Or(o.Retry, DefaultRetry)
	o.RetryTo = max(cmp.Or(o.RetryTo, DefaultRetryTo), o.Retry)
	o.Stop = cmp.Or(o.Stop, DefaultStop)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("part", name)
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	c := &Child{
		name: name, path: found, args: args, now: now, opts: o,
		starts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plimsoll_child_starts_total", Help: "Starts of a program that serve runs.", ConstLabels: prometheus.Labels{"program": name},
		}),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "plimsoll_child_up", Help: "1 while a program that serve runs is there.", ConstLabels: prometheus.Labels{"program": name},
		}),
	}
	o.Registerer.MustRegister(c.starts, c.up)
	return c, nil
}

// Run starts the program, and again whenever it ends, until ctx ends. Then the program gets SIGTERM, and SIGKILL if it
// takes too long; Run returns when it has ended.
func (c *Child) Run(ctx context.Context) {
	// The kernel ends the program with the thread that started it: this one stays until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wait := c.opts.Retry
	for ctx.Err() == nil {
		began := c.now()
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.now().Sub(began) >= steady {
			wait = c.opts.Retry
		}
		c.opts.Logger.Error("ended, starting it again", "err", err, "after", wait)
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
		wait = min(2*wait, c.opts.RetryTo)
	}
}

// once runs the program to its end.
func (c *Child) once(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = c.opts.Stop
	cmd.SysProcAttr = attributes()
	said := &lines{log: c.opts.Logger}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return err
	}
	c.opts.Logger.Info("started", "program", c.path, "pid", cmd.Process.Pid)
	c.starts.Inc()
	c.running(cmd.Process)
	defer c.running(nil)
	err := cmd.Wait()
	said.end()
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return err
}

func (c *Child) running(p *os.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process = p; p == nil {
		c.up.Set(0)
		return
	}
	c.up.Set(1)
}

// Reload sends SIGHUP to the program, if it runs.
func (c *Child) Reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return nil
	}
	return c.process.Signal(syscall.SIGHUP)
}

// maxLine is the longest line that is passed on as one, in bytes.
const maxLine = 16 << 10

// lines is a writer that logs each line. One goroutine at a time, as package exec promises for one writer.
type lines struct {
	log  *slog.Logger
	rest []byte
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found && len(l.rest) < maxLine {
			return len(p), nil
		}
		if !found {
			line, rest = l.rest, nil
		}
		l.log.Info("says", "line", string(line))
		l.rest = append([]byte(nil), rest...)
	}
}

// end logs what is left.
func (l *lines) end() {
	if len(l.rest) > 0 {
		l.log.Info("says", "line", string(l.rest))
	}
}
