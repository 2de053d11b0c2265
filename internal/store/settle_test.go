package store

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
)

func TestSettled(t *testing.T) {
	s := open(t, "", Options{Replay: 10 * 24 * time.Hour})
	defer closeStore(t, s)
	b := s.Batch()
	var series []*Series
	for _, name := range []string{"a", "b"} {
		x, err := s.Series(Labels{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		series = append(series, x)
	}
	const end = 5*24*time.Hour + 7*time.Minute
	for d := time.Duration(0); d <= end+30*time.Minute; d += 10 * time.Minute {
		v := d.Hours()
		if d == 24*time.Hour {
			v = Stale()
		}
		for _, x := range series {
			if err := b.Add(x, at(d), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	settled, err := s.Settled(context.Background(), at(end), Options{Retention: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, settled)
	bits := func(points []point) (out []uint64) {
		for _, p := range points {
			out = append(out, uint64(p.T), math.Float64bits(p.V))
		}
		return out
	}
	for _, name := range []string{"a", "b"} {
		want := read(t, s, name)
		if diff := cmp.Diff(bits(want), bits(read(t, settled, name))); diff != "" || len(want) < 700 {
			t.Errorf("samples of %s differ (-replay +settled):\n%s", name, diff)
		}
	}
	// Blocks lie on multiples of their length since 1970.
	var lengths []time.Duration
	for _, block := range settled.db.Blocks() {
		lengths = append(lengths, time.Duration(block.Meta().MaxTime-block.Meta().MinTime)*time.Millisecond)
	}
	var sum, longest time.Duration
	for _, l := range lengths {
		sum += l
		longest = max(longest, l)
	}
	if longest != 54*time.Hour || sum != 5*24*time.Hour-2*time.Hour {
		t.Errorf("the blocks are %v, together %v; want one of 54h, and 118h in all", lengths, sum)
	}
	into := settled.Appendable().Appender(context.Background())
	if _, err := into.Append(0, labels.FromStrings(Name, "c"), at(end).UnixMilli(), 1); err != nil || into.Commit() != nil {
		t.Errorf("the settled store takes no samples: %v", err)
	}
	if _, err := settled.Settled(context.Background(), at(end), Options{}); err == nil {
		t.Error("a store that is not for replay was settled")
	}
}
