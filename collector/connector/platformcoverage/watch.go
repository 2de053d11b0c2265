package platformcoverage

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/plimsoll-slo/plimsoll/collector/internal/counting"
	"github.com/plimsoll-slo/plimsoll/exporters/counters"
	"github.com/plimsoll-slo/plimsoll/exporters/coverage"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// watches holds the one watch of each configuration: the collector makes a connector for each signal.
type watches struct {
	now func() time.Time

	mu       sync.Mutex
	byConfig map[*Config]*watch
}

// of returns the watch of a configuration for one more signal. Whatever goes on to next is of all signals.
func (ws *watches) of(cfg component.Config, set connector.Settings, next consumer.Metrics) *watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	c := cfg.(*Config)
	w := ws.byConfig[c]
	if w == nil {
		w = &watch{
			cfg: c, log: set.Logger, now: ws.now, forget: func() { ws.forget(c) },
			marked: map[sighting]bool{}, kept: map[sighting]time.Time{}, unlisted: map[string]bool{},
		}
		w.counting = counting.Of(w.domains, w.countingConfig(), scopeName, set.TelemetrySettings, next.ConsumeMetrics, ws.now)
		ws.byConfig[c] = w
	}
	return w
}

func (ws *watches) forget(c *Config) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.byConfig, c)
}

// sighting is a signal that came of a service.
type sighting struct {
	service string
	signal  coverage.Signal
}

const (
	// maxUnlisted is how many services that are not in the inventory are told apart.
	maxUnlisted = 1000
	// maxMarked is how many sightings are noted between two times they are kept.
	maxMarked = 3 * (coverage.MaxInventory + maxUnlisted)
)

// watch notes which services send which signals.
type watch struct {
	cfg    *Config
	log    *zap.Logger
	now    func() time.Time
	forget func()

	inventory coverage.Inventory
	counting  *counting.Counting

	life    sync.Mutex
	started int
	ended   bool
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	mu     sync.Mutex
	marked map[sighting]bool // since the last time they were kept

	// Of the one who keeps.
	unlisted map[string]bool        // names that are not in the inventory, at most maxUnlisted
	kept     map[sighting]time.Time // when each was last kept
	stale    bool                   // the inventory could not be read the last time
}

func (w *watch) domains() []counters.Domain {
	windows := w.cfg.Windows
	return []counters.Domain{coverage.New(
		coverage.Options{Metrics: windows.Metrics, Logs: windows.Logs, Traces: windows.Traces}, &w.inventory,
	)}
}

func (w *watch) countingConfig() counting.Config {
	cfg := counting.DefaultConfig()
	cfg.Interval, cfg.Storage, cfg.Prometheus = w.cfg.Interval, w.cfg.Storage, w.cfg.Prometheus
	return cfg
}

// Start begins to watch with the first signal.
func (w *watch) Start(ctx context.Context, host component.Host) error {
	w.life.Lock()
	defer w.life.Unlock()
	if w.started++; w.started > 1 {
		return nil
	}
	if err := w.inventory.Load(w.cfg.Inventory...); err != nil {
		w.started--
		return err
	}
	if err := w.counting.Open(); err != nil {
		w.started--
		return err
	}
	err := w.counting.Add(coverage.Begin(w.now()))
	if err == nil {
		err = w.counting.Run(ctx, host)
	}
	if err != nil {
		w.started--
		return errors.Join(err, w.counting.Close())
	}
	running, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.tasks.Go(func() { w.tick(running) })
	return nil
}

// Shutdown ends the watch with the first signal, while the consumer of the metrics still runs.
func (w *watch) Shutdown(ctx context.Context) error {
	w.life.Lock()
	defer w.life.Unlock()
	w.forget()
	if w.started == 0 || w.ended {
		return nil
	}
	w.ended = true
	w.stop()
	w.tasks.Wait()
	w.keep()
	return w.counting.Shutdown(ctx)
}

