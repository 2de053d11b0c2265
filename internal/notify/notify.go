// Package notify sends alerts to one or several Alertmanagers and survives their outages.
//
// What is queued is not a log of sends but the newest state of each alert. So an outage of any length costs memory
// for the alerts there are, not for the time it lasts; and when an Alertmanager is back, it learns what is true now:
// alerts that still fire fire, and those that it knew and that are over are resolved. An alert that began and ended
// while an Alertmanager was away is not a page any more, and is not made one.
package notify

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
)

// The defaults of Options.
const (
	DefaultLimit   = 50_000
	DefaultBatch   = 256
	DefaultTimeout = 10 * time.Second
	DefaultRetry   = time.Second
	DefaultRetryTo = 5 * time.Second
)

// Options of a Queue. Each zero value means the default.
type Options struct {
	Limit          int           // alerts that wait for one Alertmanager; beyond it resolved ones, then the oldest are dropped
	Batch          int           // alerts in one request
	Timeout        time.Duration // of one request
	Retry, RetryTo time.Duration // wait after the first failure, and the longest
	Client         *http.Client
	Logger         *slog.Logger // nil discards
	Registerer     prometheus.Registerer
}

func (o Options) withDefaults() Options {
	o.Limit = cmp.Or(o.Limit, DefaultLimit)
	o.Batch = cmp.Or(o.Batch, DefaultBatch)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Retry = cmp.Or(o.Retry, DefaultRetry)
	o.RetryTo = max(cmp.Or(o.RetryTo, DefaultRetryTo), o.Retry)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return o
}

// Queue keeps the newest state of each alert until every Alertmanager has it. It is safe for concurrent use.
type Queue struct {
	opts    Options
	now     func() time.Time
	targets []*target
	metrics metrics

	mu   sync.Mutex
	held bool
}

// New returns a queue to the Alertmanagers at urls, each of which receives every alert. now is the wall clock.
// It fails if one of urls is not an http URL with a host; the error does not repeat it, as it may hold a password.
func New(urls []string, now func() time.Time, o Options) (*Queue, error) {
	o = o.withDefaults()
	q := &Queue{opts: o, now: now, metrics: newMetrics(o.Registerer)}
	o.Registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plimsoll_notify_undelivered_seconds",
		Help: "How long an alert has been waiting at most, for the Alertmanager that has waited least; 0 if none waits or there is no Alertmanager.",
	}, func() float64 { return q.undelivered().Seconds() }))
	for i, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("want an http or https URL with a host for each Alertmanager")
		}
		public := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
		if slices.ContainsFunc(q.targets[:i], func(t *target) bool { return t.public == public }) {
			return nil, errors.New("an Alertmanager is named twice: " + public)
		}
		q.targets = append(q.targets, newTarget(q, raw, public))
	}
	return q, nil
}

// Targets returns the URLs of the Alertmanagers without passwords.
func (q *Queue) Targets() []*url.URL {
	var out []*url.URL
	for _, t := range q.targets {
		u, err := url.Parse(t.public)
		if err != nil {
			panic("notify: " + err.Error())
		}
		out = append(out, u)
	}
	return out
}

// Put replaces the state of each alert by the one given, as of the evaluation at tick. It never blocks on the network.
// Pending alerts are ignored. How long Alertmanager believes in a firing alert that it hears nothing more of, which is
// ValidUntil less tick, counts from the moment it is sent: an alert that had to wait is not over when it arrives.
func (q *Queue) Put(tick time.Time, alerts []engine.Alert) {
	for _, t := range q.targets {
		t.put(tick, alerts)
	}
}

// Hold stops sending while held is true: a server that catches up would send alerts of the past. What is put
// meanwhile waits.
func (q *Queue) Hold(held bool) {
	q.mu.Lock()
	q.held = held
	q.mu.Unlock()
	if !held {
		for _, t := range q.targets {
			t.signal()
		}
	}
}

func (q *Queue) holding() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}

// Run sends until ctx ends. Then it tries once more to send what waits, for at most Options.Timeout.
func (q *Queue) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, t := range q.targets {
		wg.Go(func() { t.run(ctx) })
	}
	wg.Wait()
}

