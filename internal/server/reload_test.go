package server

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// status is the part of the state API that the tests look at.
type status struct {
	Evaluated  int
	CatchingUp bool
	Backfill   *struct{ SLOs []string }
	Specs      struct {
		OK       bool
		Problems []string
	}
}

func (w *world) status() status {
	w.t.Helper()
	var s status
	w.get("/plimsoll/v1/status", &s)
	return s
}

// settle steps until no past is being evaluated any more.
func (w *world) settle() {
	w.t.Helper()
	for w.srv.fill != nil {
		<-w.srv.fill.done
		w.srv.Step(context.Background())
	}
}

// only returns the records of one SLO.
func only(records map[string]string, name string) map[string]string {
	out := maps.Clone(records)
	maps.DeleteFunc(out, func(k, _ string) bool { return !strings.Contains(k, `slo="`+name+`"`) })
	return out
}

// TestReload: wrong specs change nothing and are seen everywhere; right ones are taken over.
func TestReload(t *testing.T) {
	w := newWorld(t, Options{})
	good := service + "---\n" + spec("shop-requests", "99.9%")
	w.live(start.Add(10 * time.Minute))
	w.specs(good + "---\n" + spec("shop-requests", "101%"))
	w.srv.reloadNow(context.Background(), false)
	s := w.status()
	if s.Specs.OK || len(s.Specs.Problems) < 2 || !strings.Contains(s.Specs.Problems[0], "slo.yaml") {
		t.Errorf("wrong specs: got %+v, want two problems with their places", s.Specs)
	}
	if got := testutil.ToFloat64(w.srv.metrics.specsOK); got != 0 {
		t.Errorf("wrong specs: got plimsoll_specs_ok %v", got)
	}
	before := len(w.recorded(start, w.clock.now()))
	w.live(start.Add(12 * time.Minute))
	if after := len(w.recorded(start, w.clock.now())); after <= before {
		t.Errorf("wrong specs: got %d records before and %d after two more minutes", before, after)
	}
	w.specs(good)
	w.srv.reloadNow(context.Background(), false)
	if s := w.status(); !s.Specs.OK || s.Evaluated != 1 {
		t.Errorf("right specs: got %+v", s)
	}
	w.specs(service + "---\n" + spec("other", "99%"))
	res, err := http.Post(w.http.URL+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	<-w.srv.reload
	w.srv.reloadNow(context.Background(), true)
	w.settle()
	var list struct{ SLOs []struct{ Name string } }
	if w.get("/plimsoll/v1/slos", &list); len(list.SLOs) != 1 || list.SLOs[0].Name != "other" {
		t.Errorf("renamed SLO: got %+v", list)
	}
}

// TestBackfill: an SLO that joins after an hour has the same records as if it had been there from the start, and
// those of the other are what they would be without it.
func TestBackfill(t *testing.T) {
	both := service + "---\n" + spec("shop-requests", "99.9%") + "---\n" + spec("shop-too", "99%")
	w := newWorld(t, Options{})
	w.close()
	w.specs(both)
	w.open()
	w.live(start.Add(end))
	want := w.recorded(start, start.Add(end))

	v := newWorld(t, Options{})
	v.live(start.Add(time.Hour))
	v.specs(both)
	v.srv.reloadNow(context.Background(), false)
	if s := v.status(); s.Backfill == nil || cmp.Diff([]string{"shop-too"}, s.Backfill.SLOs) != "" {
		t.Errorf("after the reload: got %+v, want a backfill of shop-too", s)
	}
	v.live(start.Add(65 * time.Minute))
	v.settle()
	v.live(start.Add(end))
	got := v.recorded(start, start.Add(end))
	for _, name := range []string{"shop-requests", "shop-too"} {
		if diff := cmp.Diff(only(want, name), only(got, name)); diff != "" {
			t.Errorf("%s (-from the start +joined):\n%s", name, diff)
		}
	}
}

// TestWrongAtStart: a server goes on with the last specs that were right; without any it says what is wrong.
func TestWrongAtStart(t *testing.T) {
	w := newWorld(t, Options{})
	w.live(start.Add(5 * time.Minute))
	w.close()
	w.specs("kind: Nonsense\n")
	w.open()
	w.live(start.Add(10 * time.Minute))
	if s := w.status(); s.Specs.OK || s.Evaluated != 1 || len(s.Specs.Problems) == 0 {
		t.Errorf("got %+v, want one SLO and the problems of the specs", s)
	}
	_, err := Open(context.Background(), Options{Specs: []string{w.dir + "/specs"}, Data: t.TempDir(), Now: w.clock.now})
	if spec, ok := errors.AsType[*SpecError](err); !ok || len(spec.Findings) == 0 {
		t.Errorf("without a past: got error %v, want the findings", err)
	}
}

// TestChanged: an SLO whose SLI changes after an hour has the same records as if it had always been that way, also
// after a restart and a compaction.
func TestChanged(t *testing.T) {
	changed := func(s string) string { return strings.ReplaceAll(s, `code="500"`, `code="200"`) }
	both := service + "---\n" + spec("shop-requests", "99.9%") + "---\n" + spec("shop-too", "99%")
	other := service + "---\n" + spec("shop-requests", "99.9%") + "---\n" + changed(spec("shop-too", "99%"))
	w := newWorld(t, Options{})
	w.close()
	w.specs(other)
	w.open()
	w.live(start.Add(end))
	want := w.recorded(start, start.Add(end))

	v := newWorld(t, Options{})
	v.close()
	v.specs(both)
	v.open()
	v.live(start.Add(time.Hour))
	v.specs(other)
	v.srv.reloadNow(context.Background(), false)
	if s := v.status(); s.Backfill == nil || s.Evaluated != 2 {
		t.Errorf("after the reload: got %+v, want two SLOs and a backfill", s)
	}
	v.live(start.Add(65 * time.Minute))
	v.settle()
	v.live(start.Add(end))
	same := func(when string) {
		t.Helper()
		got := v.recorded(start, start.Add(end))
		for _, name := range []string{"shop-requests", "shop-too"} {
			if diff := cmp.Diff(only(want, name), only(got, name)); diff != "" {
				t.Errorf("%s: %s (-always +changed):\n%s", when, name, diff)
			}
		}
	}
	same("at the end")
	v.close()
	v.open()
	same("after a restart")
	if err := v.srv.store.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	same("after a compaction")
	v.srv.Step(context.Background())
	if s := v.status(); s.Backfill != nil {
		t.Errorf("after a restart: got %+v, want no backfill", s)
	}
}

// TestChangedMeanwhile: while the new past of a changed SLO takes the place of the old, no tick is late, that SLO is
// evaluated by its new past, and afterwards nobody can tell.
func TestChangedMeanwhile(t *testing.T) {
	changed := strings.ReplaceAll(spec("shop-too", "99%"), `code="500"`, `code="200"`)
	both := service + "---\n" + spec("shop-requests", "99.9%") + "---\n" + spec("shop-too", "99%")
	other := service + "---\n" + spec("shop-requests", "99.9%") + "---\n" + changed
	with := func(specs string) *world {
		w := newWorld(t, Options{})
		w.close()
		w.specs(specs)
		w.open()
		return w
	}
	const during = 66 * time.Minute
	budget := func(w *world) (out struct {
		SLO struct {
			Groups []struct{ BudgetRemaining, Events, Bad float64 }
		}
	},
	) {
		w.get("/plimsoll/v1/slos/shop-too", &out)
		return out
	}
	w := with(other)
	w.live(start.Add(during))
	wantBudget := budget(w)
	w.live(start.Add(end))
	want := w.recorded(start, start.Add(end))

	v := with(both)
	begun, hold := make(chan struct{}), make(chan struct{})
	v.srv.publish = func(ctx context.Context, f *backfill, until time.Time) error {
		close(begun)
		<-hold
		return publish(ctx, f, until)
	}
	v.live(start.Add(time.Hour))
	v.specs(other)
	v.srv.reloadNow(context.Background(), false)
	<-v.srv.fill.done
	v.live(start.Add(62 * time.Minute))
	<-begun
	v.live(start.Add(during))
	if got := testutil.ToFloat64(v.srv.metrics.late); got != 0 {
		t.Errorf("got %v late ticks", got)
	}
	if diff := cmp.Diff(wantBudget, budget(v)); diff != "" {
		t.Errorf("budget while it is replaced (-always +changed):\n%s", diff)
	}
	close(hold)
	v.settle()
	v.live(start.Add(end))
	got := v.recorded(start, start.Add(end))
	for _, name := range []string{"shop-requests", "shop-too"} {
		if diff := cmp.Diff(only(want, name), only(got, name)); diff != "" {
			t.Errorf("%s (-always +changed):\n%s", name, diff)
		}
	}
}

// TestChangedTwice: specs that change again while the past is replaced, and back, and a restart in the midst of it,
// leave nothing of the past that was not to be.
func TestChangedTwice(t *testing.T) {
	was := service + "---\n" + spec("shop-requests", "99.9%")
	other := strings.ReplaceAll(was, `code="500"`, `code="200"`)
	w := newWorld(t, Options{})
	w.live(start.Add(end))
	want := w.recorded(start, start.Add(end))

	v := newWorld(t, Options{})
	half := errors.New("in the midst of it")
	stuck := func(ctx context.Context, f *backfill, until time.Time) error {
		if err := publish(ctx, f, until); err != nil {
			return err
		}
		<-ctx.Done()
		return half
	}
	v.srv.publish = stuck
	v.live(start.Add(time.Hour))
	for _, specs := range []string{other, was, other} {
		v.specs(specs)
		v.srv.reloadNow(context.Background(), false)
		if v.srv.fill == nil {
			t.Fatal("the past is not evaluated anew")
		}
		<-v.srv.fill.done
		v.srv.Step(context.Background())
	}
	v.close()
	v.specs(was)
	v.open()
	v.settle()
	v.live(start.Add(end))
	if diff := cmp.Diff(want, v.recorded(start, start.Add(end))); diff != "" {
		t.Errorf("(-never changed +changed and back):\n%s", diff)
	}
}
