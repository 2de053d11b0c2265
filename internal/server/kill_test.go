package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childDir is the environment variable that makes this test binary a server over a directory.
const childDir = "PLIMSOLL_TEST_SERVER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child serves until it is killed. Its clock stands where the requests below /test say.
func child(dir string) error {
	c := &clock{}
	at, err := strconv.ParseInt(os.Getenv("PLIMSOLL_TEST_NOW"), 10, 64)
	if err != nil {
		return err
	}
	c.set(time.Unix(at, 0).UTC())
	s, err := Open(context.Background(), Options{Specs: []string{dir + "/specs"}, Data: dir + "/data", Now: c.now})
	if err != nil {
		return err
	}
	work := make(chan func())
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	do := func(path string, f func(r *http.Request) error) {
		mux.HandleFunc("POST /test/"+path, func(w http.ResponseWriter, r *http.Request) {
			done := make(chan error)
			work <- func() { done <- f(r) }
			if err := <-done; err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	do("step", func(r *http.Request) error {
		at, err := strconv.ParseInt(r.FormValue("t"), 10, 64)
		c.set(time.Unix(at, 0).UTC())
		s.Step(context.Background())
		return err
	})
	do("reload", func(*http.Request) error { s.reloadNow(context.Background(), true); return nil })
	do("compact", func(*http.Request) error { return s.store.Compact(context.Background()) })
	h := httptest.NewServer(mux)
	fmt.Println(h.URL)
	for f := range work {
		f()
	}
	return nil
}

// process is a server in a process of its own.
type process struct {
	*world
	cmd *exec.Cmd
	url string
}

// startProcess starts a server over the directory of w at the time of its clock.
func startProcess(w *world) *process {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+w.dir, fmt.Sprintf("PLIMSOLL_TEST_NOW=%d", w.clock.now().Unix()))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		w.t.Fatalf("the server did not start: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p := &process{world: w, cmd: cmd, url: strings.TrimSpace(string(line[:n]))}
	w.http = &httptest.Server{URL: p.url}
	return p
}

// kill ends the process as the kernel would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// post does one of the things below /test.
func (p *process) post(what string, form url.Values) error {
	res, err := http.PostForm(p.url+"/test/"+what, form)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("%s: %s", res.Status, text))
	}
	return nil
}

// long is a story long enough for a compaction of the head.
const long = 4 * time.Hour

// second is when a second SLO joins, whose past has to be evaluated.
const second = 2 * time.Hour

// tell plays the long story with a process, which it kills at each of the times in kills while it is at work: taking in
// samples, evaluating, compacting, or reloading. What was not accepted is sent again, as senders do.
func tell(t *testing.T, kills map[time.Duration]bool, seed uint64) map[string]string {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	w := &world{t: t, dir: t.TempDir(), clock: &clock{t: start}}
	one := service + "---\n" + spec("shop-requests", "99.9%")
	w.specs(one)
	p := startProcess(w)
	defer func() { p.kill() }()
	n := 0
	for d := 30 * time.Second; d <= long; d += 30 * time.Second {
		at := start.Add(d)
		todo := []func() error{
			func() error { return p.pushed(at) },
			func() error { return p.post("step", url.Values{"t": {fmt.Sprint(at.Unix())}}) },
		}
		if d == second {
			todo = append(todo, func() error {
				w.specs(one + "---\n" + spec("shop-too", "99%"))
				return p.post("reload", nil)
			})
		}
		if d%time.Hour == 0 {
			todo = append(todo, func() error { return p.post("compact", nil) })
		}
		victim := -1
		if kills[d] {
			victim = n % len(todo)
			n++
		}
		for i, f := range todo {
			if i == victim {
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = f()
				}()
				longest := 12_000
				if n%3 == 0 { // in a compaction, maybe, which the database does behind the others
					longest = 300_000
				}
				wait := time.NewTimer(time.Duration(random.IntN(longest)) * time.Microsecond)
				<-wait.C
				p.kill()
				<-done
				w.clock.set(at)
				p = startProcess(w)
			}
			if err := f(); err != nil {
				t.Fatalf("after %v: %v", d, err)
			}
		}
	}
	for end := start.Add(long); ; end = end.Add(time.Millisecond) {
		if err := p.post("step", url.Values{"t": {fmt.Sprint(end.Unix())}}); err != nil {
			t.Fatal(err)
		}
		var status struct{ Backfill any }
		if w.get("/plimsoll/v1/status", &status); status.Backfill == nil {
			break
		}
	}
	return w.recorded(start.Add(-time.Hour), start.Add(long))
}

// pushed sends the samples of a time until they are accepted.
func (p *process) pushed(at time.Time) error {
	all := append(samples(at.Add(-15*time.Second)), samples(at)...)
	got, err := p.tryPush(all...)
	if err == nil && got/100 != 2 {
		err = fmt.Errorf("push: status %d", got)
	}
	return err
}

// TestKill: whatever a server is killed in the midst of, what was recorded in the end is what a server records that
// was left alone.
func TestKill(t *testing.T) {
	want := tell(t, nil, 0)
	if len(want) < 5000 {
		t.Fatalf("got %d recorded values, want more than 5000", len(want))
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d kills, %d recorded values", seed, kills, len(want))
	random := rand.New(rand.NewPCG(seed, 1))
	at := map[time.Duration]bool{second: true, 3 * time.Hour: true}
	for len(at) < kills {
		at[time.Duration(1+random.IntN(int(long/time.Minute)*2-1))*30*time.Second] = true
	}
	if got := tell(t, at, seed); !maps.Equal(want, got) {
		t.Errorf("recorded values (-left alone +killed), seed %d:\n%s", seed, differences(want, got))
	}
}

// differences lists what two recordings have not in common, by series and time.
func differences(want, got map[string]string) string {
	all := maps.Clone(want)
	maps.Copy(all, got)
	var b strings.Builder
	for _, at := range slices.Sorted(maps.Keys(all)) {
		if a, there := want[at]; there && a != got[at] {
			fmt.Fprintf(&b, "-%s: %s\n", at, a)
		}
		if a, there := got[at]; there && a != want[at] {
			fmt.Fprintf(&b, "+%s: %s\n", at, a)
		}
	}
	return b.String()
}
