package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/plimsoll-slo/plimsoll/internal/engine"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// alertmanager is what an Alertmanager knows, behind a network that may be down. It is an http.RoundTripper, so that
// time can be virtual.
type alertmanager struct {
	mu     sync.Mutex
	down   bool
	refuse int // status of the next answers, unless 0
	ends   map[string]time.Time
	sends  int
}

func (a *alertmanager) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err := io.ReadAll(r.Body)
	if a.down || err != nil {
		return nil, errors.New("connection refused")
	}
	a.sends++
	if a.refuse != 0 {
		return &http.Response{StatusCode: a.refuse, Status: "refused", Body: io.NopCloser(strings.NewReader("no"))}, nil
	}
	var alerts []struct {
		Labels map[string]string
		EndsAt time.Time
	}
	if err := json.Unmarshal(text, &alerts); err != nil {
		return nil, err
	}
	for _, x := range alerts {
		if a.ends == nil {
			a.ends = map[string]time.Time{}
		}
		a.ends[x.Labels["slo"]] = x.EndsAt
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (a *alertmanager) set(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

// firing returns which alerts it takes for firing now.
func (a *alertmanager) firing() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]bool{}
	for name, end := range a.ends {
		out[name] = end.After(time.Now())
	}
	return out
}

func firing(name string) engine.Alert {
	now := time.Now()
	return engine.Alert{
		Labels: store.Labels{"slo": name}, State: engine.Firing, ActiveAt: now, FiredAt: now, ValidUntil: now.Add(4 * time.Minute),
	}
}

func resolved(name string) engine.Alert {
	a := firing(name)
	a.State, a.ResolvedAt = engine.Inactive, time.Now()
	return a
}

// play runs a queue to an Alertmanager in virtual time.
func play(t *testing.T, o Options, story func(q *Queue, am *alertmanager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		am := &alertmanager{}
		o.Client = &http.Client{Transport: am}
		q, err := New([]string{"http://user:secret@am.example:9093/base"}, time.Now, o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			q.Run(ctx)
			close(done)
		}()
		story(q, am)
		stop()
		<-done
		if s := fmt.Sprint(q.Status(), q); strings.Contains(s, "secret") {
			t.Errorf("the password shows in %s", s)
		}
	})
}

// TestOutage: an Alertmanager that was away for ten minutes knows within seconds what is true: what still fires,
// though nothing was put for a while, and what is over.
func TestOutage(t *testing.T) {
	play(t, Options{}, func(q *Queue, am *alertmanager) {
		q.Put(time.Now(), []engine.Alert{firing("stays"), firing("ends")})
		synctest.Wait()
		if diff := cmp.Diff(map[string]bool{"stays": true, "ends": true}, am.firing()); diff != "" {
			t.Fatalf("before the outage (-want +got):\n%s", diff)
		}
		am.set(true)
		time.Sleep(3 * time.Minute)
		q.Put(time.Now(), []engine.Alert{firing("new"), resolved("ends"), firing("flash")})
		time.Sleep(3 * time.Minute)
		q.Put(time.Now(), []engine.Alert{firing("stays"), resolved("flash")})
		time.Sleep(4 * time.Minute)
		if s := q.Status()[0]; !s.Failing || s.Waiting != 4 || s.LastError == "" {
			t.Errorf("during the outage: got %+v", s)
		}
		am.set(false)
		time.Sleep(DefaultRetryTo)
		synctest.Wait()
		want := map[string]bool{"stays": true, "new": true, "ends": false, "flash": false}
		if diff := cmp.Diff(want, am.firing()); diff != "" {
			t.Errorf("after the outage (-want +got):\n%s", diff)
		}
		if s := q.Status()[0]; s.Failing || s.Waiting != 0 || s.Dropped != 0 {
			t.Errorf("after the outage: got %+v", s)
		}
	})
}

