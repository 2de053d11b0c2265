package slo

import (
	"cmp"
	"fmt"
	"slices"
)

// Join returns a set of the objects of a and of extra, which are not changed. Services, data sources, profiles and
// policies that both have are those of a. It fails if both have an SLO, an adjustment or a report of the same name: the
// error names both places.
func Join(a, extra *Set) (*Set, error) {
	out := *a
	for _, x := range extra.SLOs {
		if y, twice := a.SLO(x.Name); twice {
			return nil, fmt.Errorf("the SLO %q of %s is there already, at %s", x.Name, x.At, y.At)
		}
	}
	out.Services = joined(a.Services, extra.Services, func(x *Service) string { return x.Name })
	out.DataSources = joined(a.DataSources, extra.DataSources, func(x *DataSource) string { return x.Name })
	out.Profiles = joined(a.Profiles, extra.Profiles, func(x *AlertProfile) string { return x.Name })
	out.Policies = joined(a.Policies, extra.Policies, func(x *BudgetPolicy) string { return x.Name })
	out.SLOs = joined(a.SLOs, extra.SLOs, func(x *SLO) string { return x.Name })
	out.Adjustments = joined(a.Adjustments, extra.Adjustments, func(x *Adjustment) string { return x.Name })
	out.Reports = joined(a.Reports, extra.Reports, func(x *Report) string { return x.Name })
	if n := len(a.Adjustments) + len(extra.Adjustments) + len(a.Reports) + len(extra.Reports); n != len(out.Adjustments)+len(out.Reports) {
		return nil, fmt.Errorf("both sets have an adjustment or a report of the same name")
	}
	out.Digest = out.digest()
	return &out, nil
}

// joined returns the objects of both, sorted by name; of two with the same name, that of a.
func joined[T any](a, extra []T, name func(*T) string) []T {
	out := slices.Concat(a, extra)
	slices.SortStableFunc(out, func(x, y T) int { return cmp.Compare(name(&x), name(&y)) })
	return slices.CompactFunc(out, func(x, y T) bool { return name(&x) == name(&y) })
}
