// Package server is plimsoll serve without its listener: it wires the store, the receivers, the rules, the queue to the
// Alertmanagers and the HTTP API together, and keeps the schedule.
//
// The schedule is the difference from a Prometheus server. A tick is never missed, only late: what the store knows of
// the last evaluated tick and the clock say which ticks are due, and each is evaluated at its own time from stored raw
// samples, in order, before the next. So budgets are the same whether or not the process was killed, stalled or
// restarted, as long as the samples arrived.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/ingest"
	"github.com/plimsoll-slo/plimsoll/internal/notify"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/internal/store/remote"
	"github.com/plimsoll-slo/plimsoll/internal/web"
	"github.com/plimsoll-slo/plimsoll/slo"
)

// The defaults of Options.
const (
	DefaultRetention  = 45 * 24 * time.Hour
	DefaultMaxCatchUp = 7 * 24 * time.Hour
	DefaultBacklog    = 10 * time.Minute
)

// Options of a Server. A zero value means the default unless stated otherwise.
type Options struct {
	Specs []string // files and directories
	Data  string   // directory of everything that must survive a restart
	// Store, if set, has the raw series and gets what is recorded. Data then holds only what is recorded, which is the
	// state of the rules, and nothing is taken in here.
	Store         *remote.Store
	Alertmanagers []string         // URLs; each receives every alert
	ScrapeConfig  string           // file in the form of Prometheus' configuration; empty: nothing is scraped
	ExternalURL   string           // under which people reach the server, for links in alerts
	Now           func() time.Time // the wall clock; required

	Retention  time.Duration // of samples
	MaxBytes   int64         // of samples on disk; 0 means no limit
	MinFree    uint64        // free space below which no samples are taken; 0 means that nobody looks
	Delay      time.Duration // how long after its time a tick is evaluated; 0 means at once
	MaxCatchUp time.Duration // ticks that were missed longer ago are left out
	// SendersWait is how long after a start or a stall missed ticks wait for senders to deliver what they kept; 0 means
	// not at all. Senders that deliver a backlog by then are waited for as long as Backlog.
	SendersWait, Backlog time.Duration
	ReloadEvery          time.Duration // how often the specs are looked at; 0 means only when Reload is called

	// Taken, if set, is called with each set that is taken over, the first during Open. It must not block.
	Taken func(*slo.Set)

	// SelfSLOs adds the SLOs of Plimsoll itself (SelfSpecs), over its own metrics as the target Instance of the job
	// SelfJob.
	SelfSLOs bool
	Instance string

	Limits ingest.Limits
	Notify notify.Options
	Web    web.Options

	Logger     *slog.Logger // nil discards
	Registry   *prometheus.Registry
	MaxSamples int // that one query of the rules or of a user may hold in memory; 0: 50 million
}

func (o Options) withDefaults() Options {
	o.Retention = cmp.Or(o.Retention, DefaultRetention)
	o.MaxCatchUp = min(cmp.Or(o.MaxCatchUp, DefaultMaxCatchUp), o.Retention)
	o.Backlog = cmp.Or(o.Backlog, DefaultBacklog)
	o.Instance = cmp.Or(o.Instance, "localhost")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return o
}

// Server is an open server. Its methods are safe for concurrent use, but Run and Step may be called by one goroutine
// only.
type Server struct {
	opts     Options
	log      *slog.Logger
	store    *store.Store
	engine   *engine.Engine
	queue    *notify.Queue
	receiver *ingest.Receiver
	scraper  *ingest.Scraper // nil: nothing is scraped
	self     *ingest.Self    // nil: it does not watch itself
	selfOK   atomic.Bool     // the last scrape of itself was stored
	handler  http.Handler
	metrics  metrics
	ledger   *ledger
	ship     *shipper // nil without a store of others
	reload   chan struct{}

	// The schedule. Only the goroutine of Step uses it.
	live       *ruleset  // what the specs say
	loaded     []string  // SLOs whose rules the engine has, sorted
	next       time.Time // the tick to evaluate next
	resumed    time.Time // when the present catching up began; zero when there is none
	fill       *backfill // in progress; nil if none
	failedLast bool      // the last tick could not be stored
	tries      int       // of the present tick for which the store of others was away
	added      []string  // labels that the store of others adds to every series
	asked      int64     // queries to the store of others before the present tick
	publish    func(ctx context.Context, f *backfill, until time.Time) error

	closing sync.WaitGroup // what is closed in the background

	ready atomic.Bool
	mu    sync.Mutex
	view  view // what others may see of the schedule
}