// TestRefused: alerts that Alertmanager finds wrong do not hold up the others; a wrong password does not lose any.
func TestRefused(t *testing.T) {
	play(t, Options{}, func(q *Queue, am *alertmanager) {
		am.refuse = http.StatusBadRequest
		q.Put(time.Now(), []engine.Alert{firing("wrong")})
		synctest.Wait()
		if s := q.Status()[0]; s.Waiting != 0 || s.Dropped != 1 || s.Failing || s.LastError == "" {
			t.Errorf("after 400: got %+v", s)
		}
		am.refuse = http.StatusUnauthorized
		q.Put(time.Now(), []engine.Alert{firing("right")})
		time.Sleep(time.Hour)
		if s := q.Status()[0]; s.Waiting != 1 || !s.Failing {
			t.Errorf("after 401: got %+v", s)
		}
		if am.sends > 1000 {
			t.Errorf("got %d requests in an hour of refusals", am.sends)
		}
	})
}

// TestLimit: the resolved ones go first, and the newest stay.
func TestLimit(t *testing.T) {
	play(t, Options{Limit: 2}, func(q *Queue, am *alertmanager) {
		am.set(true)
		q.Put(time.Now(), []engine.Alert{resolved("over"), firing("a"), firing("b"), firing("c")})
		time.Sleep(time.Minute)
		am.set(false)
		time.Sleep(DefaultRetryTo)
		synctest.Wait()
		if diff := cmp.Diff(map[string]bool{"b": true, "c": true}, am.firing()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if s := q.Status()[0]; s.Dropped != 2 {
			t.Errorf("got %+v, want 2 dropped", s)
		}
	})
}

// TestMany: the alerts of ten thousand SLOs that fail at once, in one tick, all arrive, each once.
func TestMany(t *testing.T) {
	play(t, Options{}, func(q *Queue, am *alertmanager) {
		const slos = 10_000
		for _, severity := range []string{"page", "ticket"} {
			var all []engine.Alert
			for i := range slos {
				all = append(all, firing(fmt.Sprintf("%s %d", severity, i)))
			}
			q.Put(time.Now(), all)
		}
		synctest.Wait()
		if got := len(am.firing()); got != 2*slos {
			t.Errorf("got %d alerts, want %d", got, 2*slos)
		}
		if s := q.Status()[0]; s.Dropped != 0 || s.Waiting != 0 || am.sends > 2*slos/DefaultBatch+2 {
			t.Errorf("got %+v in %d requests", s, am.sends)
		}
	})
}

// TestHold: while a server catches up, nothing is sent; then the newest state is, and once.
func TestHold(t *testing.T) {
	play(t, Options{}, func(q *Queue, am *alertmanager) {
		q.Hold(true)
		for range 100 {
			q.Put(time.Now().Add(-time.Hour), []engine.Alert{firing("a"), {State: engine.Pending, Labels: store.Labels{"slo": "pending"}}})
			time.Sleep(time.Second)
		}
		if am.sends != 0 {
			t.Errorf("got %d requests while held", am.sends)
		}
		q.Hold(false)
		synctest.Wait()
		if diff := cmp.Diff(map[string]bool{"a": true}, am.firing()); diff != "" || am.sends != 1 {
			t.Errorf("got %d requests; (-want +got):\n%s", am.sends, diff)
		}
	})
}

func TestNew(t *testing.T) {
	for _, urls := range [][]string{{"am:9093"}, {"ftp://am"}, {"http://am", "http://u:p@am"}, {"http://u:secret@%zz"}} {
		_, err := New(urls, time.Now, Options{})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got error %v", urls, err)
		}
	}
}

// TestUndelivered: an alert that is repeated goes on waiting; of several Alertmanagers the one that is best off counts.
func TestUndelivered(t *testing.T) {
	play(t, Options{}, func(q *Queue, am *alertmanager) {
		f := func(when string, want time.Duration) {
			t.Helper()
			if got := q.undelivered(); got != want {
				t.Errorf("%s: got %v, want %v", when, got, want)
			}
		}
		f("at the start", 0)
		am.set(true)
		time.Sleep(time.Hour)
		f("while it is away and nothing waits", 0)
		q.Put(time.Now(), []engine.Alert{firing("a")})
		time.Sleep(time.Minute)
		q.Put(time.Now(), []engine.Alert{firing("a"), firing("b")})
		time.Sleep(time.Minute)
		f("after two minutes", 2*time.Minute)
		other := newTarget(q, "http://other", "http://other")
		q.targets = append(q.targets, other)
		f("with another that has everything", 0)
		q.targets = q.targets[:1]
		am.set(false)
		time.Sleep(DefaultRetryTo)
		synctest.Wait()
		f("when it is back", 0)
	})
}
