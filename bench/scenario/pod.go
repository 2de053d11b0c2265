package scenario

import (
	"fmt"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// kinds is how many series a pod can have, besides up.
const kinds = 10

// kind is what one series of a pod counts.
type kind struct {
	method, code string
	bad          bool
	share        float64 // of the good, or of the bad, events
}

func newKinds() [kinds]kind {
	var out [kinds]kind
	codes := []kind{{code: "200", share: .95}, {code: "302", share: .03}, {code: "404", share: .02}, {code: "500", bad: true, share: .7}, {code: "503", bad: true, share: .3}}
	for i, c := range codes {
		get, post := c, c
		get.method, get.share = "GET", .8*c.share
		post.method, post.share = "POST", .2*c.share
		out[2*i], out[2*i+1] = get, post
	}
	return out
}

// pod is a scrape target.
type pod struct {
	phase  time.Duration // when in Scrape it is scraped: 0 or step
	late   time.Duration // of the time stamp after the end of the step
	up     *store.Series
	known  bool // up was written
	gone   bool // it runs no more
	series [kinds]counter
}

// counter is a series of a pod. It is exposed once it has counted something.
type counter struct {
	value  int64
	handle *store.Series // nil until first shown
	shown  bool          // by the last scrape
	labels store.Labels
}

func (s *service) newPod() (*pod, error) {
	s.made++
	target := store.Labels{"job": s.Name, "instance": fmt.Sprintf("10.0.%d.%d:8080", s.made/250, s.made%250)}
	p := &pod{
		phase: time.Duration(s.random.IntN(2)) * step,
		late:  time.Duration(1+s.random.IntN(5000)) * time.Millisecond,
	}
	for i, k := range s.world.kinds {
		l := store.Labels{store.Name: "http_requests_total", "pod": fmt.Sprintf("%s-%d", s.Name, s.made), "method": k.method, "code": k.code}
		for name, value := range target {
			l[name] = value
		}
		p.series[i].labels = l
	}
	target[store.Name] = "up"
	var err error
	p.up, err = s.world.store.Series(target)
	return p, err
}

// restart is a crash: the counters begin again.
func (p *pod) restart() {
	for i := range p.series {
		p.series[i].value = 0
	}
}

// scrape writes what a scrape of p shows now. A server that is down writes nothing, and has forgotten, when it is
// back, what it saw before.
func (s *service) scrape(p *pod, since time.Duration, down bool) error {
	if down {
		p.known = false
		for i := range p.series {
			p.series[i].shown = false
		}
		return nil
	}
	at := s.world.now.Add(p.late)
	cut := p == s.cut && since >= s.cutAt && since < s.cutAt+15*time.Minute
	fails := s.FailRatio > 0 && s.random.Float64() < s.FailRatio
	seen := !p.gone && !cut && !fails
	if err := s.scrapeUp(p, at, seen); err != nil {
		return err
	}
	for i := range p.series {
		if err := s.scrapeSeries(&p.series[i], at, seen); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) scrapeUp(p *pod, at time.Time, seen bool) error {
	up := 0.
	switch {
	case p.gone && !p.known:
		return nil
	case p.gone:
		up = store.Stale()
	case seen:
		up = 1
	}
	p.known = !p.gone
	return s.world.batch.Add(p.up, at, up)
}

func (s *service) scrapeSeries(c *counter, at time.Time, seen bool) error {
	if !seen || c.value == 0 {
		if !c.shown {
			return nil
		}
		c.shown = false
		return s.world.batch.Add(c.handle, at, store.Stale())
	}
	if c.handle == nil {
		var err error
		if c.handle, err = s.world.store.Series(c.labels); err != nil {
			return err
		}
	}
	c.shown = true
	return s.world.batch.Add(c.handle, at, float64(c.value))
}