// Open opens the data directory, loads the specs and prepares everything, but evaluates nothing yet. If the specs are
// wrong, it goes on with those of the last start that were right; if there are none, it fails with a *SpecError.
func Open(ctx context.Context, o Options) (*Server, error) {
	o = o.withDefaults()
	if o.Now == nil || o.Data == "" || len(o.Specs) == 0 {
		return nil, errors.New("open server: want a clock, a data directory and specs")
	}
	if err := os.MkdirAll(o.Data, 0o750); err != nil {
		return nil, fmt.Errorf("open server: %w", err)
	}
	s := &Server{opts: o, log: o.Logger, metrics: newMetrics(o.Registry), reload: make(chan struct{}, 1), publish: publish}
	rs, err := s.firstRules()
	if err != nil {
		return nil, err
	}
	if err := s.checkStore(ctx); err != nil {
		return nil, err
	}
	s.store, err = store.Open(filepath.Join(o.Data, "tsdb"), store.Options{
		Retention: o.Retention, OutOfOrder: o.Retention, MaxBytes: o.MaxBytes, MinFree: o.MinFree, Logger: o.Logger.With("part", "store"), Registerer: o.Registry,
	})
	if err != nil {
		return nil, err
	}
	if err := s.wire(ctx, rs); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	return s, nil
}

// wire makes the parts that need an open store.
func (s *Server) wire(ctx context.Context, rs *ruleset) (err error) {
	o := s.opts
	if err := removeHalfWritten(o.Data); err != nil {
		return fmt.Errorf("open server: %w", err)
	}
	if s.ledger, err = openLedger(o.Data); err != nil {
		return err
	}
	s.engine, err = engine.Open(s.store, s.ruleEngine("rules", engine.Options{
		ExternalURL: o.ExternalURL, Notify: s.notify, Parallel: runtime.GOMAXPROCS(0),
	}))
	if err != nil {
		return err
	}
	if o.Store != nil {
		if s.ship, err = newShipper(o.Store, s.store, o.Data, o.Logger.With("part", "store")); err != nil {
			return err
		}
	}
	no := o.Notify
	no.Logger, no.Registerer = o.Logger.With("part", "notify"), o.Registry
	if s.queue, err = notify.New(o.Alertmanagers, o.Now, no); err != nil {
		return err
	}
	s.receiver = ingest.New(s.store, o.Now, o.Limits, o.Logger.With("part", "ingest"), o.Registry)
	if o.ScrapeConfig != "" {
		if s.scraper, err = ingest.NewScraper(s.store, o.ScrapeConfig, o.Now, o.Limits, o.Logger.With("part", "scrape"), o.Registry); err != nil {
			return err
		}
	}
	if o.SelfSLOs {
		s.self = ingest.NewSelf(s.store, o.Registry, SelfJob, o.Instance)
		s.selfOK.Store(true)
	}
	if err := s.begin(ctx, rs); err != nil {
		return err
	}
	b := web.Backend{
		Engine: s.engine, Store: s.store, RemoteWrite: s.receiver.RemoteWrite(), OTLP: s.receiver.OTLP(),
		Registry: o.Registry, Alertmanagers: s.queue.Targets, Targets: s.scraper.Targets(), State: s.state, Ready: s.isReady, Reload: s.Reload,
		Now: o.Now, Logger: o.Logger.With("part", "web"),
	}
	if o.Store != nil {
		b.RemoteWrite, b.OTLP, b.Queries = keepsNothing(), keepsNothing(), o.Store.Proxy()
	}
	s.handler, err = web.New(b, o.Web)
	return err
}

