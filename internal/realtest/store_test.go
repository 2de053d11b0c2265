//go:build real

package realtest

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	promclient "github.com/prometheus/client_golang/prometheus"

	plimsoll "github.com/plimsoll-slo/plimsoll/internal/server"
	"github.com/plimsoll-slo/plimsoll/internal/store"
	"github.com/plimsoll-slo/plimsoll/internal/store/remote"
)

// storeKind is a real store for plimsoll serve --store.
type storeKind struct {
	name  string
	kind  remote.Type
	open  func(t testing.TB) *database
	error float64  // relative; VictoriaMetrics keeps decimals, of about 15 digits
	more  []string // labels that the store adds to every series
}

var storeKinds = func() []storeKind {
	return []storeKind{
		{"prometheus", remote.Prometheus, func(t testing.TB) *database { return prometheus(t) }, 0, nil},
		// Without deduplication, VictoriaMetrics has what two replicas write twice.
		{"victoriametrics", remote.VictoriaMetrics, func(t testing.TB) *database { return victoria(t, "-dedup.minScrapeInterval=1ms") }, 1e-9, nil},
		{"cortex", remote.Cortex, func(t testing.TB) *database { return cortex(t, "") }, 0, nil},
		{"thanos", remote.Thanos, func(t testing.TB) *database { return thanos(t) }, 0, []string{"receive", "tenant_id"}},
	}
}

// The story of TestStore.
const (
	replicaStops  = 30 * time.Minute // the first replica
	replicaStarts = 40 * time.Minute
	replicaLost   = 60 * time.Minute // its directory
)

// TestStore runs the story of every kind of SLO, on a clock of its own, with plimsoll serve over a real store that has the
// samples and gets the results: two replicas, of which one is stopped for ten minutes and later loses its directory;
// of a cluster an ingester is killed. What is in the store at the end is what plimsoll serve with a store of its own
// recorded from the same samples, undisturbed.
func TestStore(t *testing.T) {
	t.Parallel()
	for _, k := range storeKinds() {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := newStoreStory(t, k)
			s.run()
			s.compare()
		})
	}
}

// storeStory is a run of the story.
type storeStory struct {
	t         testing.TB
	kind      storeKind
	db        *database
	clock     atomic.Int64
	reference *serving
	replicas  [2]*serving
	asked     int64 // by the replica that is never stopped
	ticks     int
}

// serving is a server in this process.
type serving struct {
	*plimsoll.Server
	dir  string
	far  *remote.Store
	reg  *promclient.Registry
	http *httptest.Server
}

func newStoreStory(t testing.TB, k storeKind) *storeStory {
	t.Helper()
	s := &storeStory{t: t, kind: k, db: k.open(t)}
	s.clock.Store(storyStart.UnixNano())
	s.reference = s.serve(t.TempDir(), false)
	for i := range s.replicas {
		s.replicas[i] = s.serve(t.TempDir(), true)
	}
	return s
}

func (s *storeStory) now() time.Time { return time.Unix(0, s.clock.Load()).UTC() }