// Status is what one Alertmanager has and lacks.
type Status struct {
	URL       string    `json:"url"`
	Waiting   int       `json:"waiting"`   // alerts that it does not have yet
	Sent      int64     `json:"sent"`      // alerts that it took, repetitions included
	Dropped   int64     `json:"dropped"`   // alerts given up because Options.Limit was reached
	Failing   bool      `json:"failing"`   // the last request failed
	LastError string    `json:"lastError"` // of the last request; empty if it was fine
	LastSent  time.Time `json:"lastSent,omitzero"`
}

// Status returns the state of each Alertmanager, in the order of New.
func (q *Queue) Status() []Status {
	out := make([]Status, 0, len(q.targets))
	for _, t := range q.targets {
		t.mu.Lock()
		s := t.status
		s.Waiting = len(t.waiting)
		t.mu.Unlock()
		out = append(out, s)
	}
	return out
}

// undelivered returns how long an alert has been waiting at most, for the Alertmanager that is best off.
func (q *Queue) undelivered() time.Duration {
	var out time.Duration
	now := q.now()
	for i, t := range q.targets {
		if wait := t.longest(now); i == 0 || wait < out {
			out = wait
		}
	}
	return out
}

// longest returns how long an alert has been waiting at most.
func (t *target) longest(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out time.Duration
	for _, e := range t.waiting {
		out = max(out, now.Sub(e.since))
	}
	return out
}

// entry is the newest state of an alert; turn tells states of one alert apart, and orders alerts by age.
type entry struct {
	alert engine.Alert
	valid time.Duration // of a firing alert, from the send
	turn  int64
	since time.Time // when the oldest state began to wait that was not sent
}

// target is one Alertmanager.
type target struct {
	q           *Queue
	url, public string
	wake        chan struct{}

	mu      sync.Mutex
	waiting map[string]entry
	turn    int64
	status  Status
}

func newTarget(q *Queue, raw, public string) *target {
	return &target{
		q: q, url: raw, public: public, wake: make(chan struct{}, 1), waiting: map[string]entry{}, status: Status{URL: public},
	}
}

func (t *target) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *target) put(tick time.Time, alerts []engine.Alert) {
	now := t.q.now()
	t.mu.Lock()
	for _, a := range alerts {
		if a.State == engine.Pending {
			continue
		}
		t.turn++
		key, since := a.Labels.String(), now
		if before, waits := t.waiting[key]; waits {
			since = before.since
		}
		t.waiting[key] = entry{a, a.ValidUntil.Sub(tick), t.turn, since}
	}
	t.shrink()
	t.q.metrics.waiting.WithLabelValues(t.public).Set(float64(len(t.waiting)))
	t.mu.Unlock()
	t.signal()
}

// shrink drops alerts beyond the limit: resolved ones first, and older states before newer ones.
func (t *target) shrink() {
	over := len(t.waiting) - t.q.opts.Limit
	if over <= 0 {
		return
	}
	keys := slices.SortedFunc(maps.Keys(t.waiting), func(a, b string) int {
		x, y := t.waiting[a], t.waiting[b]
		rank := func(e entry) int {
			if e.alert.ResolvedAt.IsZero() {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.turn, y.turn))
	})
	for _, k := range keys[:over] {
		delete(t.waiting, k)
	}
	t.status.Dropped += int64(over)
	t.q.metrics.dropped.WithLabelValues(t.public).Add(float64(over))
	t.q.opts.Logger.Error("alerts dropped, the queue is full", "alertmanager", t.public, "dropped", over)
}

// run sends what waits whenever something was put, and again and again while that fails.
func (t *target) run(ctx context.Context) {
	wait := t.q.opts.Retry
	for {
		var retry <-chan time.Time
		if !t.q.holding() {
			if t.flush(ctx) {
				wait = t.q.opts.Retry
			} else {
				retry = time.After(wait)
				wait = min(2*wait, t.q.opts.RetryTo)
			}
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.q.opts.Timeout)
			defer cancel()
			if !t.q.holding() {
				t.flush(last)
			}
			return
		case <-t.wakeUnless(retry):
		case <-retry:
		}
	}
}

// wakeUnless returns the channel of new work, or none while an Alertmanager that fails rests.
func (t *target) wakeUnless(retry <-chan time.Time) <-chan struct{} {
	if retry != nil {
		return nil
	}
	return t.wake
}

