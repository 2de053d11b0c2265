package metric

import (
	"cmp"
	"slices"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
)

// Saved is a series in a form that encoding/gob can write. Fields may be added; old ones keep their name and meaning.
type Saved struct {
	Key          string
	Names, Texts []string // of the attributes, without event.Overflow
	Overflow     bool
	Revision     uint64
	Count        uint64
	Sum          float64
	Buckets      []uint64
}

// Save returns the series, the least recently changed first.
func (t *Table) Save() []Saved {
	keys := make(map[*Series]string, len(t.rows))
	for key, s := range t.rows {
		keys[s] = key
	}
	all := make([]Saved, 0, len(t.rows))
	for s := range t.All() {
		saved := Saved{Key: keys[s], Revision: s.revision, Count: s.Count, Sum: s.Sum, Buckets: s.Buckets}
		for _, a := range s.Attrs {
			if a.Name == event.Overflow {
				saved.Overflow = true
				continue
			}
			saved.Names, saved.Texts = append(saved.Names, a.Name), append(saved.Texts, a.Text())
		}
		all = append(all, saved)
	}
	return all
}

// Restore takes up what Save returned; an older version saved in no order. The table has no series.
func (t *Table) Restore(all []Saved) {
	slices.SortStableFunc(all, func(a, b Saved) int { return cmp.Compare(a.Revision, b.Revision) })
	for _, saved := range all {
		var attrs []event.Attr
		if saved.Overflow {
			attrs = append(attrs, event.Bool(event.Overflow, true))
		}
		for i, name := range saved.Names {
			attrs = append(attrs, event.String(name, saved.Texts[i]))
		}
		p := Point{Attrs: event.NewSet(attrs...), Count: saved.Count, Sum: saved.Sum, Buckets: saved.Buckets}
		t.put(saved.Key, p, saved.Revision)
	}
}
