// Package counting counts events, durably if it is given storage, and passes the cumulative counters on as metrics: what
// an event changed when it is asked to, everything at each interval and at the end.
package counting

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/otlp"
	"github.com/plimsoll-slo/plimsoll/collector/internal/scrape"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/ledger"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
	"github.com/plimsoll-slo/plimsoll/exporters/tail"
)

// Counting is safe for concurrent use between Open and Shutdown.
type Counting struct {
	cfg     Config
	domains func() []counters.Domain // new ones

	scope string
	set   component.TelemetrySettings
	next  func(context.Context, pmetric.Metrics) error
	now   func() time.Time

	counters  *counters.Counters
	positions *tail.Positions
	ledger    *ledger.Ledger // nil if nothing is kept

	scraped *scrape.Server
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	passing sync.Mutex // held while metrics are passed on, so that they arrive in the order of their timestamps
	passed  uint64     // revision of the counters up to which next has everything
}

// New returns a counting that is closed. scope says who made the metrics; next takes them, nil if nobody does.
func New(
	cfg Config, scope string, set component.TelemetrySettings, next func(context.Context, pmetric.Metrics) error, now func() time.Time,
) *Counting {
	return Of(cfg.domains, cfg, scope, set, next, now)
}

// Of is New for other domains than those of platform events. domains returns them, new at each call.
func Of(
	domains func() []counters.Domain, cfg Config, scope string, set component.TelemetrySettings,
	next func(context.Context, pmetric.Metrics) error, now func() time.Time,
) *Counting {
	return &Counting{cfg: cfg, domains: domains, scope: scope, set: set, next: next, now: now}
}

// Open takes up the counters where they were left, in memory or as the ledger has them.
func (c *Counting) Open() error {
	c.positions = tail.NewPositions()
	domains := append(c.domains(), c.positions)
	if c.cfg.Storage.Directory == "" {
		c.counters = counters.New(c.now(), domains...)
		return nil
	}
	var err error
	if c.ledger, err = ledger.Open(c.cfg.Storage.Directory, ledger.Options{}); err != nil {
		return err
	}
	if cut, ok := c.ledger.Cut(); ok {
		c.set.Logger.Warn("the ledger ended in a record that was not acknowledged, it is cut off",
			zap.String("file", cut.File), zap.Int64("offset", cut.Offset), zap.Int64("bytes", cut.Bytes))
	}
	if c.counters, err = counters.Open(c.ledger, c.now(), domains...); err != nil {
		return errors.Join(err, c.Close())
	}
	return nil
}

// Close undoes Open.
func (c *Counting) Close() error {
	if c.ledger == nil {
		return nil
	}
	err := c.ledger.Close()
	c.ledger = nil
	return err
}

// Run begins to pass everything on at each interval, and to answer scrapes. After an error it does neither.
func (c *Counting) Run(ctx context.Context, host component.Host) (err error) {
	if c.scraped, err = scrape.Open(ctx, host, c.cfg.Prometheus, c.set, c.read); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.tasks.Go(func() { c.tick(running) })
	return nil
}

// read returns everything for a scrape.
func (c *Counting) read() metric.Snapshot {
	snapshot, err := c.counters.Read(c.now(), 0)
	if err != nil {
		c.set.Logger.Error("what is due is not counted, that is tried again", zap.Error(err))
	}
	return snapshot
}

// Shutdown ends Run, passes on the last state of the counters, and closes.
func (c *Counting) Shutdown(ctx context.Context) error {
	c.stop()
	c.tasks.Wait()
	return errors.Join(c.scraped.Close(ctx), c.pass(ctx, 0), c.Close())
}

// Add counts events, once each; they are on disk if there is storage when it returns. After an error none is counted.
func (c *Counting) Add(events ...event.Event) error { return c.counters.Add(events...) }

// Positions returns how far the files of a name are read, as it was when the counting was opened or since.
func (c *Counting) Positions(name string) []tail.Position { return c.positions.Of(name) }

// Reject counts a delivery that was not read; verdict is one word of the caller's fixed vocabulary.
func (c *Counting) Reject(source, verdict string) { c.counters.Reject(source, verdict) }

// PassChanges passes on what next has not taken over yet. The error is that of next.
func (c *Counting) PassChanges(ctx context.Context) error {
	c.passing.Lock()
	defer c.passing.Unlock()
	return c.passLocked(ctx, c.passed)
}

// tick passes everything on at each interval: series that are not repeated would end for the backend.
func (c *Counting) tick(running context.Context) {
	ticker := time.NewTicker(c.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-running.Done():
			return
		case <-ticker.C:
			if err := c.pass(running, 0); err != nil {
				c.set.Logger.Warn("metrics were refused, they are repeated with the next interval", zap.Error(err))
			}
			if err := c.compact(); err != nil {
				c.set.Logger.Error("the ledger is not compacted, that is tried again with the next interval", zap.Error(err))
			}
		}
	}
}

// compact keeps the ledger from growing without end.
func (c *Counting) compact() error {
	if c.ledger == nil || !c.ledger.Due() {
		return nil
	}
	return c.counters.Compact()
}

// pass passes on the points that changed after a revision.
func (c *Counting) pass(ctx context.Context, after uint64) error {
	c.passing.Lock()
	defer c.passing.Unlock()
	return c.passLocked(ctx, after)
}

func (c *Counting) passLocked(ctx context.Context, after uint64) error {
	if c.next == nil {
		return nil
	}
	now := c.now()
	snapshot, err := c.counters.Read(now, after)
	if err != nil {
		c.set.Logger.Error("what is due is not counted, that is tried again", zap.Error(err))
	}
	if len(snapshot.Families) == 0 {
		return nil
	}
	err = c.next(ctx, otlp.Metrics(c.scope, snapshot, c.set.Resource, now))
	if err == nil || consumererror.IsPermanent(err) {
		c.passed = snapshot.Revision
	}
	return err
}
