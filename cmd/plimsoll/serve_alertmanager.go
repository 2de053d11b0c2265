package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/internal/child"
	"github.com/plimsoll-slo/plimsoll/internal/output"
	"github.com/plimsoll-slo/plimsoll/internal/yamlsrc"
	"github.com/plimsoll-slo/plimsoll/rules/alertmanager"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// ownFlags are the flags of an Alertmanager that serve runs itself.
type ownFlags struct{ path, config, listen string }

// check says whether the flags fit together.
func (f ownFlags) check() error {
	if f.path == "" && f.config == "" {
		return nil
	}
	if f.path == "" || f.config == "" {
		return errors.New("want --alertmanager-exec and --alertmanager-config together")
	}
	inside, err := loopback(f.listen)
	if err != nil {
		return fmt.Errorf("--alertmanager-listen: %w", err)
	}
	if !inside {
		return fmt.Errorf("--alertmanager-listen: others can reach %s, and Alertmanager asks nobody who they are: want a loopback address", f.listen)
	}
	return nil
}

// own is an Alertmanager that serve runs: its configuration is that of the user with what follows from the specs.
type own struct {
	config string // of the user
	dir    string
	child  *child.Child
	log    *slog.Logger
	wake   chan struct{}

	mu      sync.Mutex
	set     *slo.Set
	applied []byte // the configuration that Alertmanager has
	failed  string // the last error, to log it once
}

// prepareOwn makes the Alertmanager that serve runs itself, if it is to, and lets the server know it.
func (f *serveFlags) prepareOwn(log *slog.Logger) (err error) {
	if f.own.path == "" {
		return nil
	}
	f.alerts, err = newOwn(f.own, filepath.Join(f.server.Data, "alertmanager"), log, f.server.Registry)
	if err != nil {
		return err
	}
	f.server.Alertmanagers = append(f.server.Alertmanagers, "http://"+f.own.listen)
	f.server.Taken = f.alerts.take
	return nil
}

// newOwn prepares an Alertmanager whose configuration and data are in dir.
func newOwn(f ownFlags, dir string, log *slog.Logger, reg prometheus.Registerer) (*own, error) {
	o := &own{config: f.config, dir: dir, log: log.With("part", "alertmanager"), wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	o.child, err = child.New("alertmanager", f.path, []string{
		"--config.file=" + o.file(), "--storage.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + f.listen, "--cluster.listen-address=",
	}, time.Now, child.Options{Logger: log, Registerer: reg})
	return o, err
}

func (o *own) file() string { return filepath.Join(o.dir, "alertmanager.yml") }

// take notes which set is evaluated. It is the hook of the server.
func (o *own) take(set *slo.Set) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set = set
	o.signal()
}

// signal makes run look at the configuration soon. o may be nil.
func (o *own) signal() {
	if o == nil {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// start writes the configuration, which has to be right, and runs the program until the function it returns is called.
// That function returns when the program has ended. o may be nil: then there is nothing to run.
func (o *own) start(every time.Duration) (stop func(), err error) {
	if o == nil {
		return func() {}, nil
	}
	if _, err := o.apply(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		o.run(ctx, every)
		close(done)
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// apply writes the configuration and reports whether it changed. A wrong one changes nothing.
func (o *own) apply() (changed bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, err := os.ReadFile(o.config)
	if err != nil {
		return false, err
	}
	if err := absolute(o.config, text); err != nil {
		return false, err
	}
	merged, l, err := merge(o.set, nil, filepath.ToSlash(o.config), text)
	if err == nil && l.Failed() {
		err = fmt.Errorf("%s", l[0]) // without the lines of the file, which may hold secrets
	}
	if err != nil || bytes.Equal(merged, o.applied) {
		return false, err
	}
	if err := output.WriteFile(filepath.Join(o.dir, alertmanager.TemplatesName), alertmanager.Templates(), 0o600); err != nil {
		return false, err
	}
	if err := output.WriteFile(o.file(), merged, 0o600); err != nil {
		return false, err
	}
	o.applied = merged
	return true, nil
}

// run runs the program until ctx ends, and looks at the configuration every so often.
func (o *own) run(ctx context.Context, every time.Duration) {
	var wg sync.WaitGroup
	wg.Go(func() { o.child.Run(ctx) })
	var look <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		look = t.C
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-look:
			o.reload()
		case <-o.wake:
			o.reload()
		}
	}
	wg.Wait()
}

// reload gives the Alertmanager its configuration anew if that has changed.
func (o *own) reload() {
	changed, err := o.apply()
	if err == nil && changed {
		o.log.Info("configuration changed")
		err = o.child.Reload()
	}
	said := ""
	if err != nil {
		said = err.Error()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if said != "" && said != o.failed {
		o.log.Error("the configuration of Alertmanager is wrong, the last good one stays", "err", err)
	}
	o.failed = said
}

// absolute refuses paths that would mean something else in the copy that Alertmanager gets.
func absolute(name string, text []byte) error {
	roots, _ := yamlsrc.Parse(name, text)
	for _, root := range roots {
		if v, found := relative(root, false); found {
			return fmt.Errorf("%s: want an absolute path, have %q: serve gives Alertmanager a copy of this file", v.Pos(), v.Text())
		}
	}
	return nil
}

// relative returns the first relative path below v: of templates, and of what is called ..._file.
func relative(v yamlsrc.Value, path bool) (yamlsrc.Value, bool) {
	switch v.Kind() {
	case yamlsrc.Mapping:
		fields, _ := v.Fields()
		for _, f := range fields {
			if found, ok := relative(f.Value, f.Name == "templates" || strings.HasSuffix(f.Name, "_file")); ok {
				return found, true
			}
		}
	case yamlsrc.Sequence:
		for _, x := range v.Items() {
			if found, ok := relative(x, path); ok {
				return found, true
			}
		}
	case yamlsrc.String:
		return v, path && !filepath.IsAbs(v.Text()) && v.Text() != alertmanager.TemplatesName
	}
	return v, false
}
