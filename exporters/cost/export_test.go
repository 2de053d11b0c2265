package cost

import (
	"slices"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/exporters/event"
	"github.com/plimsoll-slo/plimsoll/exporters/metric"
)

// Exact is what a book says before values become floating-point numbers.
type Exact struct{ Families []ExactFamily }

// ExactFamily is one metric.
type ExactFamily struct {
	metric.Family
	Points []ExactPoint
}

// ExactPoint is one series.
type ExactPoint struct {
	Attrs event.Set
	Value Amount
}

// Exact returns what Read returns, exactly.
func (b *Book) Exact(now time.Time) Exact {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out Exact
	all := b.read(now)
	for i, family := range Families(b.options.Rules) {
		f := ExactFamily{Family: family}
		for _, p := range all[i] {
			f.Points = append(f.Points, ExactPoint{p.attrs, p.value})
		}
		slices.SortFunc(f.Points, func(x, y ExactPoint) int { return strings.Compare(sortKey(x.Attrs), sortKey(y.Attrs)) })
		if len(f.Points) > 0 {
			out.Families = append(out.Families, f)
		}
	}
	return out
}

func sortKey(attrs event.Set) string {
	var b strings.Builder
	for _, a := range attrs {
		b.WriteString(a.Name + "\x00" + a.Text() + "\x00")
	}
	return b.String()
}
