package history

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

// Traffic is the number of requests a second of every component: Night at
// 02:00 UTC, Peak at 14:00 UTC, between them a cosine in steps of one hour. It
// is an assumption, and the same each day.
type Traffic struct {
	Night, Peak int64 // 0 <= Night <= Peak <= 1e6
}

// DefaultTraffic is 20 requests a second at night and 100 at the peak, 5.2
// million a day.
func DefaultTraffic() Traffic { return Traffic{Night: 20, Peak: 100} }

// String returns t in words.
func (t Traffic) String() string {
	return fmt.Sprintf("%d requests a second at 02:00 UTC, %d at 14:00 UTC", t.Night, t.Peak)
}

const day = 24 * 60 * 60

// PerSecond returns the requests a second in an hour of the day, 0 to 23 in
// UTC, rounded to a whole number.
func (t Traffic) PerSecond(hour int) int64 {
	// 500*(1-cos(2*pi*i/24)), i hours from the least
	cosine := [13]int64{0, 17, 67, 146, 250, 371, 500, 629, 750, 854, 933, 983, 1000}
	i := (hour + 22) % 24
	return t.Night + ((t.Peak-t.Night)*cosine[min(i, 24-i)]+500)/1000
}

// Sample is the state of the counters of a component at a time.
type Sample struct {
	At         time.Time
	Component  string
	Bad, Total int64 // failed requests and all requests since the start of the replay
}

// Replay turns a History into request counters. It is not changed after it was
// made and safe for concurrent use.
//
// It has a resolution of one second: a time counts as the second it is in. In
// each outage the n-th request since its start fails when that brings the
// failed ones to the next whole number, so that failed = floor(permille * n /
// 1000) at any second.
type Replay struct {
	names []string // sorted
	lines map[string]line
	from  time.Time
	until [25]int64 // requests of a day before the hour
	rate  [24]int64
}

// line is the outages of a component with the failed requests before each.
type line struct {
	outages []Outage
	before  []int64
}

// Replay returns the counters of the components of h under t, which start with
// zero at from. It panics when t is not in range.
func (h History) Replay(t Traffic, from time.Time) *Replay {
	if t.Night < 0 || t.Peak < t.Night || t.Peak > 1e6 {
		panic(fmt.Sprintf("history: want 0 <= night <= peak <= 1000000, have %d and %d", t.Night, t.Peak))
	}
	r := &Replay{lines: map[string]line{}, from: from.UTC().Truncate(time.Second)}
	for hour := range 24 {
		r.rate[hour] = t.PerSecond(hour)
		r.until[hour+1] = r.until[hour] + 3600*r.rate[hour]
	}
	for _, c := range h.components {
		x := line{outages: h.outages[c]}
		var sum int64
		for _, o := range x.outages {
			x.before = append(x.before, sum)
			sum += r.failed(o, o.To)
		}
		r.lines[c] = x
		r.names = append(r.names, c)
	}
	slices.Sort(r.names)
	return r
}

// requests returns the requests since 1970.
func (r *Replay) requests(at time.Time) int64 {
	s := at.Unix()
	d, s := s/day, s%day
	if s < 0 {
		d, s = d-1, s+day
	}
	return d*r.until[24] + r.until[s/3600] + s%3600*r.rate[s/3600]
}

// failed returns the failed requests of an outage until at, which is in it or
// at its end.
func (r *Replay) failed(o Outage, at time.Time) int64 {
	return (r.requests(at) - r.requests(o.From)) * o.Permille / 1000
}

// bad returns the failed requests of a component since the first outage.
func (r *Replay) bad(x line, at time.Time) int64 {
	i := after(x.outages, at) - 1
	if i < 0 {
		return 0
	}
	return x.before[i] + r.failed(x.outages[i], earlier(at, x.outages[i].To))
}

// Truth returns how many requests of a component failed and how many there
// were in [from, to). It is exact and additive: the truth of two adjoining
// intervals is their sum. An interval that ends before it starts, and a
// component that is not in the history, have none.
func (r *Replay) Truth(component string, from, to time.Time) (bad, total int64) {
	x, ok := r.lines[component]
	from, to = from.Truncate(time.Second), to.Truncate(time.Second)
	if !ok || !from.Before(to) {
		return 0, 0
	}
	return r.bad(x, to) - r.bad(x, from), r.requests(to) - r.requests(from)
}

// Samples yields the counters of every component at the start of the replay
// and then each step until to, which is included if a step ends there. The
// samples are in the order of time, those of one time in the order of names.
// Each counter starts with zero and never falls. It panics when step is not a
// positive whole number of seconds.
func (r *Replay) Samples(to time.Time, step time.Duration) iter.Seq[Sample] {
	if step <= 0 || step%time.Second != 0 {
		panic(fmt.Sprintf("history: want a step of whole seconds, have %v", step))
	}
	return func(yield func(Sample) bool) {
		for at := r.from; !at.After(to); at = at.Add(step) {
			for _, c := range r.names {
				bad, total := r.Truth(c, r.from, at)
				if !yield(Sample{at, c, bad, total}) {
					return
				}
			}
		}
	}
}