// flush sends batch after batch until nothing waits, and reports whether all was taken.
func (t *target) flush(ctx context.Context) bool {
	for {
		keys := t.oldest()
		if len(keys) == 0 {
			return true
		}
		for some := range slices.Chunk(keys, t.q.opts.Batch) {
			some, batch := t.those(some)
			if len(some) == 0 {
				continue
			}
			err := t.send(ctx, batch)
			t.settle(some, batch, err)
			if err != nil && !refused(err) {
				return false
			}
			if t.q.holding() {
				return true // what waits is looked at when it ends
			}
		}
	}
}

// oldest returns the alerts that wait, in the order of their states.
func (t *target) oldest() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Keys(t.waiting), func(a, b string) int { return cmp.Compare(t.waiting[a].turn, t.waiting[b].turn) })
}

// those returns the states of the alerts called keys that still wait.
func (t *target) those(keys []string) (there []string, batch []entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if e, ok := t.waiting[k]; ok {
			there, batch = append(there, k), append(batch, e)
		}
	}
	return there, batch
}

func (t *target) send(ctx context.Context, batch []entry) error {
	ctx, cancel := context.WithTimeout(ctx, t.q.opts.Timeout)
	defer cancel()
	now := t.q.now()
	alerts := make([]engine.Alert, 0, len(batch))
	for _, e := range batch {
		a := e.alert
		if a.ResolvedAt.IsZero() {
			a.ValidUntil = now.Add(e.valid)
		}
		alerts = append(alerts, a)
	}
	return engine.SendAlerts(ctx, t.q.opts.Client, t.url, alerts)
}

// settle takes what was sent or refused out of the queue, unless its state has changed meanwhile.
func (t *target) settle(keys []string, batch []entry, err error) {
	log, m, n := t.q.opts.Logger.With("alertmanager", t.public), t.q.metrics, float64(len(keys))
	now := t.q.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case refused(err):
		log.Error("alertmanager refuses alerts", "alerts", len(keys), "err", err)
		t.status.Failing, t.status.LastError = false, err.Error()
		t.status.Dropped += int64(len(keys))
		m.dropped.WithLabelValues(t.public).Add(n)
	case err != nil:
		if !t.status.Failing {
			log.Error("alerts not sent, retrying", "waiting", len(t.waiting), "err", err)
		}
		t.status.Failing, t.status.LastError = true, err.Error()
		m.failures.WithLabelValues(t.public).Inc()
		return
	default:
		if t.status.Failing {
			log.Info("alertmanager is back", "waiting", len(t.waiting))
		}
		t.status.Failing, t.status.LastError, t.status.LastSent = false, "", now.UTC()
		t.status.Sent += int64(len(keys))
		m.sent.WithLabelValues(t.public).Add(n)
	}
	for i, k := range keys {
		e, waits := t.waiting[k]
		switch {
		case waits && e.turn == batch[i].turn:
			delete(t.waiting, k)
		case waits:
			e.since = now
			t.waiting[k] = e
		}
	}
	m.waiting.WithLabelValues(t.public).Set(float64(len(t.waiting)))
}

// refused reports whether sending again cannot help. Alertmanager takes the good alerts of a request that it refuses.
func refused(err error) bool {
	s, ok := errors.AsType[*engine.StatusError](err)
	return ok && (s.Code == http.StatusBadRequest || s.Code == http.StatusUnprocessableEntity)
}

// metrics observe the queue.
type metrics struct {
	waiting                 *prometheus.GaugeVec
	sent, dropped, failures *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	by := []string{"alertmanager"}
	counter := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, by)
		r.MustRegister(c)
		return c
	}
	m := metrics{
		waiting:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "plimsoll_notify_waiting_alerts", Help: "Alerts that an Alertmanager does not have yet."}, by),
		sent:     counter("plimsoll_notify_sent_alerts_total", "Alerts that an Alertmanager took, repetitions included."),
		dropped:  counter("plimsoll_notify_dropped_alerts_total", "Alerts given up because the queue was full."),
		failures: counter("plimsoll_notify_failures_total", "Requests to an Alertmanager that failed."),
	}
	r.MustRegister(m.waiting)
	return m
}

// String names the queue in logs: its targets, without passwords.
func (q *Queue) String() string {
	var out []string
	for _, t := range q.targets {
		out = append(out, t.public)
	}
	return strings.Join(out, ", ")
}