// serve opens a server over dir: over the real store, or over one of its own.
func (s *storeStory) serve(dir string, far bool) *serving {
	s.t.Helper()
	out := &serving{dir: dir, reg: promclient.NewRegistry()}
	o := plimsoll.Options{Specs: []string{"testdata/kinds"}, Data: dir, Now: s.now, Registry: out.reg}
	if far {
		prefix := s.db.url + s.db.prefix
		st, err := remote.New(remote.Options{
			Type: s.kind.kind, URL: prefix, WriteURL: s.db.writeURL, Tenant: s.db.tenant, Registerer: out.reg, Backfill: time.Millisecond,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		o.Store, out.far = st, st
	}
	var err error
	if out.Server, err = plimsoll.Open(s.t.Context(), o); err != nil {
		s.t.Fatal(err)
	}
	out.http = httptest.NewServer(out.Handler())
	s.t.Cleanup(out.stop)
	return out
}

// stop ends a server.
func (v *serving) stop() {
	if v.Server == nil {
		return
	}
	v.http.Close()
	_ = v.Flush(context.Background())
	_ = v.Close()
	v.Server = nil
}

// run plays the story.
func (s *storeStory) run() {
	first := s.replicas[0]
	ref := &database{server: &server{t: s.t, name: "serve", url: s.reference.http.URL}}
	for at := time.Duration(0); at <= storyLength; at += storyScrape {
		switch at {
		case replicaStops:
			first.stop()
		case replicaStarts:
			s.replicas[0] = s.serve(first.dir, true)
			first = s.replicas[0]
		case replicaLost:
			first.stop()
			if err := os.RemoveAll(first.dir); err != nil {
				s.t.Fatal(err)
			}
			s.replicas[0] = s.serve(first.dir, true)
			first = s.replicas[0]
		case storyTrouble:
			if s.db.disturb != nil {
				s.db.disturb()
			}
		}
		samples := story(at)
		s.db.write(samples...)
		s.db.sync()
		ref.write(samples...)
		s.clock.Store(storyStart.Add(at).UnixNano())
		s.tick(at)
	}
	// What is recorded at the last tick is shipped with the next.
	s.clock.Add(int64(storyScrape))
	s.tick(storyLength + storyScrape)
	s.db.sync()
}

// tick lets every server do what is due.
func (s *storeStory) tick(at time.Duration) {
	s.t.Helper()
	for i, v := range append(s.replicas[:], s.reference) {
		if v.Server == nil {
			continue
		}
		before := int64(0)
		if v.far != nil {
			before = v.far.Asked()
		}
		v.Step(s.t.Context())
		if err := v.Flush(s.t.Context()); err != nil {
			s.t.Fatalf("replica %d after %v: %v", i, at, err)
		}
		if i == 1 {
			s.asked += v.far.Asked() - before
			s.ticks++
		}
	}
}

// everything is what the rules recorded in the story.
const everything = `{__name__=~"slo:.+|ALERTS.*"}[2h]`

// compare compares what is in the store with what the reference recorded, and both replicas with it.
func (s *storeStory) compare() {
	s.t.Helper()
	ref := &database{server: &server{t: s.t, name: "serve", url: s.reference.http.URL}}
	want := byTime(ref.query(everything, s.now().Add(-storyScrape)))
	got := byTime(s.db.query(everything, s.now().Add(-storyScrape)), s.kind.more...)
	worst, worstAt, missing, extra, differ := 0.0, "", 0, 0, 0
	for key, w := range want {
		g, ok := got[key]
		if !ok {
			if missing++; missing <= 10 {
				s.t.Errorf("%s: want %v, have nothing in the store", key, w)
			}
			continue
		}
		off := math.Abs(g-w) / max(math.Abs(w), 1e-300)
		if g == w {
			off = 0
		}
		if off > worst {
			worst, worstAt = off, key
		}
		if !(off <= s.kind.error) {
			if differ++; differ <= 10 {
				s.t.Errorf("%s: want %v, have %v", key, w, g)
			}
		}
	}
	for key, g := range got {
		if _, ok := want[key]; !ok {
			if extra++; extra <= 10 {
				s.t.Errorf("%s: want nothing, have %v", key, g)
			}
		}
	}
	s.t.Logf("%d samples of the store equal those of serve with a store of its own: %d missing, %d more, %d different, largest relative difference %.2g %s",
		len(want), missing, extra, differ, worst, worstAt)
	s.t.Logf("%.1f queries a tick for 14 SLOs", float64(s.asked)/float64(s.ticks))
	if len(want) < 50_000 {
		s.t.Errorf("want a story that records, have %d samples", len(want))
	}
	for i, v := range s.replicas {
		for _, reason := range []string{remote.RefusedTooOld, remote.RefusedOutOfOrder, remote.RefusedDuplicate, remote.RefusedOther} {
			if n := refusedSamples(s.t, v.reg, reason); n > 0 {
				s.t.Errorf("replica %d: the store refused %v samples as %s", i, n, reason)
			}
		}
	}
}

func refusedSamples(t testing.TB, reg *promclient.Registry, reason string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "plimsoll_store_refused_samples_total" && m.GetLabel()[0].GetValue() == reason {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// byTime keys samples by series and time, without some labels.
func byTime(all []sample, without ...string) map[string]float64 {
	out := map[string]float64{}
	for _, s := range all {
		for _, name := range without {
			delete(s.labels, name)
		}
		if math.IsNaN(s.v) {
			continue // the end of a series, of which VictoriaMetrics tells
		}
		out[fmt.Sprintf("%s %d", s.key(), s.t.UnixMilli())] = s.v
	}
	return out
}

// TestStoreDelay: what is written to a store is seen within the 15 seconds that the rules look back (query_offset), at
// default flags. Results need not be seen: the rules have them from the state.
func TestStoreDelay(t *testing.T) {
	t.Parallel()
	for _, k := range storeKinds() {
		t.Run(k.name, func(t *testing.T) {
			db := k.open(t)
			var worst time.Duration
			for i := range 5 {
				began := time.Now()
				name := fmt.Sprintf("probe_%d", i)
				db.write(sample{labels: store.Labels{store.Name: name}, t: began.Truncate(time.Millisecond), v: 1})
				db.await("the sample is seen", startWithin, func() bool { return len(db.query(name, time.Now())) == 1 })
				worst = max(worst, time.Since(began))
			}
			t.Logf("seen at most %v after the write began", worst.Round(time.Millisecond))
			if worst > 15*time.Second {
				t.Errorf("want samples to be seen within 15s, have %v", worst)
			}
		})
	}
}

// TestStoreTwice: a sample that is written twice, by two replicas or because an answer was lost, is there once. Only
// VictoriaMetrics needs a flag for that, which docs/store.md asks for.
func TestStoreTwice(t *testing.T) {
	t.Parallel()
	kinds := append(storeKinds(), storeKind{name: "victoriametrics without deduplication", open: func(t testing.TB) *database { return victoria(t) }})
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			db, now := k.open(t), time.Now().Truncate(time.Millisecond)
			x := sample{labels: store.Labels{store.Name: "twice"}, t: now, v: 1}
			db.write(x)
			db.sync()
			db.write(x)
			db.sync()
			db.await("the sample is seen", startWithin, func() bool { return len(db.query("twice", now)) == 1 })
			want := 1.0
			if k.kind == "" {
				want = 2
			}
			if got := db.query("count_over_time(twice[1m])", now); len(got) != 1 || got[0].v != want {
				t.Errorf("want the sample %v times, have %v", want, got)
			}
		})
	}
}

// TestStoreOld: a Prometheus without an out-of-order window takes new series up to about an hour back, and says clearly
// what it refuses, which keeps nothing else from being written.
func TestStoreOld(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), address(t)
	db := &database{server: start(t, "prometheus", addr, "/-/ready", "--config.file="+write(t, dir, "prometheus.yml", ""),
		"--storage.tsdb.path="+dir+"/data", "--web.listen-address="+addr, "--web.enable-remote-write-receiver", "--log.level=error")}
	for _, v := range []remote.Version{remote.V1, remote.V2} {
		st, err := remote.New(remote.Options{Type: remote.Prometheus, URL: db.url, Version: v})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().Truncate(time.Millisecond)
		row := func(name string, ago ...time.Duration) store.Row {
			out := store.Row{Labels: store.Labels{store.Name: name, "version": string(v)}}
			for _, d := range ago {
				out.Samples = append(out.Samples, store.Point{T: now.Add(-d), V: d.Seconds()})
			}
			return out
		}
		if _, err := st.Write(t.Context(), []store.Row{row("now", 0)}); err != nil {
			t.Fatal(err)
		}
		out, err := st.Write(t.Context(), []store.Row{row("old", 2*time.Hour, 50*time.Minute, 10*time.Minute), row("now", time.Minute), row("now", 0)})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("remote write %s: %d written, refused %v: %s", v, out.Written, out.Refused, out.Why)
		if n := out.Refused[remote.RefusedTooOld] + out.Refused[remote.RefusedOutOfOrder]; out.Written != 3 || n != 2 {
			t.Errorf("remote write %s: want three samples written and two refused, have %+v", v, out)
		}
		if got := db.query(`count_over_time(old{version="`+string(v)+`"}[3h])`, now); len(got) != 1 || got[0].v != 2 {
			t.Errorf("remote write %s: want two old samples in the store, have %v", v, got)
		}
	}
}
