package ingest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// farm is a scraper and its targets, by job.
type farm struct {
	t       *testing.T
	st      *store.Store
	scraper *Scraper
}

// newFarm scrapes targets that answer as they are told, twice a second, until the test ends.
func newFarm(t *testing.T, l Limits, more string, jobs map[string]http.HandlerFunc) *farm {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &farm{t: t, st: st}
	text := "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n"
	for job, h := range jobs {
		target := httptest.NewServer(h)
		t.Cleanup(target.Close)
		text += fmt.Sprintf("- {job_name: %s, scrape_interval: 500ms, scrape_timeout: 500ms%s, static_configs: [{targets: [%q]}]}\n",
			job, more, strings.TrimPrefix(target.URL, "http://"))
	}
	path := t.TempDir() + "/scrape.yml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.scraper, err = NewScraper(st, path, time.Now, l, nil, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		f.scraper.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// newest returns the newest value of a series of a job, and how many samples and series there are.
func (f *farm) newest(name, job string) (value float64, samples, series int) {
	f.t.Helper()
	q, err := f.st.Queryable().Querier(0, time.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		f.t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil,
		labels.MustNewMatcher(labels.MatchEqual, store.Name, name), labels.MustNewMatcher(labels.MatchEqual, "job", job))
	for set.Next() {
		series++
		for it := set.At().Iterator(nil); it.Next() == chunkenc.ValFloat; samples++ {
			_, value = it.At()
		}
	}
	return value, samples, series
}

// await waits until ok; the scraper runs on the wall clock.
func (f *farm) await(what string, ok func() bool) {
	f.t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for late := time.After(time.Minute); !ok(); {
		select {
		case <-every.C:
		case <-late:
			f.t.Fatalf("waited a minute until %s", what)
		}
	}
}

func calm(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "things_total 1") }

// TestScrapeFlood: a target with a flood of series, new ones each time, costs no more than its limit; what is known of
// it goes on, and the target beside it does not notice.
func TestScrapeFlood(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	f := newFarm(t, Limits{SeriesPerSource: 1000, DecodedBytes: 1 << 30}, ", honor_labels: true", map[string]http.HandlerFunc{
		"calm": calm,
		"flood": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "known_total 1")
			b := bufio.NewWriter(w)
			for range flood / 10 {
				fmt.Fprintf(b, "flood{i=\"%d\"} 1\nup{instance=\"%d\"} 1\n", n.Add(1), n.Load())
			}
			_ = b.Flush()
		},
	})
	f.await("the flood came, and both were scraped twice", func() bool {
		_, known, _ := f.newest("known_total", "flood")
		_, up, _ := f.newest("up", "calm")
		return known >= 2 && up >= 2 && n.Load() >= flood
	})
	if v, _, _ := f.newest("up", "calm"); v != 1 {
		t.Errorf("up of the calm target: got %v", v)
	}
	if got := f.st.SeriesCount(); got > 1000+2*8+8 {
		t.Errorf("got %d series, want no more than the limit and what is said of the targets", got)
	}
}

