package rules_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plimsoll-slo/plimsoll/internal/promql"
	"github.com/plimsoll-slo/plimsoll/internal/store"
)

// beat is the grid of times in stories.
const beat = 5 * time.Second

// story is a parsed story: see TestScenarios for its language.
type story struct {
	start  time.Time
	length time.Duration
	jobs   []*job
	server []line // of prometheus and of rules
}

// line is one statement: what holds when.
type line struct {
	when
	verb string
	args []string
}

// when is a period of story time, or one of each day.
type when struct{ from, to, every time.Duration }

func (w when) holds(at time.Duration) bool {
	if w.every > 0 {
		at %= w.every
	}
	return w.from <= at && at < w.to
}

// job is a scrape job, its truth, and its pods.
type job struct {
	name      string
	good, bad []string // values of code
	lines     []line
	pods      []*pod
	made      int // pods so far
	owed      [2]float64
	turn      int
	truth     []tally // at each beat, since the start
	rng       *rand.Rand
}

// tally counts events.
type tally struct{ all, bad float64 }

// pod is one target: what it counts, and which of its series the last scrape had.
type pod struct {
	instance string
	phase    time.Duration
	counts   map[string]float64
	seen     map[string]bool
	upSeen   bool
	gone     bool // for good
}

func parseStory(text string) (*story, error) {
	s := &story{start: t0}
	for i, l := range strings.Split(text, "\n") {
		l, _, _ = strings.Cut(l, "#")
		if f := strings.Fields(l); len(f) > 0 {
			if err := s.statement(f); err != nil {
				return nil, fmt.Errorf("story line %d %q: %w", i+1, l, err)
			}
		}
	}
	return s, nil
}

func (s *story) statement(f []string) (err error) {
	switch {
	case f[0] == "start" && len(f) == 2:
		s.start, err = time.Parse(time.RFC3339, f[1])
		return err
	case f[0] == "length" && len(f) == 2:
		s.length, err = promql.ParseDuration(f[1])
		return err
	case f[0] == "job" && len(f) >= 4 && f[2] == "pods":
		return s.addJob(f)
	}
	w, rest, err := parseWhen(f)
	if err != nil {
		return err
	}
	if len(rest) < 2 {
		return fmt.Errorf("want who and what after the time")
	}
	l := line{when: w, verb: rest[1], args: rest[2:]}
	if rest[0] == "prometheus" || rest[0] == "rules" {
		l.verb = rest[0] + " " + rest[1]
		s.server = append(s.server, l)
		return nil
	}
	for _, j := range s.jobs {
		if j.name == rest[0] {
			j.lines = append(j.lines, l)
			return nil
		}
	}
	return fmt.Errorf("no job %q", rest[0])
}

func (s *story) addJob(f []string) error {
	n, err := strconv.Atoi(f[3])
	if err != nil {
		return err
	}
	j := &job{name: f[1], good: []string{"200"}, bad: []string{"500"}, rng: rand.New(rand.NewPCG(7, uint64(len(s.jobs))))}
	for i := 4; i+1 < len(f); i += 2 {
		switch f[i] {
		case "good":
			j.good = strings.Split(f[i+1], ",")
		case "bad":
			j.bad = strings.Split(f[i+1], ",")
		}
	}
	for range n {
		j.newPod()
	}
	s.jobs = append(s.jobs, j)
	return nil
}

// parseWhen reads a period or a moment and returns the rest of the line.
func parseWhen(f []string) (when, []string, error) {
	w := when{}
	if f[0] == "daily" || f[0] == "every" {
		w.every = 24 * time.Hour
		if f[0] == "every" {
			d, err := promql.ParseDuration(f[1])
			return when{to: beat, every: d}, f[2:], err
		}
		f = f[1:]
	}
	from, to, period := strings.Cut(f[0], "..")
	var err error
	if w.from, err = moment(from); err != nil {
		return w, nil, err
	}
	w.to = w.from + beat
	if period {
		if w.to, err = moment(to); err != nil {
			return w, nil, err
		}
	}
	if w.from%beat != 0 || w.to%beat != 0 || w.to <= w.from {
		return w, nil, fmt.Errorf("want times in order, in steps of %v", beat)
	}
	return w, f[1:], nil
}

// moment reads a time since the start, or a clock time.
func moment(s string) (time.Duration, error) {
	if h, m, clock := strings.Cut(s, ":"); clock {
		hours, err := strconv.Atoi(h)
		if err != nil {
			return 0, err
		}
		mins, err := strconv.Atoi(m)
		return time.Duration(hours)*time.Hour + time.Duration(mins)*time.Minute, err
	}
	return promql.ParseDuration(s)
}

func percent(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	return v / 100, err
}

// perBeat reads 100/s, 6/m or 18/h.
func perBeat(s string) float64 {
	n, unit, _ := strings.Cut(s, "/")
	v, err := strconv.ParseFloat(n, 64)
	of, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || !known {
		panic("scenario: rate " + s)
	}
	return v * float64(beat) / float64(of)
}

