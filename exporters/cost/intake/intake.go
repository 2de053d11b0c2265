// Package intake reads bills from files, and costs from OpenCost, into a book of costs, again and again: what is new or
// has changed as a whole, and nothing of it if a part is broken.
package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/cost"
	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Source is where bills of one format come from: files or an API.
type Source struct {
	// Name tells sources apart.
	Name   string
	Format cost.Format
	// Include are patterns of filepath.Match for the paths of files, or of path.Match for the keys of objects.
	Include []string
	// Bucket is where the objects are that Include means. nil for files.
	Bucket *BucketOptions
	// API is OpenCost, for the formats that are answers of it. nil for files.
	API *API
	// Read says how to understand what files do not say.
	Read cost.ReadOptions
	// Every is the least time between two looks at the source. 0 looks with every Poll.
	Every time.Duration
}

// Options of an Intake. The zero value works, but reads nothing.
type Options struct {
	Sources []Source
	Book    cost.Options
	// Path is the file in which the book survives a restart. Empty: it is read anew.
	Path string
	// Settle is how long a file must not have changed to be read. 30 seconds; negative for not at all.
	Settle time.Duration
	// Parquet opens a Parquet file as comma-separated values. nil refuses such files.
	Parquet func(file io.ReaderAt, size int64) (io.ReadCloser, error)
	// Buckets opens a bucket. nil refuses sources with one.
	Buckets func(BucketOptions) (Bucket, error)
}

// Names and values of attributes of cost.files.
const (
	SourceName = "cost.source"
	FileState  = "cost.file.state"

	Good    = "read"    // as it is now
	Failed  = "failed"  // what it said before counts on
	Waiting = "waiting" // it is being written
)

// Families returns the metrics that an intake has besides those of its book.
func Families() []metric.Family {
	return []metric.Family{{
		Name: "cost.files", Unit: "{file}", Kind: metric.Gauge, From: "every look",
		Help:       "Files, or days of an API, that were found, by whether they could be read.",
		Attributes: []string{SourceName, FileState},
	}}
}

// Intake reads sources into a book. Poll is for one goroutine, Read is safe beside it.
type Intake struct {
	options Options
	book    *cost.Book
	files   files
	next    map[string]time.Time // when a source is due
	client  map[string]*http.Client

	mu     sync.Mutex
	whole  map[string]bool           // sources of which everything was read once, now or before a restart
	passed bool                      // since the start, each source was looked at
	counts map[string]map[string]int // of files, by source and state
}

// Open returns an intake that goes on with the book in o.Path, or with an empty one that begins at now. It fails if the
// saved book is broken or was allocated by other rules.
func Open(o Options, now time.Time) (*Intake, error) {
	if o.Settle == 0 {
		o.Settle = 30 * time.Second
	}
	i := &Intake{
		options: o, next: map[string]time.Time{}, client: map[string]*http.Client{}, whole: map[string]bool{},
		counts: map[string]map[string]int{}, files: newFiles(),
	}
	for _, s := range o.Sources {
		if s.Bucket != nil && o.Buckets == nil {
			return nil, fmt.Errorf("source %q: %w", s.Name, errNoBuckets)
		}
	}
	if err := i.restore(now); err != nil {
		return nil, err
	}
	return i, nil
}

// Poll looks at the sources that are due. The error joins everything that could not be read, which counts on as it was and
// is tried again by the next Poll, and what could not be saved.
func (i *Intake) Poll(ctx context.Context, now time.Time) error {
	var errs []error
	changed := false
	i.files.begin()
	for _, s := range i.options.Sources {
		if now.Before(i.next[s.Name]) {
			continue
		}
		r := &round{Intake: i, ctx: ctx, source: s, now: now, counts: map[string]int{}}
		switch {
		case s.API != nil:
			r.api()
		case s.Bucket != nil:
			r.lookInto(*s.Bucket)
		default:
			r.take(r.globbed())
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		if len(r.errs) == 0 && r.counts[Waiting] == 0 {
			i.next[s.Name] = now.Add(s.Every)
		}
		changed = i.note(r) || changed
		errs = append(errs, r.errs...)
	}
	i.mu.Lock()
	i.passed = true
	i.mu.Unlock()
	if changed {
		errs = append(errs, i.save())
	}
	return errors.Join(errs...)
}

// note takes over how a look at a source went, and tells whether there is something to save.
func (i *Intake) note(r *round) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts[r.source.Name] = r.counts
	if len(r.errs) == 0 && r.counts[Waiting] == 0 && !i.whole[r.source.Name] {
		i.whole[r.source.Name] = true
		return true
	}
	return r.changed
}

// Missing returns the sources of which not everything was read yet, now or before a restart. As long as there are some
// Read says nothing of costs: what they have would look like money spent when it comes.
func (i *Intake) Missing() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.missing()
}

func (i *Intake) missing() (names []string) {
	for _, s := range i.options.Sources {
		if !i.passed || !i.whole[s.Name] {
			names = append(names, s.Name)
		}
	}
	return names
}

// Read returns what the book says at now, if no source is missing, and how reading goes.
func (i *Intake) Read(now time.Time) metric.Snapshot {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.book.Read(now)
	if len(i.missing()) > 0 {
		s.Families = nil
	}
	family := Families()[0]
	for _, source := range i.options.Sources {
		counts, looked := i.counts[source.Name]
		for _, state := range []string{Failed, Good, Waiting} {
			if looked {
				family.Points = append(family.Points, metric.Point{
					Attrs: event.NewSet(event.String(SourceName, source.Name), event.String(FileState, state)), Value: float64(counts[state]),
				})
			}
		}
	}
	if family.Sort(); len(family.Points) > 0 {
		s.Families = append(s.Families, family)
	}
	return s
}

// round is one look at a source.
type round struct {
	*Intake
	ctx     context.Context
	source  Source
	now     time.Time
	counts  map[string]int
	errs    []error
	changed bool
}

// failed notes that something could not be read.
func (r *round) failed(err error) {
	r.counts[Failed]++
	r.errs = append(r.errs, fmt.Errorf("source %q: %w", r.source.Name, err))
}

// Check returns what is wrong with the options.
func (o Options) Check() error {
	var errs []error
	bad := func(s Source, format string, args ...any) {
		errs = append(errs, fmt.Errorf("sources::%s::%w", s.Name, fmt.Errorf(format, args...)))
	}
	if len(o.Sources) == 0 {
		errs = append(errs, errors.New("sources: want at least one, have none"))
	}
	for _, s := range o.Sources {
		answers := s.Format == cost.OpenCostAllocation || s.Format == cost.OpenCostCloud
		switch {
		case !slices.Contains(cost.Formats(), s.Format):
			bad(s, "kind: want one of %v, have %q", cost.Formats(), s.Format)
		case s.API != nil && !answers:
			bad(s, "base_url: %s is read from files", s.Format)
		case (s.API != nil) == (len(s.Include) > 0):
			bad(s, "include: want files, or the base_url of an OpenCost, and not both")
		case s.API != nil && s.Bucket != nil:
			bad(s, "bucket_url: want a bucket or the base_url of an OpenCost, and not both")
		}
		if s.API != nil {
			if err := s.API.check(); err != nil {
				bad(s, "%w", err)
			}
		}
		if s.Bucket != nil {
			if _, _, err := s.Bucket.Split(); err != nil {
				bad(s, "%w", err)
			}
		}
		if s.Every < 0 {
			bad(s, "interval: want 0s or more, have %v", s.Every)
		}
		errs = append(errs, checkPatterns(s))
	}
	return errors.Join(append(errs, o.Book.Check())...)
}
