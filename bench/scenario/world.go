package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// World is services over time. It is for one goroutine.
type World struct {
	start, now time.Time // now is the end of the last step
	down       Span
	store      *store.Store
	batch      *store.Batch
	services   []*service
	kinds      [kinds]kind
}

// New returns a world that begins at start, which must be a full minute, and writes its scrapes to st. Each service
// has random numbers of its own, derived from seed.
func New(st *store.Store, start time.Time, seed uint64, spec Spec) (*World, error) {
	if !start.Equal(start.Truncate(time.Minute)) {
		return nil, fmt.Errorf("want a start at a full minute, have %s", start)
	}
	w := &World{start: start, now: start, down: spec.Down, store: st, batch: st.Batch(), kinds: newKinds()}
	for i, s := range spec.Services {
		x := &service{Service: s, world: w, random: rand.New(rand.NewPCG(seed, uint64(i))), events: []int64{0}, bad: []int64{0}}
		x.rollout = s.Rollout
		if err := x.scale(s.Pods); err != nil {
			return nil, err
		}
		w.services = append(w.services, x)
	}
	return w, nil
}

// Down reports whether the server is down at t.
func (w *World) Down(t time.Time) bool {
	since := t.Sub(w.start)
	return since >= w.down.At && since < w.down.At+w.down.For
}

// Feed goes on until every scrape before the given time is committed.
func (w *World) Feed(until time.Time) error {
	for w.now.Add(step).Before(until) {
		w.now = w.now.Add(step)
		for _, s := range w.services {
			if err := s.step(); err != nil {
				return fmt.Errorf("service %q at %s: %w", s.Name, w.now.Format(time.RFC3339), err)
			}
		}
	}
	return w.batch.Commit()
}

// Truth returns the events and the bad ones of a service after from up to to, each rounded down to 15 seconds and
// limited to what was simulated. It panics if there is no such service.
func (w *World) Truth(name string, from, to time.Time) (events, bad int64) {
	for _, s := range w.services {
		if s.Name == name {
			a, b := w.index(from), w.index(to)
			return s.events[b] - s.events[a], s.bad[b] - s.bad[a]
		}
	}
	panic("scenario: no service " + name)
}

func (w *World) index(t time.Time) int {
	return int(min(max(t.Sub(w.start), 0), w.now.Sub(w.start)) / step)
}

// Live returns the number of series of http_requests_total that the last scrapes showed.
func (w *World) Live() int {
	n := 0
	for _, s := range w.services {
		for _, p := range s.pods {
			for i := range p.series {
				if p.series[i].shown {
					n++
				}
			}
		}
	}
	return n
}

// service is a service at work.
type service struct {
	Service
	world       *World
	random      *rand.Rand
	pods        []*pod
	made        int           // pods so far
	rollout     time.Duration // time of the next one
	cut         *pod
	cutAt       time.Duration
	events, bad []int64 // up to the end of each step
}

// step simulates one step, up to world.now, and scrapes the pods that are due.
func (s *service) step() error {
	at := s.world.now.Add(-step)
	since := at.Sub(s.world.start)
	rate := s.rate(at)
	if err := s.operate(since, rate); err != nil {
		return err
	}
	events, bad := s.work(rate*step.Seconds(), s.errors(since))
	s.events = append(s.events, s.events[len(s.events)-1]+events)
	s.bad = append(s.bad, s.bad[len(s.bad)-1]+bad)
	if s.Cut && since%day == 0 && len(s.pods) > 0 {
		s.cut, s.cutAt = s.pods[s.random.IntN(len(s.pods))], since+time.Duration(s.random.Float64()*.9*float64(day))
	}
	down := s.world.Down(s.world.now)
	left := s.pods[:0]
	for _, p := range s.pods {
		if (s.world.now.Sub(s.world.start)+p.phase)%Scrape != 0 {
			left = append(left, p)
			continue
		}
		if err := s.scrape(p, since, down); err != nil {
			return err
		}
		if !p.gone {
			left = append(left, p)
		}
	}
	s.pods = left
	return nil
}

// rate returns the events a second at t: a wave over the day, and less at weekends.
func (s *service) rate(t time.Time) float64 {
	h := float64(t.Unix()%86400) / 3600
	if s.Closed.has(h) {
		return 0
	}
	r := s.Rate * (1 - s.Swing*math.Cos(2*math.Pi*(h-2)/24))
	if d := t.UTC().Weekday(); d == time.Saturday || d == time.Sunday {
		r *= .7
	}
	return r
}

func (s *service) errors(since time.Duration) float64 {
	for _, x := range s.Incidents {
		if since >= x.At && since < x.At+x.For {
			return x.Ratio
		}
	}
	return s.ErrorRatio
}

// operate restarts, replaces and scales pods.
func (s *service) operate(since time.Duration, rate float64) error {
	if s.Restart > 0 {
		for _, p := range s.pods {
			if s.random.Float64() < step.Seconds()/s.Restart.Seconds() {
				p.restart()
			}
		}
	}
	want := s.Pods
	if s.ToZero && rate == 0 {
		want = 0
	}
	if s.Rollout > 0 && since >= s.rollout {
		s.rollout += s.Rollout
		if err := s.scale(0); err != nil {
			return err
		}
	}
	return s.scale(want)
}

// scale makes want the number of pods. Pods that go stay in the list until a scrape misses them.
func (s *service) scale(want int) error {
	have := 0
	for _, p := range s.pods {
		p.gone = p.gone || have >= want
		if !p.gone {
			have++
		}
	}
	for ; have < want; have++ {
		p, err := s.newPod()
		if err != nil {
			return err
		}
		s.pods = append(s.pods, p)
	}
	return nil
}

// work spreads the events of a step over the pods. mean is how many are to be expected.
func (s *service) work(mean, errors float64) (events, bad int64) {
	for _, p := range s.pods {
		if p.gone {
			continue
		}
		for i, k := range s.world.kinds {
			share := k.share * (1 - errors)
			if k.bad {
				share = k.share * errors
			}
			n := s.count(mean / float64(s.Pods) * share)
			if n == 0 {
				continue
			}
			events += n
			if k.bad {
				bad += n
			}
			p.series[i].value += n
		}
	}
	return events, bad
}

// count returns a random number of events: Poisson's distribution, above 30 its normal approximation.
func (s *service) count(mean float64) int64 {
	if mean <= 0 {
		return 0
	}
	if mean > 30 {
		return int64(max(0, math.Round(mean+math.Sqrt(mean)*s.random.NormFloat64())))
	}
	u, p, n := s.random.Float64(), math.Exp(-mean), int64(0)
	for sum := p; u > sum && p > 0; sum += p {
		n++
		p *= mean / float64(n)
	}
	return n
}
