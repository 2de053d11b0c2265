// Package store is the embedded time series database: Prometheus' own TSDB behind a small append interface.
// It is the only package that imports prometheus/tsdb. Package engine reads and writes it when rules are evaluated.
//
// Two ways to open one: the zero Options behave like a Prometheus server (write-ahead log, two-hour blocks, background
// compaction); Options.Replay is for virtual time, where a month passes in seconds and nothing may happen behind
// the caller's back.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// defaultRetention is the retention of a Prometheus server, 15 days.
const defaultRetention = 15 * 24 * time.Hour

// replayStripes sizes the series map of a replay store. The default of Prometheus (16384 stripes) is for millions of
// series and costs milliseconds to allocate.
const replayStripes = 1 << 10

// never is an interval that no process lives through: it switches Prometheus' periodic block reload off.
const never = 100 * 365 * 24 * time.Hour

// reloadEvery is how often the database looks which blocks there are: Publish waits for it.
const reloadEvery = 5 * time.Second

// Options of a Store. The zero value is a store like that of a Prometheus server.
type Options struct {
	// Retention is how long blocks are kept, counted back from the newest sample, not from the wall clock.
	// 0 means 15 days. Ignored when Replay is set: a replay store keeps everything.
	Retention time.Duration
	// OutOfOrder is how far a sample may lie behind the newest sample of its series. 0 means not at all.
	OutOfOrder time.Duration
	// Replay, if above 0, opens the store for virtual time: samples may lie up to Replay behind the newest sample of
	// the whole store (each series still in order), all data stay in one head, there is no write-ahead log, and
	// nothing is compacted or deleted. The data of a replay store are lost on Close.
	Replay time.Duration
	// Logger receives the log of the TSDB. nil discards it.
	Logger *slog.Logger
	// MaxBytes is how much the blocks on disk may take together before the oldest go. 0 means no limit.
	MaxBytes int64
	// MinFree is the free space below which samples are refused with ErrLowSpace. 0 means that nobody looks.
	MinFree uint64
	// Registerer receives the metrics of the TSDB. nil means none.
	Registerer prometheus.Registerer
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db     *tsdb.DB
	dir    string
	room   *room
	temp   bool // dir was made by Open and goes with Close
	replay bool
	mapMu  sync.Mutex // MapChunks may only run once at a time
	turn   sync.Mutex // see orderly

	under  storage.Queryable // of a Draft: what is seen below it
	hidden func(Labels) bool // of a Draft: what is not seen of that

	draft     atomic.Pointer[Draft]   // that is shown; nil: none
	whole     atomic.Pointer[tsdb.DB] // db, for condemned, which the database asks before it is open
	condemned sync.Map                // ULIDs of blocks that hold nothing any more
}

// Open opens or creates the database in dir. An empty dir means a new temporary directory that Close removes.
// It fails if dir cannot be written, is in use by another process, or holds data that cannot be repaired.
func Open(dir string, o Options) (*Store, error) {
	if o.Retention < 0 || o.OutOfOrder < 0 || o.Replay < 0 {
		return nil, fmt.Errorf("open store: want durations of 0 or more, have retention %v, out of order %v, replay %v",
			o.Retention, o.OutOfOrder, o.Replay)
	}
	s := &Store{dir: dir, replay: o.Replay > 0, room: &room{least: o.MinFree}}
	if dir == "" {
		tmp, err := os.MkdirTemp("", "plimsoll-store-")
		if err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		s.dir, s.temp = tmp, true
	}
	s.room.dir = s.dir
	if err := dropMarkers(s.dir, cmp.Or(o.Logger, slog.New(slog.DiscardHandler))); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", s.dir, err), s.removeTemp())
	}
	to := tsdbOptions(o)
	to.BlocksToDelete = s.blocksToDelete
	db, err := tsdb.Open(s.dir, o.Logger, o.Registerer, to, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %q: %w", s.dir, err), s.removeTemp())
	}
	if s.replay {
		db.DisableCompactions()
	}
	s.db = db
	s.whole.Store(db)
	return s, nil
}

