package platformevents

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/source"
	"github.com/plimsoll-slo/plimsoll/exporters/tail"
)

// FilesConfig is a set of files that a system writes.
type FilesConfig struct {
	// Kind is the format: one of those of docs/sources.md that can be read from files. By default it is the name.
	Kind string `mapstructure:"kind"`

	// KindConfig has the settings of kinds that have some.
	KindConfig `mapstructure:",squash"`

	// Include are patterns for the names of the files, compressed or not.
	Include []string `mapstructure:"include"`

	// StartAt says what becomes of what is in the files when they are read for the first time: "beginning" reads it,
	// "end" does not. "beginning" by default.
	StartAt string `mapstructure:"start_at"`

	// PollInterval is how often the files are looked at. 1s by default.
	PollInterval time.Duration `mapstructure:"poll_interval"`

	// prevent unkeyed literal initialization
	_ struct{}
}

const (
	startAtBeginning = "beginning"
	startAtEnd       = "end"
)

// fileNames returns the names in a fixed order.
func (c *Config) fileNames() []string { return slices.Sorted(maps.Keys(c.Files)) }

// files returns the set with its defaults.
func (c *Config) files(name string) FilesConfig {
	f := c.Files[name]
	if f.Kind == "" {
		f.Kind = name
	}
	if f.StartAt == "" {
		f.StartAt = startAtBeginning
	}
	if f.PollInterval == 0 {
		f.PollInterval = time.Second
	}
	return f
}

// validateFiles checks each set.
func (c *Config) validateFiles() (errs []error) {
	for _, name := range c.fileNames() {
		f := c.files(name)
		bad := func(key, format string, args ...any) {
			errs = append(errs, fmt.Errorf("files::%s::%s: %w", name, key, fmt.Errorf(format, args...)))
		}
		kind, err := f.find(f.Kind)
		if err != nil {
			errs = append(errs, fmt.Errorf("files::%s::%w", name, err))
		} else if kind.Frame == source.NoFrame {
			bad("kind", "%s is not read from files", f.Kind)
		}
		if len(f.Include) == 0 {
			bad("include", "want at least one pattern, have none")
		}
		for _, pattern := range f.Include {
			if _, err := filepath.Match(pattern, ""); err != nil {
				bad("include", "want a pattern, have %q", pattern)
			}
		}
		if f.StartAt != startAtBeginning && f.StartAt != startAtEnd {
			bad("start_at", "want beginning or end, have %q", f.StartAt)
		}
		if f.PollInterval < 0 {
			bad("poll_interval", "want more than 0s, have %v", f.PollInterval)
		}
	}
	return errs
}

// fileReaders returns what reads each set.
func (r *eventsReceiver) fileReaders() (readers []*fileReader, err error) {
	for _, name := range r.cfg.fileNames() {
		f := r.cfg.files(name)
		kind, err := f.find(f.Kind)
		if err != nil {
			return nil, fmt.Errorf("files %s: %w", name, err)
		}
		readers = append(readers, &fileReader{
			receiver: r, kind: r.named(kind, f.Kind), every: f.PollInterval, log: r.set.Logger.With(zap.String("files", name)),
			tailer: tail.New(name, f.Include, r.counting.Positions(name), tail.Options{
				Document: kind.Frame == source.Document, AtEnd: f.StartAt == startAtEnd,
			}),
		})
	}
	return readers, nil
}

// fileReader counts what one set of files says.
type fileReader struct {
	receiver *eventsReceiver
	kind     source.Kind
	every    time.Duration
	log      *zap.Logger
	tailer   *tail.Tailer
	last     string // error that was logged, not to repeat it with every poll
}

// run reads until the receiver ends.
func (f *fileReader) run(running context.Context) {
	ticker := time.NewTicker(f.every)
	defer ticker.Stop()
	for {
		f.poll(running)
		select {
		case <-running.Done():
			return
		case <-ticker.C:
		}
	}
}

// poll reads what is new.
func (f *fileReader) poll(ctx context.Context) {
	read := false
	err := f.tailer.Poll(func(c tail.Chunk) error {
		read = true
		return f.take(ctx, c)
	})
	switch {
	case err == nil:
		f.last = ""
	case ctx.Err() == nil && err.Error() != f.last:
		f.last = err.Error()
		f.log.Error("not everything is read, that is tried again", zap.Error(err))
	}
	if !read {
		return
	}
	if err := f.receiver.counting.PassChanges(ctx); err != nil && ctx.Err() == nil {
		f.log.Warn("metrics were refused, they are repeated with the next interval", zap.Error(err))
	}
}

// take passes on what a chunk says, and then counts it and keeps the position, both or neither. So logs and traces can
// come twice, under the same keys, but what is counted can not.
func (f *fileReader) take(ctx context.Context, c tail.Chunk) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := f.receiver
	now := r.now()
	if c.Skipped {
		r.counting.Reject(f.kind.Name, "too_long")
	}
	var events []event.Event
	if len(c.Body) > 0 {
		var err error
		if events, err = f.kind.Decode(http.Header{source.BatchHeader: {c.Key}}, c.Body, now); err != nil {
			f.log.Warn("a piece of a file is not readable, it is passed over", zap.Error(err))
			r.counting.Reject(f.kind.Name, "malformed")
		}
	}
	if err := errors.Join(r.passLogs(ctx, events), r.passTraces(ctx, events)); err != nil && consumeStatus(err) == http.StatusServiceUnavailable {
		return err
	}
	return r.counting.Add(append(events, c.Event(f.kind.Name, now))...)
}
