// Package engine evaluates Prometheus rule files with Prometheus' own code on a virtual clock, so that a test, a
// demo, a backtest and a server all run the very files that users load. It is the only package that imports
// prometheus/rules and prometheus/promql. Samples come from and go to a store.Store.
//
// What is Prometheus: the parser of the rule files, PromQL, the evaluation of a group, for and keep_firing_for,
// staleness markers, query_offset, limit, the restore of alert state after a restart, and when alerts are sent.
// What is not: the clock. A group of interval i is evaluated at the multiples of i since the Unix epoch, where a
// Prometheus server adds an offset hashed from the group's name; and all groups due at one time are evaluated as if one
// after the other, in the order of the files and of the groups in them, so that a group sees what earlier groups
// recorded. Groups of which that cannot be told may run at the same time (Options.Parallel).
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// The defaults of a Prometheus server (flags and configuration of Prometheus 3).
const (
	defaultInterval        = time.Minute
	defaultLookback        = 5 * time.Minute
	defaultMaxSamples      = 50_000_000
	defaultTimeout         = 2 * time.Minute
	defaultOutageTolerance = time.Hour
	defaultForGracePeriod  = 10 * time.Minute
	defaultResendDelay     = time.Minute
)

// mapEvery is the virtual time between two calls of store.MapChunks: the time in which a chunk of 120 samples
// fills at 30 s a sample.
const mapEvery = time.Hour

// Options of an Engine. Each zero value is the default of a Prometheus server.
type Options struct {
	Logger *slog.Logger // of Prometheus; nil discards

	Interval        time.Duration // of groups without one, and the default step of subqueries; 1m
	Lookback        time.Duration // how long a series counts as present after its last sample; 5m
	MaxSamples      int           // that one query may hold in memory; 50 million
	QueryTimeout    time.Duration // wall time of one query; 2m
	QueryOffset     time.Duration // of groups without query_offset; 0
	OutageTolerance time.Duration // longest outage after which the state of for is restored; 1h
	ForGracePeriod  time.Duration // shortest for that is restored, and its shortest rest after a restart; 10m
	ResendDelay     time.Duration // between two sends of a firing alert; 1m

	ExternalURL    string            // of the Prometheus server, for templates and Alert.Source
	ExternalLabels map[string]string // of the Prometheus server, for templates only

	// Notify, if set, receives every send to Alertmanager, repetitions included, during EvalAt: when all groups are
	// evaluated, and in their order. The slice is not used again by the engine.
	Notify func(ctx context.Context, alerts []Alert)

	// Raw, if set, has the series that the rules read and do not record; the store then has what they record only, and
	// the metrics called Own.
	Raw Raw
	Own []string

	// Parallel is how many groups are evaluated at the same time, at least one. What is recorded and sent does not depend
	// on it.
	Parallel int
}

// Engine evaluates rules over one store, or over two (see Raw). It is for one goroutine at a time, except for Query, QueryRange, QueryEngine
// and Groups, which are safe for concurrent use.
type Engine struct {
	opts     Options
	store    *store.Store
	parser   parser.Parser
	promql   *promql.Engine
	external *url.URL

	files   []RuleFile
	groups  []*group  // in order of evaluation
	retired []retired // groups whose recorded series still have to be marked stale

	pages  ledger
	last   time.Time // of the newest evaluation
	mapped time.Time // of the last store.MapChunks

	evals int64     // of single rules
	redo  time.Time // the tick that Rewind named
	again bool      // the present tick is that one

	public atomic.Pointer[[]*rules.Group] // what Groups shows

	// With Options.Raw.
	recorded  atomic.Pointer[map[string]bool] // what the rules record, see recordedBy
	divisions sync.Map                        // of the expressions seen, by text
	away      atomic.Pointer[error]           // why the present tick cannot go on
}

