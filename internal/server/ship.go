package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/internal/store/remote"
	"github.com/plimsoll-slo/plimsoll/slo"
)

const (
	// shippedFile says up to when the store of others has what was recorded.
	shippedFile = "shipped.json"
	// shipWindow is how much time is read from the state at once.
	shipWindow = 10 * time.Minute
	// shipSamples is how many samples are written in one request.
	shipSamples = 2000
	// shipRest is how long the shipper waits after the store was away.
	shipRest = 5 * time.Second
	// shipLast is how long the end of a server may take for what is not written yet.
	shipLast = 5 * time.Second
)

// shipper writes what was recorded to the store of others. It reads it from the state, where it stays, so nothing is
// lost however long that store is away: shippedFile holds how far it came.
type shipper struct {
	far   *remote.Store
	state *store.Store
	path  string
	log   *slog.Logger
	wake  chan struct{}

	mu      sync.Mutex
	done    shipped
	reading time.Time // the end of the window that is being written
	goal    time.Time
	problem string
	refused string // the newest words of the store about samples that it refused
}

// shipped is the content of shippedFile.
type shipped struct {
	UpTo time.Time `json:"upTo"`
	Past []past    `json:"past,omitempty"` // of SLOs that joined later
}

// past is what was recorded about some SLOs in [From, To].
type past struct {
	SLOs []string  `json:"slos"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// newShipper reads how far it came.
func newShipper(far *remote.Store, state *store.Store, dir string, log *slog.Logger) (*shipper, error) {
	h := &shipper{far: far, state: state, path: filepath.Join(dir, shippedFile), log: log, wake: make(chan struct{}, 1)}
	text, err := os.ReadFile(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &h.done)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w; if it is damaged, remove it, and the store gets what is recorded from now on", h.path, err)
	}
	return h, nil
}

// from says that the store has everything up to t.
func (h *shipper) from(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done.UpTo.Before(t) {
		h.done.UpTo = t
	}
}

// begin says that the store needs nothing older than t, unless the shipper knows how far it came.
func (h *shipper) begin(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done.UpTo.IsZero() {
		h.done.UpTo = t
	}
}

// until asks for everything up to t.
func (h *shipper) until(t time.Time) {
	h.mu.Lock()
	h.goal = t
	h.mu.Unlock()
	h.look()
}

// also asks for the past of SLOs from a time up to where the shipper was when it was recorded.
func (h *shipper) also(names []string, from time.Time) {
	h.mu.Lock()
	to := h.done.UpTo
	if h.reading.After(to) {
		to = h.reading
	}
	if from.Before(to) {
		h.done.Past = append(h.done.Past, past{slices.Clone(names), from, to})
	}
	err := h.keep()
	h.mu.Unlock()
	if err != nil {
		h.log.Error("keep what is to be written to the store", "err", err)
	}
	h.look()
}

func (h *shipper) look() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// keep writes shippedFile.
func (h *shipper) keep() error {
	text, err := json.Marshal(h.done)
	if err != nil {
		return err
	}
	return replaceFile(h.path, append(text, '\n'))
}

// run writes until ctx ends.
func (h *shipper) run(ctx context.Context) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		case <-rest.C:
		}
		if err := h.ship(ctx); err != nil && ctx.Err() == nil {
			h.fail(err)
			rest.Reset(shipRest)
		}
	}
}

// fail notes why nothing can be written.
func (h *shipper) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problem == "" {
		h.log.Error("what is recorded cannot be written to the store, trying again", "store", h.far.Name(), "err", err)
	}
	h.problem = err.Error()
}

// ship writes everything that is asked for.
func (h *shipper) ship(ctx context.Context) error {
	for {
		from, to, more := h.window()
		if !more {
			break
		}
		if err := h.write(ctx, from, to, shippable); err != nil {
			return err
		}
		h.mu.Lock()
		h.done.UpTo, h.problem = to, ""
		err := h.keep()
		h.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return h.shipPast(ctx)
}

// window returns the next piece of time to write, both ends included.
func (h *shipper) window() (from, to time.Time, more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.done.UpTo.Before(h.goal) {
		return from, to, false
	}
	from = h.done.UpTo.Add(time.Millisecond)
	to = h.goal
	if far := h.done.UpTo.Add(shipWindow); far.Before(to) {
		to = far
	}
	h.reading = to
	return from, to, true
}

// shipPast writes the past of SLOs that joined later, oldest first.
func (h *shipper) shipPast(ctx context.Context) error {
	for {
		h.mu.Lock()
		if len(h.done.Past) == 0 {
			h.mu.Unlock()
			return nil
		}
		p := h.done.Past[0]
		h.mu.Unlock()
		to := p.To
		if far := p.From.Add(shipWindow); far.Before(to) {
			to = far
		}
		of := recordedOf(p.SLOs)
		if err := h.write(ctx, p.From, to, of); err != nil {
			return err
		}
		h.mu.Lock()
		h.done.Past[0].From = to.Add(time.Millisecond)
		if !to.Before(p.To) {
			h.done.Past = h.done.Past[1:]
		}
		err := h.keep()
		h.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// shippable reports whether others want a series: all but the marks of backfills.
func shippable(l store.Labels) bool { return l[store.Name] != SeriesFilled }

// write sends what was recorded in [from, to].
func (h *shipper) write(ctx context.Context, from, to time.Time, want func(store.Labels) bool) error {
	var rows []store.Row
	n := 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		out, err := h.far.Write(ctx, rows)
		if err == nil {
			h.note(out)
		}
		rows, n = nil, 0
		return err
	}
	err := h.state.Each(ctx, from, to, want, func(r store.Row) error {
		rows, n = append(rows, r), n+len(r.Samples)
		if n >= shipSamples {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// note logs what the store refuses for good, once for each kind of words.
func (h *shipper) note(o remote.Outcome) {
	if len(o.Refused) == 0 {
		return
	}
	// A replica was there first: that is as it should be.
	level := slog.LevelWarn
	if _, ok := o.Refused[remote.RefusedDuplicate]; ok && len(o.Refused) == 1 {
		level = slog.LevelDebug
	}
	h.mu.Lock()
	first := h.refused == ""
	h.refused = o.Why
	h.mu.Unlock()
	if !first {
		level = slog.LevelDebug
	}
	h.log.Log(context.Background(), level, "the store refuses samples, the state has them", "store", h.far.Name(), "refused", o.Refused, "why", o.Why)
}

// status returns up to when the store has everything, and why not later.
func (h *shipper) status() (upTo time.Time, problem string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done.UpTo, h.problem
}

// own are the metrics that the server reads from its state besides what the rules record.
func own() []string {
	return []string{
		SeriesTick, SeriesFilled,
		slo.SeriesBudgetRemaining, slo.SeriesTelemetry, slo.SeriesBurnRate, slo.SeriesEventsSum, slo.SeriesBadSum,
	}
}
