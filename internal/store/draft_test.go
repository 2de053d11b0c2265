package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// draftStart is a multiple of the length of a block.
var draftStart = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// seen returns how many samples a querier sees of each series, and the sum of their values.
func seen(t *testing.T, q storage.Queryable) map[string][2]float64 {
	t.Helper()
	querier, err := q.Querier(math.MinInt64, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer querier.Close()
	out := map[string][2]float64{}
	set := querier.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, Name, ".+"))
	for set.Next() {
		x := [2]float64{}
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			_, v := it.At()
			x[0]++
			x[1] += v
		}
		out[set.At().Labels().String()] = x
	}
	if set.Err() != nil {
		t.Fatal(set.Err())
	}
	return out
}

// result writes one result of each series as the rules do.
func result(st *Store, at time.Time, values map[string]float64) error {
	app := st.Results().Appender(context.Background())
	for name, v := range values {
		if _, err := app.Append(0, labels.FromStrings(Name, name, "slo", name), at.UnixMilli(), v); err != nil {
			return errors.Join(err, app.Rollback())
		}
	}
	return app.Commit()
}

// old is how many results there are before the draft: 8 h, of which some leaves the head.
const old = 96

func step(i int) time.Time { return draftStart.Add(time.Duration(i) * 5 * time.Minute) }

// fillOld writes the old version in order and out of order, in blocks and in memory.
func fillOld(t *testing.T, st *Store) {
	t.Helper()
	for i := range old {
		if err := result(st, step(i), map[string]float64{"changed": 1, "other": 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := result(st, draftStart.Add(time.Minute), map[string]float64{"changed": 1}); err != nil {
		t.Fatal(err)
	}
	if err := st.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(st.db.Blocks()) == 0 {
		t.Fatal("want blocks, have none")
	}
}

// TestDraft: the new version of a series takes the place of the old, in blocks and in memory, while others are written
// and read; nobody sees a mixture, and it stays after a compaction and a restart.
func TestDraft(t *testing.T) {
	dir := t.TempDir()
	o := Options{Retention: 30 * 24 * time.Hour, OutOfOrder: 30 * 24 * time.Hour}
	st, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	fillOld(t, st)
	d, err := st.Draft(func(l Labels) bool { return l["slo"] == "changed" })
	if err != nil {
		t.Fatal(err)
	}
	for i := range old {
		if err := d.Append(Sample{Labels: Labels{Name: "changed", "slo": "changed"}, T: step(i), V: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	key := func(name string) string { return fmt.Sprintf(`{__name__=%q, slo=%q}`, name, name) }
	expect := func(when string, q storage.Queryable, changed, other float64) {
		t.Helper()
		want := map[string][2]float64{key("changed"): {changed, 1000 * changed}, key("other"): {other, other}}
		if diff := cmp.Diff(want, seen(t, q)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	d.Show()
	expect("when it is shown", st.Queryable(), old, old)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	n := old
	wg.Go(func() { // the schedule goes on
		for ; ctx.Err() == nil && n < 2*old; n++ {
			if err := result(st, step(n), map[string]float64{"changed": 1000, "other": 1}); err != nil {
				t.Error(err)
			}
			if got := seen(t, st.Queryable()); got[key("changed")] != [2]float64{float64(n + 1), 1000 * float64(n+1)} {
				t.Errorf("at %d: got %v", n, got)
			}
		}
	})
	err = d.Publish(t.Context(), "slo", "changed|none", step(old-1))
	stop()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	all := float64(n)
	expect("at the end", st.Samples(), all, all)
	if err := st.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("after a compaction", st.Samples(), all, all)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err = Open(dir, o); err != nil {
		t.Fatal(err)
	}
	expect("after a restart", st.Queryable(), all, all)
}