// Capabilities says that what passes by is left as it is.
func (w *watch) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeMetrics notes who sent metrics.
func (w *watch) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	for _, r := range metrics.ResourceMetrics().All() {
		for _, scope := range r.ScopeMetrics().All() {
			if scope.Metrics().Len() > 0 {
				w.mark(r.Resource(), coverage.Metrics)
				break
			}
		}
	}
	return nil
}

// ConsumeLogs notes who sent logs.
func (w *watch) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	for _, r := range logs.ResourceLogs().All() {
		for _, scope := range r.ScopeLogs().All() {
			if scope.LogRecords().Len() > 0 {
				w.mark(r.Resource(), coverage.Logs)
				break
			}
		}
	}
	return nil
}

// ConsumeTraces notes who sent spans.
func (w *watch) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	for _, r := range traces.ResourceSpans().All() {
		for _, scope := range r.ScopeSpans().All() {
			if scope.Spans().Len() > 0 {
				w.mark(r.Resource(), coverage.Traces)
				break
			}
		}
	}
	return nil
}

// mark notes that something came. A name that is new is noted as it is; whether it is in the inventory is looked at when
// it is kept.
func (w *watch) mark(from pcommon.Resource, signal coverage.Signal) {
	name, ok := from.Attributes().Get(event.Service)
	if !ok || name.Str() == "" || len(name.Str()) > event.MaxText {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := (sighting{name.Str(), signal}); len(w.marked) < maxMarked && !w.marked[s] {
		w.marked[sighting{event.Clean(name.Str()), signal}] = true
	}
}

// tick keeps what was noted at each interval.
func (w *watch) tick(running context.Context) {
	ticker := time.NewTicker(w.cfg.Interval)
	defer ticker.Stop()
	for {
		w.reload()
		select {
		case <-running.Done():
			return
		case <-ticker.C:
			w.keep()
		}
	}
}

// reload reads the inventory again. One that can not be used is logged once, and leaves the list as it was.
func (w *watch) reload() {
	err := w.inventory.Load(w.cfg.Inventory...)
	if err != nil && !w.stale {
		w.log.Error("the inventory is not usable, the last one counts on", zap.Error(err))
	}
	w.stale = err != nil
}

// keep journals the sightings that are news: of each at most one in a tenth of its window.
func (w *watch) keep() {
	now := w.now()
	w.mu.Lock()
	marked := w.marked
	w.marked = make(map[sighting]bool, len(marked))
	w.mu.Unlock()
	if len(w.kept) > maxMarked { // of names that left the inventory
		clear(w.kept)
	}
	events := []event.Event{coverage.Watch(now)}
	listed := w.names()
	for _, s := range sorted(marked) {
		if !listed[s.service] && !w.unlisted[s.service] {
			if len(w.unlisted) >= maxUnlisted {
				continue
			}
			w.unlisted[s.service] = true
		}
		if now.Sub(w.kept[s]) >= coverage.Slack(w.window(s.signal)) {
			events = append(events, coverage.Seen(s.service, s.signal, now))
			w.kept[s] = now
		}
	}
	if err := w.counting.Add(events...); err != nil {
		w.log.Error("sightings are not kept, that is tried again", zap.Error(err))
		clear(w.kept)
	}
}

// names returns every name of the inventory.
func (w *watch) names() map[string]bool {
	listed := map[string]bool{}
	for _, s := range w.inventory.Services() {
		listed[s.Name] = true
		for _, alias := range s.Aliases {
			listed[alias] = true
		}
	}
	return listed
}

func (w *watch) window(s coverage.Signal) time.Duration {
	return [...]time.Duration{w.cfg.Windows.Metrics, w.cfg.Windows.Logs, w.cfg.Windows.Traces}[s]
}

func sorted(marked map[sighting]bool) []sighting {
	return slices.SortedFunc(maps.Keys(marked), func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.signal, b.signal))
	})
}