// blocksToDelete returns the blocks that retention or Publish wants to go.
func (s *Store) blocksToDelete(blocks []*tsdb.Block) map[ulid.ULID]struct{} {
	out := map[ulid.ULID]struct{}{}
	if db := s.whole.Load(); db != nil {
		out = tsdb.DefaultBlocksToDelete(db)(blocks)
	}
	for _, b := range blocks {
		if _, gone := s.condemned.Load(b.Meta().ULID); gone {
			out[b.Meta().ULID] = struct{}{}
		}
	}
	return out
}

// tsdbOptions translates o.
func tsdbOptions(o Options) *tsdb.Options {
	t := tsdb.DefaultOptions()
	t.WALCompression = compression.Snappy
	t.RetentionDuration = max(o.Retention, 0).Milliseconds()
	if o.Retention == 0 {
		t.RetentionDuration = defaultRetention.Milliseconds()
	}
	t.OutOfOrderTimeWindow = o.OutOfOrder.Milliseconds()
	t.MaxBytes = o.MaxBytes
	t.BlockReloadInterval = reloadEvery
	if o.Replay > 0 {
		// The head refuses samples older than half its range, and wants compaction at one and a half ranges.
		span := max(2*o.Replay.Milliseconds(), tsdb.DefaultBlockDuration)
		t.MinBlockDuration, t.MaxBlockDuration = span, span
		t.RetentionDuration = 0
		t.WALSegmentSize = -1
		t.IsolationDisabled = true
		t.StripeSize = replayStripes
		t.BlockReloadInterval = never
	}
	return t
}

// Close stops background work and closes the files; a write-ahead log keeps what was committed. A store must be
// closed once; nothing may be called on it afterwards.
func (s *Store) Close() error {
	err := s.db.Close()
	if err != nil {
		err = fmt.Errorf("close store %q: %w", s.dir, err)
	}
	return errors.Join(err, s.removeTemp())
}

func (s *Store) removeTemp() error {
	if !s.temp {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Dir returns the directory of the database.
func (s *Store) Dir() string { return s.dir }

// SeriesCount returns the number of series in the head: all series of a replay store, otherwise those with samples
// of the last hours.
func (s *Store) SeriesCount() int { return int(s.db.Head().NumSeries()) }

// MapChunks moves the full chunks of a replay store from memory to files; a store that is not for replay does so by
// itself. Without it a replay still works, but takes memory for every sample and gets slower with each chunk.
// Batch calls it now and then; a caller that writes through Appendable should call it once an hour of virtual time.
func (s *Store) MapChunks() {
	if !s.replay {
		return
	}
	s.mapMu.Lock()
	defer s.mapMu.Unlock()
	s.db.ForceHeadMMap()
}

// Appendable is the write side for package engine and for receivers.
func (s *Store) Appendable() storage.Appendable { return roomy{s.db, s.room} }

// Queryable is the read side for package engine.
func (s *Store) Queryable() storage.Queryable {
	if s.under != nil {
		return overlay{s.db, s.under, s.hidden}
	}
	return shown{s}
}

// Results is the write side for the rules: what a draft is shown for goes there. Rules may be evaluated at the same time:
// none misses what was recorded before it.
func (s *Store) Results() storage.Appendable { return orderly{shown{s}, &s.turn} }

// Stale returns the staleness marker: the value that ends a series at its timestamp, as Prometheus writes it when a
// target or a series vanishes. It is a NaN with special bits; test for it with IsStale, never with ==.
func Stale() float64 { return math.Float64frombits(value.StaleNaN) }

// IsStale reports whether v is the staleness marker. Any other NaN is not.
func IsStale(v float64) bool { return value.IsStaleNaN(v) }

// appender returns a fresh transaction.
func (s *Store) appender() storage.Appender {
	return roomy{s.db, s.room}.Appender(context.Background())
}