// TestScrapeLimits: a scrape that is too large fails as a whole, as with the limits of Prometheus; a label that is too
// long is left out; and neither harms anybody else.
func TestScrapeLimits(t *testing.T) {
	t.Parallel()
	f := newFarm(t, Limits{DecodedBytes: 1000, LabelBytes: 50, Labels: 5}, "", map[string]http.HandlerFunc{
		"calm":  calm,
		"large": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("# much\n", 1000)) },
		"long": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "good 1\nlong{l=%q} 1\nmany{a=\"1\",b=\"1\",c=\"1\"} 1\nenough{a=\"1\",b=\"1\"} 1\n", strings.Repeat("x", 51))
		},
	})
	f.await("all were scraped", func() bool {
		for _, job := range []string{"calm", "large", "long"} {
			if _, n, _ := f.newest("up", job); n < 2 {
				return false
			}
		}
		return true
	})
	got := map[string]float64{}
	for _, job := range []string{"calm", "large", "long"} {
		got["up "+job], _, _ = f.newest("up", job)
	}
	for _, name := range []string{"good", "long", "many", "enough"} {
		_, _, n := f.newest(name, "long")
		got[name] = float64(n)
	}
	want := map[string]float64{"up calm": 1, "up large": 0, "up long": 1, "good": 1, "long": 0, "many": 0, "enough": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestScrapeTargets: a job with too many targets scrapes none and says why; the next job does not notice.
func TestScrapeTargets(t *testing.T) {
	t.Parallel()
	f := newFarm(t, Limits{Targets: 1}, "", map[string]http.HandlerFunc{"calm": calm})
	f.await("it is scraped", func() bool { _, n, _ := f.newest("up", "calm"); return n > 0 })
	for job, list := range f.scraper.Targets().TargetsActive() {
		if len(list) != 1 || list[0].LastError() != nil {
			t.Errorf("%s: got %v", job, list)
		}
	}
	cfg, err := f.scraper.Targets().ScrapePoolConfig("calm")
	if err != nil || cfg.TargetLimit != 1 || int64(cfg.BodySizeLimit) != DefaultDecodedBytes {
		t.Errorf("got limits %v, %v, %v", cfg.TargetLimit, cfg.BodySizeLimit, err)
	}
}

// TestTargetSource: series count as active as long as they are scraped, however long ago they were new; a target that
// is gone is forgotten.
func TestTargetSource(t *testing.T) {
	now := t0
	reg := prometheus.NewRegistry()
	x := newTargets(nil, func() time.Time { return now }, Limits{SeriesPerSource: 2}.withDefaults(), nil, reg)
	a := &targetAppender{targets: x, source: x.source(1), own: labels.FromStrings("job", "j")}
	admit := func(ref storage.SeriesRef, name string) bool {
		return a.admit(ref, labels.FromStrings(store.Name, name), 1) == nil
	}
	for _, name := range []string{"a", "b"} {
		if !admit(0, name) {
			t.Fatalf("%s is not admitted", name)
		}
	}
	for range 5 {
		now = now.Add(generation)
		for _, name := range []string{"a", "b"} {
			if !admit(1, name) {
				t.Errorf("%s is not admitted any more", name)
			}
		}
		if admit(0, "c") {
			t.Error("a third series is admitted")
		}
		if err := a.admit(0, labels.FromStrings(store.Name, "up", "job", "j"), 1); err != nil {
			t.Errorf("up of the target: %v", err)
		}
		if err := a.admit(0, labels.FromStrings(store.Name, "up", "job", "other"), 1); err == nil {
			t.Error("an up of its own is admitted")
		}
	}
	x.source(2)
	now = now.Add(3 * generation)
	x.source(3)
	if got := len(x.sources); got != 1 {
		t.Errorf("got %d targets, want 1", got)
	}
	if got := testutil.CollectAndCount(x.rejected); got != 0 {
		t.Errorf("got %d reasons", got)
	}
}

// TestScrapeFiles: a change of a file that the configuration includes is seen, and so is a new one; a wrong one changes
// nothing, and is set right by the next.
func TestScrapeFiles(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1000)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calm(w, r)
		select {
		case asked <- r.URL.Path:
		default:
		}
	}))
	defer target.Close()
	st, err := store.Open("", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	job := func(name string) string {
		return fmt.Sprintf("scrape_configs: [{job_name: %s, metrics_path: /%s, static_configs: [{targets: [%q]}]}]\n",
			name, name, strings.TrimPrefix(target.URL, "http://"))
	}
	put("scrape.yml", "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\nscrape_config_files: [job-*.yml]\n")
	put("job-1.yml", job("one"))
	reg := prometheus.NewRegistry()
	s, err := NewScraper(st, dir+"/scrape.yml", time.Now, Limits{}, nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		s.Run(ctx)
		close(done)
	}()
	await := func(path string) {
		t.Helper()
		for late := time.After(time.Minute); ; {
			select {
			case got := <-asked:
				if got == path {
					return
				}
			case <-late:
				t.Fatalf("%s was not scraped", path)
			}
		}
	}
	await("/one")
	put("job-1.yml", job("changed"))
	s.Reload()
	await("/changed")
	put("job-2.yml", "nonsense: true\n")
	s.Reload()
	if got := testutil.ToFloat64(s.ok); got != 0 {
		t.Errorf("a wrong file: plimsoll_scrape_config_ok is %v", got)
	}
	put("job-2.yml", job("two"))
	s.Reload()
	await("/two")
	if got := testutil.ToFloat64(s.ok); got != 1 {
		t.Errorf("when it is right again: plimsoll_scrape_config_ok is %v", got)
	}
	stop()
	<-done
}
