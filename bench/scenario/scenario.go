// Package scenario generates what a Prometheus server scrapes from a few services in a month, and what really
// happened: every event is counted when it happens, whether or not a scrape ever shows it.
//
//	w, err := scenario.New(st, start, seed, scenario.Month())
//	err = w.Feed(tick)                      // every scrape before tick is in st now
//	events, bad := w.Truth("steady", from, to)
//
// The counters behave like those of real clients: a series appears with its first event, a restart takes all series
// of a pod away and begins at zero, a rollout or a scale to zero takes the pods away, scrapes fail, and the server
// itself is down for a while. The same seed, start and services give the same samples.
package scenario

import "time"

// The simulation.
const (
	// Scrape is the time between two scrapes of a pod.
	Scrape = 30 * time.Second
	// step is the resolution of the simulation and of the truth.
	step = 15 * time.Second
)

// Service is a service and what happens to it. Times of incidents count from the start of the world, hours of the
// day are UTC.
type Service struct {
	Name       string
	Pods       int           // each exposes up to 10 series of http_requests_total
	Rate       float64       // events a second, mean over a day
	Swing      float64       // 0..1: how much less traffic the quietest hour (2:00) has than the mean
	Closed     Hours         // without traffic
	ToZero     bool          // no pods while closed
	ErrorRatio float64       // besides incidents
	Restart    time.Duration // mean time between two restarts of a pod; 0 is never
	Rollout    time.Duration // between two replacements of all pods; 0 is never
	FailRatio  float64       // of scrapes
	Cut        bool          // one pod is out of reach for 15 minutes of each day
	Incidents  []Incident
}

// Hours is a part of each day, from one full hour up to another, which may lie after midnight.
type Hours struct{ From, To int }

// has reports whether the hour h, in 0..24, is part of hs.
func (hs Hours) has(h float64) bool {
	from, to := float64(hs.From), float64(hs.To)
	if from <= to {
		return from <= h && h < to
	}
	return h >= from || h < to
}

// Incident is a time of more errors.
type Incident struct {
	At, For time.Duration
	Ratio   float64 // of events that are bad
}

// Span is a time from At on, counted from the start of the world.
type Span struct{ At, For time.Duration }

// Spec is a world before it runs.
type Spec struct {
	Services []Service
	Down     Span // the server neither scrapes nor evaluates rules
}

const day = 24 * time.Hour

// Month returns nine services, each with a trouble of its own, and 40 minutes without a server on the 18th day.
// They are made for a start at noon.
func Month() Spec {
	at := func(d, h float64) time.Duration {
		return time.Duration(d*float64(day)) + time.Duration((h-12)*float64(time.Hour))
	}
	return Spec{
		Down: Span{at(18, 11), 40 * time.Minute},
		Services: []Service{
			{
				Name: "steady", Pods: 7, Rate: 100, Swing: .5, ErrorRatio: .0002, Restart: 5 * day,
				Incidents: []Incident{{at(27, 10), 20 * time.Minute, .05}},
			},
			{
				Name: "outage-at-night", Pods: 7, Rate: 60, Swing: .95, ErrorRatio: .0001, Restart: 5 * day,
				Incidents: []Incident{{at(20, 2.5), time.Hour, 1}},
			},
			{
				Name: "outage-at-noon", Pods: 7, Rate: 60, Swing: .95, ErrorRatio: .0001, Restart: 5 * day,
				Incidents: []Incident{{at(20, 14), 40 * time.Minute, .2}},
			},
			{Name: "restarts", Pods: 7, Rate: 30, Swing: .5, ErrorRatio: .0005, Restart: 2 * time.Hour, Rollout: day},
			{
				Name: "closed-at-night", Pods: 7, Rate: 20, Swing: .5, Closed: Hours{22, 6}, ErrorRatio: .0003, Restart: 5 * day,
				Incidents: []Incident{{at(24, 12), 10 * time.Minute, .3}},
			},
			{
				Name: "scale-to-zero", Pods: 7, Rate: 20, Swing: .3, Closed: Hours{20, 7}, ToZero: true, ErrorRatio: .0005,
				Rollout: day,
			},
			{Name: "low-traffic", Pods: 3, Rate: 66. / 3600, Swing: .5, ErrorRatio: .004, Rollout: day},
			{Name: "rare-errors", Pods: 7, Rate: 20, Swing: .5, ErrorRatio: .00005, Rollout: day},
			{Name: "failed-scrapes", Pods: 7, Rate: 40, Swing: .5, ErrorRatio: .0003, FailRatio: .02, Cut: true, Restart: 5 * day},
		},
	}
}