// Open returns an engine without rules over st, which stays owned by the caller and must be open while the engine is
// used. An engine has no goroutines and no files and need not be closed. It fails if o.ExternalURL is not a URL.
func Open(st *store.Store, o Options) (*Engine, error) {
	external, err := url.Parse(o.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	o = o.withDefaults()
	p := parser.NewParser(parser.Options{})
	return &Engine{
		opts: o, store: st, parser: p, external: external, pages: ledger{},
		promql: promql.NewEngine(promql.EngineOpts{
			Logger:                   o.Logger,
			MaxSamples:               o.MaxSamples,
			Timeout:                  o.QueryTimeout,
			LookbackDelta:            o.Lookback,
			NoStepSubqueryIntervalFn: func(int64) int64 { return o.Interval.Milliseconds() },
			EnableAtModifier:         true,
			EnableNegativeOffset:     true,
			Parser:                   p,
		}),
	}, nil
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Interval = cmp.Or(o.Interval, defaultInterval)
	o.Lookback = cmp.Or(o.Lookback, defaultLookback)
	o.MaxSamples = cmp.Or(o.MaxSamples, defaultMaxSamples)
	o.QueryTimeout = cmp.Or(o.QueryTimeout, defaultTimeout)
	o.OutageTolerance = cmp.Or(o.OutageTolerance, defaultOutageTolerance)
	o.ForGracePeriod = cmp.Or(o.ForGracePeriod, defaultForGracePeriod)
	o.ResendDelay = cmp.Or(o.ResendDelay, defaultResendDelay)
	return o
}

// EvalAt evaluates, at virtual time ts, every group whose interval divides ts (counted from the Unix epoch), and
// writes the results to the store. A slot of a group that no call names is a missed evaluation, as when Prometheus
// is down or late. ts must lie after the ts of the call before.
//
// It returns what Alertmanager learned since the call before, in order of time (see Event). A rule that fails does
// not stop the others; the error then joins one *RuleError per failed rule, and the events are valid nevertheless. An
// error that wraps store.ErrAway means that the tick is not complete and is to be evaluated again (see Rewind).
func (e *Engine) EvalAt(ctx context.Context, ts time.Time) ([]Event, error) {
	if !ts.After(e.last) && !e.last.IsZero() {
		return nil, fmt.Errorf("evaluate at %s: want a time after the last evaluation at %s", stamp(ts), stamp(e.last))
	}
	e.last, e.again = ts, ts.Equal(e.redo)
	e.away.Store(nil)
	if ts.Sub(e.mapped) >= mapEvery {
		e.store.MapChunks()
		e.mapped = ts
	}
	events := e.pages.expire(ts)
	e.sweepRetired(ctx, ts)
	var due []*group
	for _, g := range e.groups {
		if g.due(ts) {
			due = append(due, g)
		}
	}
	errs := e.evalAll(ctx, due)
	for _, g := range due {
		if g.at.Equal(ts) {
			e.evals += int64(len(g.Rules()))
		}
	}
	events = append(events, e.pages.take()...)
	if err := ctx.Err(); err != nil {
		return events, fmt.Errorf("evaluate at %s: %w", stamp(ts), err)
	}
	return events, errors.Join(slices.Concat(errs...)...)
}

// RuleError is a failed evaluation of one rule.
type RuleError struct {
	File, Group, Rule string
	At                time.Time
	Err               error
}

// Error names the rule, the time and the cause.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s: group %q, rule %q at %s: %v", e.File, e.Group, e.Rule, stamp(e.At), e.Err)
}

// Unwrap returns the cause.
func (e *RuleError) Unwrap() error { return e.Err }

// Replay describes a run over virtual time.
type Replay struct {
	From, To time.Time     // first and last tick, both included
	Step     time.Duration // between ticks; 0 means Engine.Step
	// Feed, if set, is called before each tick, skipped or not, and writes to the store the samples up to and
	// including t.
	Feed func(t time.Time) error
	// Skip, if set, says which ticks are not evaluated.
	Skip func(t time.Time) bool
	// OnTick, if set, is called after each evaluation with the events of it. It may call any method of the engine but
	// EvalAt and Run, for instance Restart.
	OnTick func(t time.Time, events []Event) error
}

// Run evaluates tick after tick until r.To, the first error of a callback or rule, or the end of ctx.
// r.From must be a multiple of the step since the Unix epoch, and the interval of each group a multiple of the step.
func (e *Engine) Run(ctx context.Context, r Replay) error {
	if r.Step == 0 {
		r.Step = e.Step()
	}
	if err := e.checkSteps(r); err != nil {
		return err
	}
	for t := r.From; !t.After(r.To); t = t.Add(r.Step) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("replay at %s: %w", stamp(t), err)
		}
		if r.Feed != nil {
			if err := r.Feed(t); err != nil {
				return fmt.Errorf("feed at %s: %w", stamp(t), err)
			}
		}
		if r.Skip != nil && r.Skip(t) {
			continue
		}
		events, err := e.EvalAt(ctx, t)
		if err != nil {
			return err
		}
		if r.OnTick != nil {
			if err := r.OnTick(t, events); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) checkSteps(r Replay) error {
	if r.Step <= 0 || !multiple(r.From, r.Step) {
		return fmt.Errorf("replay: want a start that is a multiple of a step above 0, have start %s, step %v", stamp(r.From), r.Step)
	}
	for _, g := range e.groups {
		if g.Interval()%r.Step != 0 {
			return fmt.Errorf("replay: want a step that divides the intervals of all groups, have step %v and group %q of %s every %v",
				r.Step, g.Name(), g.File(), g.Interval())
		}
	}
	return nil
}

// Step returns the longest step at which every group is evaluated in each of its slots: the greatest common divisor
// of the intervals. Without groups it is Options.Interval.
func (e *Engine) Step() time.Duration {
	var step time.Duration
	for _, g := range e.groups {
		a, b := step, g.Interval()
		for b != 0 {
			a, b = b, a%b
		}
		step = a
	}
	if step == 0 {
		return e.opts.Interval
	}
	return step
}

// multiple reports whether t is a multiple of d since the Unix epoch.
func multiple(t time.Time, d time.Duration) bool { return t.UnixNano()%int64(d) == 0 }

// stamp formats a virtual time for messages.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// notify is called by Prometheus once per alert rule and evaluation with the alerts to send, often none.
func (e *Engine) notify(ctx context.Context, expr string, sent ...*rules.Alert) {
	if len(sent) == 0 {
		return
	}
	alerts := make([]Alert, 0, len(sent))
	for _, a := range sent {
		alerts = append(alerts, e.alert(a, expr))
	}
	sortAlerts(alerts)
	if g, ok := ctx.Value(groupKey{}).(*group); ok {
		g.sent = append(g.sent, alerts)
		return
	}
	e.send(ctx, alerts)
}

// send hands alerts over.
func (e *Engine) send(ctx context.Context, alerts []Alert) {
	for _, a := range alerts {
		e.pages.receive(e.last, a)
	}
	if e.opts.Notify != nil {
		e.opts.Notify(ctx, alerts)
	}
}
