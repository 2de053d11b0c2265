package burnrate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Incident is a time of raised error ratio.
type Incident struct {
	Start, Length time.Duration // Start from the beginning of the trace
	Ratio         float64       // error ratio during the incident, in [0, 1]
}

// Scenario describes generated traffic with known incidents, on which a policy is scored.
// The zero values of all but Budget and Traffic stand for the defaults named.
type Scenario struct {
	Budget     Budget
	Traffic    Traffic
	Background float64       // burn rate outside of incidents; 0 is none
	Tick       time.Duration // evaluation interval, 30 s; windows must be multiples
	Length     time.Duration // length of a trace, 90 days; includes the warm-up
	Runs       int           // independent traces, pooled in one Scorecard; 1
	// Incidents happen in every trace. nil means a different RandomIncidents with one incident in two
	// days and one deployment blip a day for each trace; an empty slice means none.
	Incidents []Incident
	Seed      uint64
}

// Warmup is the start of a trace that is not scored, since the longest windows still fill.
const Warmup = 3 * 24 * time.Hour

func (s Scenario) withDefaults() Scenario {
	if s.Tick == 0 {
		s.Tick = 30 * time.Second
	}
	if s.Length == 0 {
		s.Length = 90 * 24 * time.Hour
	}
	if s.Runs == 0 {
		s.Runs = 1
	}
	return s
}

// Check returns an error that says which field is out of its range.
func (s Scenario) Check() error {
	s = s.withDefaults()
	if err := s.Budget.Check(); err != nil {
		return err
	}
	if err := s.Traffic.Check(); err != nil {
		return err
	}
	switch {
	case !(s.Background >= 0 && s.Background*s.Budget.Ratio <= 1):
		return fmt.Errorf("want a background burn rate in [0, %v], have %v", s.Budget.MaxBurn(), s.Background)
	case s.Tick <= 0 || s.Runs < 0:
		return fmt.Errorf("want a positive tick and number of runs, have %v and %d", s.Tick, s.Runs)
	case s.Length <= Warmup || s.Length/s.Tick > maxTicks:
		return fmt.Errorf("want a length above %v and at most %d ticks, have %v", Warmup, maxTicks, s.Length)
	}
	for i, x := range s.Incidents {
		if x.Start < 0 || x.Length <= 0 || !(x.Ratio >= 0 && x.Ratio <= 1) {
			return fmt.Errorf("incident %d: want a start of at least 0, a length above 0 and a ratio in [0, 1], have %+v", i, x)
		}
	}
	return nil
}

// Run generates the traces of the scenario and scores the policy on them.
// Equal arguments give equal results, and the traces do not depend on the policy. Time and memory grow
// with Length/Tick: 90 days of 30 s take about 30 ms and 11 MB. It fails as Scenario.Check and
// NewEvaluator do.
func (s Scenario) Run(p Policy) (Scorecard, error) {
	if err := s.Check(); err != nil {
		return Scorecard{}, err
	}
	s = s.withDefaults()
	var score scorer
	for run := range s.Runs {
		e, err := NewEvaluator(p, s.Budget, s.Tick)
		if err != nil {
			return Scorecard{}, err
		}
		rng := rand.New(rand.NewPCG(s.Seed, uint64(run)))
		score.add(s.trace(rng), e)
	}
	return score.card(), nil
}

// trace is one generated history.
type trace struct {
	Scenario
	incidents []Incident // by start
	ticks     []tickCount
}

type tickCount struct{ bad, total uint64 }

func (s Scenario) trace(rng *rand.Rand) *trace {
	t := &trace{Scenario: s, incidents: slices.Clone(s.Incidents)}
	if s.Incidents == nil {
		t.incidents = RandomIncidents(s.Length, 0.5, 1, rng.Uint64())
	}
	slices.SortStableFunc(t.incidents, byStart)
	ratios := t.ratios()
	means := s.Traffic.means(s.Tick)
	bad, good := poisson{Rand: rng}, poisson{Rand: rng}
	t.ticks = make([]tickCount, len(ratios))
	for i, ratio := range ratios {
		mean := means[i%len(means)]
		n := bad.draw(mean * ratio)
		t.ticks[i] = tickCount{n, n + good.draw(mean*(1-ratio))}
	}
	return t
}

// ratios returns the true error ratio of each tick: the worst of background and incidents.
func (t *trace) ratios() []float64 {
	ratios := slices.Repeat([]float64{t.Background * t.Budget.Ratio}, int(t.Length/t.Tick))
	for _, x := range t.incidents {
		from, to := t.span(x)
		for i := from; i < to; i++ {
			ratios[i] = math.Max(ratios[i], x.Ratio)
		}
	}
	return ratios
}

// span returns the ticks [from, to) of an incident; it takes at least one tick unless the trace ends.
func (t *trace) span(x Incident) (from, to int) {
	n := t.Length / t.Tick
	from = int(min(x.Start/t.Tick, n))
	return from, int(min(max((x.Start+x.Length)/t.Tick, x.Start/t.Tick+1), n))
}

// RandomIncidents returns incidents of all sizes for a trace of the given length, by start: about
// perDay incidents a day (total outages to 0.3 % errors, minutes to days, at least 8 hours apart so
// that an alert belongs to one of them) and about blipsPerDay deployment blips of up to a minute, with
// 2 to 20 % errors. None starts within the Warmup; incidents end a day before the end of the trace.
// The mix is invented, not measured. Equal arguments give equal results.
func RandomIncidents(length time.Duration, perDay, blipsPerDay float64, seed uint64) []Incident {
	rng := rand.New(rand.NewPCG(seed, 2))
	var all []Incident
	for at := Warmup; perDay > 0; {
		at += 8*time.Hour + hours(24*rng.ExpFloat64()/perDay)
		x := randomIncident(rng)
		if x.Start = at; at+x.Length > length-24*time.Hour {
			break
		}
		all, at = append(all, x), at+x.Length
	}
	for at := Warmup; blipsPerDay > 0; {
		if at += max(time.Minute, hours(24*rng.ExpFloat64()/blipsPerDay)); at >= length {
			break
		}
		ratio := []float64{0.02, 0.05, 0.1, 0.2}[rng.IntN(4)]
		all = append(all, Incident{at, time.Duration(1+rng.IntN(2)) * 30 * time.Second, ratio})
	}
	slices.SortStableFunc(all, byStart)
	return all
}

// randomIncident draws a ratio and a log-normal length: median 30 minutes, or 4 hours below 2 % errors.
func randomIncident(rng *rand.Rand) Incident {
	ratios := []float64{1, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.003}
	ratio := ratios[rng.IntN(len(ratios))]
	median, spread, least, most := 0.5, 1.3, 2.0/60, 36.0
	if ratio < 0.02 {
		median, spread, least, most = 4, 1.2, 20.0/60, 96
	}
	length := median * math.Exp(spread*rng.NormFloat64())
	return Incident{Length: hours(math.Max(least, math.Min(most, length))), Ratio: ratio}
}

func byStart(a, b Incident) int { return cmp.Compare(a.Start, b.Start) }

// hours returns h hours, at most a million.
func hours(h float64) time.Duration { return time.Duration(math.Min(h, 1e6) * float64(time.Hour)) }