func (j *job) newPod() {
	p := &pod{instance: fmt.Sprintf("%s-%d", j.name, j.made), phase: (1 + 2*time.Duration(j.made)) * beat}
	p.counts, p.seen = map[string]float64{}, map[string]bool{}
	j.made++
	j.pods = append(j.pods, p)
}

// serving returns the pods that take requests.
func (j *job) serving() []*pod {
	return slices.DeleteFunc(slices.Clone(j.pods), func(p *pod) bool { return p.gone })
}

// last returns the last line with one of the verbs that holds at a time.
func last(lines []line, at time.Duration, verbs ...string) (line, bool) {
	for _, l := range slices.Backward(lines) {
		if slices.Contains(verbs, l.verb) && l.holds(at) {
			return l, true
		}
	}
	return line{}, false
}

// happen lets the events of the beat from at on happen.
func (j *job) happen(at time.Duration) {
	all, bad := 0.0, 0.0
	if l, ok := last(j.lines, at, "rate", "idle"); ok && l.verb == "rate" {
		all = perBeat(l.args[0])
		if len(l.args) > 2 {
			share, err := percent(l.args[2])
			if err != nil {
				panic(err)
			}
			bad = all * share
		}
	}
	j.change(at)
	now := tally{}
	if len(j.truth) > 0 {
		now = j.truth[len(j.truth)-1]
	}
	if len(j.serving()) > 0 {
		j.owed[0] += all - bad
		j.owed[1] += bad
		for _, l := range j.lines {
			if l.verb == "burst" && l.holds(at) {
				n, err := strconv.Atoi(l.args[0])
				if err != nil {
					panic(err)
				}
				j.owed[1] += float64(n)
			}
		}
		good, wrong := j.serve(0, j.good), j.serve(1, j.bad)
		now.all, now.bad = now.all+good+wrong, now.bad+wrong
	}
	j.truth = append(j.truth, now)
}

// serve spreads the whole events that are due over pods and codes, and returns how many there were.
func (j *job) serve(kind int, codes []string) float64 {
	pods := j.serving()
	n := int(j.owed[kind] + 1e-6)
	j.owed[kind] -= float64(n)
	slots := len(pods) * len(codes)
	for i := range slots {
		k := n / slots
		if (i-j.turn%slots+slots)%slots < n%slots {
			k++
		}
		if k > 0 {
			pods[i%len(pods)].counts[codes[i/len(pods)]] += float64(k)
		}
	}
	j.turn += n % slots
	return float64(n)
}

// change restarts, replaces, adds and takes away pods.
func (j *job) change(at time.Duration) {
	for _, l := range j.lines {
		if !l.holds(at) {
			continue
		}
		switch l.verb {
		case "restart":
			for _, p := range j.serving() {
				clear(p.counts)
			}
		case "roll":
			j.serving()[0].gone = true
			j.newPod()
		}
	}
	if l, ok := last(j.lines, at, "pods"); ok {
		n, err := strconv.Atoi(l.args[0])
		if err != nil {
			panic(err)
		}
		for _, p := range j.serving()[min(n, len(j.serving())):] {
			p.gone = true
		}
		for len(j.serving()) < n {
			j.newPod()
		}
	}
}

// scrape returns what Prometheus writes at a time: the samples of the pods whose turn it is, and staleness markers
// for series that ended.
func (j *job) scrape(at, every time.Duration) (out []sample) {
	for _, p := range j.pods {
		if at%every != p.phase%every {
			continue
		}
		_, away := last(j.lines, at, "gone")
		_, cut := last(j.lines, at, "unreachable")
		if l, ok := last(j.lines, at, "flaky"); ok {
			share, _ := percent(l.args[0])
			cut = cut || j.rng.Float64() < share
		}
		out = append(out, p.samples(j.name, away || p.gone, cut)...)
	}
	return out
}

func (p *pod) samples(job string, away, cut bool) (out []sample) {
	series := func(name, code string, v float64) {
		l := store.Labels{store.Name: name, "job": job, "instance": p.instance}
		if code != "" {
			l["code"] = code
		}
		out = append(out, sample{l, v})
	}
	switch {
	case !away && cut:
		series("up", "", 0)
		p.upSeen = true
	case !away:
		series("up", "", 1)
		p.upSeen = true
	case p.upSeen:
		series("up", "", store.Stale())
		p.upSeen = false
	}
	if !away && !cut {
		for code, n := range p.counts {
			series("http_requests_total", code, n)
		}
	}
	for code := range p.seen {
		if _, there := p.counts[code]; away || cut || !there {
			series("http_requests_total", code, store.Stale())
		}
	}
	clear(p.seen)
	for code := range p.counts {
		p.seen[code] = !away && !cut
		if away || cut {
			delete(p.seen, code)
		}
	}
	return out
}

// between returns the true events from one time up to another.
func (j *job) between(from, to time.Duration) tally {
	at := func(d time.Duration) tally {
		if d <= 0 {
			return tally{}
		}
		return j.truth[d/beat-1]
	}
	a, b := at(from), at(to)
	return tally{b.all - a.all, b.bad - a.bad}
}
