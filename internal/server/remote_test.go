package server

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/store/remote"
)

// distant is a store that others run: the store of another server, which evaluates nothing, behind a door that fails as
// it is told to.
type distant struct {
	*world
	door *httptest.Server
	mu   sync.Mutex
	fail func(path string) int // status instead of an answer; 0 lets a request through
}

func newDistant(t *testing.T) *distant {
	d := &distant{world: newWorld(t, Options{}), fail: func(string) int { return 0 }}
	d.door = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		status := d.fail(r.URL.Path)
		d.mu.Unlock()
		if status != 0 {
			http.Error(w, "out of order", status)
			return
		}
		to, _ := url.Parse(d.http.URL)
		httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
	}))
	t.Cleanup(d.door.Close)
	return d
}

// failing sets which requests fail from now on.
func (d *distant) failing(f func(path string) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// client returns a client of the store that does not wait between attempts.
func (d *distant) client() *remote.Store {
	d.t.Helper()
	s, err := remote.New(remote.Options{
		Type: remote.Prometheus, URL: d.door.URL, Attempts: 2, Backfill: time.Millisecond,
		Wait: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// play plays real time from the clock to until: the samples go to the store and to the reference, and near and the
// reference do what is due.
func (d *distant) play(near, ref *world, until time.Time) {
	d.t.Helper()
	for t := ref.clock.now().Add(15 * time.Second); !t.After(until); t = t.Add(15 * time.Second) {
		for _, w := range []*world{d.world, near, ref} {
			w.clock.set(t)
		}
		for _, w := range []*world{d.world, ref} {
			if got := w.push(samples(t)...); got/100 != 2 {
				d.t.Fatalf("push at %v: got status %d", t, got)
			}
		}
		ref.srv.Step(d.t.Context())
		if near.srv != nil {
			near.srv.Step(d.t.Context())
			_ = near.srv.Flush(d.t.Context()) // the store may be away
		}
	}
}

// same compares what the store has with what the reference recorded.
func (d *distant) same(ref *world, from, to time.Time) {
	d.t.Helper()
	want, got := ref.recorded(from, to), d.recorded(from, to)
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("in the store (-undisturbed +have):\n%s", diff)
	}
	if len(want) < 1000 {
		d.t.Errorf("want a story that records, have %d samples", len(want))
	}
}

// TestStoreAway: while the store cannot be asked, cannot be written to, or fails now and then, ticks wait and nothing is
// recorded from a part of the input. In the end the store has what a server with a store of its own recorded.
func TestStoreAway(t *testing.T) {
	d, ref := newDistant(t), newWorld(t, Options{})
	near := newWorld(t, Options{Store: d.client()})
	die := rand.New(rand.NewPCG(1, 1))
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	d.play(near, ref, at(10))
	d.failing(func(string) int { return die.IntN(6) / 5 * 503 }) // one in six
	d.play(near, ref, at(32))
	d.failing(func(path string) int {
		if strings.HasSuffix(path, "query") {
			return 503
		}
		return 0
	})
	d.play(near, ref, at(36))
	if s := near.srv.state(); s.Store == nil || len(s.Store.Problems) != 1 || !strings.Contains(s.Store.Problems[0], remote.CodeFailing) {
		t.Errorf("want the status to say that the store fails, have %+v", s.Store)
	}
	d.failing(func(path string) int {
		if strings.HasSuffix(path, "write") {
			return 429
		}
		return 0
	})
	d.play(near, ref, at(45))
	near.close() // what is not written is on disk
	near.open()
	d.failing(func(string) int { return 0 })
	d.play(near, ref, at(60))
	d.same(ref, start, at(59))
	if s := near.srv.state(); len(s.Store.Problems) != 0 || s.LastTick.Before(at(60)) || s.Store.WrittenTo.Before(at(59)) {
		t.Errorf("want a server that has caught up, have %+v last tick %v", s.Store, s.LastTick)
	}
}

// TestStoreRestart: a server that was away catches up; one that lost its directory takes over what the store has, with
// the state of alerts; and the query API answers from the store.
func TestStoreRestart(t *testing.T) {
	d, ref := newDistant(t), newWorld(t, Options{})
	near := newWorld(t, Options{Store: d.client()})
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	d.play(near, ref, at(25))
	near.close()
	d.play(near, ref, at(36)) // in the midst of the outage
	near.open()
	d.play(near, ref, at(39))
	near.close()
	if err := os.RemoveAll(near.dir + "/data"); err != nil {
		t.Fatal(err)
	}
	near.open()
	if s := near.srv.state(); !cmp.Equal(s.Evaluated, []string{"shop-requests"}) || s.LastTick.Before(at(38)) {
		t.Errorf("want a server that goes on where the lost one was, have SLOs %v and last tick %v", s.Evaluated, s.LastTick)
	}
	d.play(near, ref, at(60))
	d.same(ref, start, at(59))
	if diff := cmp.Diff(ref.recorded(start, at(59)), near.recorded(start, at(59))); diff != "" {
		t.Errorf("by the query API (-undisturbed +have):\n%s", diff)
	}
	if got := near.push(samples(at(60))...); got != http.StatusNotFound {
		t.Errorf("push: want 404, have %d", got)
	}
}

// TestStoreBackfill: a new SLO gets the past that the store has samples of, and the store gets it.
func TestStoreBackfill(t *testing.T) {
	d, ref := newDistant(t), newWorld(t, Options{})
	c, err := remote.New(remote.Options{Type: remote.Prometheus, URL: d.door.URL, Backfill: 3 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	near := newWorld(t, Options{Store: c})
	near.close() // it comes when there is a past
	if err := os.RemoveAll(near.dir + "/data"); err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	d.play(near, ref, at(60))
	near.open()
	<-near.srv.fill.done
	d.play(near, ref, at(75))
	// The reference evaluated before there were samples, the backfill from the first hour with some: from then on.
	want, got := only(ref.recorded(at(5), at(74)), "shop-requests"), only(d.recorded(at(5), at(74)), "shop-requests")
	for k := range want {
		if strings.HasPrefix(k, "ALERTS") || !strings.HasPrefix(k, "slo:events:inc") && !strings.HasPrefix(k, "slo:bad:inc") {
			delete(want, k)
		}
	}
	n := 0
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: want %s, have %q", k, v, got[k])
		}
		n++
	}
	if n < 200 {
		t.Errorf("want increments to compare, have %d", n)
	}
	for k, v := range d.recorded(start.Add(-4*time.Hour), at(74)) {
		if events, err := strconv.ParseFloat(v, 64); strings.HasPrefix(k, "slo:events:inc") && (err != nil || events > 1000) {
			t.Errorf("%s: want ten events a second, have %s: the counter had them before the store knew it", k, v)
		}
	}
}

// TestStoreWrong: a configuration that cannot work ends the start.
func TestStoreWrong(t *testing.T) {
	for _, status := range []int{401, 404} {
		d := newDistant(t)
		d.failing(func(string) int { return status })
		o := Options{Specs: []string{d.dir + "/specs"}, Data: t.TempDir(), Now: d.clock.now, Store: d.client()}
		s, err := Open(t.Context(), o)
		if err == nil {
			_ = s.Close()
			t.Errorf("status %d: want an error, have none", status)
			continue
		}
		if !remote.IsWrong(err) || !strings.Contains(err.Error(), "[store-") {
			t.Errorf("status %d: want an error with a code, have %v", status, err)
		}
	}
}