// ruleEngine completes the options of an engine that evaluates rules.
func (s *Server) ruleEngine(part string, o engine.Options) engine.Options {
	o.Logger, o.MaxSamples = s.opts.Logger.With("part", part), s.opts.MaxSamples
	if s.opts.Store != nil {
		o.Raw, o.Own, o.Parallel = s.opts.Store, own(), s.opts.Store.Concurrency()
	}
	return o
}

// checkStore fails if the configuration of the store is wrong. A store that is away is waited for later.
func (s *Server) checkStore(ctx context.Context) error {
	if s.opts.Store == nil {
		return nil
	}
	if s.opts.ScrapeConfig != "" {
		return errors.New("open server: with a store of others nothing is scraped here")
	}
	err := s.opts.Store.Check(ctx, s.opts.Now())
	if remote.IsWrong(err) {
		return fmt.Errorf("open server: %w", err)
	}
	if err != nil {
		s.log.Error("the store cannot be asked yet", "store", s.opts.Store.Name(), "err", err)
	}
	return nil
}

// keepsNothing answers senders when the samples are in a store of others.
func keepsNothing() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this server keeps no samples: send them to its store", http.StatusNotFound)
	})
}

// Handler returns the HTTP interface.
func (s *Server) Handler() http.Handler { return s.handler }

// Reload makes Run look at the specs and at the scrape configuration soon.
func (s *Server) Reload() {
	select {
	case s.reload <- struct{}{}:
	default:
	}
}

// Run evaluates, sends, scrapes and reloads until ctx ends. The tick that is being evaluated then is finished, and what
// it sends is sent.
func (s *Server) Run(ctx context.Context) {
	var wg sync.WaitGroup
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	wg.Go(func() { s.queue.Run(sending) })
	if s.scraper != nil {
		wg.Go(func() { s.scraper.Run(ctx) })
	}
	if s.ship != nil {
		wg.Go(func() { s.ship.run(ctx) })
	}
	if s.self != nil {
		wg.Go(func() { s.watchSelf(ctx) })
	}
	wg.Go(func() {
		defer stop()
		s.schedule(ctx)
	})
	wg.Wait()
	if s.ship != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), shipLast)
		defer cancel()
		if err := s.Flush(late); err != nil {
			s.log.Warn("the store gets the newest results at the next start", "err", err)
		}
	}
}

// Flush writes what is recorded to the store of others, if there is one. Run does so by itself; for those that call Step.
func (s *Server) Flush(ctx context.Context) error {
	if s.ship == nil {
		return nil
	}
	return s.ship.ship(ctx)
}

// Close closes the store. Run must have returned.
func (s *Server) Close() error {
	s.dropFill()
	s.closing.Wait()
	return s.store.Close()
}

// schedule is the loop around Step.
func (s *Server) schedule(ctx context.Context) {
	var look <-chan time.Time
	if s.opts.ReloadEvery > 0 {
		t := time.NewTicker(s.opts.ReloadEvery)
		defer t.Stop()
		look = t.C
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	read := make(chan reading, 1)
	busy, again := false, false // a look is in progress; another one is wanted after it
	begin := func(forced bool) {
		if busy {
			again = again || forced
			return
		}
		busy = true
		wg.Go(func() { read <- s.read(forced) })
	}
	for {
		wait := time.NewTimer(s.Step(ctx))
		select {
		case <-ctx.Done():
		case <-wait.C:
		case <-s.reload:
			begin(true)
		case <-look:
			begin(false)
		case r := <-read:
			busy = false
			s.apply(ctx, r)
			if again {
				again = false
				begin(true)
			}
		}
		wait.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// notify is called by the engine during a tick.
func (s *Server) notify(_ context.Context, alerts []engine.Alert) { s.queue.Put(s.next, alerts) }

// isReady returns nil once the schedule runs and the rules are loaded.
func (s *Server) isReady() error {
	if !s.ready.Load() {
		return errors.New("the first tick is not evaluated yet")
	}
	return nil
}
